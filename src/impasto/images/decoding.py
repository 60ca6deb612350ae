"""Owns decoding: a file of each allowed format becomes a Raster."""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    _imaging,
)

from impasto.errors import ImageReadError
from impasto.images import directories, exif, heif, jpeg, metadata, png, raw, tiff
from impasto.images.colorspaces import ADOBE_RGB, ColorSpace
from impasto.images.directories import Directory
from impasto.images.raster import File, Raster, Space, check_size

# Both also report damage to their loggers, and a logger without a handler prints it.
for _library in ("PIL", "tifffile"):
    logging.getLogger(_library).addHandler(logging.NullHandler())

# libtiff prints its errors to standard error; Pillow raises them as exceptions too. Where Pillow is linked statically,
# as on Windows, the function cannot be reached.
with contextlib.suppress(AttributeError, OSError):
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


def decode(file: File, kind: str, max_pixels: int) -> Raster:
    """The picture in `file`, which `identify` found to be of `kind`.

    The header is checked first, and only the first frame or page is decoded, so that neither size nor number of frames
    can fill the memory. What the decoders raise on damaged files is not translated here.

    Raises:
        ImageReadError: the header is refused.
    """
    if kind == "PNG":
        return _decode_png(file, max_pixels)
    if kind == "TIFF":
        return _decode_tiff(file, max_pixels)
    if kind == "HEIC":
        return heif.decode(file, max_pixels)
    if kind == "RAW":
        return _decode_raw(file, max_pixels)
    picture = _open(file, kind, max_pixels)
    notes: list[str] = []
    if kind == "JPEG" and jpeg.is_stereo(file):
        notes.append("it holds several pictures; only the first is used")
    colorspace = heif.colorspace(file, notes) if kind == "AVIF" else None
    picture.load()
    if _animated(picture):
        notes.append("it is animated; only the first frame is used")
    return from_pil(picture, notes=notes, colorspace=colorspace)


def read_text(file: File, kind: str) -> tuple[dict[str, str], list[str]]:
    """The text entries of `file`, and what to warn of; no pixel is decoded."""
    if kind == "PNG":
        scan = png.scan(file, clean=False)
        return scan.text, scan.notes
    file.seek(0)
    if kind == "TIFF":
        head = file.read(8)
        # A BigTIFF's header is twice as long.
        directory = TiffImagePlugin.ImageFileDirectory_v2(head + file.read(8) if b"+" in head[2:4] else head)
        file.seek(directory.next)
        directory.load(file)
        description = directory.get(ExifTags.Base.ImageDescription)
        return (metadata.from_json(description) if isinstance(description, str) else {}), []
    if kind == "HEIC":
        return heif.read_text(file), []
    if kind == "RAW":
        return {}, []
    if kind == "JPEG":
        jpeg.check(file)
        file.seek(0)
    return exif.facts(_OPENERS[kind](file), []).text, []


def from_pil(
    picture: PIL.Image.Image,
    *,
    notes: list[str],
    text: Mapping[str, str] | None = None,
    colorspace: ColorSpace | None = None,
) -> Raster:
    """A Raster of a decoded Pillow picture of any mode.

    Args:
        notes: the warnings so far.
        text: its text entries; by default those in its EXIF data.
        colorspace: of its colours; by default the one that its EXIF data names.

    Raises:
        ImageReadError: its values are on a scale that its mode does not tell.
    """
    mode = picture.mode
    profile = picture.info.get("icc_profile")
    space: Space = "RGB"
    depth = 8
    alpha: NDArray[Any] | None = None
    if mode.startswith("I") or mode == "F":
        space = "GRAY"
        color, alpha, depth = _deep_grey(picture)
    elif mode == "CMYK":
        space = "CMYK"
        color = np.asarray(picture)
    else:
        if mode in ("1", "L", "LA", "La"):
            space = "GRAY"
            plain = picture.convert("LA" if picture.has_transparency_data else "L")
        else:
            # Pillow takes LAB to sRGB itself; a profile of such a picture speaks of LAB.
            profile = None if mode == "LAB" else profile
            plain = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
        samples = np.atleast_3d(np.asarray(plain))
        if plain.mode in ("LA", "RGBA"):
            color, alpha = samples[..., :-1], samples[..., -1]
        else:
            color = samples
    facts = exif.facts(picture, notes)
    if colorspace is None and facts.adobe_rgb and mode in ("RGB", "RGBA", "RGBX", "RGBa"):
        colorspace = ADOBE_RGB
    return Raster(
        color=color,
        space=space,
        alpha=alpha,
        bit_depth=depth,
        profile=profile if isinstance(profile, bytes) else None,
        colorspace=colorspace,
        orientation=facts.orientation,
        text=facts.text if text is None else text,
        notes=notes,
    )


