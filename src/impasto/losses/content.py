"""Owns the content losses: they compare a pastiche with its photograph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from impasto.losses.normalization import TINY, Normalization
from impasto.representations.rows import rows_of
from impasto.settings import ContentLossName

# The most positions between which similarities are computed: their matrix takes 4 MB.
_MOST_POSITIONS = 1024
# Features shorter than about this share of the root mean square length count little: their direction is noise.
_SHORT = 0.01
#: Sides of the squares, in pixels, over which pixels are averaged before the Laplacian is taken.
POOLINGS = (4, 16)
# Edges fainter than this, in pixel values, do not count; this keeps the relative loss of a blank photograph finite.
_FAINT = 0.01


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
    exact = torch.promote_types(features.dtype, torch.float32)
    target = target.to(exact)
    error = (features.to(exact) - target).square()
    if weight is not None:
        error = error * weight
    if normalization == "paper":
        return 0.5 * error.sum()
    return error.mean() / (target.square().mean() + TINY)


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


@dataclass(frozen=True)
class ContentLoss:
    """A content loss: its target, and the comparison of a pastiche with it.

    Attributes:
        target: computes the target from the photograph's features.
        compare: computes the loss from features, target, normalization and position weights.
        edge_weight: weight of the Laplacian loss at each pooling, relative to the loss on features; 0 for none.
        factor: multiplies the weight if losses are relative, so that a given strength has a similar effect with every
            loss.
    """

    target: Callable[[Tensor], Tensor]
    compare: Callable[[Tensor, Tensor, Normalization, Tensor | None], Tensor]
    edge_weight: float = 0.0
    factor: float = 1.0


SQUARED_ERROR = ContentLoss(lambda features: features, content_loss)

#: The content losses by name; factors and weights were chosen by eye, on pictures of strength ¾.
CONTENT_LOSSES: Mapping[ContentLossName, ContentLoss] = {
    "squared_error": SQUARED_ERROR,
    "self_similarity": ContentLoss(self_similarity, self_similarity_loss, factor=3.0),
    "laplacian": ContentLoss(lambda features: features, content_loss, edge_weight=0.25),
}


@dataclass(frozen=True)
class EdgeTarget:
    """The target of the Laplacian loss at one pooling.

    Attributes:
        target: Laplacian of the photograph.
        pooling: side, in pixels, of the squares that are averaged.
        weight: weight of the term.
        pixel_weights: weight of each pixel; None for equal weights.
    """

    target: Float[Tensor, "_ _"]
    pooling: int
    weight: float
    pixel_weights: Float[Tensor, "_ _"] | None = None
