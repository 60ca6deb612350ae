"""Owns the explanation of the network: what one feature of each layer sees, what pooling keeps, and their figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.backbones import Architecture, Layer, Pooling, architecture
from impasto.explanations.drawing import (
    BREAK,
    TITLE,
    WORDS,
    heading_height,
    put_heading,
    put_map,
    put_picture,
    put_title,
    put_words,
)
from impasto.explanations.features import features_of, responds_to
from impasto.explanations.reconstructions import busiest
from impasto.plots.page import (
    FAINT,
    FONT,
    GAP,
    GRAY,
    INK,
    LARGE,
    MARGIN,
    SMALL,
    WIDTH,
    add_axes,
    new_figure,
)
from impasto.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POOLINGS: tuple[Pooling, ...] = ("max", "average", "l2")

# From shallow to deep, bright to dark; a white edge makes them visible on any picture.
_COLORS = ("#ffd23f", "#ff9f1c", "#f25f5c", "#b5179e", "#560bad")
_LEFT = 3.6  # width of the picture
_CROP = 24  # side of the piece of a map that is shown, in features before pooling

_FIELDS = (
    "How far a layer sees",
    (
        "Each square is all that one feature of that layer sees of the picture. A convolution lets it see one "
        "neighbour farther to each side;",
        "pooling halves the picture, so that from there on each neighbour is twice as far away.",
    ),
)
_POOLING = (
    "What pooling keeps",
    (
        "Of every four neighbouring features pooling keeps one number, and forgets which of the four had it. The "
        "largest: strong answers stay as",
        "strong as they were. The average: they fade, and more at each pooling. The root of the mean square lies in "
        "between.",
    ),
)


@dataclass(frozen=True)
class Field:
    """The receptive field of one feature: the square of the picture that it depends on.

    Attributes:
        layer: the feature's layer.
        top, left: of the square, in pixels from the picture's upper left corner; negative outside the picture.
    """

    layer: Layer
    top: int
    left: int

    @property
    def side(self) -> int:
        """Side of the square, in pixels."""
        return self.layer.receptive_field

    @classmethod
    def nearest(cls, layer: Layer, at: tuple[int, int]) -> Field:
        """The field of the feature whose stride × stride cell holds the pixel `at`, (row, column)."""
        stride, field = layer.stride, layer.receptive_field
        # The cell of feature k begins at k·stride; the field extends equally far on both sides of it.
        row, column = (pixel // stride * stride + (stride - field) // 2 for pixel in at)
        return cls(layer, row, column)

    def patch(self, picture: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 3 s s"]:
        """The pixels in the field; white outside the picture."""
        height, width = picture.shape[-2:]
        patch = picture.new_ones((1, 3, self.side, self.side))
        top, left = max(0, self.top), max(0, self.left)
        bottom, right = min(height, self.top + self.side), min(width, self.left + self.side)
        rows, columns = slice(top - self.top, bottom - self.top), slice(left - self.left, right - self.left)
        patch[..., rows, columns] = picture[..., top:bottom, left:right]
        return patch


def staircase(network: Architecture) -> list[Layer]:
    """Every convolution and pooling, in the order of the network; each has a larger field than the one before."""
    return [layer for name, layer in network.layers.items() if not name.startswith("relu")]


def pooled(picture: Float[Tensor, "1 3 h w"], settings: Settings) -> tuple[Tensor, Mapping[str, Tensor]]:
    """A feature map before the first pooling, (height, width), and that map after each kind of pooling, by name.

    Of the maps whose features are often zero, as in most deeper layers, it is the one that varies most.
    """
    found = {
        kind: features_of(picture, ("relu1_2", "pool1"), settings.replace(pooling=kind, precision="float32"))
        for kind in POOLINGS
    }
    maps = found["max"]["relu1_2"]
    often_zero = (maps == 0).float().mean((1, 2)) > 0.3
    spread = maps.flatten(1).std(1)
    which = int(torch.where(often_zero, spread, 0.01 * spread).argmax())
    return maps[which], {kind: features["pool1"][which] for kind, features in found.items()}


def network_figure(whole: Tensor, layers: Sequence[Layer], settings: Settings) -> Figure:
    """The figure: the fields on the picture, their growth, the pixels in each, and a map before and after pooling.

    Args:
        whole: the picture, resized, (1, 3, height, width).
        layers: in the order of the network.
        settings: size and device are used.
    """
    height = _LEFT * whole.shape[-2] / whole.shape[-1]
    colors = [_COLORS[round(index * (len(_COLORS) - 1) / max(1, len(layers) - 1))] for index in range(len(layers))]
    fields = [Field.nearest(layer, _center(whole)) for layer in layers]
    patch = (WIDTH - 2 * MARGIN - GAP * (len(layers) - 1)) / max(len(layers), 4)
    before, after = pooled(whole, settings)
    square = (WIDTH - 2 * MARGIN - 3 * GAP) / 4
    total = 2 * MARGIN + heading_height(_FIELDS[1]) + TITLE + height + GAP + TITLE + patch + 2 * WORDS
    total += BREAK + heading_height(_POOLING[1]) + TITLE + square
    fig = new_figure(WIDTH, total)
    top = put_heading(fig, total - MARGIN, *_FIELDS)
    bottom = put_picture(
        fig, whole, MARGIN, top, _LEFT, title="What one feature sees", beside=f"of a picture {whole.shape[-1]} px wide"
    )
    _draw_fields(fig, fields, colors, whole)
    _draw_climb(
        fig, staircase(architecture(settings.backbone)), layers, colors, (MARGIN + _LEFT + 0.5, bottom + 0.3, top)
    )
    top = bottom - GAP
    for column, (field, color) in enumerate(zip(fields, colors, strict=True)):
        left = MARGIN + column * (patch + GAP)
        title, beside = field.layer.name, f"{field.side} px"
        bottom = put_picture(fig, field.patch(whole), left, top, patch, title=title, beside=beside, pixelated=True)
        for spine in fig.axes[-1].spines.values():
            spine.set(color=color, linewidth=1.6)
        stride = field.layer.stride
        put_words(fig, left, bottom - 0.02, [responds_to(field.layer), f"one every {stride} px"], width=patch)
    top = put_heading(fig, bottom - 2 * WORDS - BREAK, *_POOLING)
    _draw_pooling(fig, whole, before, after, top, square)
    return fig


def _center(whole: Tensor) -> tuple[int, int]:
    """The middle of the busiest part of the picture, which shows most."""
    rows, columns = busiest(whole)
    return (rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2


def _draw_fields(fig: Figure, fields: Sequence[Field], colors: Sequence[str], whole: Tensor) -> None:
    from matplotlib.patches import Rectangle

    axes = fig.axes[-1]
    height, width = whole.shape[-2:]
    for field, color in reversed(list(zip(fields, colors, strict=True))):
        # Axes of a picture count from the middle of the first pixel.
        corner = (field.left - 0.5, field.top - 0.5)
        for ink, line in (("white", 2.6), (color, 1.5)):
            square = Rectangle(corner, field.side, field.side, fill=False, edgecolor=ink, linewidth=line)
            square.set_label(field.layer.name if ink == color else "")
            axes.add_patch(square)
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)


def _draw_climb(
    fig: Figure,
    steps: Sequence[Layer],
    layers: Sequence[Layer],
    colors: Sequence[str],
    place: tuple[float, float, float],
) -> None:
    """Draw the side of the receptive field after every convolution and pooling, at (left, bottom, top)."""
    left, bottom, top = place
    axes = add_axes(fig, left, bottom, WIDTH - MARGIN - left, top - TITLE - bottom)
    axes.set_label("receptive fields")
    put_title(fig, left, top - TITLE + 0.06, WIDTH - left, "Side of the square", "after each step of the network")
    sides = [step.receptive_field for step in steps]
    axes.step(range(len(steps)), sides, where="mid", color=INK, linewidth=1.2)
    for at, step in enumerate(steps):
        if step.name.startswith("pool"):
            axes.axvline(at, color=FAINT, linewidth=5, zorder=0)
            axes.text(at, 1.0, step.name, rotation=90, fontsize=SMALL - 0.5, color=GRAY, fontfamily=FONT,
                      ha="center", va="top", transform=axes.get_xaxis_transform())  # fmt: skip
    names = [step.name for step in steps]
    for layer, color in zip(layers, colors, strict=True):
        at = names.index(layer.name.replace("relu", "conv"))
        axes.plot(at, layer.receptive_field, "o", color=color, markersize=5.5, markeredgecolor=INK,
                  markeredgewidth=0.5)  # fmt: skip
        axes.annotate(f"{layer.receptive_field} px", (at, layer.receptive_field), xytext=(-4, 4),
                      textcoords="offset points", ha="right", fontsize=SMALL, color=INK, fontfamily=FONT)  # fmt: skip
    axes.set_xlim(-0.8, len(steps) - 0.2)
    axes.set_ylim(0, 1.12 * max(sides))
    axes.set_xticks([])
    axes.set_xlabel("16 convolutions, 5 poolings", fontsize=LARGE - 0.5, color=GRAY, fontfamily=FONT, labelpad=4)
    axes.tick_params(axis="y", length=0, labelsize=SMALL, labelcolor=GRAY, labelfontfamily=FONT, pad=3)
    axes.grid(axis="y", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set(visible=side == "bottom", linewidth=0.5, color=GRAY)


def _draw_pooling(
    fig: Figure, whole: Tensor, before: Tensor, after: Mapping[str, Tensor], top: float, square: float
) -> None:
    """Draw a piece of a feature map before pooling and after each kind of it, in the same colours."""
    half = min(_CROP, *before.shape) // 2
    amounts = torch.nn.functional.avg_pool2d(before[None, None], 2 * half, stride=2)[0, 0]
    row, column = divmod(int(amounts.argmax()), amounts.shape[1])
    piece = before[2 * row : 2 * (row + half), 2 * column : 2 * (column + half)]
    pieces = {"before": piece, **{k: v[row : row + half, column : column + half] for k, v in after.items()}}
    for index, (name, values) in enumerate(pieces.items()):
        left = MARGIN + index * (square + GAP)
        put_title(fig, left, top - TITLE + 0.06, square, name, f"{values.shape[0]} × {values.shape[1]} features")
        axes = put_map(fig, values, left, top - TITLE - square, square, square, vmin=0, vmax=float(piece.max()))
        axes.set_label(name)
