"""Owns the content losses: they compare a pastiche with its photograph."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from impasto.errors import SettingsError
from impasto.losses.normalization import TINY, Normalization
from impasto.representations.rows import rows_of
from impasto.settings import ContentLossName

#: Cuts the part of a picture out of a map of the whole picture.
PartOf = Callable[[Tensor], Tensor]

# The most positions between which similarities are computed: their matrix takes 4 MB.
_MOST_POSITIONS = 1024
# Numbers of a target that are copied to float64 at once.
_AT_ONCE = 2**22
# Features shorter than about this share of the root mean square length count little: their direction is noise.
_SHORT = 0.01
#: Sides of the squares, in pixels, over which pixels are averaged before the Laplacian is taken.
POOLINGS = (4, 16)
# Edges fainter than this, in pixel values, do not count; this keeps the relative loss of a blank photograph finite.
_FAINT = 0.01


def content_error(
    features: Float[Tensor, "1 c h w"],
    target: Float[Tensor, "1 c h w"],
    weight: Float[Tensor, "h w"] | None = None,
) -> Float[Tensor, ""]:
    """Σ (F − P)² over positions and channels, each position counted `weight` times.

    The error of a picture is the sum of the errors of its parts.
    """
    exact = torch.promote_types(features.dtype, torch.float32)
    error = (features.to(exact) - target.to(exact)).square()
    if weight is not None:
        error = error * weight
    return error.sum()


def content_loss_of(
    error: Float[Tensor, ""], target: Float[Tensor, "1 _ _ _"], normalization: Normalization = "relative"
) -> Float[Tensor, ""]:
    """The content loss, from the error of the whole picture or of a part of it; the losses of parts add up.

    `paper`: half the error. `relative`: the error divided by the energy Σ P² of the whole target.
    """
    if normalization == "paper":
        return 0.5 * error
    exact = target.to(torch.promote_types(target.dtype, torch.float32))
    return error / target.numel() / (exact.square().mean() + TINY)


def content_factor(target: Float[Tensor, "1 _ _ _"], normalization: Normalization = "relative") -> float:
    """The factor from error to content loss, as in `content_loss_of`, for targets too large to be copied.

    The energy is added up in float64, some rows at a time.
    """
    if normalization == "paper":
        return 0.5
    rows = max(1, _AT_ONCE // (target.shape[1] * target.shape[3]))
    energy = math.fsum(float(part.double().square().sum()) for part in torch.split(target, rows, -2))
    return 1.0 / target.numel() / (energy / target.numel() + TINY)


def content_loss(
    features: Float[Tensor, "1 c h w"],
    target: Float[Tensor, "1 c h w"],
    normalization: Normalization = "relative",
    weight: Float[Tensor, "h w"] | None = None,
) -> Float[Tensor, ""]:
    """Squared error between feature maps.

    `paper`: ½ Σ (F − P)², equation 1. `relative`: mean (F − P)² / mean P², the error relative to the
    target's energy. `weight` multiplies the error at each position. It does not change the energy that is divided by,
    so a smaller weight gives a smaller loss.
    """
    return content_loss_of(content_error(features, target, weight), target, normalization)


def self_similarity(features: Float[Tensor, "1 c h w"]) -> Float[Tensor, "n n"]:
    """Cosine distances between all positions of a layer, each column divided by its sum.

    If there are more than 1024 positions, features are first averaged over a coarser grid of at most 1024. Lengths are
    computed as √(‖f‖² + ε²), with ε a hundredth of the root mean square length, which keeps the gradient finite where
    features are zero.
    """
    exact = features.to(torch.promote_types(features.dtype, torch.float32))
    rows = rows_of(_coarser(exact))
    squares = rows.square().sum(1, keepdim=True)
    directions = rows / (squares + _SHORT**2 * squares.mean() + TINY).sqrt()
    distances = 1.0 - directions @ directions.T
    # ε would make a position's distance from itself greater than 0.
    distances = distances * (1.0 - torch.eye(len(rows), dtype=rows.dtype, device=rows.device))
    return distances / (distances.sum(0, keepdim=True) + TINY)


def self_similarity_loss(
    features: Float[Tensor, "1 c h w"],
    target: Float[Tensor, "n n"],
    normalization: Normalization = "relative",
    weight: Float[Tensor, "h w"] | None = None,
) -> Float[Tensor, ""]:
    """Absolute error between the self-similarities of two pictures: positions that were alike have to stay alike.

    `paper`: 1/n² Σ |D_ij / Σ_i D_ij − E_ij / Σ_i E_ij| of the cosine distances D and E between n positions (Kolkin,
    Salavon & Shakhnarovich, "Style Transfer by Relaxed Optimal Transport and Self-Similarity", CVPR 2019, equation 8).
    The paper draws positions anew in every step and concatenates the features of all layers. Here each layer is
    compared
    by itself, with positions averaged over a grid of at most 1024: the loss is the same in every step, as L-BFGS
    requires, and every position counts. `relative`: divided by the target's sum, n. With `weight`, the pair of
    positions i and j is multiplied by √(w_i w_j).
    """
    error = (self_similarity(features) - target).abs()
    if weight is not None:
        root = _coarser(weight[None, None].to(error)).flatten().sqrt()
        error = error * torch.outer(root, root)
    total = error.sum()
    return total / error.numel() if normalization == "paper" else total / len(error)


def laplacian(image: Float[Tensor, "1 3 h w"], pooling: int) -> Float[Tensor, "rows columns"]:
    """Laplacian of the sum of the channels, averaged over squares of `pooling` pixels: it responds to edges."""
    size = (max(1, image.shape[-2] // pooling), max(1, image.shape[-1] // pooling))
    means: Tensor = F.adaptive_avg_pool2d(image.sum(1, keepdim=True), size)
    padded = F.pad(means, (1, 1, 1, 1), mode="replicate")
    around = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1] + padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
    return (4.0 * means - around)[0, 0]


def laplacian_loss(
    image: Float[Tensor, "1 3 h w"],
    target: Float[Tensor, "rows columns"],
    pooling: int,
    normalization: Normalization = "relative",
    weight: Float[Tensor, "h w"] | None = None,
) -> Float[Tensor, ""]:
    """Squared error between the Laplacians of two pictures: edges and details have to stay in place.

    `paper`: Σ (D(x) − D(c))² of the pooled pixels (Li, Xu, Nie & Chua, "Laplacian-Steered Neural Style Transfer", ACM
    Multimedia 2017, equations 5 to 7, with the paper's poolings of 4 and 16). It is added to the squared error of the
    features. Border pixels are replicated. `relative`: divided by Σ D(c)², with 0.01² added to its mean so that blank
    photographs do not divide by zero. `weight` multiplies the error at each position.
    """
    error = (laplacian(image, pooling) - target).square()
    if weight is not None:
        mean: Tensor = F.adaptive_avg_pool2d(weight[None, None].to(error), (error.shape[0], error.shape[1]))
        error = error * mean[0, 0]
    if normalization == "paper":
        return error.sum()
    return error.mean() / (target.square().mean() + _FAINT**2)


def _coarser(maps: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1 c _ _"]:
    """The maps, averaged over a coarser grid if they have more than 1024 positions."""
    height, width = maps.shape[-2:]
    if height * width <= _MOST_POSITIONS:
        return maps
    shrink = (_MOST_POSITIONS / (height * width)) ** 0.5
    pooled: Tensor = F.adaptive_avg_pool2d(maps, (max(1, int(height * shrink)), max(1, int(width * shrink))))
    return pooled


class ContentLoss(ABC):
    """A content loss: its target, and the comparison of a pastiche with it.

    Attributes:
        additive: whether the loss of a picture is the sum of the losses of its parts, so that it can be computed tile
            by tile.
        edge_weight: weight of the Laplacian loss at each pooling, relative to the loss on features; 0 for none.
        factor: multiplies the weight if losses are relative, so that a given strength has a similar effect with every
            loss.
    """

    additive: ClassVar[bool]
    edge_weight: float = 0.0
    factor: float = 1.0

    @abstractmethod
    def target(self, features: Float[Tensor, "1 c h w"]) -> Tensor:
        """The target, from the photograph's features at a layer."""

    @abstractmethod
    def compare(
        self,
        features: Float[Tensor, "1 c h w"],
        target: Tensor,
        normalization: Normalization,
        weight: Float[Tensor, "_ _"] | None = None,
        part: PartOf | None = None,
    ) -> Float[Tensor, ""]:
        """The loss of the features of a pastiche.

        Args:
            features: of the whole picture, or of a part of it.
            target: what `target` gave for the whole photograph.
            normalization: how the loss is divided.
            weight: of each position of the whole picture; None for equal weights.
            part: cuts the part out of maps of the whole picture; needs an additive loss.
        """


@dataclass(frozen=True)
class SquaredError(ContentLoss):
    """The paper's, see `content_loss`."""

    edge_weight: float = 0.0
    factor: float = 1.0
    additive: ClassVar[bool] = True

    def target(self, features: Float[Tensor, "1 c h w"]) -> Tensor:
        return features

    def compare(
        self,
        features: Float[Tensor, "1 c h w"],
        target: Tensor,
        normalization: Normalization,
        weight: Float[Tensor, "_ _"] | None = None,
        part: PartOf | None = None,
    ) -> Float[Tensor, ""]:
        here = target if part is None else part(target)
        counted = weight if part is None or weight is None else part(weight)
        return content_loss_of(content_error(features, here, counted), target, normalization)


@dataclass(frozen=True)
class SelfSimilarity(ContentLoss):
    """See `self_similarity_loss`. It compares each position with every other, so it is not additive."""

    factor: float = 1.0
    additive: ClassVar[bool] = False

    def target(self, features: Float[Tensor, "1 c h w"]) -> Tensor:
        return self_similarity(features)

    def compare(
        self,
        features: Float[Tensor, "1 c h w"],
        target: Tensor,
        normalization: Normalization,
        weight: Float[Tensor, "_ _"] | None = None,
        part: PartOf | None = None,
    ) -> Float[Tensor, ""]:
        if part is not None:
            raise SettingsError(
                "content_loss",
                "self_similarity compares each position with every other, so it cannot be computed in parts; choose "
                "squared_error or laplacian",
            )
        return self_similarity_loss(features, target, normalization, weight)


SQUARED_ERROR = SquaredError()

#: The content losses by name; factors and weights were chosen by eye, on pictures of strength ¾.
CONTENT_LOSSES: Mapping[ContentLossName, ContentLoss] = {
    "squared_error": SQUARED_ERROR,
    "self_similarity": SelfSimilarity(factor=3.0),
    "laplacian": SquaredError(edge_weight=0.25),
}
