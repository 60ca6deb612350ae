"""Owns the text embedded in a picture: a mapping of strings, as EXIF, as JSON and as PNG's own entries.

PNG has text entries of its own. JPEG, WebP and AVIF carry the mapping as one JSON object in EXIF's UserComment, TIFF in
its ImageDescription. Nothing else of EXIF (camera, place, time) is kept or written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import PIL.Image
from PIL import ExifTags

from impasto.errors import ImageWriteError
from impasto.messages import printable

#: The entry in which the fast engine notes which model painted a picture, and with which settings, as JSON.
FAST_METADATA = "impasto-fast"

# The most that is embedded, as JSON: an APP1 segment of a JPEG holds 65,533 bytes, and EXIF itself takes some.
MAX_METADATA_BYTES = 60 * 1024

# The most that is read of one text entry.
MAX_TEXT_BYTES = 64 * 1024

_ASCII = b"ASCII\0\0\0"


def checked(metadata: Mapping[str, str]) -> dict[str, str]:
    """A copy of `metadata`, after a check that every format can hold it.

    Raises:
        ImageWriteError: a key or value that some format cannot hold.
    """
    for key, value in metadata.items():
        if not isinstance(key, str) or not (1 <= len(key) <= 79 and key.isascii() and key.isprintable()):
            raise ImageWriteError(
                f"metadata: the key {printable(repr(key))} must be 1 to 79 printable ASCII characters (PNG's rule)"
            )
        if key != key.strip():
            raise ImageWriteError(f"metadata: the key {key!r} must not begin or end with a space (PNG's rule)")
        if not isinstance(value, str) or "\0" in value or _has_surrogates(value):
            raise ImageWriteError(
                f"metadata: the value of {key!r} must be a string, without null characters or lone surrogates"
            )
    return dict(metadata)


def to_json(metadata: Mapping[str, str]) -> str:
    """`metadata` as one line of JSON in ASCII."""
    return json.dumps(metadata, ensure_ascii=True, separators=(",", ":"))


def from_json(text: str) -> dict[str, str]:
    """The strings of a JSON object of strings; empty if `text` is anything else, or too long."""
    if len(text) > MAX_TEXT_BYTES:
        return {}
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(value, dict):
        return {}
    return {key: entry for key, entry in value.items() if isinstance(entry, str)}


def to_exif(metadata: Mapping[str, str], dpi: int | None = None) -> bytes:
    """EXIF that holds `metadata`, and the dots an inch if there are any, and nothing else."""
    exif = PIL.Image.Exif()
    if dpi is not None:
        exif[ExifTags.Base.XResolution] = exif[ExifTags.Base.YResolution] = float(dpi)
        exif[ExifTags.Base.ResolutionUnit] = 2
    if not metadata:
        return exif.tobytes()
    if "Software" in metadata and metadata["Software"].isascii():
        exif[ExifTags.Base.Software] = metadata["Software"]
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = _ASCII + to_json(metadata).encode("ascii")
    return exif.tobytes()


def from_exif(exif: PIL.Image.Exif) -> dict[str, str]:
    """The mapping that `to_exif` wrote; empty if there is none."""
    comment = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    if not isinstance(comment, bytes) or not comment.startswith(_ASCII):
        return {}
    return from_json(comment[len(_ASCII) :].decode("ascii", "replace"))


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
