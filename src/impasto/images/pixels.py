"""Owns pictures as NumPy arrays, without torch: reading, resizing, and rounding to whole levels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import PIL.Image
from jaxtyping import Float
from numpy.typing import NDArray

from impasto.errors import ImageError, ImpastoWarning
from impasto.images.decoding import decode
from impasto.images.opening import DEFAULT_MAX_PIXELS, Source, kind_of, opened, translated
from impasto.images.raster import Developed, develop
from impasto.images.sizes import checked

# Rows quantised at a time, so that a large picture needs no second float copy.
_ROWS = 256


def read_pixels(source: Source, *, name: str | None = None) -> Float[np.ndarray, "1 3 h w"]:
    """The pixels that `read` gives, as an array.

    Raises:
        ImageReadError: as in `read`.

    Warns:
        ImpastoWarning: as in `read`.
    """
    return _read(source, name).pixels


def read_pixels_and_alpha(
    source: Source, *, name: str | None = None
) -> tuple[Float[np.ndarray, "1 3 h w"], Float[np.ndarray, "1 1 h w"] | None]:
    """The pixels and the alpha that `read` gives, as arrays; alpha is None if the picture is opaque.

    Raises:
        ImageReadError: as in `read`.

    Warns:
        ImpastoWarning: as in `read`.
    """
    developed = _read(source, name)
    return developed.pixels, developed.alpha


def resize_pixels(pixels: Float[np.ndarray, "1 c h w"], size: tuple[int, int]) -> Float[np.ndarray, "1 c _ _"]:
    """`pixels`, or an alpha, at `size`, (height, width), by the same filter as `resize`."""
    height, width = checked(size)
    if pixels.shape[-2:] == (height, width):
        return pixels
    planes = [
        PIL.Image.fromarray(np.ascontiguousarray(plane)).resize((width, height), PIL.Image.Resampling.BICUBIC)
        for plane in pixels[0]
    ]
    return np.stack([np.asarray(plane, np.float32) for plane in planes])[None].clip(0.0, 1.0)


def quantize(pixels: Any, bit_depth: int = 8) -> NDArray[Any]:
    """`pixels`, a tensor or an array (1, c, h, w) in [0, 1], as whole levels: uint8 or uint16, (height, width, c).

    Each value is rounded to the nearest of the 2^bit_depth levels, exact halves to the even one, so that pixels read
    from a file of this depth are written back unchanged. Values outside [0, 1] are clamped.

    Raises:
        ImageError: a value is NaN or infinite.
    """
    levels, dtype = (65535.0, np.uint16) if bit_depth == 16 else (255.0, np.uint8)
    channels, height, width = pixels.shape[-3:]
    samples: NDArray[Any] = np.empty((height, width, channels), dtype)
    for top in range(0, height, _ROWS):
        rows = pixels[0, :, top : top + _ROWS]
        if not isinstance(rows, np.ndarray):
            rows = rows.detach().cpu().float().numpy()
        if not np.isfinite(rows).all():
            raise ImageError("the picture has values that are not finite numbers (NaN or infinity)")
        samples[top : top + _ROWS] = np.rint(rows.clip(0.0, 1.0) * np.float32(levels)).transpose(1, 2, 0)
    return samples


def _read(source: Source, name: str | None) -> Developed:
    with opened(source, DEFAULT_MAX_PIXELS, name) as (file, label), translated(label):
        raster = decode(file, kind_of(file), DEFAULT_MAX_PIXELS)
        developed = develop(raster)
    for note in raster.notes:
        warnings.warn(f"{label}: {note}", ImpastoWarning, stacklevel=3)
    return developed
