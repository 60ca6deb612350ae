"""Owns read: from a file, a stream or bytes to an Image."""

from __future__ import annotations

import hashlib
import warnings

import torch

from impasto.errors import ImageReadError, ImpastoWarning
from impasto.images.decoding import decode, read_text
from impasto.images.image import Image
from impasto.images.opening import DEFAULT_MAX_PIXELS, Source, base_name, kind_of, opened, translated
from impasto.images.raster import Raster, develop
from impasto.messages import printable


def read(source: Source, *, name: str | None = None, max_pixels: int = DEFAULT_MAX_PIXELS) -> Image:
    """Reads a picture.

    The content of the file decides its format, not its name: PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF or HEIC. Of several
    frames the first is used, of several pages the largest. Orientation is applied. Colours are converted to sRGB from
    the embedded ICC profile, or from the colour space that the file names in another way (PNG's cICP, gAMA and cHRM,
    EXIF's Adobe RGB, the code points of AVIF and HEIC); high dynamic range (PQ, HLG) is mapped to the range of sRGB.
    Transparency is kept as `Image.alpha`. 16-bit PNG and TIFF and floating-point TIFF keep their precision; float
    values are taken as sRGB in [0, 1] unless a profile says otherwise. Size is checked in the header, before anything
    is decoded.

    Args:
        source: a path, the bytes of a file, or a file open for reading in binary mode (read from where it stands).
        name: the name of the picture; by default the name of the file.
        max_pixels: the largest width × height that is accepted. The default is 200 megapixels.

    Raises:
        ImageReadError: the file is missing, damaged, too large or not a picture of these formats; sides under 2 pixels
            or of more than 50:1 are refused as well.

    Warns:
        ImpastoWarning: something in the file was left out or changed, such as frames or a damaged profile.
    """
    image, notes = read_quietly(source, name=name, max_pixels=max_pixels)
    for note in notes:
        warnings.warn(note, ImpastoWarning, stacklevel=2)
    return image


def read_metadata(source: Source) -> dict[str, str]:
    """The text embedded in a picture, such as what `write` put there; no pixel is decoded.

    PNG: its text entries. JPEG, WebP, AVIF, HEIC: the JSON object in EXIF's UserComment. TIFF: the JSON object in
    ImageDescription. BMP and GIF have none. An entry of more than 64 KB is left out.

    Args:
        source: as in `read`.

    Raises:
        ImageReadError: as in `read`.

    Warns:
        ImpastoWarning: some of the text was damaged or too long.
    """
    with opened(source, DEFAULT_MAX_PIXELS) as (file, label), translated(label):
        text, notes = read_text(file, kind_of(file))
    for note in notes:
        warnings.warn(f"{label}: {note}", ImpastoWarning, stacklevel=2)
    return text


def read_quietly(source: Source, *, name: str | None, max_pixels: int) -> tuple[Image, list[str]]:
    """As `read`, with the warnings as a list, for callers that issue them with their own stack level."""
    if max_pixels < 1:
        raise ImageReadError(f"max_pixels: received {max_pixels}; it must be at least 1")
    with opened(source, max_pixels, name) as (file, label), translated(label):
        kind = kind_of(file)
        raster = decode(file, kind, max_pixels)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        image = to_image(raster, name=base_name(source) if name is None else name, kind=kind, digest=digest)
    return image, [f"{label}: {note}" for note in raster.notes]


def to_image(raster: Raster, *, name: str, kind: str | None = None, digest: str | None = None) -> Image:
    """The Image of a decoded picture."""
    developed = develop(raster)
    return Image(
        torch.from_numpy(developed.pixels),
        name=printable(name),
        format=kind,
        bit_depth=raster.bit_depth,
        sha256=digest,
        icc_converted=developed.description,
        text=dict(raster.text),
        alpha=None if developed.alpha is None else torch.from_numpy(developed.alpha),
    )