def _deep_grey(picture: PIL.Image.Image) -> tuple[NDArray[Any], NDArray[Any] | None, int]:
    """(colour, alpha, bits) of Pillow's grey modes of more than 8 bits."""
    grey = np.asarray(picture)
    if picture.mode == "F":
        return grey[..., None], None, 32
    if grey.size and (grey.min() < 0 or grey.max() > 65535):
        raise ImageReadError(
            f"its values run from {grey.min()} to {grey.max()}; allowed in Pillow's mode {picture.mode} is 0 to 65535"
        )
    grey = grey.astype(np.uint16)
    key = picture.info.get("transparency")
    alpha = np.where(grey == key, 0, 65535).astype(np.uint16) if isinstance(key, int) else None
    return grey[..., None], alpha, 16


def _decode_png(file: File, max_pixels: int) -> Raster:
    # Before the file is copied, in case it is not worth it.
    width, height, _ = png.header(file)
    check_size(width, height, max_pixels)
    scan = png.scan(file)
    notes = list(scan.notes)
    if scan.animated:
        notes.append("it is animated; only the first frame is used")
    picture = PngImagePlugin.PngImageFile(io.BytesIO(scan.clean))
    check_size(*picture.size, max_pixels)
    if scan.profile:
        picture.info["icc_profile"] = scan.profile
    deep = png.deep_samples(picture, scan.clean) if scan.bit_depth == 16 and picture.mode != "I;16" else None
    if deep is None:
        picture.load()
        return from_pil(picture, notes=notes, text=scan.text, colorspace=scan.colorspace)
    color, alpha = deep
    return Raster(
        color=color,
        space="GRAY" if color.shape[2] == 1 else "RGB",
        alpha=alpha,
        bit_depth=16,
        profile=scan.profile,
        colorspace=scan.colorspace,
        orientation=exif.facts(picture, notes).orientation,
        text=scan.text,
        notes=notes,
    )


def _decode_tiff(file: File, max_pixels: int) -> Raster:
    """Pillow reads more colour models, tifffile more depths and layouts; each reads what it reads best."""
    pages = directories.directories(file)
    page = directories.picture(pages)
    if page is None:
        raise ImageReadError("the file is damaged or cut short: its TIFF header names no picture; get a fresh copy")
    width, height = page.size
    check_size(width, height, max_pixels)
    notes = tiff.notes_on(pages, page)
    picture = _tiff_page(file, page)
    if picture is None:
        raster = tiff.decode(file, page, max_pixels)
        raster.notes[:0] = notes
        return raster
    check_size(*picture.size, max_pixels)
    deep = max(page.tags.get(directories.BITS, (1,))) > 8
    planar = page.value(directories.PLANAR_CONFIGURATION, 1) != 1
    if deep or page.value(directories.COMPRESSION, 1) not in _PILLOW_COMPRESSIONS:
        try:
            raster = tiff.decode(file, page, max_pixels)
        except tiff.CodecMissingError as error:
            # Of the others Pillow would not know the scale, or which end of it is white.
            if (
                not deep
                or planar
                or picture.mode not in ("RGB", "RGBA", "CMYK")
                or page.value(directories.BITS) != 16
                or page.value(directories.COMPRESSION, 1) not in _PILLOW_COMPRESSIONS
            ):
                raise
            notes.append(f"it was read at 8 bits: {error}")
        else:
            raster.notes[:0] = notes
            return raster
    description = picture.tag_v2.get(ExifTags.Base.ImageDescription)
    text = metadata.from_json(description) if isinstance(description, str) else {}
    picture.load()
    return from_pil(picture, notes=notes, text=text)


