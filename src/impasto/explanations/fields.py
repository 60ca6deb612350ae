"""Owns what one feature of a layer sees of the picture, and what is kept of four features by pooling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.backbones import Architecture, Layer, Pooling
from impasto.explanations.seeing import features_of
from impasto.settings import Settings

POOLINGS: tuple[Pooling, ...] = ("max", "average", "l2")


@dataclass(frozen=True)
class Field:
    """The square of the picture that one feature sees.

    Attributes:
        layer: whose.
        top, left: of the square, in pixels from the picture's upper left corner; negative where it begins outside.
    """

    layer: Layer
    top: int
    left: int

    @property
    def side(self) -> int:
        """Of the square, in pixels."""
        return self.layer.receptive_field

    @classmethod
    def nearest(cls, layer: Layer, at: tuple[int, int]) -> Field:
        """That of the feature whose own place is at the pixel `at`, (row, column)."""
        stride, field = layer.stride, layer.receptive_field
        # Feature k has the pixels from k·stride on for its own, and sees as far to both sides of them.
        row, column = (place // stride * stride + (stride - field) // 2 for place in at)
        return cls(layer, row, column)

    def patch(self, picture: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 3 s s"]:
        """What the feature sees; white where that is outside the picture."""
        height, width = picture.shape[-2:]
        seen = picture.new_ones((1, 3, self.side, self.side))
        top, left = max(0, self.top), max(0, self.left)
        bottom, right = min(height, self.top + self.side), min(width, self.left + self.side)
        rows, columns = slice(top - self.top, bottom - self.top), slice(left - self.left, right - self.left)
        seen[..., rows, columns] = picture[..., top:bottom, left:right]
        return seen


def staircase(network: Architecture) -> list[Layer]:
    """Every convolution and pooling, in the order of the network: each sees farther than the one before."""
    return [layer for name, layer in network.layers.items() if not name.startswith("relu")]


def pooled(picture: Float[Tensor, "1 3 h w"], settings: Settings) -> tuple[Tensor, Mapping[str, Tensor]]:
    """A feature map before the first pooling, (height, width), and what each pooling keeps of it, by name.

    The map is the one that varies most of those whose features are often zero, as most are deeper down.
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
