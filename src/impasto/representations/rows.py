"""Owns feature maps as matrices: one row per position, with its weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def rows_of(features: Float[Tensor, "1 c h w"]) -> Float[Tensor, "m c"]:
    """The feature vectors as the rows of a matrix; a view if the features are in channels-last order."""
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])


def weighted_rows(
    features: Float[Tensor, "1 c h w"], weight: Float[Tensor, "h w"] | None
) -> tuple[Float[Tensor, "m c"], Float[Tensor, " m"] | None]:
    """The feature vectors, at least in float32, and their weights; positions of weight 0 are left out."""
    rows = rows_of(features)
    exact = torch.promote_types(rows.dtype, torch.float32)
    if weight is None:
        return rows.to(exact), None
    flat = weight.reshape(-1).to(rows.device, exact)
    counting = flat > 0
    return rows[counting].to(exact), flat[counting]


def rows_to_map(
    rows: Float[Tensor, "m c"], features: Float[Tensor, "1 c h w"], weight: Float[Tensor, "h w"] | None
) -> Float[Tensor, "1 c h w"]:
    """The inverse of `weighted_rows`: a map of the rows, with 0 elsewhere, in the number type of `features`."""
    _, channels, height, width = features.shape
    if weight is not None:
        whole = rows.new_zeros((height * width, channels))
        whole[weight.reshape(-1).to(rows.device, rows.dtype) > 0] = rows
        rows = whole
    return rows.to(features.dtype).view(1, height, width, channels).permute(0, 3, 1, 2)


def normalized(pairs: Sequence[tuple[float, Any]]) -> list[float]:
    """The weights of pairs (weight, value), divided by their sum."""
    total = sum(weight for weight, _ in pairs)
    return [weight / total for weight, _ in pairs]
