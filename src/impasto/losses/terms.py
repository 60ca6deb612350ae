"""Owns the terms of the total loss that depend on the pixels alone: each with its weight and its target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from impasto.losses.content import laplacian_loss
from impasto.losses.normalization import Normalization
from impasto.losses.pixels import range_loss, total_variation_loss


@runtime_checkable
class ImageTerm(Protocol):
    """A term on the image itself, added to the total loss."""

    @property
    def name(self) -> str:
        """What the term is called in the trace of losses; no two terms of an objective have the same name."""

    def __call__(self, image: Float[Tensor, "1 3 h w"]) -> Float[Tensor, ""]:
        """The weighted loss of `image`, RGB, mostly in [0, 1]; differentiable.

        The size is that of the scale painted at, so it differs from scale to scale.
        """


@dataclass(frozen=True)
class TotalVariation:
    """Total variation, see `total_variation_loss`."""

    weight: float
    name: str = "tv"

    def __call__(self, image: Float[Tensor, "1 3 h w"]) -> Float[Tensor, ""]:
        return self.weight * total_variation_loss(image)


@dataclass(frozen=True)
class ColorRange:
    """Keeps colours within what can be shown, see `range_loss`."""

    weight: float
    name: str = "range"

    def __call__(self, image: Float[Tensor, "1 3 h w"]) -> Float[Tensor, ""]:
        return self.weight * range_loss(image)


@dataclass(frozen=True)
class Edges:
    """Keeps the photograph's edges at one pooling, see `laplacian_loss`.

    Attributes:
        target: the photograph's Laplacian.
        pooling: side of the squares that are averaged, in pixels.
        weight: of the term.
        normalization: how the loss is divided.
        pixel_weights: how much each pixel counts; all alike, if None.
    """

    target: Float[Tensor, "_ _"]
    pooling: int
    weight: float
    normalization: Normalization = "relative"
    pixel_weights: Float[Tensor, "_ _"] | None = None

    @property
    def name(self) -> str:
        return f"content laplacian {self.pooling}"

    def __call__(self, image: Float[Tensor, "1 3 h w"]) -> Float[Tensor, ""]:
        return self.weight * laplacian_loss(image, self.target, self.pooling, self.normalization, self.pixel_weights)
