"""Owns files that appear whole or not at all, the names of one file, and words for why one could not be written."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from impasto.messages import printable, reason


@contextmanager
def whole(target: Path, *, overwrite: bool = True, durable: bool = True, beside: Path | None = None) -> Iterator[Path]:
    """A file to write to, which takes the place of `target` in one step when the block is left, unless by an error.

    Whatever fails, a file that was there stays as it was, and nothing else is left; only a kill leaves the file beside.

    Args:
        overwrite: whether a file that is there may be replaced; its permissions stay.
        durable: whether the file is on the disk for certain when this returns, to survive a power cut.
        beside: the file to write to, in the folder of `target`. A name that is always the same is written over the next
            time, if a kill has left it behind; by default it is one that nobody else has.

    Raises:
        OSError: it cannot be written, or is there and must not be replaced (FileExistsError).
    """
    # The name is short, so that a long name of the target still has room for it.
    named = beside is not None
    beside = beside or target.with_name(f".impasto-{secrets.token_hex(8)}.tmp")
    try:
        # With the permissions of any new file, which a tempfile has not.
        beside.touch(exist_ok=named)
        yield beside
        if durable:
            with beside.open("rb+") as file:
                os.fsync(file.fileno())
        if overwrite:
            _keep_permissions(target, beside)
            beside.replace(target)
        else:
            _move_to_free_name(beside, target)
    finally:
        beside.unlink(missing_ok=True)
    if durable:
        sync_folder(target.parent)


def settle(path: Path, target: Path) -> None:
    """Move a file that is whole into the place of `target`, in one step and on the disk for certain.

    Raises:
        OSError: it cannot be moved there.
    """
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    path.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Put on the disk what was made in a folder or moved into it, where the system lets a folder be opened for that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        # The file is whole and in its place; only how soon the disk knows is left to the system.
        return
    finally:
        os.close(descriptor)


def identity(path: str | os.PathLike[str]) -> tuple[int, int] | str:
    """What is the same for all names of one file, and for no other file: also of one that is not there yet."""
    try:
        found = Path(path).stat()
        return found.st_dev, found.st_ino
    except OSError:
        return os.path.realpath(path)
    except ValueError:
        # A name that no file can have.
        return os.fspath(path)


def same_file(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether both are names of one file."""
    return identity(one) == identity(other)


def label(path: str | os.PathLike[str]) -> str:
    """A path as messages have it."""
    return printable(os.fspath(path), 240)


def why_not_written(error: OSError, target: Path) -> str:
    """What went wrong, and what to do."""
    folder = label(target.parent)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"the disk is full ({folder}); make room, or choose another folder. An older file is as it was"
        case errno.EFBIG:
            return "the file would be larger than the system allows; choose JPEG or a smaller picture"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"there is no permission to write in {folder}; choose another folder"
        case errno.EEXIST:
            return "the file exists already; choose another name, or allow it to be overwritten"
        case errno.ENOENT | errno.ENOTDIR:
            return f"there is no folder {folder}; make it first"
        case errno.ENAMETOOLONG:
            return "the name is too long; choose a shorter one"
        case _:
            return f"it could not be written ({reason(error)})"


def _keep_permissions(target: Path, beside: Path) -> None:
    try:
        beside.chmod(stat.S_IMODE(target.stat().st_mode))
    except OSError:
        # A new file has none to keep, and some file systems have none at all.
        return


def _move_to_free_name(beside: Path, target: Path) -> None:
    """Moves without ever replacing a file, even one made since somebody looked."""
    try:
        os.link(beside, target)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links. This leaves a moment between the look and the move.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        beside.replace(target)
