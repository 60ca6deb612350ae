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
from impasto.images.metadata import from_json, to_json
from impasto.images.profiles import srgb_profile
from impasto.images.raster import CHANNELS, File, Raster, Space, check_size
from impasto.messages import printable

if TYPE_CHECKING:
    import tifffile

# TIFF's PhotometricInterpretation: 0 is grey with white as zero, 5 is ink.
_SPACES: Mapping[int, Space] = {0: "GRAY", 1: "GRAY", 2: "RGB", 5: "CMYK"}
_WHITE_IS_ZERO = 0

# TIFF's ExtraSamples: colours already multiplied by this alpha, or not.
_ASSOCIATED, _UNASSOCIATED = 1, 2

_ORIENTATION, _DNG_VERSION, _SUB_IFDS, _NEW_SUBFILE_TYPE = 274, 50706, 330, 254


class CodecMissingError(ImageReadError):
    """The file's compression needs the optional package imagecodecs."""


def decode(file: File, max_pixels: int) -> Raster:
    """The first picture of a TIFF file, at its full depth, by tifffile.

    Raises:
        CodecMissingError: its compression needs imagecodecs.
        ImageReadError: its header is refused, or its pixels are of a kind that is not read.
    """
    file.seek(0)
    with _tifffile().TiffFile(file, name="") as tiff:
        page = tiff.pages.first
        tags = page.tags
        refuse_camera_raw({code: tags.valueof(code) for code in (_DNG_VERSION, _SUB_IFDS, _NEW_SUBFILE_TYPE)})
        check_size(page.imagewidth, page.imagelength, max_pixels)
        space = _space(page)
        try:
            samples = page.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            raise CodecMissingError(
                f"its compression ({page.compression.name}) is read by an optional package: pip install imagecodecs, "
                "or save it without compression"
            ) from error
        orientation = tags.valueof(_ORIENTATION)
        description = tags.valueof(270)
        color, alpha = _split(page, samples, space)
        notes = []
        if len(tiff.pages) > 1 and not tiff.pages[1].is_reduced:
            notes.append("it has several pages; only the first is used")
        return Raster(
            color=color,
            space=space,
            alpha=alpha,
            bit_depth=8 if page.bitspersample <= 8 else 16 if page.bitspersample <= 16 else 32,
            profile=page.iccprofile,
            orientation=orientation if isinstance(orientation, int) else 1,
            text=from_json(description) if isinstance(description, str) else {},
            notes=notes,
        )


def refuse_camera_raw(tags: Mapping[int, Any]) -> None:
    """Refuses a camera's raw file, which is a TIFF whose first picture is a thumbnail or undeveloped.

    Args:
        tags: the TIFF tags DNGVersion, SubIFDs and NewSubfileType, as far as the file has them.

    Raises:
        ImageReadError: it is one.
    """
    subfile_type = tags.get(_NEW_SUBFILE_TYPE)
    reduced = isinstance(subfile_type, int) and bool(subfile_type & 1)
    if tags.get(_DNG_VERSION) or (reduced and tags.get(_SUB_IFDS)):
        raise ImageReadError("it is a camera's raw file: develop it, and export a TIFF or JPEG")


def encode(samples: NDArray[Any], metadata: Mapping[str, str]) -> bytes:
    """A deflated TIFF of `samples`, uint8 or uint16 of shape (height, width, 3 or 4), with an sRGB profile."""
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
        # Without these, tifffile writes its own name and the array's shape.
        description=to_json(metadata) if metadata else None,
        software=software if software and software.isascii() else False,
        metadata=None,
    )
    return out.getvalue()


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
    if space is None or kind not in ("u", "f", "b") or page.imagedepth != 1:
        photometric = getattr(page.photometric, "name", page.photometric)
        raise ImageReadError(
            f"it holds {printable(str(photometric))} pixels of {page.bitspersample} bits as {page.dtype}, which is not "
            "read; allowed are grey, RGB and CMYK of unsigned whole numbers or floats: save it as such"
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
