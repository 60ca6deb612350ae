"""Owns the style losses that compare sums over positions: Moments, and CrossMoments of two layers."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.losses.normalization import TINY, Normalization
from impasto.representations import CrossMoments, Moments
from impasto.representations.moments import eigen

#: What the relative loss of means and deviations is multiplied by to go as far as that of Gram matrices; found by eye.
STATISTICS_FACTOR = 3.0


def gram_loss(moments: Moments, target: Moments, normalization: Normalization = "relative") -> Float[Tensor, ""]:
    """Squared error between Gram matrices.

    `paper`: 1 / (4 N² M²) Σ (G − A)² with N channels and M positions, equation 4; here each Gram matrix is divided by
    its own M before they are compared, which is the same thing when both pictures have one size and a meaning when they
    have not. `relative`: ‖G − A‖² / ‖A‖² (Frobenius), both per position.
    """
    difference = (moments.gram - target.gram).square().sum()
    if normalization == "paper":
        return difference / (4.0 * target.gram.shape[0] ** 2)
    return difference / (target.gram.square().sum() + TINY)


def cross_gram_loss(
    moments: CrossMoments, target: CrossMoments, normalization: Normalization = "relative"
) -> Float[Tensor, ""]:
    """Squared error between Gram matrices of one layer with the next: which strokes occur together with which forms.

    Of layers l and m, G_ij = Σ_k F^l_ik F^m_jk, with the deeper features enlarged to the size of the finer (Yeh, Tang,
    Bhattad & Forsyth, "Improved Style Transfer by Respecting Inter-layer Correlations", 2018; pairs of neighbours are
    its "pairwise descent"). Here the finer features are averaged to the size of the deeper ones: where every deep
    feature is enlarged to a square of equal ones, that gives the same sums from fewer products. `paper`: 1 / (4 N N')
    of the squared error, N and N' being the channels of the two, both per position. `relative`: ‖G − A‖² / ‖A‖².
    """
    difference = (moments.gram - target.gram).square().sum()
    if normalization == "paper":
        return difference / (4.0 * target.gram.numel())
    return difference / (target.gram.square().sum() + TINY)


def wasserstein_loss(moments: Moments, target: Moments, normalization: Normalization = "relative") -> Float[Tensor, ""]:
    """Squared Wasserstein-2 distance between normal distributions with the features' means and covariances.

    ‖μ − ν‖² + tr(C + D − 2 (D^½ C D^½)^½) (Dowson & Landau, "The Fréchet Distance between Multivariate Normal
    Distributions", 1982); as a style loss by Mroueh, "Wasserstein Style Transfer", 2019. The gradient of the root's
    trace is closed-form, ½ D^½ (D^½ C D^½)^-½ D^½, from one eigendecomposition of a symmetric matrix; directions in
    which nothing varies, as there are in a small picture, are left alone. `relative`: divided by the target's
    ‖ν‖² + tr D.
    """
    distance = (moments.mean - target.mean).square().sum()
    distance = distance + moments.covariance.trace() + target.covariance.trace()
    cross: Tensor = _CrossTrace.apply(moments.covariance, target.covariance_root)  # type: ignore[no-untyped-call]
    # Rounding may take what should be nothing below it.
    distance = (distance - 2.0 * cross).clamp_min(0.0)
    if normalization == "paper":
        return distance
    return distance / (target.mean.square().sum() + target.covariance.trace() + TINY)


class _CrossTrace(torch.autograd.Function):
    """tr (R C R)^½ of a covariance C and the root R of another."""

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
    """Squared error between means and standard deviations of the features, channel by channel.

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

    A Gram matrix mixes how strong features are on the whole with how much they vary, and pictures of any contrast may
    share one (Risser, Wilmot & Barnes, "Stable and Controllable Neural Texture Synthesis and Style Transfer Using
    Histogram Losses", 2017); means and deviations beside it tell the two apart, as in Galerne, Raad, Lezama & Morel,
    "Scaling Painting Style Transfer", EGSR 2024. Departing from them: where losses are relative, the second half counts
    `STATISTICS_FACTOR` times, which makes the halves as strong.
    """
    factor = STATISTICS_FACTOR if normalization == "relative" else 1.0
    gram = gram_loss(moments, target, normalization)
    return 0.5 * (gram + factor * statistics_loss(moments, target, normalization))
