"""Owns JPEG: the limits on what a file may make the decoder do, and whether it holds several pictures.

A decoder spends time on every scan and copies every block of EXIF data, so that a small file can keep it busy for
minutes. Scans and segments are counted before decoding.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from impasto.errors import ImageReadError
from impasto.images.raster import File

# libtiff allows as many. Encoders write at most 20.
_MAX_SCANS = 100

# Segments of any kind. A profile of 8 MB takes 130, depth maps of phones some hundreds.
_MAX_SEGMENTS = 4000

# EXIF data of one picture: a segment holds 64 KB, and some cameras write several.
_MAX_EXIF_SEGMENTS = 32

# Bytes in segments of applications: profiles, editing histories, depth maps.
_MAX_BYTES_ASIDE = 64 << 20

_SOS, _EOI, _APP1, _APP2 = 0xDA, 0xD9, 0xE1, 0xE2
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}

# A marker in coded data: 0xFF is followed by 0 where it is data, and by D0 to D7 where decoding restarts.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def check(file: File) -> None:
    """Refuses a JPEG file that would take a decoder unreasonably long.

    Raises:
        ImageReadError: it has too many scans or segments.
    """
    scans = exif = aside = 0
    for count, (marker, head, length) in enumerate(_segments(file), 1):
        scans += marker == _SOS
        exif += marker == _APP1 and head.startswith(b"Exif")
        aside += length if marker >= 0xE0 else 0
        if scans > _MAX_SCANS:
            raise _too_much(f"it is built up of more than {_MAX_SCANS} scans")
        if count > _MAX_SEGMENTS:
            raise _too_much(f"it has more than {_MAX_SEGMENTS:,} segments")
        if exif > _MAX_EXIF_SEGMENTS:
            raise _too_much(f"it has more than {_MAX_EXIF_SEGMENTS} blocks of EXIF data")
        if aside > _MAX_BYTES_ASIDE:
            raise _too_much(f"it has more than {_MAX_BYTES_ASIDE >> 20} MB of data that is no picture")


def is_stereo(file: File) -> bool:
    """Whether it is an MPO file of several views: a second picture that is no preview and no map of brightness."""
    several = gain_map = False
    for marker, head, _ in _segments(file):
        if marker == _SOS:
            break
        several |= marker == _APP2 and head.startswith(b"MPF\0")
        gain_map |= b"hdrgm:" in head or head.startswith(b"urn:iso:std:iso:ts:21496")
    return several and not gain_map


def _too_much(what: str) -> ImageReadError:
    return ImageReadError(f"{what}, which no camera writes; open it in an editor, and save it again")


def _segments(file: File) -> Iterator[tuple[int, bytes, int]]:
    """(marker, first bytes, length) of every segment of the first picture in the file."""
    # Not a memory map: if the file is cut short meanwhile, as on a disk that is pulled out, that would end the process.
    file.seek(0)
    data = file.read()
    at = 2
    while found := _MARKER.search(data, at):
        marker = data[found.start() + 1]
        at = found.start() + 2
        if marker in _WITHOUT_LENGTH:
            continue
        if marker == _EOI or at + 2 > len(data):
            return
        (length,) = struct.unpack(">H", data[at : at + 2])
        yield marker, data[at + 2 : at + min(length, 4096)], length
        at += max(length, 2)
