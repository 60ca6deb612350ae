"""Owns the listing of folders: which of many files are pictures, and why the others are not.

The first bytes of a file decide, not its suffix. Files that systems and programs leave beside pictures are recognised
by their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from impasto.errors import ImageReadError
from impasto.images.formats import HEAD_BYTES, WRITABLE_SUFFIXES, describe, identify
from impasto.messages import reason

# In lower case.
_SYSTEM_FILES: Mapping[str, str] = {
    ".ds_store": "folder settings of macOS",
    "desktop.ini": "folder settings of Windows",
    "ehthumbs.db": "thumbnails of Windows",
    "thumbs.db": "thumbnails of Windows",
}
_SYSTEM_FOLDERS: Mapping[str, str] = {
    "__macosx": "files that macOS adds to archives",
    "@eadir": "thumbnails of a network disk",
}

_APPLE_DOUBLE = (b"\0\5\x16\7", b"\0\5\x16\0")

# The suffix to write where a file has none that can be written; PNG for all other formats.
_SUFFIX_OF: Mapping[str, str] = {"JPEG": ".jpg", "HEIC": ".jpg", "RAW": ".jpg"}


@dataclass(frozen=True)
class Skipped:
    """A file that is not a picture.

    Attributes:
        path: the file.
        reason: what it is instead, for example "a video".
        expected: whether nobody would take it for a picture: system files, hidden files, and files in hidden folders.
    """

    path: Path
    reason: str
    expected: bool = False


@dataclass(frozen=True)
class Listing:
    """Files, sorted.

    Attributes:
        pictures: the files that are pictures by their first bytes. Decoding may still find them damaged.
        skipped: all the others.
    """

    pictures: tuple[Path, ...]
    skipped: tuple[Skipped, ...]


def list_pictures(paths: Iterable[Path], root: Path | None = None) -> Listing:
    """Which of `paths` are pictures. Folders among them are left out.

    Args:
        paths: for example `folder.rglob("*")`.
        root: the folder that was listed. Files below it in hidden folders are skipped.
    """
    pictures: list[Path] = []
    skipped: list[Skipped] = []
    for path in sorted(paths):
        if path.is_dir():
            continue
        found = why_skipped(path, root)
        if found is None:
            pictures.append(path)
        else:
            skipped.append(found)
    return Listing(tuple(pictures), tuple(skipped))


def why_skipped(path: Path, root: Path | None = None) -> Skipped | None:
    """Why a file is not a picture; None if it is one. Arguments as in `list_pictures`."""
    inside = path.relative_to(root).parts[:-1] if root is not None and path.is_relative_to(root) else ()
    for folder in inside:
        if folder.lower() in _SYSTEM_FOLDERS:
            return Skipped(path, _SYSTEM_FOLDERS[folder.lower()], expected=True)
        if folder.startswith("."):
            return Skipped(path, "in a hidden folder", expected=True)
    if path.name.lower() in _SYSTEM_FILES:
        return Skipped(path, _SYSTEM_FILES[path.name.lower()], expected=True)
    try:
        head = _head(path)
    except OSError as error:
        return Skipped(path, f"cannot be read ({reason(error)})")
    if path.name.startswith("._") and (not head or head.startswith(_APPLE_DOUBLE)):
        return Skipped(path, "file attributes of macOS (AppleDouble)", expected=True)
    if path.name.startswith("."):
        return Skipped(path, "a hidden file", expected=True)
    if head is None:
        return Skipped(path, "not a regular file")
    if not head:
        return Skipped(path, "empty (0 bytes)")
    try:
        identify(head)
    except ImageReadError:
        return Skipped(path, describe(head) or "not a picture")
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
