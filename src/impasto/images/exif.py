"""Owns what a picture's EXIF data says of it: orientation, colour space, and the text that Impasto embeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import PIL.Image
from PIL import ExifTags

from impasto.images.metadata import from_exif

# More than any camera writes: a JPEG segment allows 64 KB.
MAX_EXIF_BYTES = 1 << 20

# EXIF's ColorSpace: 1 is sRGB, 2 is what some cameras write for Adobe RGB, 65535 is "uncalibrated".
_ADOBE_RGB, _UNCALIBRATED = 2, 65535

# DCF's option file: with an uncalibrated colour space, this index means Adobe RGB.
_DCF_OPTION_FILE = "R03"


@dataclass(frozen=True)
class Facts:
    """What EXIF data says.

    Attributes:
        orientation: 1 to 8; 1 is upright.
        adobe_rgb: whether the colours are Adobe RGB, by the rule of DCF 2.0.
        text: the entries that `metadata.to_exif` wrote.
    """

    orientation: int = 1
    adobe_rgb: bool = False
    text: dict[str, str] = field(default_factory=dict)


def facts(picture: PIL.Image.Image, notes: list[str]) -> Facts:
    """What the EXIF data of a Pillow picture says. Damaged or oversized data is ignored, with a warning in `notes`."""
    blob = picture.info.get("exif")
    return _facts(blob, picture.getexif, notes)


def facts_of(blob: bytes | None, notes: list[str]) -> Facts:
    """What EXIF data in bytes says; as `facts`."""
    if not blob:
        return Facts()
    exif = PIL.Image.Exif()

    def loaded() -> PIL.Image.Exif:
        exif.load(blob)
        return exif

    return _facts(blob, loaded, notes)


def _facts(blob: object, load: Callable[[], PIL.Image.Exif], notes: list[str]) -> Facts:
    if isinstance(blob, bytes) and len(blob) > MAX_EXIF_BYTES:
        notes.append(f"its EXIF data is longer than {MAX_EXIF_BYTES:,} bytes, and was ignored")
        return Facts()
    try:
        exif = load()
        orientation = exif.get(ExifTags.Base.Orientation, 1)
    except Exception:
        # EXIF is parsed by several layers, each with its own exceptions. Damaged EXIF must not cost the picture.
        notes.append("its EXIF data is damaged, and was ignored")
        return Facts()
    if not isinstance(orientation, int) or not 1 <= orientation <= 8:
        orientation = 1
    try:
        return Facts(orientation, _is_adobe_rgb(exif), from_exif(exif))
    except Exception:
        # As above: a nested directory may be damaged while the first one is sound.
        return Facts(orientation)


def _is_adobe_rgb(exif: PIL.Image.Exif) -> bool:
    color_space = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
    if color_space != _UNCALIBRATED:
        return bool(color_space == _ADOBE_RGB)
    index = exif.get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex)
    if isinstance(index, bytes):
        index = index.decode("ascii", "replace")
    return isinstance(index, str) and index.rstrip("\0 ") == _DCF_OPTION_FILE
