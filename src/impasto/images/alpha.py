"""Owns transparency: the colours under transparent pixels, and the ground for formats without transparency."""

from __future__ import annotations

from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageFilter

# Pixels of less alpha, which 8 bits round to 0, are invisible. Their stored colours mean nothing.
_INVISIBLE = 0.5 / 255

# Width of the edge, in pixels, whose colours continue under the transparent part.
_EDGE = 2

# Contrast ratio (WCAG 2) from which on an edge is seen clearly against its ground.
_CONTRAST = 1.5

# Grounds in order of preference, as sRGB grey: white, black, and grey for an object of light and dark edges.
_GROUNDS = {"white": 1.0, "black": 0.0, "grey": 0.5}

# Share of the edge that must be seen for a ground to be taken at once.
_ENOUGH = 0.9


def unmultiplied(color: NDArray[Any], alpha: NDArray[Any], full: float) -> NDArray[Any]:
    """Straight colours of premultiplied ones.

    Args:
        color: shape (height, width, channels), multiplied by `alpha`.
        alpha: shape (height, width).
        full: the value of opaque alpha and of white.
    """
    # Fully transparent pixels have no colour to recover.
    share = np.maximum(alpha.astype(np.float32), np.float32(1e-6))[..., None] / np.float32(full)
    straight = np.minimum(color / share, full)
    return np.asarray(straight if color.dtype == np.float32 else np.rint(straight), color.dtype)


def fill(pixels: NDArray[np.float32], alpha: NDArray[np.float32]) -> None:
    """Continue the colours of the object's edge under its transparent pixels, in place.

    Visible pixels keep their colours. The others get averages of the edge, over areas that grow with the distance from
    it (the pull-push method of Gortler and others, 1996), so that neither resampling nor painting mixes in a foreign
    colour at the edge. Without a visible pixel, nothing changes.

    Args:
        pixels: shape (3, height, width).
        alpha: shape (height, width), in [0, 1].
    """
    hidden = alpha < _INVISIBLE
    weight = np.where(_edge(alpha), alpha, 0.0).astype(np.float32)
    if not hidden.any() or not weight.any():
        return
    # Plane by plane, to take less memory.
    for plane in pixels:
        plane[hidden] = _pulled(plane * weight, weight)[hidden]


def ground(pixels: NDArray[np.float32], alpha: NDArray[np.float32]) -> tuple[str, float]:
    """The ground, by name and as sRGB grey, on which the object's edge is seen: white if possible.

    Args:
        pixels, alpha: as in `fill`.
    """
    edge = _edge(alpha)
    if not edge.any():
        return "white", _GROUNDS["white"]
    luminance = _luminance(pixels[:, edge])
    weight = alpha[edge]
    seen = {}
    for name, level in _GROUNDS.items():
        below = float(_luminance(np.full((3, 1), level, np.float32))[0])
        ratio = (np.maximum(luminance, below) + 0.05) / (np.minimum(luminance, below) + 0.05)
        seen[name] = float((weight * (ratio >= _CONTRAST)).sum() / weight.sum())
    name = next((name for name, share in seen.items() if share >= _ENOUGH), max(seen, key=lambda name: seen[name]))
    return name, _GROUNDS[name]


def composite(pixels: NDArray[np.float32], alpha: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """The picture on a ground of one grey `level`; arguments as in `fill`."""
    return np.asarray(pixels * alpha + np.float32(level) * (1 - alpha), np.float32)


def _edge(alpha: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The visible pixels within _EDGE pixels of an invisible one; all visible pixels if none is invisible."""
    hidden = alpha < _INVISIBLE
    if not hidden.any():
        return ~hidden
    mask = PIL.Image.fromarray(hidden.astype(np.uint8) * 255)
    near = np.asarray(mask.filter(ImageFilter.MaxFilter(2 * _EDGE + 1))) > 0
    return near & ~hidden


def _luminance(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    linear = np.where(pixels <= 0.04045, pixels / 12.92, ((np.maximum(pixels, 0.04045) + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.tensordot([0.2126, 0.7152, 0.0722], linear, 1), np.float32)


def _pulled(weighted: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """A plane of weighted values divided by their weights. Without weight, the next coarser level is interpolated."""
    values = np.asarray(weighted / np.maximum(weight, 1e-9), np.float32)
    known = weight > 0
    if known.all() or weight.shape == (1, 1):
        return values
    sums = _halved(weight)
    scale = np.asarray(1 / np.maximum(sums, 1.0), np.float32)
    coarse = _pulled(_halved(weighted) * scale, sums * scale)
    height, width = weight.shape
    # Twice as large, and cut where a side was odd.
    twice = (2 * coarse.shape[1], 2 * coarse.shape[0])
    grown = np.asarray(PIL.Image.fromarray(coarse).resize(twice, PIL.Image.Resampling.BILINEAR))
    return np.where(known, values, grown[:height, :width])


def _halved(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums of 2 × 2 pixels; a side that is odd is padded with zeros."""
    height, width = plane.shape
    padded = np.pad(plane, ((0, height % 2), (0, width % 2)))
    return np.asarray(padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2], np.float32)
