"""Owns the figure of Gram matrices: what one entry means, then feature maps and the whole matrix at each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from impasto.explanations.correlations import Correlations
from impasto.explanations.drawing import (
    BREAK,
    TITLE,
    WORDS,
    heading_height,
    put_heading,
    put_map,
    put_title,
    put_words,
)
from impasto.explanations.seeing import answers_to
from impasto.plots.page import GAP, GRAY, INK, LARGE, MARGIN, WIDTH, new_figure, put_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAPS = 2  # feature maps of each layer
_EXAMPLE = 1.42  # width of a map in the examples
_SIGN = 0.22  # room of a sign between them
_BAR = 0.08

_MEANING = (
    "What one entry of a Gram matrix says",
    (
        "A feature map shows where in the painting one feature is strong. Two maps are multiplied place by place; the "
        "mean of the product",
        "is their entry (the number: divided by the strength of the two). Where they are strong does not matter, only "
        "whether together.",
    ),
)
_LAYERS = (
    "The painting at every depth",
    (
        "Of each layer, two of its maps, and its whole Gram matrix: one row and one column for each map, every entry "
        "divided by the strength of",
        "its two maps. Maps that go together stand side by side. These matrices are all that style is: the loss "
        "compares them, and nothing else.",
    ),
)
_TOGETHER = ("They are strong at the", "same places: the painting", "has both at once.")
_APART = ("Where one is strong the", "other is not: the painting", "does not have both at once.")


def gram_figure(whole: Tensor, correlations: Sequence[Correlations]) -> Figure:
    """Two examples of an entry, then maps and matrix of each layer.

    Args:
        whole: the painting at the size it was explained at, (1, 3, height, width).
        correlations: in the order of the network.
    """
    aspect = whole.shape[-2] / whole.shape[-1]
    cell = (WIDTH - 2 * MARGIN - GAP * (len(correlations) - 1)) / max(len(correlations), 3)
    example = _EXAMPLE * aspect
    layers_height = TITLE + WORDS + _MAPS * (cell * aspect + 0.05) + 0.05 + cell + WORDS
    total = 2 * MARGIN + heading_height(_MEANING[1]) + 2 * (TITLE + example) + GAP
    total += BREAK + heading_height(_LAYERS[1]) + layers_height + 0.42
    fig = new_figure(WIDTH, total)
    top = put_heading(fig, total - MARGIN, *_MEANING)
    top = _put_examples(fig, top, whole, correlations[len(correlations) // 2])
    top = put_heading(fig, top - BREAK, *_LAYERS)
    least = min(0.0, *(float(one.matrix.min()) for one in correlations))
    for column, one in enumerate(correlations):
        _put_layer(fig, MARGIN + column * (cell + GAP), top, cell, aspect, one, least)
    _put_scale(fig, top - layers_height - 0.12, least)
    return fig


def _put_examples(fig: Figure, top: float, whole: Tensor, one: Correlations) -> float:
    """The painting beside two pairs of maps: those that go together most, and those that do least."""
    height = _EXAMPLE * whole.shape[-2] / whole.shape[-1]
    start = MARGIN
    for pair, words in zip(one.extremes(), (_TOGETHER, _APART), strict=True):
        product = one.maps[pair[0]] * one.maps[pair[1]]
        names = (f"map {pair[0]}", f"map {pair[1]}", "product")
        left, bottom = start, top - TITLE - height
        for name, values, sign in zip(names, (*(one.maps[i] for i in pair), product), ("×", "=", ""), strict=True):
            put_title(fig, left, top - TITLE + 0.06, _EXAMPLE, name, one.layer.name if name != "product" else "")
            # The product is drawn as large as it could be, or its little would look like much.
            most = float(one.maps[pair[0]].max() * one.maps[pair[1]].max()) if name == "product" else None
            put_map(fig, values.abs().sqrt(), left, bottom, _EXAMPLE, height, vmin=0, vmax=most and most**0.5)
            left += _EXAMPLE
            put_text(fig, left + _SIGN / 2, bottom + height / 2, sign, size=11, color=INK, align="center")
            left += _SIGN
        middle = bottom + height / 2
        put_text(fig, left, middle + 0.2, f"{float(one.matrix[pair]):.2f}", size=16, color=INK, weight="bold")
        put_words(fig, left, middle + 0.12, words)
        top = bottom - GAP
    return top + GAP


def _put_layer(
    fig: Figure, left: float, top: float, width: float, aspect: float, one: Correlations, least: float
) -> None:
    put_title(fig, left, top - TITLE + 0.06, width, one.layer.name)
    put_words(fig, left, top - TITLE + 0.04, [answers_to(one.layer)], width=width)
    bottom = top - TITLE - WORDS
    for index in one.telling(_MAPS):
        bottom -= width * aspect + 0.05
        put_map(fig, one.maps[index].abs().sqrt(), left, bottom, width, width * aspect)
    bottom -= width + 0.1
    axes = put_map(fig, one.ordered, left, bottom, width, width, norm=_shades(least), interpolation="antialiased")
    axes.set_label(f"Gram {one.layer.name}")
    put_words(fig, left, bottom - 0.01, [f"{one.layer.channels} × {one.layer.channels}"])


def _shades(least: float) -> Any:
    """How the entries are drawn: small ones are told apart too, where none is negative."""
    from matplotlib.colors import Normalize, PowerNorm

    return Normalize(least, 1.0) if least < 0 else PowerNorm(0.5, 0.0, 1.0)


def _put_scale(fig: Figure, top: float, least: float) -> None:
    """What the colours of the matrices mean."""
    ramp = torch.linspace(least, 1, 256)[None]
    width = WIDTH / 3
    left = (WIDTH - width) / 2
    put_map(fig, ramp, left, top - _BAR, width, _BAR, norm=_shades(least))
    words = ("0  never together" if least == 0 else f"{least:.1f}  one without the other", "always together  1")
    for text, x, align in zip(words, (left - 0.08, left + width + 0.08), ("right", "left"), strict=True):
        put_text(fig, x, top - _BAR + 0.005, text, size=LARGE - 0.5, color=GRAY, align=align)
