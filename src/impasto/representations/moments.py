"""Owns Moments: the additive sufficient statistics of a layer's features, or of two layers'.

Moments are the number of positions, the sum of the feature vectors and the sum of their outer products. The Gram
matrix, the mean and the covariance are functions of them. The Moments of a picture are the sum of the Moments of its
parts, whether tiles, regions, or parts on other devices or machines. The same holds for CrossMoments of two layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from impasto.representations.rows import normalized, rows_of

# Least number of bytes of a number type in which sums are exact enough.
_EXACT_BYTES = 4
# Keeps the derivative of the square root finite at zero.
_LEAST_VARIANCE = 1e-8
# Rows whose outer products one half-precision matrix product adds up.
_CHUNK = 256
# Rows that are copied to float32 at once: few enough for the copy to fit the processor's cache.
_BLOCK = 8192


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
        """Moments of `features`, with position weights `weight` (1 if None).

        Half-precision features are summed in float32.
        """
        rows = rows_of(features)
        exact = torch.promote_types(rows.dtype, torch.float32)
        if weight is None:
            count = torch.tensor(float(rows.shape[0]), dtype=exact, device=rows.device)
            total, outer = _sums(rows)
            return cls(count=count, sum=total, outer=outer)
        flat = weight.reshape(-1, 1).to(rows.device, exact)
        _, outer = _sums((rows * flat.sqrt()).to(rows.dtype))
        return cls(count=flat.sum(), sum=(rows * flat).sum(0, dtype=exact), outer=outer)

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.sum + other.sum, self.outer + other.outer)

    def detach(self) -> Moments:
        """A copy that is detached from the autograd graph."""
        return Moments(self.count.detach(), self.sum.detach(), self.outer.detach())

    @property
    def mean(self) -> Float[Tensor, " c"]:
        """Mean feature vector, Σf / count."""
        return self.sum / self.count

    @property
    def gram(self) -> Float[Tensor, "c c"]:
        """Gram matrix divided by the number of positions M, Σffᵀ / count.

        Gatys et al. (2016, equation 3) leave the sum undivided. Divided, it does not depend on the size of the picture,
        so that a painting and a pastiche of different sizes can be compared.
        """
        return self.outer / self.count

    @property
    def covariance(self) -> Float[Tensor, "c c"]:
        """Covariance of the features, Σffᵀ / count − mean·meanᵀ."""
        return self.gram - torch.outer(self.mean, self.mean)

    @property
    def standard_deviation(self) -> Float[Tensor, " c"]:
        """Standard deviation of each channel; its gradient is finite where a channel does not vary."""
        return (self.covariance.diagonal().clamp_min(0.0) + _LEAST_VARIANCE).sqrt()

    @cached_property
    def covariance_root(self) -> Float[Tensor, "c c"]:
        """The symmetric square root of the covariance; cached, because every iteration uses that of the target."""
        values, vectors = eigen(self.covariance)
        root: Tensor = (vectors * values.clamp_min(0.0).sqrt()) @ vectors.T
        return root


def eigen(matrix: Float[Tensor, "c c"]) -> tuple[Float[Tensor, " c"], Float[Tensor, "c c"]]:
    """Eigenvalues and eigenvectors of a symmetric matrix; in float64 if float32 does not converge.

    That happens for some covariances of far fewer positions than channels, whose eigenvalues are nearly all 0.
    """
    try:
        values, vectors = torch.linalg.eigh(matrix)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        # On the CPU, because some devices have no float64.
        values, vectors = (part.to(matrix) for part in torch.linalg.eigh(matrix.cpu().double()))
    return values, vectors


def _sums(rows: Float[Tensor, "m c"]) -> tuple[Float[Tensor, " c"], Float[Tensor, "c c"]]:
    sums: tuple[Tensor, Tensor] = _Sums.apply(rows)  # type: ignore[no-untyped-call]
    return sums


class _Sums(torch.autograd.Function):
    """Σ f and Σ f fᵀ over the rows f of a matrix, at least in float32; the gradient takes one matrix product."""

    @staticmethod
    def forward(ctx: Any, rows: Float[Tensor, "m c"]) -> tuple[Float[Tensor, " c"], Float[Tensor, "c c"]]:
        ctx.save_for_backward(rows)
        ctx.set_materialize_grads(False)
        if rows.dtype.itemsize >= _EXACT_BYTES:
            return rows.sum(0), rows.T @ rows
        # In blocks, because summing in float32 makes a float32 copy of its input.
        total = torch.stack([block.sum(0, dtype=torch.float32) for block in torch.split(rows, _BLOCK)]).sum(0)
        # A half-precision product sums in float32 but rounds its result to half precision. Adding up many short sums in
        # float32 averages most of this rounding out.
        chunks, rest = _chunks(rows)
        return total, (chunks.mT @ chunks).sum(0, dtype=torch.float32) + (rest.mT @ rest).float()

    @staticmethod
    def backward(
        ctx: Any, of_sum: Float[Tensor, " c"] | None, of_outer: Float[Tensor, "c c"] | None
    ) -> Float[Tensor, "m c"] | None:
        rows: Tensor
        (rows,) = ctx.saved_tensors
        if of_outer is None:
            return None if of_sum is None else of_sum.to(rows.dtype).expand_as(rows)
        both = (of_outer + of_outer.T).to(rows.dtype)
        return rows @ both if of_sum is None else torch.addmm(of_sum.to(rows.dtype), rows, both)


def _chunks(rows: Float[Tensor, "m c"]) -> tuple[Float[Tensor, "k n c"], Float[Tensor, "r c"]]:
    """The rows in chunks for half-precision products, and the rows that remain."""
    count = len(rows) // _CHUNK * _CHUNK
    return rows[:count].view(-1, _CHUNK, rows.shape[1]), rows[count:]


def blend(moments: Iterable[tuple[float, Moments]]) -> Moments:
    """Weighted mean of the Moments of several styles; each is first divided by its count, so sizes do not matter.

    Args:
        moments: pairs (weight, Moments); weights are at least 0 and are divided by their sum.
    """
    pairs = list(moments)
    shares = [(share, m) for share, (_, m) in zip(normalized(pairs), pairs, strict=True)]
    return Moments(
        count=torch.ones_like(pairs[0][1].count),
        sum=torch.stack([share * m.mean for share, m in shares]).sum(0),
        outer=torch.stack([share * m.gram for share, m in shares]).sum(0),
    )


@dataclass(frozen=True)
class CrossMoments:
    """Additive sufficient statistics of the features of two layers of the same picture.

    Attributes:
        count: number of positions of the coarser layer, or the sum of their weights; a scalar.
        outer: Σ f gᵀ, the sum of the outer products of their feature vectors, shape (channels, other channels).
    """

    count: Float[Tensor, ""]
    outer: Float[Tensor, "c d"]

    @classmethod
    def of(
        cls, finer: Float[Tensor, "1 c _ _"], coarser: Float[Tensor, "1 d h w"], weight: Float[Tensor, "h w"] | None
    ) -> CrossMoments:
        """CrossMoments of two layers; the finer features are averaged to the size of the coarser ones.

        `weight` has the weight of each position of the coarser layer (1 if None). Products are summed at least in
        float32.
        """
        size = (coarser.shape[-2], coarser.shape[-1])
        pooled: Tensor = finer if finer.shape[-2:] == size else F.adaptive_avg_pool2d(finer, size)
        ours, theirs = rows_of(pooled), rows_of(coarser)
        exact = torch.promote_types(ours.dtype, torch.float32)
        if weight is None:
            count = torch.tensor(float(ours.shape[0]), dtype=exact, device=ours.device)
        else:
            flat = weight.reshape(-1, 1).to(ours.device, exact)
            count = flat.sum()
            ours = (ours * flat).to(theirs.dtype)
        return cls(count, _products(ours, theirs))

    def __add__(self, other: CrossMoments) -> CrossMoments:
        return CrossMoments(self.count + other.count, self.outer + other.outer)

    @property
    def gram(self) -> Float[Tensor, "c d"]:
        """Gram matrix between the layers, divided by the number of positions."""
        return self.outer / self.count


def blend_cross(moments: Sequence[tuple[float, CrossMoments]]) -> CrossMoments:
    """Weighted mean of the CrossMoments of several styles, like `blend`."""
    shares = normalized(moments)
    outer = torch.stack([share * m.gram for share, (_, m) in zip(shares, moments, strict=True)]).sum(0)
    return CrossMoments(count=torch.ones_like(moments[0][1].count), outer=outer)


def _products(ours: Float[Tensor, "m c"], theirs: Float[Tensor, "m d"]) -> Float[Tensor, "c d"]:
    """Σ f gᵀ over the rows of two matrices, at least in float32; half precision uses short sums, as in `_Sums`."""
    if ours.dtype.itemsize >= _EXACT_BYTES:
        return ours.T @ theirs
    (ours, our_rest), (theirs, their_rest) = _chunks(ours.contiguous()), _chunks(theirs.contiguous())
    return torch.bmm(ours.mT, theirs).sum(0, dtype=torch.float32) + (our_rest.T @ their_rest).float()
