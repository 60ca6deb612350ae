"""Owns files that others may look at any time: each is whole or not there."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def replaced(path: Path, data: bytes) -> None:
    """Puts `data` where readers find either what was there or all of it; not for what must survive a power cut."""
    beside = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def settle(path: Path, target: Path, *, durable: bool = False) -> None:
    """Moves a file to its place in one step; on the disk for certain, if it is to be."""
    if durable:
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    path.replace(target)
    if durable and hasattr(os, "O_DIRECTORY"):
        for folder in (target.parent, target.parent.parent):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
