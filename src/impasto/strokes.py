"""Owns the measurement of a painting's stroke width, and the choice of `style_scale` for a given `stroke_size`.

Widths are relative to the size of the painting or of the pastiche: a `stroke_size` means the same at 256 and 4096 px.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.color import LUMA
from impasto.errors import SettingsError
from impasto.images import Image, of_area, resize
from impasto.settings import OPTIONS, Settings

# Strokes are measured on a copy of the painting of this many pixels squared, whatever the size of the file.
_SIDE = 384
# Radii of the structuring elements, in pixels of that copy: diameters up to a tenth of its side.
_RADII = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18)
# Typical stroke size of paintings, in percent of the long side of a 3:2 photograph.
_USUAL = 2.2


def stroke_width(painting: Image) -> float:
    """Width of a painting's strokes, relative to the square root of the painting's area.

    It is the geometric mean of the pattern spectrum (Maragos, "Pattern Spectrum and Multiscale Shape Representation",
    IEEE PAMI 11(7), 1989). The spectrum measures how much lightness and darkness each larger morphological opening
    removes; a stroke is removed as soon as the structuring element does not fit into it. Different from the paper, the
    structuring elements are octagons instead of discs, and structures larger than a tenth of the side are ignored,
    because they belong to the scene and not to the brushwork.
    """
    pixels = resize(painting.pixels, of_area(painting.size, _SIDE**2))
    light = (pixels * pixels.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    spectrum = pattern_spectrum(torch.cat([light, 1 - light]))
    if float(spectrum.sum()) <= 1e-6:
        # The painting is blank, so any value will do.
        return 2 * _RADII[0] / _SIDE
    # A disc of radius r is 2r + 1 pixels across.
    edges = torch.tensor([1.0, *(2.0 * radius + 1.0 for radius in _RADII)])
    between = (edges[1:] * edges[:-1]).log() / 2
    return math.exp(float((spectrum * between).sum() / spectrum.sum())) / _SIDE


def pattern_spectrum(planes: Float[Tensor, "n 1 h w"]) -> Float[Tensor, " radii"]:
    """How much each opening removes beyond the next smaller one, as the mean over pixels."""
    left = [planes.mean()]
    eroded, done = planes, 0
    for radius in _RADII:
        eroded, done = -_dilated(-eroded, done, radius), radius
        left.append(_dilated(eroded, 0, radius).mean())
    return torch.stack([larger - smaller for larger, smaller in pairwise(left)])


def _dilated(planes: Tensor, done: int, radius: int) -> Tensor:
    """The maximum over an octagon around each pixel, from `planes` that are already dilated by `done` rings."""
    # Alternating dilations by squares and crosses give an octagon.
    for ring in range(done, radius):
        down = _widened(planes, -2)
        planes = _widened(down, -1) if ring % 2 else torch.maximum(down, _widened(planes, -1))
    return planes


def _widened(planes: Tensor, axis: int) -> Tensor:
    """The maximum over each pixel and its two neighbours along an axis."""
    length = planes.shape[axis] - 1
    wider = planes.clone()
    for here, there in ((0, 1), (1, 0)):
        part = wider.narrow(axis, here, length)
        torch.maximum(part, planes.narrow(axis, there, length), out=part)
    return wider


def style_scales(widths: Sequence[float], size: tuple[int, int], settings: Settings) -> tuple[float, ...]:
    """The `style_scale` of each painting that gives strokes of `settings.stroke_size`.

    Args:
        widths: stroke width of each painting, from `stroke_width`.
        size: (height, width) of the photograph; only its aspect ratio matters.
        settings: `stroke_size` is used.

    Raises:
        SettingsError: a painting would need a `style_scale` outside its range.
    """
    found = []
    least, most = _bounds()
    for width in widths:
        natural = stroke_size(width, size)
        scale = settings.stroke_size / natural
        if not least <= scale <= most:
            raise SettingsError(
                "stroke_size",
                f"got {settings.stroke_size:g}; the painting's own strokes are {natural:.2g} % of the long side, and "
                f"can be scaled to {least * natural:.2g} to {most * natural:.2g}",
            )
        found.append(scale)
    return tuple(found)


def stroke_size(width: float, size: tuple[int, int], scale: float = 1.0) -> float:
    """Stroke size in percent of the pastiche's long side, for a painting's stroke width and a style scale."""
    return 100 * scale * width * math.sqrt(min(size) / max(size))


def stroke_sizes(paintings: Sequence[Image], size: tuple[int, int], settings: Settings) -> list[float]:
    """Expected stroke size for each painting, in percent of the long side of a pastiche of that aspect ratio."""
    if settings.stroke_size:
        return [settings.stroke_size] * len(paintings)
    return [stroke_size(stroke_width(painting), size, settings.style_scale) for painting in paintings]


def usual_scale(settings: Settings) -> float:
    """The typical style scale for these settings, before any painting is known; for estimates."""
    if not settings.stroke_size:
        return settings.style_scale
    least, most = _bounds()
    return min(max(settings.stroke_size / _USUAL, least), most)


def _bounds() -> tuple[float, float]:
    """The smallest and the largest style scale."""
    _, option = OPTIONS["style_scale"]
    if option.low is None or option.high is None:
        raise TypeError("style_scale is declared without bounds")
    return option.low, option.high
