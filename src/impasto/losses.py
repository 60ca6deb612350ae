"""Owns the losses: one function per published loss, in the paper's terms, with every departure stated where it departs.

Each returns a scalar tensor. Two normalisations run through them: the *paper's*, and a *relative* one in which a term
is divided by the size of its target, so that it starts near 1 for any picture, layer and size, and a weight means the
same everywhere.

The paper is Gatys, Ecker & Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.representations import Moments

Normalization = Literal["relative", "paper"]
StyleLoss = Literal["gram", "wasserstein", "statistics"]

# Keeps a relative loss finite when its target vanishes, as the features of a black picture may.
_TINY = 1e-12


def content_loss(
    features: Float[Tensor, "1 c h w"],
    target: Float[Tensor, "1 c h w"],
    normalization: Normalization = "relative",
    weight: Float[Tensor, "h w"] | None = None,
) -> Float[Tensor, ""]:
    """Squared error between feature maps.

    `paper`: ½ Σ (F − P)², equation 1. `relative`: mean (F − P)² / mean P², the share of the target's energy that is
    off. With a weight, each position's error counts that many times; the target's energy is that of all positions
    alike, so that a smaller weight means less content and not the same in fewer places.
    """
    exact = torch.promote_types(features.dtype, torch.float32)
    target = target.to(exact)
    error = (features.to(exact) - target).square()
    if weight is not None:
        error = error * weight
    if normalization == "paper":
        return 0.5 * error.sum()
    return error.mean() / (target.square().mean() + _TINY)


def gram_loss(moments: Moments, target: Moments, normalization: Normalization = "relative") -> Float[Tensor, ""]:
    """Squared error between Gram matrices.

    `paper`: 1 / (4 N² M²) Σ (G − A)² with N channels and M positions, equation 4; here each Gram matrix is divided by
    its own M before they are compared, which is the same thing when both pictures have one size and a meaning when they
    have not. `relative`: ‖G − A‖² / ‖A‖² (Frobenius), both per position.
    """
    difference = (moments.gram - target.gram).square().sum()
    if normalization == "paper":
        return difference / (4.0 * target.gram.shape[0] ** 2)
    return difference / (target.gram.square().sum() + _TINY)


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
    return distance / (target.mean.square().sum() + target.covariance.trace() + _TINY)


class _CrossTrace(torch.autograd.Function):
    """tr (R C R)^½ of a covariance C and the root R of another."""

    @staticmethod
    def forward(ctx: Any, covariance: Float[Tensor, "c c"], root: Float[Tensor, "c c"]) -> Float[Tensor, ""]:
        values, vectors = torch.linalg.eigh(root @ covariance @ root)
        roots: Tensor = values.clamp_min(0.0).sqrt()
        ctx.save_for_backward(roots, vectors, root)
        return roots.sum()

    @staticmethod
    def backward(ctx: Any, gradient: Float[Tensor, ""]) -> tuple[Float[Tensor, "c c"], None]:
        roots, vectors, root = ctx.saved_tensors
        floor = roots.max() * torch.finfo(roots.dtype).eps ** 0.5
        inverse = torch.where(roots > floor, 1.0 / roots.clamp_min(floor + _TINY), torch.zeros_like(roots))
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
    return distance / (target.mean.square().sum() + target.standard_deviation.square().sum() + _TINY)


#: The losses that compare the Moments of a layer, by the name of the setting.
STYLE_LOSSES: Mapping[StyleLoss, Callable[[Moments, Moments, Normalization], Tensor]] = {
    "gram": gram_loss,
    "wasserstein": wasserstein_loss,
    "statistics": statistics_loss,
}


def total_variation_loss(image: Float[Tensor, "1 3 h w"]) -> Float[Tensor, ""]:
    """Mean squared difference between neighbouring pixels, down and across.

    After Mahendran & Vedaldi, "Understanding Deep Image Representations by Inverting Them", CVPR 2015, section 3, with
    β = 2; divided by the number of differences so that it does not grow with the picture.
    """
    down = image[..., 1:, :] - image[..., :-1, :]
    across = image[..., :, 1:] - image[..., :, :-1]
    return (down.square().sum() + across.square().sum()) / (down.numel() + across.numel())


def range_loss(image: Float[Tensor, "1 3 h w"]) -> Float[Tensor, ""]:
    """Mean squared distance of the pixels from the range [0, 1] that can be shown.

    Not in the paper, whose images run free and are cut off at the end; with it the optimiser finds colours that exist
    instead of losing them to the clipping.
    """
    return (image - image.clamp(0.0, 1.0)).square().mean()
