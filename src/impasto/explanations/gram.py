"""Owns the explanation of Gram matrices: which feature maps go together, the order they are shown in, and their figure.

The figure shows what one entry means, then feature maps and the whole matrix of each layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from impasto.backbones import Layer
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
from impasto.explanations.features import responds_to
from impasto.plots.page import GAP, GRAY, INK, LARGE, MARGIN, WIDTH, new_figure, put_text
from impasto.representations import Moments

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# A map with less than this share of the mean energy counts as silent: it responds to nothing in the picture.
_SILENT = 1e-6
# Maps whose cosine is larger than this look the same.
_ALIKE = 0.6
# Share of each side that counts as border.
_BORDER = 0.1
# Examples are chosen from this many of the strongest maps.
_CANDIDATES = 24
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


@dataclass(frozen=True)
class Correlations:
    """The Gram matrix of a layer, prepared for display.

    Attributes:
        layer: the layer.
        maps: its feature maps.
        gram: its Gram matrix, divided by the number of positions.
    """

    layer: Layer
    maps: Float[Tensor, "c h w"]
    gram: Float[Tensor, "c c"]

    @classmethod
    def of(cls, layer: Layer, maps: Float[Tensor, "c h w"]) -> Correlations:
        """The correlations of a layer's feature maps."""
        return cls(layer, maps, Moments.of(maps[None]).gram)

    @cached_property
    def matrix(self) -> Float[Tensor, "c c"]:
        """G_ij / √(G_ii G_jj), the cosine between the maps i and j: 1 for maps that differ by a factor only.

        Maps differ in strength by orders of magnitude; dividing by it makes joint occurrence visible. Entries of a
        silent map are 0.
        """
        energy = self.gram.diagonal()
        scale = torch.where(energy > _SILENT * energy.mean(), energy.clamp_min(1e-30).rsqrt(), 0.0)
        return self.gram * torch.outer(scale, scale)

    @cached_property
    def order(self) -> Int[Tensor, " c"]:
        """Indices of the maps, ordered so that correlated maps stand side by side; silent maps come last.

        The order of the leaves of a hierarchical clustering: the two groups with the largest mean entry between them
        are joined first (average linkage; Sokal & Michener, "A Statistical Method for Evaluating Systematic
        Relationships", 1958); groups are turned so that the maps that meet are alike.
        """
        heard = self.matrix.diagonal() > 0
        indices, silent = heard.nonzero().flatten(), (~heard).nonzero().flatten()
        leaves = _joined(self.matrix[indices][:, indices].double())
        return torch.cat([indices[leaves], silent])

    @property
    def ordered(self) -> Float[Tensor, "c c"]:
        """The matrix with its rows and columns in that order."""
        return self.matrix[self.order][:, self.order]

    @cached_property
    def _by_strength(self) -> list[int]:
        """Indices of the maps, from the one that varies most over the picture to the one that varies least."""
        # Along the border, a map may respond to the padding and not to the picture.
        rows, columns = (max(1, round(_BORDER * side)) for side in self.maps.shape[1:])
        inside = self.maps[:, rows:-rows, columns:-columns]
        if not inside.numel():
            inside = self.maps
        found: list[int] = inside.flatten(1).std(1, correction=0).argsort(descending=True).tolist()
        return found

    def telling(self, count: int) -> list[int]:
        """Indices of the strongest maps that look different from each other, strongest first."""
        varying = self.maps.flatten(1) - self.maps.flatten(1).mean(1, keepdim=True)
        varying = varying / varying.norm(dim=1, keepdim=True).clamp_min(1e-12)
        chosen: list[int] = []
        for index in self._by_strength:
            if len(chosen) < count and all(float(varying[index] @ varying[other]) < _ALIKE for other in chosen):
                chosen.append(index)
        # If too few maps differ, the strongest of the others fill up.
        return (chosen + [index for index in self._by_strength if index not in chosen])[:count]

    def extremes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Of the strong maps, the pair with the largest entry and the pair with the smallest."""
        some = torch.tensor(self._by_strength[:_CANDIDATES])
        among = self.matrix[some][:, some].clone()
        upper = torch.triu_indices(len(some), len(some), offset=1)
        values = among[upper[0], upper[1]]
        most, least = (
            (int(some[upper[0, at]]), int(some[upper[1, at]])) for at in (int(values.argmax()), int(values.argmin()))
        )
        return most, least


def _joined(likeness: Float[Tensor, "n n"]) -> Int[Tensor, " n"]:
    """The order of the leaves of the clustering, see `Correlations.order`."""
    groups = [[index] for index in range(len(likeness))]
    between = likeness.clone().fill_diagonal_(-torch.inf)
    sizes = torch.ones(len(likeness), dtype=likeness.dtype)
    last = 0
    for _ in range(len(likeness) - 1):
        one, other = divmod(int(between.argmax()), len(likeness))
        first, second = groups[one], groups[other]
        turned = [(a, b) for a in (first, first[::-1]) for b in (second, second[::-1])]
        a, b = max(turned, key=lambda pair: float(likeness[pair[0][-1], pair[1][0]]))
        groups[one] = a + b
        mean = (sizes[one] * between[one] + sizes[other] * between[other]) / (sizes[one] + sizes[other])
        between[one], between[:, one] = mean, mean
        between[one, one] = -torch.inf
        between[other], between[:, other] = -torch.inf, -torch.inf
        sizes[one] += sizes[other]
        last = one
    return torch.tensor(groups[last] if groups else [], dtype=torch.long)


def gram_figure(whole: Tensor, correlations: Sequence[Correlations]) -> Figure:
    """The figure: two examples of an entry, then maps and matrix of each layer.

    Args:
        whole: the painting, resized, (1, 3, height, width).
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
    """Draw two pairs of maps with their products: the largest entry, and the smallest."""
    height = _EXAMPLE * whole.shape[-2] / whole.shape[-1]
    start = MARGIN
    for pair, words in zip(one.extremes(), (_TOGETHER, _APART), strict=True):
        product = one.maps[pair[0]] * one.maps[pair[1]]
        names = (f"map {pair[0]}", f"map {pair[1]}", "product")
        left, bottom = start, top - TITLE - height
        for name, values, sign in zip(names, (*(one.maps[i] for i in pair), product), ("×", "=", ""), strict=True):
            put_title(fig, left, top - TITLE + 0.06, _EXAMPLE, name, one.layer.name if name != "product" else "")
            # The scale goes to the largest possible product; scaled to its own maximum, a small one would look large.
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
    put_words(fig, left, top - TITLE + 0.04, [responds_to(one.layer)], width=width)
    bottom = top - TITLE - WORDS
    for index in one.telling(_MAPS):
        bottom -= width * aspect + 0.05
        put_map(fig, one.maps[index].abs().sqrt(), left, bottom, width, width * aspect)
    bottom -= width + 0.1
    axes = put_map(fig, one.ordered, left, bottom, width, width, norm=_shades(least), interpolation="antialiased")
    axes.set_label(f"Gram {one.layer.name}")
    put_words(fig, left, bottom - 0.01, [f"{one.layer.channels} × {one.layer.channels}"])


def _shades(least: float) -> Any:
    """The colour scale of the entries; where none is negative, it spreads the small ones."""
    from matplotlib.colors import Normalize, PowerNorm

    return Normalize(least, 1.0) if least < 0 else PowerNorm(0.5, 0.0, 1.0)


def _put_scale(fig: Figure, top: float, least: float) -> None:
    """Draw the colour scale of the matrices."""
    ramp = torch.linspace(least, 1, 256)[None]
    width = WIDTH / 3
    left = (WIDTH - width) / 2
    put_map(fig, ramp, left, top - _BAR, width, _BAR, norm=_shades(least))
    words = ("0  never together" if least == 0 else f"{least:.1f}  one without the other", "always together  1")
    for text, x, align in zip(words, (left - 0.08, left + width + 0.08), ("right", "left"), strict=True):
        put_text(fig, x, top - _BAR + 0.005, text, size=LARGE - 0.5, color=GRAY, align=align)
