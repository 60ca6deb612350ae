"""Owns the losses on pixels; they have no target."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def total_variation_loss(image: Float[Tensor, "1 3 h w"]) -> Float[Tensor, ""]:
    """Mean squared difference between vertically and horizontally neighbouring pixels.

    After Mahendran & Vedaldi, "Understanding Deep Image Representations by Inverting Them", CVPR 2015, section 3, with
    β = 2; divided by the number of differences, so that it does not depend on the size of the picture.
    """
    down = image[..., 1:, :] - image[..., :-1, :]
    across = image[..., :, 1:] - image[..., :, :-1]
    return (down.square().sum() + across.square().sum()) / (down.numel() + across.numel())


def range_loss(image: Float[Tensor, "1 3 h w"]) -> Float[Tensor, ""]:
    """Mean squared distance of the pixels from the displayable range [0, 1].

    Not in the paper, whose images are unbounded and clipped at the end. With this loss the optimiser finds displayable
    colours, and clipping changes little.
    """
    return (image - image.clamp(0.0, 1.0)).square().mean()
