"""Owns the losses on the pixels themselves, which have no target."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


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
