"""Owns TIFF's directories: the tags of every page, read without decoding, also those of camera raw files."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from impasto.images.raster import File

# Pages, their sub-pages included, that are looked at; and values of one tag.
_MAX_DIRECTORIES = 64
_MAX_VALUES = 64

NEW_SUBFILE_TYPE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
STRIP_OFFSETS, ORIENTATION, STRIP_BYTES, PLANAR_CONFIGURATION, SUB_IFDS = 273, 274, 279, 284, 330
JPEG_OFFSET, JPEG_BYTES, DNG_VERSION = 513, 514, 50706

# Bits of NewSubfileType: a smaller version of another page, and a mask.
_REDUCED, _MASK = 1, 4

# Size and struct format of the whole-number types.
_TYPES: Mapping[int, tuple[int, str]] = {
    1: (1, "B"), 3: (2, "H"), 4: (4, "I"), 7: (1, "B"), 13: (4, "I"), 16: (8, "Q"), 18: (8, "Q"),
}  # fmt: skip


@dataclass(frozen=True)
class Directory:
    """A page of a TIFF file.

    Attributes:
        tags: the whole numbers of each tag; at most the first 64 of each.
        starts: where the values of each tag are in the file, and how many bytes they have.
        path: index of the page; for a sub-page, index of its page and its own.
    """

    tags: Mapping[int, tuple[int, ...]]
    starts: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    path: tuple[int, ...] = (0,)

    def value(self, tag: int, default: int = 0) -> int:
        """The first number of a tag."""
        return self.tags.get(tag, (default,))[0]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels; 0 where it is missing."""
        return self.value(WIDTH), self.value(HEIGHT)

    @property
    def is_reduced(self) -> bool:
        """Whether it is a smaller version of another page."""
        return bool(self.value(NEW_SUBFILE_TYPE) & _REDUCED)

    @property
    def is_mask(self) -> bool:
        """Whether it is a mask of another page."""
        return bool(self.value(NEW_SUBFILE_TYPE) & _MASK)


def directories(file: File) -> list[Directory]:
    """The pages of a TIFF file and their sub-pages, at most 64. Reading stops at damage."""
    file.seek(0)
    head = file.read(16)
    order = ">" if head[:2] == b"MM" else "<"
    big = head[2:4] in (b"+\0", b"\0+")
    try:
        (start,) = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)
        return list(_walk(file, order, big, start))
    except (struct.error, OSError, OverflowError):
        return []


def picture(pages: list[Directory]) -> Directory | None:
    """The page that is the picture: the largest, the first of several; never a mask."""
    candidates = [page for page in pages if not page.is_mask and min(page.size) > 0]
    return max(candidates, key=lambda page: page.size[0] * page.size[1], default=None)


def _walk(file: File, order: str, big: bool, start: int) -> Iterator[Directory]:
    seen: set[int] = set()
    count = 0
    index = 0
    while start and start not in seen:
        seen.add(start)
        found = _read(file, order, big, start, (index,))
        if found is None:
            return
        page, start = found
        yield page
        count += 1
        for number, sub in enumerate(page.tags.get(SUB_IFDS, ())):
            child = _read(file, order, big, sub, (index, number)) if sub not in seen else None
            seen.add(sub)
            if child is not None and count < _MAX_DIRECTORIES:
                yield child[0]
                count += 1
        if count >= _MAX_DIRECTORIES:
            return
        index += 1


def _read(file: File, order: str, big: bool, start: int, path: tuple[int, ...]) -> tuple[Directory, int] | None:
    """The page at `start`, and where the next one is; None if it is cut short."""
    pointer, entry_format, inline = (8, "HHQ", 8) if big else (4, "HHI", 4)
    file.seek(start)
    head = file.read(8 if big else 2)
    try:
        (length,) = struct.unpack(order + ("Q" if big else "H"), head)
        entries = file.read(min(length, 4096) * (12 + 8 * big) + pointer)
        tags: dict[int, tuple[int, ...]] = {}
        starts: dict[int, tuple[int, int]] = {}
        size = struct.calcsize(order + entry_format) + inline
        for number in range(min(length, 4096)):
            tag, kind, values = struct.unpack_from(order + entry_format, entries, number * size)
            if kind not in _TYPES:
                continue
            bytes_each, code = _TYPES[kind]
            field_start = number * size + size - inline
            if values * bytes_each <= inline:
                data = entries[field_start : field_start + inline]
                at = start + len(head) + field_start
            else:
                (at,) = struct.unpack_from(order + ("Q" if big else "I"), entries, field_start)
                file.seek(at)
                data = file.read(min(values, _MAX_VALUES) * bytes_each)
            held = min(values, _MAX_VALUES, len(data) // bytes_each)
            if held:
                tags[tag] = struct.unpack_from(f"{order}{held}{code}", data)
                starts[tag] = at, values * bytes_each
        (following,) = struct.unpack_from(order + ("Q" if big else "I"), entries, length * size)
    except (struct.error, OSError, OverflowError, ValueError):
        return None
    return Directory(tags, starts, path), following
