"""Owns what the files in a job's folder are called; they are what a worker leaves for the studio."""

from __future__ import annotations

CHECKPOINT = "checkpoint.safetensors"
PREVIEW = "preview.jpg"
LOSSES = "losses.jsonl"
RESULT = "result.png"
PREVIEW_SIDE = 512
