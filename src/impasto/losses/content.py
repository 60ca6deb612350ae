"""Owns the losses that hold a pastiche to its photograph."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.losses.normalization import TINY, Normalization


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
    return error.mean() / (target.square().mean() + TINY)
