"""Owns how broad a painting's strokes are, and the size at which it is looked at so that they come out as wished.

Both are relative, to the painting and to the picture: a wish means the same at 256 px and at 4096 px.
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

# Strokes are measured with as many pixels of each painting, so that the size of the file does not matter.
_SIDE = 384
# Radii of the shapes that strokes are compared with, in those pixels: up to a tenth of the painting.
_RADII = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18)
# What paintings' strokes mostly are, in percent of the long side of a photograph of 3:2.
_USUAL = 2.2


def stroke_width(painting: Image) -> float:
    """How broad the strokes of a painting are, as a share of its side (the root of its area).

    The geometric mean of its pattern spectrum (Maragos, "Pattern Spectrum and Multiscale Shape Representation", IEEE
    PAMI 11(7), 1989), which says how much of the light and the dark vanishes between an opening with one disc and with
    the next larger: a stroke vanishes as soon as the disc does not fit into it. Departing from the paper, discs are
    octagons, and what is larger than a tenth of the side is left out, for it is the scene and not the brush.
    """
    pixels = resize(painting.pixels, of_area(painting.size, _SIDE**2))
    light = (pixels * pixels.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    spectrum = pattern_spectrum(torch.cat([light, 1 - light]))
    if float(spectrum.sum()) <= 1e-6:
        # Nothing is painted on it; any answer will do.
        return 2 * _RADII[0] / _SIDE
    # A disc of radius r is 2r + 1 pixels across.
    edges = torch.tensor([1.0, *(2.0 * radius + 1.0 for radius in _RADII)])
    between = (edges[1:] * edges[:-1]).log() / 2
    return math.exp(float((spectrum * between).sum() / spectrum.sum())) / _SIDE


def pattern_spectrum(planes: Float[Tensor, "n 1 h w"]) -> Float[Tensor, " radii"]:
    """How much of the planes vanishes between an opening and the next larger, on the mean over pixels."""
    left = [planes.mean()]
    eroded, done = planes, 0
    for radius in _RADII:
        eroded, done = -_dilated(-eroded, done, radius), radius
        left.append(_dilated(eroded, 0, radius).mean())
    return torch.stack([larger - smaller for larger, smaller in pairwise(left)])


def _dilated(planes: Tensor, done: int, radius: int) -> Tensor:
    """The maximum over an octagon around each pixel, of which the first `done` rings are there already."""
    # Squares and crosses in turn add up to an octagon.
    for ring in range(done, radius):
        down = _widened(planes, -2)
        planes = _widened(down, -1) if ring % 2 else torch.maximum(down, _widened(planes, -1))
    return planes


def _widened(planes: Tensor, axis: int) -> Tensor:
    """The maximum over three pixels in a row."""
    length = planes.shape[axis] - 1
    wider = planes.clone()
    for here, there in ((0, 1), (1, 0)):
        part = wider.narrow(axis, here, length)
        torch.maximum(part, planes.narrow(axis, there, length), out=part)
    return wider


def style_scales(widths: Sequence[float], size: tuple[int, int], settings: Settings) -> tuple[float, ...]:
    """The size at which each painting is looked at, relative to the picture, so that strokes are as wished.

    Args:
        widths: of the strokes of each painting, see `stroke_width`.
        size: (height, width) of the photograph; only its shape matters.

    Raises:
        SettingsError: a painting would have to be looked at far larger or smaller than can be.
    """
    found = []
    least, most = _bounds()
    for width in widths:
        natural = stroke_size(width, size)
        scale = settings.stroke_size / natural
        if not least <= scale <= most:
            raise SettingsError(
                "stroke_size",
                f"got {settings.stroke_size:g}; the painting's own strokes are {natural:.2g} % of the long side, which "
                f"can be made {least * natural:.2g} to {most * natural:.2g}",
            )
        found.append(scale)
    return tuple(found)


def stroke_size(width: float, size: tuple[int, int], scale: float = 1.0) -> float:
    """How broad strokes are in percent of the picture's long side, where the painting is looked at by that scale."""
    return 100 * scale * width * math.sqrt(min(size) / max(size))


def stroke_sizes(paintings: Sequence[Image], size: tuple[int, int], settings: Settings) -> list[float]:
    """How broad the strokes of each painting come out, in percent of the long side of a picture of that shape."""
    if settings.stroke_size:
        return [settings.stroke_size] * len(paintings)
    return [stroke_size(stroke_width(painting), size, settings.style_scale) for painting in paintings]


def usual_scale(settings: Settings) -> float:
    """About the size at which a painting will be looked at, relative to the picture, before it is known which."""
    if not settings.stroke_size:
        return settings.style_scale
    least, most = _bounds()
    return min(max(settings.stroke_size / _USUAL, least), most)


def _bounds() -> tuple[float, float]:
    """The least and the largest size at which a painting can be looked at."""
    bounds = OPTIONS["style_scale"][1]
    assert bounds.low is not None
    assert bounds.high is not None
    return bounds.low, bounds.high
