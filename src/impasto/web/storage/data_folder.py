"""Owns the data folder: it is marked as the studio's, and nothing that the studio did not write is changed in it.

A folder is accepted if it has the marker, if it is empty, or if it holds the database of a studio from before there was
a marker. Any other folder is refused, and so is a symbolic link in place of anything that the studio writes.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from impasto.errors import SettingsError
from impasto.messages import printable, reason
from impasto.web.problems import Problem
from impasto.web.storage.database import BACKUP, BEFORE_REPAIR, FILE, DatabaseError

MARKER = "impasto-studio.txt"
_MARK = "This folder belongs to a studio of Impasto (impasto serve --data). Do not put files of your own here.\n"
# Entries of the folder, each of which must not be a link.
_ADDRESS = "impasto-address.txt"
_LOCK, _TEMPORARY, _PICTURES, _JOBS, _SHEETS = "lock", "impasto-tmp", "pictures", "jobs", "sheets"
_DATABASE = (FILE, f"{FILE}-wal", f"{FILE}-shm", f"{FILE}-journal")
_OURS = (MARKER, _LOCK, _TEMPORARY, _PICTURES, _JOBS, _SHEETS, *_DATABASE, BACKUP, BEFORE_REPAIR, _ADDRESS)
# Beside these, a folder without the marker may hold what earlier versions wrote.
_EARLIER = ("tmp", "speed.json")
# What systems put into every folder or file system.
_OF_THE_SYSTEM = ("lost+found", ".DS_Store", "Thumbs.db", "desktop.ini")
_SCRATCH = re.compile(r"[0-9a-f]{24}")
_TABLES = {"pictures", "jobs", "keys", "sweeps", "facts"}


class DataFolder:
    """The folder of everything that a studio stores; one studio at a time has it.

    Args:
        path: created if missing.

    Attributes:
        pictures, jobs, sheets: folders in it.
        database: path of the database.

    Raises:
        SettingsError: it belongs to someone else, contains links, or cannot be used.
        Problem: another studio has it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.pictures, self.jobs, self.sheets = path / _PICTURES, path / _JOBS, path / _SHEETS
        self.temporary = path / _TEMPORARY
        self.database = path / FILE
        with explained(path):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_file(path / MARKER):
                self._check_unmarked()
            for name in _OURS:
                _refuse_link(path / name)
            self._lock = _lock(path / _LOCK)
            self._mark()
            if not self.database.exists():
                # SQLite gives its further files the same permissions.
                os.close(os.open(self.database, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            for folder in (self.pictures, self.temporary):
                folder.mkdir(mode=0o700, exist_ok=True)

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A unique path for a temporary file or folder, which is removed at the end."""
        path = self.temporary / secrets.token_hex(12)
        try:
            yield path
        finally:
            _remove(path)

    def remove_scratch(self) -> None:
        """Remove the temporary files that an earlier studio left behind, and no others."""
        for path in self.temporary.iterdir():
            if _SCRATCH.fullmatch(path.name):
                _remove(path)

    def release(self) -> None:
        """Let other studios use the folder."""
        self._lock.release()

    def _check_unmarked(self) -> None:
        names = {entry.name for entry in self._path.iterdir()} - {*_OF_THE_SYSTEM}
        if not names or (names <= {*_OURS, *_EARLIER} and _is_studio_database(self.database)):
            return
        others = sorted(names - {*_OURS, *_EARLIER})
        if FILE in names and not others:
            raise DatabaseError(
                f"{FILE} is damaged, or not a studio's database; restore a copy of it, or choose an empty folder"
            )
        others = others or sorted(names)
        raise SettingsError(
            "data",
            f"got {_shown(self._path)}, which is not a studio's folder and contains {printable(others[0], longest=80)}"
            f"{f' and {len(names) - 1} more' if len(names) > 1 else ''}; choose an empty or a new folder",
        )

    def _mark(self) -> None:
        marker = self._path / MARKER
        if _is_file(marker):
            return
        # Nobody else should read what people upload.
        with contextlib.suppress(PermissionError):
            self._path.chmod(0o700)
        descriptor = os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(_MARK)


@contextlib.contextmanager
def explained(data: Path) -> Iterator[None]:
    """Translates errors while the folder is opened.

    Raises:
        SettingsError: files in it cannot be read or written, or its database is damaged.
    """
    try:
        yield
    except DatabaseError as error:
        raise SettingsError("data", f"got {_shown(data)}: {error}") from error
    except OSError as error:
        raise SettingsError(
            "data",
            f"got {_shown(data)}, which cannot be used ({error.strerror or reason(error)}); choose a folder of your "
            "own",
        ) from error


def _shown(path: Path) -> str:
    return printable(str(path), longest=300)


def _is_file(path: Path) -> bool:
    """Whether a regular file is there, and not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise SettingsError(
            "data",
            f"{_shown(path)} is a symbolic link, which the studio does not follow; choose another folder",
        )


def _is_studio_database(path: Path) -> bool:
    """Whether the file is a database of a studio, which is not changed by looking."""
    if not _is_file(path):
        return False
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            tables = {name for (name,) in database.execute("select name from sqlite_schema where type = 'table'")}
    except sqlite3.DatabaseError:
        return False
    return tables >= _TABLES


def _lock(path: Path) -> FileLock:
    """The lock of the folder, which the system releases if the studio dies.

    Raises:
        Problem: another studio has it.
    """
    # Released by another thread than the one that opened the folder.
    lock = FileLock(path, timeout=0, mode=0o600, thread_local=False, fallback_to_soft=False, preserve_lock_file=True)
    try:
        lock.acquire()
    except Timeout:
        raise Problem(
            "conflict", f"another studio uses the folder {path.parent}; stop it, or choose another with --data"
        ) from None
    return lock


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
