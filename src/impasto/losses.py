"""Owns the losses: one function per published loss, in the paper's terms, with every departure stated where it departs.

Each returns a scalar tensor. Two normalisations run through them: the *paper's*, and a *relative* one in which a term
is divided by the size of its target, so that it starts near 1 for any picture, layer and size, and a weight means the
same everywhere.

The paper is Gatys, Ecker & Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from impasto.representations import Moments

Normalization = Literal["relative", "paper"]

# Keeps a relative loss finite when its target vanishes, as the features of a black picture may.
_TINY = 1e-12


def content_loss(
    features: Float[Tensor, "1 c h w"], target: Float[Tensor, "1 c h w"], normalization: Normalization = "relative"
) -> Float[Tensor, ""]:
    """Squared error between feature maps.

    `paper`: ½ Σ (F − P)², equation 1. `relative`: mean (F − P)² / mean P², the share of the target's energy that is
    off.
    """
    difference = features - target
    if normalization == "paper":
        return 0.5 * difference.square().sum()
    return difference.square().mean() / (target.square().mean() + _TINY)


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
