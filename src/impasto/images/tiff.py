"""Owns TIFF beyond Pillow: more than 8 bits a channel, floats, planar and tiled layouts; and writing."""

from __future__ import annotations

import io
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from impasto.errors import ImageError, ImageReadError
from impasto.images.alpha import unmultiplied
from impasto.images.colorspaces import lab_to_srgb
from impasto.images.directories import ORIENTATION, Directory
from impasto.images.metadata import from_json, to_json
from impasto.images.profiles import srgb_profile
from impasto.images.raster import CHANNELS, File, Raster, Space, check_size
from impasto.messages import printable

if TYPE_CHECKING:
    import tifffile

# TIFF's PhotometricInterpretation: 0 is grey with white as zero, 5 is ink, 8 and 9 are L*a*b*.
_SPACES: Mapping[int, Space] = {0: "GRAY", 1: "GRAY", 2: "RGB", 5: "CMYK", 8: "RGB", 9: "RGB"}
_WHITE_IS_ZERO = 0

# CIE L*a*b*: signed a* and b* (TIFF 6.0), and with an offset (ICC).
_LABS = {8, 9}

# TIFF's ExtraSamples: colours already multiplied by this alpha, or not.
_ASSOCIATED, _UNASSOCIATED = 1, 2


# Bytes of samples from which a file is a BigTIFF in tiles, and the side of these.
_LARGE = 2**31
_TILE = 512


class CodecMissingError(ImageReadError):
    """The file's compression needs the optional package imagecodecs."""


def decode(file: File, page: Directory, max_pixels: int) -> Raster:
    """The picture of one page of a TIFF file, at its full depth, by tifffile.

    Raises:
        CodecMissingError: its compression needs imagecodecs.
        ImageReadError: its header is refused, or its pixels are of a kind that is not read.
    """
    width, height = page.size
    check_size(width, height, max_pixels)
    file.seek(0)
    with _tifffile().TiffFile(file, name="") as tiff:
        index, *sub = page.path
        found = tiff.pages[index]
        if sub:
            found = found.pages[sub[0]]
        check_size(found.imagewidth, found.imagelength, max_pixels)
        space = _space(found)
        try:
            samples = found.asarray()
        except (ValueError, ImportError) as error:
            # tifffile falls back to modules that only newer versions of Python have.
            if isinstance(error, ValueError) and "imagecodecs" not in str(error):
                raise
            raise CodecMissingError(
                f"its compression ({getattr(found.compression, 'name', found.compression)}) is read by an optional "
                "package: pip install imagecodecs, or save it without compression"
            ) from error
        color, alpha = _split(found, samples, space)
        profile = found.iccprofile
        if int(found.photometric) in _LABS:
            color, space, profile = _from_lab(color, found), "RGB", None
        description = found.tags.valueof(270)
        return Raster(
            color=color,
            space=space,
            alpha=alpha,
            bit_depth=8 if found.bitspersample <= 8 else 16 if found.bitspersample <= 16 else 32,
            profile=profile,
            orientation=page.value(ORIENTATION, 1),
            text=from_json(description) if isinstance(description, str) else {},
        )


def notes_on(pages: list[Directory], chosen: Directory) -> list[str]:
    """What to warn of when one of several pages is read: nothing if the others are smaller versions of it."""
    others = [page for page in pages if page is not chosen and not page.is_reduced and not page.is_mask]
    if not others:
        return []
    larger = all(page.size[0] * page.size[1] < chosen.size[0] * chosen.size[1] for page in others)
    return [f"it has several pages; only the {'largest' if larger else 'first'} is used"]


def encode(samples: NDArray[Any], metadata: Mapping[str, str], dpi: int | None = None) -> bytes:
    """A deflated TIFF of `samples`, uint8 or uint16 of shape (height, width, 3 or 4), with an sRGB profile.

    Where the samples take more than 2 GB it is a BigTIFF, in tiles, as other programs open such files in parts.
    """
    out = io.BytesIO()
    software = metadata.get("Software", "")
    _tifffile().imwrite(
        out,
        samples,
        photometric="rgb",
        extrasamples=["unassalpha"] if samples.shape[2] == 4 else None,
        compression="zlib",
        predictor=True,
        iccprofile=srgb_profile(),
        **_layout(samples),
        **({} if dpi is None else {"resolution": (dpi, dpi), "resolutionunit": "INCH"}),
        # Without these, tifffile writes its own name and the array's shape.
        description=to_json(metadata) if metadata else None,
        software=software if software and software.isascii() else False,
        metadata=None,
    )
    return out.getvalue()


