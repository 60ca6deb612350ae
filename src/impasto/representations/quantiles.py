"""Owns Quantiles: the distributions of a layer's features along some directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.representations.rows import normalized, weighted_rows

# Most numbers that a distribution is held by.
_MOST = 4096
# Numbers that are sorted at once.
_AT_ONCE = 2**20


@dataclass(frozen=True)
class Quantiles:
    """The distributions of a layer's features along some directions, each by its quantile function.

    Attributes:
        values: the quantiles at levels (i + ½) / n, for n the number of positions but at most 4096: (directions, n).
        directions: orthonormal columns, (channels, directions); None for the channels themselves.
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
        """Quantiles of `features`, each position counted `weight` times (once, without a weight)."""
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
    """Weighted mean of several styles' quantile functions: along each direction, their Wasserstein barycentre."""
    most = max(q.values.shape[1] for _, q in quantiles)
    levels = midpoints(most, quantiles[0][1].values)
    alike = [q.values if q.values.shape[1] == most else quantiles_at(q.values, levels) for _, q in quantiles]
    values = torch.stack([share * v for share, v in zip(normalized(quantiles), alike, strict=True)]).sum(0)
    return Quantiles(values, quantiles[0][1].directions)


def projections(rows: Float[Tensor, "m c"], directions: Float[Tensor, "c k"] | None) -> Iterator[Float[Tensor, "_ m"]]:
    """The rows along each direction, some directions at a time, so that they may be sorted in little memory."""
    count = rows.shape[1] if directions is None else directions.shape[1]
    step = max(1, _AT_ONCE // max(1, len(rows)))
    for start in range(0, count, step):
        some = slice(start, start + step)
        yield rows[:, some].T.contiguous() if directions is None else directions[:, some].T @ rows.T


def midpoints(count: int, like: Tensor) -> Float[Tensor, " n"]:
    """The levels (i + ½) / count at which that many sorted numbers of equal weight stand."""
    return (torch.arange(count, dtype=like.dtype, device=like.device) + 0.5) / count


def levels_of(weights: Float[Tensor, "k m"]) -> Float[Tensor, "k m"]:
    """The levels at which sorted numbers stand by their weights: the middle of each one's share."""
    ends = weights.cumsum(-1)
    return (ends - 0.5 * weights) / ends[..., -1:]


def quantiles_at(values: Float[Tensor, "k n"], levels: Float[Tensor, "*_"]) -> Float[Tensor, "k m"]:
    """Quantiles between those at levels (i + ½) / n, on straight lines; beyond the outermost they do not change."""
    count = values.shape[1]
    place = (levels * count - 0.5).clamp(0, count - 1)
    low = place.long()
    high = (low + 1).clamp_max(count - 1)
    if levels.ndim == 1:
        return torch.lerp(values[:, low], values[:, high], place - low)
    return torch.lerp(values.gather(-1, low), values.gather(-1, high), place - low)


def _interpolated(
    values: Float[Tensor, "k m"], at: Float[Tensor, "k m"], levels: Float[Tensor, "k n"]
) -> Float[Tensor, "k n"]:
    """Quantiles at `levels` between values at any ascending levels."""
    high = torch.searchsorted(at, levels.contiguous()).clamp(1, max(1, at.shape[1] - 1))
    low, high = high - 1, high.clamp_max(at.shape[1] - 1)
    gap = (at.gather(-1, high) - at.gather(-1, low)).clamp_min(torch.finfo(at.dtype).tiny)
    share = ((levels - at.gather(-1, low)) / gap).clamp(0, 1)
    return torch.lerp(values.gather(-1, low), values.gather(-1, high), share)
