"""Owns claims: of several runs that would paint one output, one does.

A claim is a lock on a hidden file beside the output, so the system releases it if the run is killed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

# Seconds between attempts to get a claim that another run holds.
_POLL = 0.5


@contextmanager
def claimed(output: Path, *, wait: bool = False) -> Iterator[bool]:
    """Yields whether this run has the claim on `output`, and releases it in the end.

    Args:
        output: its folder exists.
        wait: whether to wait while another run has the claim.
    """
    # A name of its own length: the output's may be as long as the file system allows.
    path = output.with_name(f".impasto-{hashlib.sha256(output.name.encode()).hexdigest()[:16]}.claim")
    lock = FileLock(path, timeout=-1 if wait else 0, thread_local=False, poll_interval=_POLL)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        # Removed while it is locked: whoever opened it before sees that it is gone, and opens a new one.
        path.unlink(missing_ok=True)
        lock.release()
