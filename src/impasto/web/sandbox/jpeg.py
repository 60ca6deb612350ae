"""Owns the limits on a JPEG file's structure: a small file with many scans or segments takes minutes to decode.

A decoder goes through the whole picture for every scan, and through all EXIF data for every segment of them. Encoders
write about ten scans and one segment of EXIF.
"""

from __future__ import annotations

import re

from impasto.web.problems import Problem

_MOST_SCANS, _MOST_EXIF, _MOST_SEGMENTS = 100, 4, 4000
_START = b"\xff\xd8"
_SCAN, _END, _APP1 = 0xDA, 0xD9, 0xE1
# A marker that is not part of entropy-coded data: no stuffed zero, no restart, no fill byte.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_WITHOUT_LENGTH = (0x01, 0xD8, _END)


def check_structure(data: bytes, name: str) -> None:
    """Check that a file, if it is a JPEG, has no more scans and segments than a picture needs.

    Raises:
        Problem: it has.
    """
    if not data.startswith(_START):
        return
    scans = exif = segments = 0
    position = 2
    while (found := _MARKER.search(data, position)) is not None:
        marker, position = data[found.start() + 1], found.end()
        if marker == _END:
            return
        if marker in _WITHOUT_LENGTH:
            continue
        segments += 1
        scans += marker == _SCAN
        exif += marker == _APP1 and data.startswith(b"Exif", position + 2)
        for count, most, what in ((scans, _MOST_SCANS, "scans"), (exif, _MOST_EXIF, "EXIF segments")):
            if count > most:
                raise _too_much(name, most, what)
        if segments > _MOST_SEGMENTS:
            raise _too_much(name, _MOST_SEGMENTS, "segments")
        position += max(2, int.from_bytes(data[position : position + 2], "big"))


def _too_much(name: str, most: int, what: str) -> Problem:
    return Problem(
        "damaged-picture",
        f"{name}: it has more than {most} {what}, too many to read in time; save it with another program",
    )
