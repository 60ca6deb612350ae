"""Owns camera raw files: how they are recognised, and the JPEG preview inside them."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

from PIL import JpegImagePlugin

from impasto.errors import ImageReadError
from impasto.images import directories
from impasto.images.directories import Directory
from impasto.images.raster import File

# Sensor data: PhotometricInterpretation CFA and LinearRaw; Compression of Sony, Nikon and Pentax.
_SENSOR_COLORS = {32803, 34892}
_SENSOR_COMPRESSIONS = {32767, 34713, 65535}

# Panasonic's tag of the preview.
_JPG_FROM_RAW = 46

# A smaller preview is a thumbnail, too small to be painted.
_LEAST_SIDE = 640

# The most that is read of one preview.
_MAX_PREVIEW_BYTES = 64 << 20

_FUJI = b"FUJIFILM"


def is_raw(file: File) -> bool:
    """Whether a TIFF file is a camera's raw file."""
    pages = directories.directories(file)
    return any(
        directories.DNG_VERSION in page.tags
        or page.value(directories.PHOTOMETRIC) in _SENSOR_COLORS
        or page.value(directories.COMPRESSION) in _SENSOR_COMPRESSIONS
        for page in pages
    )


def preview(file: File) -> tuple[io.BytesIO, int]:
    """The largest JPEG inside a raw file, and the orientation that the raw file states, as in EXIF.

    Raises:
        ImageReadError: there is none of at least 640 pixels.
    """
    pages = directories.directories(file)
    best, area = None, 0
    for data in _embedded(file, pages):
        try:
            width, height = JpegImagePlugin.JpegImageFile(io.BytesIO(data)).size
        except Exception:
            # No JPEG, or one that Pillow does not know, such as lossless sensor data.
            continue
        if width * height > area and max(width, height) >= _LEAST_SIDE:
            best, area = data, width * height
    if best is None:
        raise ImageReadError(
            "it is a camera's raw file without a preview that can be read: develop it, and export a TIFF or JPEG"
        )
    return io.BytesIO(best), pages[0].value(directories.ORIENTATION, 1) if pages else 1


def _embedded(file: File, pages: list[Directory]) -> Iterator[bytes]:
    """Everything in the file that may be a JPEG."""
    file.seek(0)
    head = file.read(92)
    if head.startswith(_FUJI) and len(head) == 92:
        yield from _jpeg_at(file, *struct.unpack(">II", head[84:92]))
    for page in pages:
        for start, length in (
            (page.value(directories.JPEG_OFFSET), page.value(directories.JPEG_BYTES)),
            (page.value(directories.STRIP_OFFSETS), page.value(directories.STRIP_BYTES)),
            page.starts.get(_JPG_FROM_RAW, (0, 0)),
        ):
            yield from _jpeg_at(file, start, length)


def _jpeg_at(file: File, start: int, length: int) -> Iterator[bytes]:
    if not 0 < length <= _MAX_PREVIEW_BYTES or start <= 0:
        return
    file.seek(start)
    if file.read(3) == b"\xff\xd8\xff":
        file.seek(start)
        yield file.read(length)
