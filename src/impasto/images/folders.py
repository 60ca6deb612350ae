"""Owns folders: which of many files are pictures, and why the others are not.

The first bytes of a file decide, not its suffix. Files that systems and programs leave beside pictures are recognised
by their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from impasto.errors import ImageReadError
from impasto.images.formats import HEAD_BYTES, PICTURE_SUFFIXES, WRITABLE_SUFFIXES, describe, identify
from impasto.messages import reason

# In lower case.
_SYSTEM_FILES: Mapping[str, str] = {
    ".ds_store": "it holds folder settings of macOS",
    "icon\r": "it holds folder settings of macOS",
    "desktop.ini": "it holds folder settings of Windows",
    "ehthumbs.db": "it holds thumbnails of Windows",
    "thumbs.db": "it holds thumbnails of Windows",
}
_SYSTEM_FOLDERS: Mapping[str, str] = {
    "__macosx": "it is what macOS adds to archives",
    "@eadir": "it is a thumbnail of a network disk",
}

# What macOS leaves beside a file on a disk that cannot hold its attributes.
_APPLE_DOUBLE = (b"\0\5\x16\7", b"\0\5\x16\0")

# The suffix to write where a file's own cannot be written; PNG for all other formats.
_SUFFIX_OF: Mapping[str, str] = {"JPEG": ".jpg", "HEIC": ".jpg", "RAW": ".jpg"}


@dataclass(frozen=True)
class Skipped:
    """A file that is not a picture.

    Attributes:
        path: the file.
        reason: why it is not read, for example "it is a video".
    """

    path: Path
    reason: str


@dataclass(frozen=True)
class Folder:
    """The files of a folder, sorted by path.

    Attributes:
        pictures: the files that begin as a picture does, and damaged ones that are named like a picture: reading these
            tells what is wrong.
        skipped: the files that a user may have taken for pictures, or may miss.
        ignored: the files that nobody misses: hidden ones, those in hidden folders, and those of the system.
    """

    pictures: tuple[Path, ...]
    skipped: tuple[Skipped, ...]
    ignored: tuple[Skipped, ...] = ()

    @classmethod
    def of(cls, paths: Iterable[Path], root: Path | None = None) -> Folder:
        """Sort files into pictures and others. Folders among the paths are left out.

        Args:
            paths: for example `folder.rglob("*")`.
            root: the folder that was listed. Files in hidden folders below it are ignored.
        """
        pictures: list[Path] = []
        skipped: list[Skipped] = []
        ignored: list[Skipped] = []
        for path in sorted(paths):
            if path.is_dir():
                continue
            if why := _why_ignored(path, root):
                ignored.append(Skipped(path, why))
            elif why := _why_skipped(path):
                skipped.append(Skipped(path, why))
            else:
                pictures.append(path)
        return cls(tuple(pictures), tuple(skipped), tuple(ignored))


def _why_ignored(path: Path, root: Path | None) -> str | None:
    for folder in path.relative_to(root).parts[:-1] if root is not None and path.is_relative_to(root) else ():
        if folder.lower() in _SYSTEM_FOLDERS:
            return _SYSTEM_FOLDERS[folder.lower()]
        if folder.startswith("."):
            return "it is in a hidden folder"
    if path.name.lower() in _SYSTEM_FILES:
        return _SYSTEM_FILES[path.name.lower()]
    if path.name.startswith("._"):
        try:
            head = _head(path)
        except OSError:
            head = b""
        if not head or head.startswith(_APPLE_DOUBLE):
            return "it holds file attributes of macOS (AppleDouble)"
    return "it is a hidden file" if path.name.startswith(".") else None


def _why_skipped(path: Path) -> str | None:
    try:
        head = _head(path)
    except OSError as error:
        return f"it could not be opened ({reason(error)})"
    if head is None:
        return "it is not a regular file"
    if not head:
        return "the file is empty (0 bytes)"
    try:
        identify(head)
    except ImageReadError:
        foreign = describe(head)
        if foreign is not None:
            return f"it is {foreign}"
        return None if path.suffix.lower() in PICTURE_SUFFIXES else "it is not a picture that Impasto reads"
    return None


def output_suffix(path: Path) -> str:
    """The suffix for a picture that is made of this one: its own if that can be written, else by its content.

    Raises:
        OSError: it cannot be read.
    """
    if path.suffix.lower() in WRITABLE_SUFFIXES:
        return path.suffix
    try:
        return _SUFFIX_OF.get(identify(_head(path) or b""), ".png")
    except ImageReadError:
        return ".png"


def _head(path: Path) -> bytes | None:
    """The first bytes of a file; None if it is a device or a pipe, which reading would block on or consume."""
    if not path.is_file():
        path.stat()
        return None
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)
