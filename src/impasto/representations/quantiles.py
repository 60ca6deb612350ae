"""Owns Quantiles: the distributions of a layer's features along given directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.representations.rows import normalized, weighted_rows

# The most quantiles per distribution.
_MOST = 4096
# Numbers that are sorted at once, to limit memory.
_AT_ONCE = 2**20


@dataclass(frozen=True)
class Quantiles:
    """The distributions of a layer's features along given directions, each as a quantile function.

    Attributes:
        values: quantiles at the levels (i + ½) / n, (directions, n); n is the number of positions, at most 4096.
        directions: orthonormal columns, (channels, directions); None if the directions are the channels.
    """

    values: Float[Tensor, "k n"]
    directions: Float[Tensor, "c k"] | None = None

    @classmethod
    def of(
        cls,
        features: Float[Tensor, "1 c h w"],
        weight: Float[Tensor, "h w"] | None = None,
        directions: Float[Tensor, "c k"] | None = None,
    ) -> Quantiles:
        """Quantiles of `features`, with position weights `weight` (1 if None)."""
        rows, weights = weighted_rows(features, weight)
        directions = None if directions is None else directions.to(rows)
        found = []
        for projected in projections(rows, directions):
            ordered, order = projected.sort(-1)
            if weights is None and len(rows) <= _MOST:
                found.append(ordered)
                continue
            levels = midpoints(min(len(rows), _MOST), rows)
            if weights is None:
                found.append(quantiles_at(ordered, levels))
            else:
                found.append(_interpolated(ordered, levels_of(weights[order]), levels.expand(len(ordered), -1)))
        return cls(torch.cat(found), directions)


def blend_quantiles(quantiles: Sequence[tuple[float, Quantiles]]) -> Quantiles:
    """Weighted mean of several styles' quantile functions: the Wasserstein barycentre along each direction."""
    most = max(q.values.shape[1] for _, q in quantiles)
    levels = midpoints(most, quantiles[0][1].values)
    alike = [q.values if q.values.shape[1] == most else quantiles_at(q.values, levels) for _, q in quantiles]
    values = torch.stack([share * v for share, v in zip(normalized(quantiles), alike, strict=True)]).sum(0)
    return Quantiles(values, quantiles[0][1].directions)


def projections(rows: Float[Tensor, "m c"], directions: Float[Tensor, "c k"] | None) -> Iterator[Float[Tensor, "_ m"]]:
    """Projections of the rows on each direction, in chunks of directions, to limit the memory for sorting."""
    count = rows.shape[1] if directions is None else directions.shape[1]
    step = max(1, _AT_ONCE // max(1, len(rows)))
    for start in range(0, count, step):
        some = slice(start, start + step)
        yield rows[:, some].T.contiguous() if directions is None else directions[:, some].T @ rows.T


def midpoints(count: int, like: Tensor) -> Float[Tensor, " n"]:
    """The levels (i + ½) / count of that many sorted numbers of equal weight."""
    return (torch.arange(count, dtype=like.dtype, device=like.device) + 0.5) / count


def levels_of(weights: Float[Tensor, "k m"]) -> Float[Tensor, "k m"]:
    """The levels of sorted numbers with weights: the middle of each number's share of the total weight."""
    ends = weights.cumsum(-1)
    return (ends - 0.5 * weights) / ends[..., -1:]


def quantiles_at(values: Float[Tensor, "k n"], levels: Float[Tensor, "*_"]) -> Float[Tensor, "k m"]:
    """Quantiles at `levels`, interpolated linearly from `values` at the levels (i + ½) / n; constant beyond them."""
    count = values.shape[1]
    position = (levels * count - 0.5).clamp(0, count - 1)
    low = position.long()
    high = (low + 1).clamp_max(count - 1)
    if levels.ndim == 1:
        return torch.lerp(values[:, low], values[:, high], position - low)
    return torch.lerp(values.gather(-1, low), values.gather(-1, high), position - low)


def _interpolated(
    values: Float[Tensor, "k m"], at: Float[Tensor, "k m"], levels: Float[Tensor, "k n"]
) -> Float[Tensor, "k n"]:
    """Quantiles at `levels`, interpolated linearly from `values` at the ascending levels `at`."""
    high = torch.searchsorted(at, levels.contiguous()).clamp(1, max(1, at.shape[1] - 1))
    low, high = high - 1, high.clamp_max(at.shape[1] - 1)
    gap = (at.gather(-1, high) - at.gather(-1, low)).clamp_min(torch.finfo(at.dtype).tiny)
    share = ((levels - at.gather(-1, low)) / gap).clamp(0, 1)
    return torch.lerp(values.gather(-1, low), values.gather(-1, high), share)