def _tiff_page(file: File, page: Directory) -> TiffImagePlugin.TiffImageFile | None:
    """The page as a Pillow picture that is not decoded yet; None if Pillow does not read it."""
    if len(page.path) > 1:
        return None
    file.seek(0)
    try:
        picture = TiffImagePlugin.TiffImageFile(file)
        if page.path[0]:
            picture.seek(page.path[0])
    except (SyntaxError, EOFError):
        return None
    return picture


def _decode_raw(file: File, max_pixels: int) -> Raster:
    preview, orientation = raw.preview(file)
    raster = decode(preview, "JPEG", max_pixels)
    height, width = raster.color.shape[:2]
    raster.notes.insert(
        0,
        f"it is a camera's raw file; its preview of {width} × {height} pixels is used. For full quality develop it, "
        "and export a TIFF or JPEG",
    )
    return replace(raster, orientation=orientation if raster.orientation == 1 else raster.orientation)


# TIFF compressions that Pillow's libtiff unpacks: none, CCITT, LZW, JPEG, deflate, PackBits, LZMA, Zstandard.
_PILLOW_COMPRESSIONS = {1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34925, 50000}

_OPENERS: Mapping[str, Callable[[File], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}


def _open(file: File, kind: str, max_pixels: int) -> ImageFile.ImageFile:
    """The Pillow picture, its header checked and its pixels not yet decoded."""
    # These two make room for the whole picture as soon as they are opened.
    if kind == "WebP":
        check_size(*_webp_size(file), max_pixels)
    elif kind == "GIF":
        check_size(*_gif_size(file), max_pixels)
    elif kind == "JPEG":
        jpeg.check(file)
    file.seek(0)
    # The plug-in itself, not PIL.Image.open: that would try other formats, and hold it to Pillow's own limit.
    picture = _OPENERS[kind](file)
    check_size(*picture.size, max_pixels)
    return picture


def _webp_size(file: File) -> tuple[int, int]:
    """(width, height) that a WebP file's first chunk claims."""
    file.seek(0)
    head = file.read(30)
    kind = head[12:16]
    if len(head) == 30 and kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if len(head) == 30 and kind == b"VP8L":
        packed = int.from_bytes(head[21:25], "little")
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    if len(head) == 30 and kind == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    raise ImageReadError("the file is damaged or cut short: its WebP header is incomplete; get a fresh copy of it")


def _gif_size(file: File) -> tuple[int, int]:
    """(width, height) that a GIF file claims for its screen and first frame together."""
    file.seek(6)
    width, height, flags = struct.unpack("<HHB", file.read(5))
    file.seek(13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0))
    while (block := file.read(1)) == b"!":
        file.seek(1, io.SEEK_CUR)
        while length := file.read(1):
            if length == b"\0":
                break
            file.seek(length[0], io.SEEK_CUR)
    if block == b",":
        left, top, frame_width, frame_height = struct.unpack("<HHHH", file.read(8))
        return max(width, left + frame_width), max(height, top + frame_height)
    return width, height


def _animated(picture: PIL.Image.Image) -> bool:
    try:
        return bool(getattr(picture, "is_animated", False))
    except Exception:
        # Whether more frames follow is found by reading on, and damage there does not concern the first.
        return True
