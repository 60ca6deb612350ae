"""Owns the stored pictures: each file once, under its SHA-256, with the files derived from it.

```
pictures/ab/abcd…/file          the uploaded file
                 /320.jpg       thumbnails
                 /tiles/0/0_0.jpg
```
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from sqlite3 import Row
from typing import Any

from impasto import assets
from impasto.files import settle, sync_folder
from impasto.web.problems import Problem
from impasto.web.sandbox import tiling
from impasto.web.sandbox.messages import PictureInfo
from impasto.web.sandbox.sandbox import Sandbox
from impasto.web.storage.data_folder import DataFolder
from impasto.web.storage.database import Database
from impasto.web.storage.erasures import Erasures
from impasto.web.storage.space import Space

THUMBNAIL_SIDES = (160, 320, 640, 1280, 2560)
DEFAULT_SIDE = 320
MEDIA_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WebP": "image/webp",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
    "HEIC": "image/heic",
    "RAW": "image/x-raw",
}
SAMPLE_PREFIX = "sample:"
_ID = re.compile(r"[0-9a-f]{64}")
_KNOWN = "select 1 from pictures where id = ?"
_LONGEST_NAME, _LONGEST_END = 120, 40
_MOST_WAITING = 8


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A stored picture.

    Attributes:
        id: SHA-256 of its file.
        name: of the file when it was last uploaded, without folders; `sample:NAME` of a bundled one.
        format: one of `MEDIA_TYPES`.
        width, height: in pixels, upright.
        bytes: size of the file.
        notes: what the reader ignored or converted.
        recipe: how it was painted, if Impasto painted it.
    """

    id: str
    name: str
    format: str
    width: int
    height: int
    bytes: int
    notes: tuple[str, ...] = ()
    recipe: dict[str, Any] | None = None

    @property
    def levels(self) -> int:
        """How many levels of tiles it has."""
        return tiling.levels(self.width, self.height)


