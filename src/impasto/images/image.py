"""Owns Image, a picture in memory, and resize."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from impasto.errors import ImageError
from impasto.images.pixels import quantize
from impasto.images.sizes import checked, fit
from impasto.images.writing import encode, write

if TYPE_CHECKING:
    from os import PathLike

# The longest side of the picture a notebook shows, in pixels: sharp on a page, and small in the notebook's file.
_PREVIEW_SIDE = 1024


@dataclass(frozen=True, eq=False, repr=False)
class Image:
    """A picture in memory, with what its file says about it.

    Attributes:
        pixels: float32, shape (1, 3, height, width), sRGB (gamma encoded) in [0, 1], upright. Under transparent pixels
            they continue the colours of the object's edge.
        name: its name in messages and metadata: the file's name without folders, or "".
        format: the format of the file it came from, such as "PNG"; None if it came from no file.
        bit_depth: bits for each channel in the file: 8, 16 or 32.
        sha256: SHA-256 of the file's bytes in hexadecimal; None if it came from no file.
        icc_converted: description of the colour profile or colour space that its colours were converted from; None if
            the file names none, or if it is sRGB already.
        text: the text entries of the file, such as the settings that Impasto embeds under "impasto".
        alpha: opacity, float32, shape (1, 1, height, width), in [0, 1]; None if all of it is opaque.
    """

    pixels: Float[Tensor, "1 3 height width"]
    _: KW_ONLY
    name: str = ""
    format: str | None = None
    bit_depth: int = 8
    sha256: str | None = None
    icc_converted: str | None = None
    text: Mapping[str, str] = field(default_factory=dict)
    alpha: Float[Tensor, "1 1 height width"] | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.pixels.shape)
        if len(shape) != 4 or shape[:2] != (1, 3) or self.pixels.dtype != torch.float32:
            raise ImageError(
                f"pixels: received shape {shape} of {self.pixels.dtype}; an Image holds float32 of shape "
                "(1, 3, height, width); as_image() converts tensors, arrays and pictures"
            )
        if self.alpha is not None and (
            tuple(self.alpha.shape) != (1, 1, *shape[2:]) or self.alpha.dtype != torch.float32
        ):
            raise ImageError(
                f"alpha: received shape {tuple(self.alpha.shape)} of {self.alpha.dtype}; allowed is float32 of shape "
                f"{(1, 1, *shape[2:])}, as large as the pixels"
            )
        if self.bit_depth not in (8, 16, 32):
            raise ImageError(f"bit_depth: received {self.bit_depth!r}; allowed: 8, 16, 32")

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.pixels.shape[2]

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.pixels.shape[3]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.height, self.width

    def resized(self, size: tuple[int, int]) -> Image:
        """The same picture at `size`, (height, width) in pixels; see `resize`."""
        alpha = self.alpha if self.alpha is None else resize(self.alpha, size)
        return replace(self, pixels=resize(self.pixels, size), alpha=alpha)

    def with_alpha_of(self, other: Image) -> Image:
        """The same pixels with the transparency of `other`, resized to this size; opaque if `other` is."""
        alpha = other.alpha if other.alpha is None else resize(other.alpha, self.size)
        return replace(self, alpha=alpha)

    def flattened(self, level: float = 1.0) -> Image:
        """The picture on a ground of one grey, by default white; itself if it is opaque."""
        if self.alpha is None:
            return self
        return replace(self, pixels=self.pixels * self.alpha + level * (1 - self.alpha), alpha=None)

    def to_pil(self) -> PIL.Image.Image:
        """An 8-bit RGB or RGBA Pillow picture, rounded to the nearest level."""
        samples = quantize(self.pixels)
        return PIL.Image.fromarray(samples if self.alpha is None else np.dstack([samples, quantize(self.alpha)]))

    def save(
        self,
        path: str | PathLike[str],
        *,
        metadata: Mapping[str, str] | None = None,
        quality: int = 95,
        bit_depth: int = 8,
        dpi: int | None = None,
        protect: Iterable[str | PathLike[str]] = (),
        overwrite: bool = True,
    ) -> Path:
        """Writes the picture to `path`; see `impasto.images.write`."""
        return write(
            self,
            path,
            metadata=metadata,
            quality=quality,
            bit_depth=bit_depth,
            dpi=dpi,
            protect=protect,
            overwrite=overwrite,
        )

    def _repr_png_(self) -> bytes:
        """The PNG that a notebook shows, at most 1024 pixels a side."""
        long_side = min(max(self.size), _PREVIEW_SIDE)
        return encode(self.resized(fit(self.size, long_side)), "PNG")

    def __repr__(self) -> str:
        kind = self.format or "no file"
        return f"Image({self.name!r}, {self.height} × {self.width}, {kind}, {self.bit_depth} bits)"


def resize(pixels: Float[Tensor, "1 c h w"], size: tuple[int, int]) -> Float[Tensor, "1 c height width"]:
    """`pixels` resampled to `size`, (height, width) in pixels, by an antialiased bicubic filter.

    Values are in [0, 1] and stay there: the filter's overshoot is clamped. The dtype is kept. If the size is already
    right, the same tensor is returned.

    Raises:
        ImageError: a side is not a positive whole number.
    """
    height, width = checked(size)
    if (height, width) == tuple(pixels.shape[-2:]):
        return pixels
    resampled = functional.interpolate(
        pixels, size=(height, width), mode="bicubic", align_corners=False, antialias=True
    )
    return resampled.clamp(0.0, 1.0)
