"""Owns what a picture is compared by: content features, and style as the additive Moments of a layer.

Moments are the sufficient statistics of a layer's features: how many positions there were, the sum of the feature
vectors and the sum of their outer products. The Gram matrix, the mean and the covariance are functions of them, and
because they add, the Moments of a whole are the sum of the Moments of its tiles, regions, devices or machines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """Additive sufficient statistics of one layer's features.

    Attributes:
        count: number of positions, or the sum of their weights; a scalar.
        sum: Σ f, the sum of the feature vectors, shape (channels,).
        outer: Σ f fᵀ, the sum of their outer products, shape (channels, channels).
    """

    count: Float[Tensor, ""]
    sum: Float[Tensor, " c"]
    outer: Float[Tensor, "c c"]

    @classmethod
    def of(cls, features: Float[Tensor, "1 c h w"], weight: Float[Tensor, "h w"] | None = None) -> Moments:
        """Moments of `features`, each position counted `weight` times (once, without a weight)."""
        # Channels last, the feature vectors are the rows of a matrix without a copy.
        rows = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
        if weight is None:
            count = features.new_tensor(float(rows.shape[0]))
            return cls(count=count, sum=rows.sum(0), outer=rows.T @ rows)
        flat = weight.reshape(-1, 1).to(rows)
        return cls(count=flat.sum(), sum=(rows * flat).sum(0), outer=rows.T @ (rows * flat))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.sum + other.sum, self.outer + other.outer)

    def detach(self) -> Moments:
        """The same numbers, cut off from the graph they were computed in."""
        return Moments(self.count.detach(), self.sum.detach(), self.outer.detach())

    @property
    def mean(self) -> Float[Tensor, " c"]:
        """Mean feature vector, Σf / count."""
        return self.sum / self.count

    @property
    def gram(self) -> Float[Tensor, "c c"]:
        """Gram matrix divided by the number of positions M, Σffᵀ / count.

        Gatys et al. (2016, equation 3) leave the sum undivided. Divided, it does not depend on the size of the picture,
        so a painting and a pastiche of different sizes can be compared.
        """
        return self.outer / self.count

    @property
    def covariance(self) -> Float[Tensor, "c c"]:
        """Covariance of the features, Σffᵀ / count − mean·meanᵀ."""
        return self.gram - torch.outer(self.mean, self.mean)


def blend(moments: Iterable[tuple[float, Moments]]) -> Moments:
    """Weighted mean of several styles' Moments: each is first brought to one position, so sizes do not matter.

    Args:
        moments: pairs (weight, Moments); weights are non-negative, and are divided by their sum.
    """
    pairs = list(moments)
    total = sum(weight for weight, _ in pairs)
    shares = [(weight / total, m) for weight, m in pairs]
    return Moments(
        count=torch.ones_like(pairs[0][1].count),
        sum=torch.stack([share * m.mean for share, m in shares]).sum(0),
        outer=torch.stack([share * m.gram for share, m in shares]).sum(0),
    )
