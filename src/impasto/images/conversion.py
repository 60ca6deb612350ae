"""Owns as_image: paths, files, arrays, tensors and Pillow pictures become an Image."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.errors import ImageError, ImageReadError, ImpastoWarning
from impasto.images import png
from impasto.images.decoding import from_pil
from impasto.images.image import Image
from impasto.images.opening import DEFAULT_MAX_PIXELS, BinaryFile, translated
from impasto.images.raster import Raster, check_size
from impasto.images.reading import read_quietly, to_image

# Values may leave [0, 1] by this much through float32 rounding, and are clamped. More is an error of scale.
_SLACK = 1e-3

_ALLOWED = (
    "allowed are an Image, a path, bytes, a file open in binary mode, a Pillow picture, a torch tensor or a NumPy array"
)


def as_image(value: object, *, name: str | None = None, max_pixels: int = DEFAULT_MAX_PIXELS) -> Image:
    """Makes an Image of `value`. The value itself is neither changed nor shared.

    Args:
        value: an Image, which is returned as it is; what `read` accepts; a Pillow picture, treated as a file is
            (orientation, profile, transparency); a torch tensor of shape (3, height, width), (1, 3, height, width) or
            (height, width), float in [0, 1] or uint8; a NumPy array of shape (height, width, 3), (height, width, 4) or
            (height, width), float in [0, 1], uint8 or uint16. Tensors and arrays are sRGB (gamma encoded).
        name: the name of the picture; by default the name of its file, if it has one.
        max_pixels: as in `read`.

    Raises:
        ImageReadError: `value` is of another type, shape, dtype or range, or not finite; or as in `read`.

    Warns:
        ImpastoWarning: as in `read`.
    """
    if isinstance(value, Image):
        return value
    notes: list[str] = []
    if isinstance(value, PIL.Image.Image):
        image, notes = _from_pil(value, name, max_pixels)
    elif isinstance(value, (Tensor, np.ndarray)):
        image, notes = _from_samples(value, name, max_pixels)
    elif isinstance(value, (str, os.PathLike, bytes, bytearray, memoryview, BinaryFile)):
        image, notes = read_quietly(value, name=name, max_pixels=max_pixels)
    else:
        raise ImageReadError(f"received {type(value).__name__}; {_ALLOWED}")
    for note in notes:
        warnings.warn(note, ImpastoWarning, stacklevel=2)
    return image


def _from_pil(value: PIL.Image.Image, name: str | None, max_pixels: int) -> tuple[Image, list[str]]:
    file_name = getattr(value, "filename", "")
    name = name if name is not None else Path(file_name).name if isinstance(file_name, str) else ""
    label = name or "the Pillow picture"
    notes: list[str] = []
    with translated(label):
        check_size(*value.size, max_pixels)
        value.load()
        colorspace = png.colorspace(value.info, notes) if value.format == "PNG" else None
        raster = from_pil(value, notes=notes, text={}, colorspace=colorspace)
        image = to_image(raster, name=name, kind=value.format)
    return image, [f"{label}: {note}" for note in notes]


def _from_samples(value: Tensor | NDArray[Any], name: str | None, max_pixels: int) -> tuple[Image, list[str]]:
    label = name or ("the tensor" if isinstance(value, Tensor) else "the array")
    with translated(label):
        samples = _planes_last(value) if isinstance(value, Tensor) else _checked_array(value)
        height, width = samples.shape[:2]
        check_size(width, height, max_pixels)
        if samples.dtype.kind == "f":
            _check_range(samples)
            samples = np.clip(samples, 0.0, 1.0).astype(np.float32)
        samples = samples[..., None] if samples.ndim == 2 else samples
        raster = Raster(
            color=samples[..., :3],
            space="GRAY" if samples.shape[2] == 1 else "RGB",
            alpha=samples[..., 3] if samples.shape[2] == 4 else None,
            bit_depth=8 * samples.dtype.itemsize,
        )
        image = to_image(raster, name=name or "")
    return image, [f"{label}: {note}" for note in raster.notes]


def _planes_last(tensor: Tensor) -> NDArray[Any]:
    """The tensor as an array of shape (height, width) or (height, width, 3)."""
    shape = tuple(tensor.shape)
    floating = tensor.dtype.is_floating_point
    planes = shape[1:] if len(shape) == 4 and shape[0] == 1 else shape
    if not (len(shape) == 2 or (len(planes) == 3 and planes[0] == 3)) or not (floating or tensor.dtype == torch.uint8):
        hint = "; its channels come last: use .permute(2, 0, 1)" if len(shape) == 3 and shape[-1] in (3, 4) else ""
        raise ImageError(
            f"received shape {shape} of {tensor.dtype}; allowed are (3, height, width), (1, 3, height, width) or "
            f"(height, width), as floats in [0, 1] or as uint8{hint}"
        )
    plain = tensor.detach().to("cpu", torch.float32 if floating else torch.uint8)
    return plain.numpy() if len(shape) == 2 else plain.reshape(planes).permute(1, 2, 0).numpy()


def _checked_array(array: NDArray[Any]) -> NDArray[Any]:
    shape, dtype = array.shape, array.dtype
    known = dtype.kind == "f" or (dtype.kind == "u" and dtype.itemsize <= 2)
    if not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))) or not known:
        hint = "; its channels come first: use .transpose(1, 2, 0)" if len(shape) == 3 and shape[0] in (3, 4) else ""
        raise ImageError(
            f"received shape {shape} of {dtype}; allowed are (height, width, 3), (height, width, 4) or "
            f"(height, width), as floats in [0, 1], uint8 or uint16{hint}"
        )
    return array


def _check_range(samples: NDArray[Any]) -> None:
    if not np.isfinite(samples).all():
        raise ImageError("it has values that are not finite numbers (NaN or infinity)")
    low, high = float(samples.min()), float(samples.max())
    if low < -_SLACK or high > 1 + _SLACK:
        hint = ": divide by 255" if low >= 0 and 2 < high <= 255 else ""
        raise ImageError(f"its values run from {low:g} to {high:g}; floats must be in [0, 1]{hint}")
