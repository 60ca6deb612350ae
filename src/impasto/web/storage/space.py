"""Owns the space on the studio's disk: it is reserved for uploads before and while their bytes come.

An upload is written twice: into a temporary file while the form is read, and once more when it is stored. So every byte
that has come reserves another one, until its request ends.
"""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from impasto.web.problems import disk_full


class Space:
    """The free space of a disk, and what is promised to uploads.

    Args:
        folder: on the disk.
        min_free: bytes that must stay free.
    """

    def __init__(self, folder: Path, *, min_free: int) -> None:
        self._folder, self._min_free = folder, min_free
        self._lock = threading.Lock()
        self._reserved = 0

    def check(self, size: int = 0) -> None:
        """Check that there is room for a file of that many bytes beside what is promised.

        Raises:
            Problem: there is not.
        """
        with self._lock:
            self._check(size)

    def reservation(self) -> Reservation:
        """A new reservation, of no bytes yet."""
        return Reservation(self)

    def change(self, by: int) -> None:
        """Reserve more bytes, or fewer if negative.

        Raises:
            Problem: there is no room for them.
        """
        with self._lock:
            if by > 0:
                self._check(by)
            self._reserved += by

    def _check(self, size: int) -> None:
        if _free(self._folder) - self._reserved - size < self._min_free:
            raise disk_full()


class Reservation:
    """The space of one upload.

    Args:
        space: of the disk.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._bytes = 0

    def take(self, size: int) -> None:
        """Reserve that many bytes more.

        Raises:
            Problem: there is no room for them.
        """
        self._space.change(size)
        self._bytes += size

    def check(self, size: int) -> None:
        """Check that there is room for that many bytes more.

        Raises:
            Problem: there is not.
        """
        self._space.check(size)

    def release(self) -> None:
        """Reserve nothing more."""
        self._space.change(-self._bytes)
        self._bytes = 0


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free
