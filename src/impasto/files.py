"""Owns writing files whole or not at all, comparing the names of files, and messages about failed writes."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from impasto.messages import printable, reason

# What the smallest file takes on most disks, in bytes.
_BLOCK = 4096


@contextmanager
def whole(target: Path, *, overwrite: bool = True, durable: bool = True, beside: Path | None = None) -> Iterator[Path]:
    """Yields a temporary file, and renames it to `target` in one step when the block ends without an error.

    If anything fails, an existing `target` keeps its content and the temporary file is removed. Only a killed process
    leaves the temporary file behind.

    Args:
        overwrite: whether an existing `target` may be replaced; it keeps its permissions.
        durable: whether to wait until the file is on the disk, so that it survives a power cut.
        beside: the temporary file, in the folder of `target`; by default one with a random name. With a fixed name,
            the file that a killed process left behind is overwritten the next time.

    Raises:
        OSError: the file cannot be written, or `target` exists and must not be replaced (FileExistsError).
    """
    # A short name: the name of the target may be as long as the file system allows.
    named = beside is not None
    beside = beside or target.with_name(f".impasto-{secrets.token_hex(8)}.tmp")
    try:
        # `touch` gives the permissions of any new file; `tempfile` would not.
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


def check_takes_files(folder: Path) -> None:
    """Make a file of one block in a folder, and remove it: whether writing works is known only by trying.

    On Linux the file has no name, so that nobody sees it.

    Raises:
        OSError: no file can be written there.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(_BLOCK))


def settle(path: Path, target: Path) -> None:
    """Rename a complete file to `target` in one step, and wait until it is on the disk.

    Raises:
        OSError: the file cannot be renamed.
    """
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    path.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the entries of a folder are on the disk, if the system lets a folder be opened for that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        # The file itself is complete; the system writes the folder's entry later.
        return
    finally:
        os.close(descriptor)


def identity(path: str | os.PathLike[str]) -> tuple[int, int] | str:
    """A key that is equal for all names of one file and for no other file. The file need not exist yet."""
    try:
        found = Path(path).stat()
        return found.st_dev, found.st_ino
    except OSError:
        return os.path.realpath(path)
    except ValueError:
        # No file can have this name.
        return os.fspath(path)


def same_file(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether both are names of the same file."""
    return identity(one) == identity(other)


def label(path: str | os.PathLike[str]) -> str:
    """A path in the form that messages show."""
    return printable(os.fspath(path), 240)


def why_not_written(error: OSError, target: Path) -> str:
    """What went wrong and what to do, for a message."""
    folder = label(target.parent)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"the disk is full ({folder}); make room, or choose another folder. An existing file was not changed"
        case errno.EFBIG:
            return "the file would be larger than the system allows; choose JPEG or a smaller picture"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"there is no permission to write in {folder}; choose another folder"
        case errno.EEXIST:
            return "the file exists already; choose another name, or allow it to be overwritten"
        case errno.ENOENT if target.parent.is_dir():
            return f"no file can be made in {folder}; choose another folder"
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
        # A new file has no permissions to keep, and some file systems have none at all.
        return


def _move_to_free_name(beside: Path, target: Path) -> None:
    """Rename without ever replacing a file, even one that another program makes at the same moment."""
    try:
        os.link(beside, target)
    except FileExistsError:
        raise
    except OSError:
        # The file system has no hard links. Another program can make the file between these two lines.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        beside.replace(target)
