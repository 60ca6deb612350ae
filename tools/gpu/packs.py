"""Owns the pack: the folder that travels to a machine with a GPU, with pictures to train on and their hashes.

    photographs/00000.jpg …   squares of `SIDE` pixels, cut from photographs
    paintings/00000.jpg …     whole paintings, of about `STYLE_SIDE`² pixels
    wheels/*.whl              Python packages that the machine may lack
    state/…                   where the last training ended, if there was one
    LIST.json                 the sha256 and the origin of each file

`run.py` reads it, and refuses files that differ from the list.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

LIST = "LIST.json"
#: Side of the squares of photographs, in pixels.
SIDE = 288
MEGABYTE = 1_000_000


def digest(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_list(folder: Path, origins: Mapping[str, str], **about: object) -> None:
    """Write the list of all files in a folder, last of all.

    Args:
        origins: where files come from, by their path in the folder; of others, it is empty.
        about: further entries, for JSON.
    """
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = {name: {"sha256": digest(folder / name), "origin": origins.get(name, "")} for name in names if name != LIST}
    (folder / LIST).write_text(json.dumps({**about, "files": files}, indent=1) + "\n", encoding="utf-8")


def checked(folder: Path) -> list[Path]:
    """The listed files of a folder, in order.

    Raises:
        SystemExit: there is no list, or a file is missing or differs.
    """
    try:
        files = json.loads((folder / LIST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError) as error:
        raise SystemExit(f"{folder} has no list of files that can be read ({error}); make it again") from error
    wrong = [
        name
        for name, entry in files.items()
        if not (folder / name).is_file() or digest(folder / name) != entry["sha256"]
    ]
    if wrong:
        raise SystemExit(f"{folder}: {', '.join(wrong)} missing or not as listed; make it or fetch it again")
    return [folder / name for name in sorted(files)]


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