def _layout(samples: NDArray[Any]) -> dict[str, Any]:
    """Arguments of tifffile for the layout of large pictures; none for others."""
    if samples.nbytes < _LARGE:
        return {}
    # 4 GB is the most that a file with 32-bit offsets holds, and deflating may not make it smaller.
    return {"bigtiff": True, "tile": (_TILE, _TILE)}


def _tifffile() -> ModuleType:
    # Imported only when it is needed: it takes longer to load than the rest of this package.
    try:
        import tifffile
    except ImportError as error:
        raise ImageError("TIFF files of this kind need tifffile: pip install tifffile") from error
    return tifffile


def _space(page: tifffile.TiffPage) -> Space:
    space = _SPACES.get(int(page.photometric))
    kind = page.dtype.kind if page.dtype is not None else None
    signed_lab = kind == "i" and int(page.photometric) == 8
    if space is None or not (kind in ("u", "f", "b") or signed_lab) or page.imagedepth != 1:
        photometric = getattr(page.photometric, "name", page.photometric)
        raise ImageReadError(
            f"it holds {printable(str(photometric))} pixels of {page.bitspersample} bits as {page.dtype}, which is not "
            "read; allowed are grey, RGB, L*a*b* and CMYK of unsigned whole numbers or floats: save it as such"
        )
    if page.samplesperpixel < CHANNELS[space]:
        raise ImageReadError(f"the file is damaged: {space} with {page.samplesperpixel} samples a pixel")
    return space


def _split(page: tifffile.TiffPage, samples: NDArray[Any], space: Space) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """(colour, alpha) of the samples tifffile decoded, over the full range of uint8 or uint16, or float32."""
    if samples.ndim == 2:
        samples = samples[..., None]
    elif page.axes.startswith("S"):
        samples = np.moveaxis(samples, 0, -1)
    if samples.shape[:2] != (page.imagelength, page.imagewidth) or samples.ndim != 3:
        raise ImageReadError(f"its pixels are laid out as {page.axes}, which is not read; save it as a plain RGB TIFF")
    full = 1.0
    if samples.dtype.kind in "ub":
        full = float(2**page.bitspersample - 1)
        if full not in (255.0, 65535.0):
            samples, full = samples / full, 1.0
    if full == 1.0:
        samples = samples.astype(np.float32)
    channels = CHANNELS[space]
    color, extras = samples[..., :channels], samples[..., channels:]
    if int(page.photometric) == _WHITE_IS_ZERO:
        color = samples.dtype.type(full) - color
    for index, kind in enumerate(page.extrasamples[: extras.shape[2]]):
        alpha = extras[..., index]
        if kind == _UNASSOCIATED:
            return color, alpha
        if kind == _ASSOCIATED:
            return unmultiplied(color, alpha, full), alpha
    return color, None


def _from_lab(color: NDArray[Any], page: tifffile.TiffPage) -> NDArray[np.float32]:
    """sRGB in [0, 1] of CIE L*a*b* samples, shape (height, width, 3), by the layouts of TIFF 6.0 and of ICC."""
    if color.dtype == np.float32:
        return lab_to_srgb(color)
    signed = int(page.photometric) == 8
    bits = 8 * color.dtype.itemsize
    # L* runs over all levels in TIFF 6.0, and up to 0xFF00 in ICC's 16 bits. A unit of a* and b* is 256 levels of 16.
    full = 0xFF00 if bits == 16 and not signed else 2**bits - 1
    unit = 2 ** (bits - 8)
    lightness = color[..., :1].view(f"u{bits // 8}").astype(np.float32) * np.float32(100 / full)
    if signed:
        opponents = np.ascontiguousarray(color[..., 1:]).view(f"i{bits // 8}").astype(np.float32) / unit
    else:
        opponents = color[..., 1:].astype(np.float32) / unit - 128
    return lab_to_srgb(np.concatenate([lightness, opponents], axis=2))
