"""Owns the folder of each job, and what the files in it are called: what a worker leaves for the studio."""

from __future__ import annotations

from pathlib import Path

CHECKPOINT = "checkpoint.safetensors"
PREVIEW = "preview.jpg"
LOSSES = "losses.jsonl"
RESULT = "result.png"
#: What the picture is called that a painting goes on from under other masks.
START = "start.png"
PREVIEW_SIDE = 512


class Folders:
    """Where jobs have their files.

    Args:
        root: the folder of all.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, job_id: str) -> Path:
        """The folder of a job, which may not be there yet."""
        return self._root / job_id
