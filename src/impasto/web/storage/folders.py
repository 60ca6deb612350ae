"""Owns the folder of each job, and the names of the files that a worker writes into it."""

from __future__ import annotations

from pathlib import Path

CHECKPOINT = "checkpoint.safetensors"
PREVIEW = "preview.jpg"
LOSSES = "losses.jsonl"
RESULT = "result.png"
#: Name of the picture that a job continues from when its masks change.
START = "start.png"
PREVIEW_SIDE = 512


class Folders:
    """The folders of all jobs.

    Args:
        root: contains them.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, job_id: str) -> Path:
        """The folder of a job, which may not exist yet."""
        return self._root / job_id
