"""Owns the nearest-neighbour style loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.losses.gradients import PrecomputedGradient
from impasto.representations import Bank
from impasto.representations.rows import rows_to_map, weighted_rows

# The most similarities in memory at once.
_AT_ONCE = 2**22
# Centred features shorter than about this share of the painting's count little: their direction is noise.
_SHORT = 0.01


def nearest_neighbor_loss(
    features: Float[Tensor, "1 c h w"],
    targets: Sequence[tuple[float, Bank]],
    weight: Float[Tensor, "h w"] | None = None,
) -> Float[Tensor, ""]:
    """Cosine distance between each centred feature and the nearest feature of the painting.

    1/M Σ_i min_j (1 − cos(f_i − μ, s_j − ν)), with the means μ and ν (Kolkin, Kucera, Paris, Sýkora, Shechtman &
    Shakhnarovich, "Neural Neighbor Style Transfer", 2022, section 3). This is the last stage of the paper, with new
    matches in every step, layer by layer. There are three differences. The paper also matches with rotated
    copies of the painting; here it is not rotated. The painting is represented by a Bank of at most 8 vectors per
    channel; if it has more, they are drawn at random once per scale. Lengths are computed as √(‖f‖² + ε²), with ε a
    hundredth of the painting's root mean square length, which keeps gradients small in flat areas. The distances from
    several paintings are averaged by their shares. The loss lies between 0 and 2 and is about 1 for unrelated pictures,
    so it needs no normalization.
    """
    total = sum(share for share, _ in targets)
    return torch.stack([share / total * _distance(features, bank, weight) for share, bank in targets if share]).sum()


def _distance(features: Float[Tensor, "1 c h w"], bank: Bank, weight: Float[Tensor, "h w"] | None) -> Float[Tensor, ""]:
    short = _SHORT * bank.scale
    distance: Tensor = _Nearest.apply(features, weight, bank.vectors, short)  # type: ignore[no-untyped-call]
    return distance


class _Nearest(PrecomputedGradient):
    """Weighted mean of 1 − the cosine with the nearest vector; the choice of the nearest has no gradient.

    The forward pass also computes the gradient, in chunks of positions, so that no similarities are stored. The search
    uses the precision of the features; the distance to the nearest is computed at least in float32.
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
        slope -= share[:, None] * slope.sum(0)  # the mean depends on every feature
        ctx.save_for_backward(rows_to_map(slope, features, weight))
        return total
