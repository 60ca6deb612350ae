"""Owns the style loss that looks for each feature of the pastiche among the painting's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.representations import Bank
from impasto.representations.rows import rows_to_map, weighted_rows

# Similarities that are held at once.
_AT_ONCE = 2**22
# A centred feature shorter than about this share of the painting's has no direction worth following.
_SHORT = 0.01


def nearest_neighbor_loss(
    features: Float[Tensor, "1 c h w"],
    targets: Sequence[tuple[float, Bank]],
    weight: Float[Tensor, "h w"] | None = None,
) -> Float[Tensor, ""]:
    """Cosine distance of each centred feature from the nearest of the painting's.

    1/M Σ_i min_j (1 − cos(f_i − μ, s_j − ν)), μ and ν being the means (Kolkin, Kucera, Paris, Sýkora, Shechtman &
    Shakhnarovich, "Neural Neighbor Style Transfer", 2022, section 3). It is as the paper's last stage has it: matched
    anew in every step, layer by layer. Three things are otherwise. The painting is matched with as it is, not turned by
    90° as well. It is seen through a Bank, of at most 8 vectors for each channel: drawn at random once for each scale,
    if there are more. And lengths count as √(‖f‖² + ε²), with ε a hundredth of the painting's, so that flat places,
    which have no direction, are not thrown about. Of several paintings, the distances are averaged by their shares:
    each feature is drawn towards the nearest of each. It lies between 0 and 2 by itself and is 1 where nothing is
    alike, so that there is nothing to normalise.
    """
    total = sum(share for share, _ in targets)
    return torch.stack([share / total * _distance(features, bank, weight) for share, bank in targets if share]).sum()


def _distance(features: Float[Tensor, "1 c h w"], bank: Bank, weight: Float[Tensor, "h w"] | None) -> Float[Tensor, ""]:
    short = _SHORT * bank.scale
    distance: Tensor = _Nearest.apply(features, weight, bank.vectors, short)  # type: ignore[no-untyped-call]
    return distance


class _Nearest(torch.autograd.Function):
    """Weighted mean of 1 − the cosine with the nearest vector; which is nearest is not differentiated.

    The gradient is found beside the value, some positions at a time: no similarities are kept. They are looked through
    in the features' own precision; what the nearest one costs is reckoned in float32 at least.
    """

    @staticmethod
    def forward(
        ctx: Any,
        features: Float[Tensor, "1 c h w"],
        weight: Float[Tensor, "h w"] | None,
        vectors: Float[Tensor, "b c"],
        short: float,
    ) -> Float[Tensor, ""]:
        rows, weights = weighted_rows(features, weight)
        share = torch.full_like(rows[:, 0], 1.0 / len(rows)) if weights is None else weights / weights.sum()
        center = share @ rows
        searched = vectors.to(features.dtype)
        total = rows.new_zeros(())
        slope = torch.empty_like(rows)
        step = max(1, _AT_ONCE // len(vectors))
        for start in range(0, len(rows), step):
            some = slice(start, start + step)
            centered = rows[some] - center
            length = (centered.square().sum(1, keepdim=True) + short**2).sqrt()
            direction = centered / length
            best = (direction.to(searched.dtype) @ searched.T).argmax(1)
            nearest = vectors[best].to(rows.dtype)
            cosine = (direction * nearest).sum(1, keepdim=True)
            total += (share[some] * (1.0 - cosine[:, 0])).sum()
            slope[some] = share[some, None] * (cosine * direction - nearest) / length
        slope -= share[:, None] * slope.sum(0)  # the mean moves with each of them
        ctx.save_for_backward(rows_to_map(slope, features, weight))
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Float[Tensor, ""]) -> tuple[Float[Tensor, "1 c h w"], None, None, None]:
        (slope,) = ctx.saved_tensors
        return (gradient * slope).to(slope.dtype), None, None, None
