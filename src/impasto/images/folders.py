"""Owns which files of a folder are pictures: by their first bytes, whatever they are called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from impasto.errors import ImageReadError
from impasto.images.formats import WRITABLE_SUFFIXES
from impasto.images.opening import kind_of
from impasto.messages import reason

# Files that systems leave in folders, beside those whose names begin with a dot (such as `._photo.jpg` of macOS).
_OF_THE_SYSTEM = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
_SUFFIXES = frozenset({*WRITABLE_SUFFIXES, ".gif"})


@dataclass(frozen=True)
class Skipped:
    """A file of a folder that is not a picture.

    Attributes:
        path: of the file.
        reason: why it is not read, in a few words.
    """

    path: Path
    reason: str


@dataclass(frozen=True)
class Folder:
    """The files of a folder, sorted by path.

    Attributes:
        pictures: files that begin as a picture does, and those that are named like one: reading them tells what is
            wrong.
        skipped: all others, but for hidden files and those of the system.
    """

    pictures: tuple[Path, ...]
    skipped: tuple[Skipped, ...]

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Folder:
        """Sort files into pictures and others; folders among the paths are left out."""
        pictures: list[Path] = []
        skipped: list[Skipped] = []
        for path in sorted(paths):
            if path.name.startswith(".") or path.name.lower() in _OF_THE_SYSTEM or not path.is_file():
                continue
            why = _not_a_picture(path)
            if why is None or path.suffix.lower() in _SUFFIXES:
                pictures.append(path)
            else:
                skipped.append(Skipped(path, why))
        return cls(tuple(pictures), tuple(skipped))


def _not_a_picture(path: Path) -> str | None:
    """Why a file is not a picture; None if it begins as one."""
    try:
        with path.open("rb") as file:
            kind_of(file)
    except ImageReadError as error:
        # The list of formats that follows would be the same for every file.
        return str(error).partition("; ")[0]
    except OSError as error:
        return f"it could not be opened ({reason(error)})"
    return None
