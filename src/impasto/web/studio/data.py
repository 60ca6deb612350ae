"""Owns the data folder as a whole: who may use it, and what is said if it cannot be used."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from impasto.errors import SettingsError
from impasto.messages import printable, reason
from impasto.web.problems import Problem
from impasto.web.storage.database import DatabaseError


@contextlib.contextmanager
def explained(data: Path) -> Iterator[None]:
    """Translates errors while the folder is opened.

    Raises:
        SettingsError: files in it cannot be read or written, or its database is damaged.
    """
    folder = printable(str(data), longest=300)
    try:
        yield
    except DatabaseError as error:
        raise SettingsError("data", f"got {folder}: {error}") from error
    except OSError as error:
        raise SettingsError(
            "data",
            f"got {folder}, which cannot be used ({error.strerror or reason(error)}); choose a folder of your own",
        ) from error


class FolderLock:
    """Keeps a second studio out of the same folder.

    Raises:
        Problem: another studio has it.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        try:
            import fcntl

            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            # Windows has no flock.
            return
        except OSError:
            self._file.close()
            raise Problem(
                "conflict", f"another studio uses the folder {path.parent}; stop it, or choose another with --data"
            ) from None

    def release(self) -> None:
        """Let other studios use the folder."""
        self._file.close()