class PictureStore:
    """All stored pictures, and the bundled samples.

    Args:
        data: the folder of the files.
        database: stores their properties.
        sandbox: reads them.
        space: of the disk.
        max_pixels: limit for a new picture.
    """

    def __init__(
        self, data: DataFolder, database: Database, sandbox: Sandbox, space: Space, *, max_pixels: int
    ) -> None:
        self._data, self._folder, self._database, self._sandbox = data, data.pictures, database, sandbox
        self._space, self._max_pixels = space, max_pixels
        self._placing = threading.Lock()
        self._making: dict[Path, tuple[threading.Lock, int]] = {}
        self._guard = threading.Lock()
        self._erasures = Erasures(database, "pictures", self._home)
        # Samples need no copy and no row: the manifest has their properties.
        sizes = {asset.sha256: (asset, assets.path(asset.path)) for asset in assets.manifest() if asset.kind}
        self._samples = {
            digest: (
                path,
                Picture(
                    id=digest,
                    name=f"{SAMPLE_PREFIX}{asset.name}",
                    format="PNG" if path.suffix == ".png" else "JPEG",
                    width=asset.width,
                    height=asset.height,
                    bytes=asset.bytes,
                ),
            )
            for digest, (asset, path) in sizes.items()
        }

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A unique path for a temporary file, which is removed at the end."""
        with self._data.scratch() as path:
            yield path

    def check_room(self, size: int = 0) -> None:
        """Check that the disk has room for a file of that many bytes.

        Raises:
            Problem: it has not.
        """
        self._space.check(size)

    def add(self, path: Path, name: str, *, patient: bool = False) -> tuple[Picture, bool]:
        """Store the file at `path`, which is moved. A file that is stored already is called by its new name.

        Args:
            path: of the file.
            name: of the picture.
            patient: as for `Sandbox.run`.

        Returns:
            The picture, and whether it is new.

        Raises:
            Problem: it is not a picture, too large or damaged, or there is no room.
        """
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        name = presentable(name)
        if (known := self._kept(digest)) is not None:
            return self._renamed(known, name), False
        with self.scratch() as thumbnail:
            info: PictureInfo = self._sandbox.run(
                "examine", str(path), name, self._max_pixels, str(thumbnail), DEFAULT_SIDE, patient=patient
            )
            picture = Picture(
                id=digest,
                name=name,
                format=info["format"],
                width=info["width"],
                height=info["height"],
                bytes=path.stat().st_size,
                notes=tuple(info["notes"]),
                recipe=info["recipe"],
            )
            with self._placing:
                if (known := self._kept(digest)) is not None:
                    return self._renamed(known, name), False
                self._place(picture, path, thumbnail)
        return picture, True

    def _kept(self, digest: str) -> Picture | None:
        """The picture with that id, if it is stored; it is then kept for a while longer."""
        self.keep(digest)
        return self.find(digest)

    def _renamed(self, picture: Picture, name: str) -> Picture:
        """The picture under the name of its last upload; a sample keeps its own. Jobs remember the names they had."""
        if picture.id in self._samples or picture.name == name:
            return picture
        with self._database.transaction() as change:
            change("update pictures set name = ? where id = ?", (name, picture.id))
        return replace(picture, name=name)

    def _place(self, picture: Picture, path: Path, thumbnail: Path) -> None:
        """Move a picture's files to their places, and insert its row."""
        home = self._home(picture.id)
        home.mkdir(parents=True, exist_ok=True)
        thumbnail.replace(home / f"{DEFAULT_SIDE}.jpg")
        settle(path, home / "file")
        sync_folder(home.parent)
        with self._database.transaction() as change:
            change(
                # A row may be left whose file was lost.
                "insert or replace into pictures values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    picture.id,
                    picture.name,
                    picture.format,
                    picture.width,
                    picture.height,
                    picture.bytes,
                    json.dumps(list(picture.notes)),
                    json.dumps(picture.recipe) if picture.recipe else None,
                    time.time(),
                ),
            )

    def find(self, digest: str) -> Picture | None:
        """The picture with that id, or None."""
        if digest in self._samples:
            return self._samples[digest][1]
        rows = self._database.rows("select * from pictures where id = ?", (digest,))
        if not rows or not (self._home(digest) / "file").is_file():
            return None
        return _picture(rows[0])

    def set_aside_damaged(self) -> list[str]:
        """Set aside the rows of pictures that cannot be read; their ids."""
        return self._database.set_aside("pictures", "id", _check_row)

    def get(self, digest: str) -> Picture:
        """The picture with that id.

        Raises:
            Problem: there is none.
        """
        picture = self.find(digest) if _ID.fullmatch(digest) else None
        if picture is None:
            raise Problem("not-found", "there is no such picture; upload it first")
        return picture

    def sample(self, name: str) -> Picture:
        """The sample with that name.

        Raises:
            Problem: there is none.
        """
        for _, picture in self._samples.values():
            if picture.name == f"{SAMPLE_PREFIX}{name}":
                return picture
        raise Problem("not-found", f"there is no sample {name[:80]!r}; /api/samples lists them")

    def file(self, picture: Picture) -> Path:
        """The path of its file."""
        return self.path(picture.id)

    def keep(self, digest: str) -> None:
        """Protect it from `purge` for a while, because a job is about to use it."""
        with self._database.transaction() as change:
            change("update pictures set created = ? where id = ?", (time.time(), digest))

    def path(self, digest: str) -> Path:
        """The path of the file with that id, which may be missing."""
        return self._samples[digest][0] if digest in self._samples else self._home(digest) / "file"

    def thumbnail(self, picture: Picture, side: int) -> Path:
        """The path of a JPEG with at most `side` pixels on its long side."""
        path = self._home(picture.id) / f"{side}.jpg"
        with self._made_once(path) as missing:
            if missing:
                with self.scratch() as small:
                    self._sandbox.run("thumbnail", str(self.file(picture)), self._limit, side, str(small))
                    small.replace(path)
        return path

    def tile(self, picture: Picture, level: int, x: int, y: int) -> Path:
        """The path of a tile; the first request for one makes all tiles of the picture.

        Raises:
            Problem: there is no such tile.
        """
        folder = self._home(picture.id) / "tiles"
        with self._made_once(folder) as missing:
            if missing:
                with self.scratch() as beside:
                    self._sandbox.run("tiles", str(self.file(picture)), self._limit, str(beside), seconds=300.0)
                    beside.rename(folder)
        path = folder / str(level) / f"{x}_{y}.jpg"
        if not path.is_file():
            raise Problem("not-found", "the picture has no such tile")
        return path

    def converted(self, picture: Picture, format: str) -> Path:
        """The path of the picture in another format."""
        path = self._home(picture.id) / f"as.{format}"
        with self._made_once(path) as missing:
            if missing:
                with self.scratch() as other:
                    self._sandbox.run("convert", str(self.file(picture)), self._limit, format, str(other))
                    other.replace(path)
        return path

    def purge(self, used: Callable[[], set[str]], before: float) -> int:
        """Erase the pictures that no job uses and that were added before that time; returns their number.

        Args:
            used: the ids of all pictures that jobs use; called within the transaction that erases the others.
            before: seconds since 1970.
        """
        # Nobody may add one of these pictures again between its row's end and its file's.
        with self._placing:
            with self._database.transaction() as change:
                in_use = used()
                old = [row["id"] for row in change("select id from pictures where created < ?", (before,))]
                gone = [digest for digest in old if digest not in in_use]
                for digest in gone:
                    change("delete from pictures where id = ?", (digest,))
                self._erasures.note(change, gone)
            self._erasures.complete(lambda digest: bool(self._database.rows(_KNOWN, (digest,))))
        return len(gone)

    @property
    def _limit(self) -> int:
        # Stored pictures were checked when they were uploaded, perhaps under a higher limit than today's.
        return max(self._max_pixels, 32768**2)

    def _home(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest

    @contextlib.contextmanager
    def _made_once(self, path: Path) -> Iterator[bool]:
        """Yields whether `path` must be made; other threads that want it wait until the context ends."""
        with self._guard:
            lock, waiting = self._making.get(path, (threading.Lock(), 0))
            if waiting >= _MOST_WAITING:
                raise Problem("too-many-requests", "too many requests wait for the same file", retry_after=5)
            self._making[path] = (lock, waiting + 1)
        with self._counted(path), lock:
            missing = not path.exists()
            if missing:
                self.check_room()
                path.parent.mkdir(parents=True, exist_ok=True)
            yield missing

    @contextlib.contextmanager
    def _counted(self, path: Path) -> Iterator[None]:
        try:
            yield
        finally:
            with self._guard:
                lock, waiting = self._making[path]
                if waiting > 1:
                    self._making[path] = (lock, waiting - 1)
                else:
                    del self._making[path]


def presentable(name: str) -> str:
    """A file's name without folders and without control characters; of a long one, the beginning and the end."""
    bare = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(letter for letter in bare if letter.isprintable()).strip()
    if len(shown) > _LONGEST_NAME:
        shown = f"{shown[: _LONGEST_NAME - _LONGEST_END - 1]}…{shown[-_LONGEST_END:]}"
    return shown or "picture"


def _picture(row: Row) -> Picture:
    """The picture in a row of the database."""
    return Picture(
        id=row["id"],
        name=row["name"],
        format=row["format"],
        width=row["width"],
        height=row["height"],
        bytes=row["bytes"],
        notes=tuple(json.loads(row["notes"])),
        recipe=json.loads(row["recipe"]) if row["recipe"] else None,
    )


def _check_row(row: Row) -> None:
    picture = _picture(row)
    if not _ID.fullmatch(picture.id) or picture.format not in MEDIA_TYPES or min(picture.width, picture.height) < 1:
        raise ValueError("it does not describe a picture")
    if not all(isinstance(note, str) for note in picture.notes) or not isinstance(picture.recipe, dict | None):
        raise TypeError("its notes or its recipe have another type")
