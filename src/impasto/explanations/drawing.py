"""Owns the parts that all figures share: a heading, and pictures under titles. Lengths are in inches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor

from impasto.images import Image
from impasto.plots.page import GRAY, INK, LARGE, LINE, MARGIN, add_picture, put_text, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Space between the parts of a figure.
BREAK = 0.3
#: Height of a title over a picture, and of a line of words.
TITLE, WORDS = 0.19, LINE + 0.005
_HEADING = 10.0
_HEADING_HEIGHT = 0.22

#: The colour map of feature maps and matrices; its lightness alone shows the values.
MAP_COLORS = "magma"


def heading_height(lines: Sequence[str]) -> float:
    """Height of a heading with these lines under its title."""
    return _HEADING_HEIGHT + WORDS * len(lines) + 0.06


def put_heading(fig: Figure, top: float, title: str, lines: Sequence[str]) -> float:
    """Draw a title and lines under it; returns the y coordinate of their lower edge."""
    put_text(fig, MARGIN, top - 0.14, title, size=_HEADING, color=INK, weight="bold")
    put_words(fig, MARGIN, top - _HEADING_HEIGHT, lines)
    return top - heading_height(lines)


def put_words(fig: Figure, left: float, top: float, lines: Sequence[str], *, width: float = math.inf) -> None:
    """Draw lines of words, the upper edge of the first at `top`; each is cut to the width."""
    for line, words in enumerate(lines, start=1):
        put_text(fig, left, top - WORDS * line + 0.04, words, size=LARGE - 0.5, color=GRAY, width=width)


def put_title(fig: Figure, left: float, baseline: float, width: float, title: str, beside: str = "") -> None:
    """Draw a title over a picture, and a note beside the title."""
    text = put_text(fig, left, baseline, title, size=LARGE, color=INK, weight="bold", width=width)
    after = text_width(fig, text) + 0.06 if title else 0.0
    put_text(fig, left + after, baseline, beside, size=LARGE - 0.5, color=GRAY, width=width - after)


def put_picture(
    fig: Figure,
    pixels: Float[Tensor, "1 3 h w"],
    left: float,
    top: float,
    width: float,
    *,
    title: str,
    beside: str = "",
    pixelated: bool = False,
) -> float:
    """Draw a title, its upper edge at `top`, and a picture under it; returns the y coordinate of the lower edge.

    Args:
        pixelated: whether its pixels are drawn as squares.
    """
    height = width * pixels.shape[-2] / pixels.shape[-1]
    put_title(fig, left, top - TITLE + 0.06, width, title, beside)
    bottom = top - TITLE - height
    how = {"interpolation": "nearest"} if pixelated else {}
    axes = add_picture(fig, Image(pixels=pixels.clamp(0, 1)).to_pil(), left, bottom, width, height, **how)
    axes.set_label(title or beside)
    return bottom


def put_map(
    fig: Figure, values: Float[Tensor, "h w"], left: float, bottom: float, width: float, height: float, **how: Any
) -> Axes:
    """Draw a feature map or a matrix in colours, from its own minimum to its maximum unless `how` sets other limits."""
    chosen = {"cmap": MAP_COLORS, "interpolation": "nearest", **how}
    return add_picture(fig, values.float().numpy(), left, bottom, width, height, **chosen)
