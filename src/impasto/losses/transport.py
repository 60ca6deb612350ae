"""Owns the style losses on distributions of features, by one-dimensional optimal transport.

In one dimension, optimal transport pairs the values of two distributions in sorted order. Each position of the pastiche
is paired with the quantile of the painting at its own rank, so the pictures may have different numbers of positions,
and positions may have weights.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.losses.gradients import PrecomputedGradient
from impasto.losses.normalization import TINY, Normalization
from impasto.representations import Quantiles
from impasto.representations.quantiles import levels_of, midpoints, projections, quantiles_at
from impasto.representations.rows import rows_to_map, weighted_rows


def orthonormal_directions(channels: int, generator: torch.Generator) -> Float[Tensor, "c c"]:
    """A random orthonormal basis, as columns."""
    basis: Tensor = torch.linalg.qr(torch.randn((channels, channels), generator=generator, dtype=torch.float64))[0]
    return basis.float()


def sliced_wasserstein_loss(
    features: Float[Tensor, "1 c h w"],
    target: Quantiles,
    normalization: Normalization = "relative",
    weight: Float[Tensor, "h w"] | None = None,
) -> Float[Tensor, ""]:
    """Squared Wasserstein-2 distance between the features' distributions along random directions.

    Mean over directions θ of 1/M Σ (sort(θ·F) − sort(θ·S))² (Heitz, Vanhoey, Chambon & Belcour, "A Sliced Wasserstein
    Loss for Neural Texture Synthesis", CVPR 2021, equations 6 and 7). The paper draws as many
    directions as channels in every step. Here they are drawn once per scale, because L-BFGS compares gradients and
    needs the same loss in every step, and they are orthonormal, so that together they cover all of the features'
    variance. `relative`: the sum over directions, divided by the sum of the target's mean squares.
    """
    distance = _transport(features, target, weight)
    if normalization == "paper":
        return distance / len(target.values)
    return distance / (target.values.square().mean(1).sum() + TINY)


def histogram_loss(
    features: Float[Tensor, "1 c h w"],
    target: Quantiles,
    normalization: Normalization = "relative",
    weight: Float[Tensor, "h w"] | None = None,
) -> Float[Tensor, ""]:
    """Squared distance between each channel and the same channel with its histogram matched to the painting's.

    `paper`: Σ (O − R(O))², where R matches the histogram of the features O to the painting's, per channel (Risser,
    Wilmot & Barnes, "Stable and Controllable Neural Texture Synthesis and Style Transfer Using Histogram Losses", 2017,
    equation 9). The paper uses 256 bins; here R is exact up to 4096 positions and interpolates 4096 quantiles beyond.
    The paper adds it to the Gram loss at relu1_1 and relu4_1; the style loss `histogram` adds it at every style layer.
    `relative`: divided by the target's sum of squares, both per position.
    """
    distance = _transport(features, target, weight)
    if normalization == "paper":
        return distance * (features.shape[-2] * features.shape[-1] if weight is None else weight.sum())
    return distance / (target.values.square().mean(1).sum() + TINY)


def _transport(
    features: Float[Tensor, "1 c h w"], target: Quantiles, weight: Float[Tensor, "h w"] | None
) -> Float[Tensor, ""]:
    quantiles, directions = target.values, target.directions
    distance: Tensor = _Transport.apply(features, weight, quantiles, directions)  # type: ignore[no-untyped-call]
    return distance


class _Transport(PrecomputedGradient):
    """Sum over directions of the mean squared distance to the quantiles.

    The forward pass also computes the gradient, in chunks of directions, so that no sorted values are stored.
    """

    @staticmethod
    def forward(
        ctx: Any,
        features: Float[Tensor, "1 c h w"],
        weight: Float[Tensor, "h w"] | None,
        quantiles: Float[Tensor, "k n"],
        directions: Float[Tensor, "c k"] | None,
    ) -> Float[Tensor, ""]:
        rows, weights = weighted_rows(features, weight)
        slope = torch.zeros_like(rows)
        total = rows.new_zeros(())
        done = 0
        for projected in projections(rows, directions):
            some = slice(done, done + len(projected))
            done = some.stop
            ordered, order = projected.sort(-1)
            if weights is None:
                share: Tensor | float = 1.0 / len(rows)
                levels = midpoints(len(rows), rows)
            else:
                share = weights[order] / weights.sum()
                levels = levels_of(weights[order])
            error = ordered - quantiles_at(quantiles[some], levels)
            total += (share * error.square()).sum()
            residual = torch.empty_like(error).scatter_(-1, order, 2.0 * share * error)
            if directions is None:
                slope[:, some] = residual.T
            else:
                slope += residual.T @ directions[:, some].T
        ctx.save_for_backward(rows_to_map(slope, features, weight))
        return total
