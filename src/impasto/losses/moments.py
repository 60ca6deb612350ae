"""Owns the style losses on sums over positions: on Moments, and on CrossMoments of two layers."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.losses.normalization import TINY, Normalization
from impasto.representations import CrossMoments, Moments
from impasto.representations.moments import eigen

#: Factor by which the relative loss on means and deviations has the same effect as that on Gram matrices; found by eye.
STATISTICS_FACTOR = 3.0


def gram_loss(moments: Moments, target: Moments, normalization: Normalization = "relative") -> Float[Tensor, ""]:
    """Squared error between Gram matrices.

    `paper`: 1 / (4 N² M²) Σ (G − A)² with N channels and M positions, equation 4. Here each Gram matrix is divided by
    its own M before the comparison. For pictures of equal size the result is the same, and pictures of different sizes
    can be compared. `relative`: ‖G − A‖² / ‖A‖² (Frobenius), both per position.
    """
    difference = (moments.gram - target.gram).square().sum()
    if normalization == "paper":
        return difference / (4.0 * target.gram.shape[0] ** 2)
    return difference / (target.gram.square().sum() + TINY)


def cross_gram_loss(
    moments: CrossMoments, target: CrossMoments, normalization: Normalization = "relative"
) -> Float[Tensor, ""]:
    """Squared error between Gram matrices of two neighbouring layers: which strokes occur with which forms.

    For layers l and m, G_ij = Σ_k F^l_ik F^m_jk, with the deeper features enlarged to the size of the finer ones (Yeh,
    Tang, Bhattad & Forsyth, "Improved Style Transfer by Respecting Inter-layer Correlations", 2018; pairs of neighbours
    are its "pairwise descent"). Here the finer features are averaged to the size of the deeper ones, which gives the
    same sums as nearest-neighbour enlargement from fewer products. `paper`: 1 / (4 N N') of the squared error, with N
    and N' channels, both per position. `relative`: ‖G − A‖² / ‖A‖².
    """
    difference = (moments.gram - target.gram).square().sum()
    if normalization == "paper":
        return difference / (4.0 * target.gram.numel())
    return difference / (target.gram.square().sum() + TINY)


def wasserstein_loss(moments: Moments, target: Moments, normalization: Normalization = "relative") -> Float[Tensor, ""]:
    """Squared Wasserstein-2 distance between normal distributions with the features' means and covariances.

    ‖μ − ν‖² + tr(C + D − 2 (D^½ C D^½)^½) (Dowson & Landau, "The Fréchet Distance between Multivariate Normal
    Distributions", 1982); as a style loss by Mroueh, "Wasserstein Style Transfer", 2019. The gradient of the root's
    trace is closed-form, ½ D^½ (D^½ C D^½)^-½ D^½, from one eigendecomposition of a symmetric matrix. Directions
    without variance, which small pictures have, contribute no gradient to it. `relative`: divided by the target's ‖ν‖²
    + tr D.
    """
    distance = (moments.mean - target.mean).square().sum()
    distance = distance + moments.covariance.trace() + target.covariance.trace()
    cross: Tensor = _CrossTrace.apply(moments.covariance, target.covariance_root)  # type: ignore[no-untyped-call]
    # Rounding can make a distance of 0 negative.
    distance = (distance - 2.0 * cross).clamp_min(0.0)
    if normalization == "paper":
        return distance
    return distance / (target.mean.square().sum() + target.covariance.trace() + TINY)


class _CrossTrace(torch.autograd.Function):
    """tr (R C R)^½, with a covariance C and the square root R of another covariance."""

    @staticmethod
    def forward(ctx: Any, covariance: Float[Tensor, "c c"], root: Float[Tensor, "c c"]) -> Float[Tensor, ""]:
        values, vectors = eigen(root @ covariance @ root)
        roots: Tensor = values.clamp_min(0.0).sqrt()
        ctx.save_for_backward(roots, vectors, root)
        return roots.sum()

    @staticmethod
    def backward(ctx: Any, gradient: Float[Tensor, ""]) -> tuple[Float[Tensor, "c c"], None]:
        roots, vectors, root = ctx.saved_tensors
        floor = roots.max() * torch.finfo(roots.dtype).eps ** 0.5
        inverse = torch.where(roots > floor, 1.0 / roots.clamp_min(floor + TINY), torch.zeros_like(roots))
        mixed = root @ vectors
        slope: Tensor = (mixed * inverse) @ mixed.T
        return 0.5 * gradient * slope, None


def statistics_loss(moments: Moments, target: Moments, normalization: Normalization = "relative") -> Float[Tensor, ""]:
    """Squared error between the channels' means and standard deviations.

    ‖μ − ν‖² + ‖σ − τ‖² (Huang & Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance
    Normalization", ICCV 2017, equation 13, there not squared). `relative`: divided by the target's ‖ν‖² + ‖τ‖².
    """
    distance = (moments.mean - target.mean).square().sum()
    distance = distance + (moments.standard_deviation - target.standard_deviation).square().sum()
    if normalization == "paper":
        return distance
    return distance / (target.mean.square().sum() + target.standard_deviation.square().sum() + TINY)


def gram_statistics_loss(
    moments: Moments, target: Moments, normalization: Normalization = "relative"
) -> Float[Tensor, ""]:
    """Half the squared error between Gram matrices, half that between means and standard deviations.

    A Gram matrix does not separate the mean of features from their variance, so pictures of different contrast may have
    the same one (Risser, Wilmot & Barnes, "Stable and Controllable Neural Texture Synthesis and Style Transfer Using
    Histogram Losses", 2017). Means and deviations separate the two, as in Galerne, Raad, Lezama & Morel, "Scaling
    Painting Style Transfer", EGSR 2024. Different from that paper: with relative losses, the second half is multiplied
    by `STATISTICS_FACTOR`, which gives both halves the same effect.
    """
    factor = STATISTICS_FACTOR if normalization == "relative" else 1.0
    gram = gram_loss(moments, target, normalization)
    return 0.5 * (gram + factor * statistics_loss(moments, target, normalization))
