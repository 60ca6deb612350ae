"""Owns Banks: feature vectors of a painting as they are, to look for the nearest in."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.representations.rows import weighted_rows

# Feature vectors that a bank holds, for each channel: all of a painting of 512 × 512 px at relu4_1 and deeper.
_PER_CHANNEL = 8
# A vector shorter than this share of the usual length is shortened no further: a flat place has no direction.
_SHORT = 1e-3


@dataclass(frozen=True)
class Bank:
    """Feature vectors of a painting, centred and of length 1, to be found again by their direction.

    Attributes:
        vectors: at most 8 for each channel, (vectors, channels).
        scale: the root mean square length that they had.
    """

    vectors: Float[Tensor, "b c"]
    scale: float

    @classmethod
    def of(
        cls, features: Float[Tensor, "1 c h w"], weight: Float[Tensor, "h w"] | None, generator: torch.Generator
    ) -> Bank:
        """Bank of `features`; more than it holds are drawn from, each as likely as its `weight` is large."""
        rows, weights = weighted_rows(features, weight)
        counts = torch.ones_like(rows[:, 0]) if weights is None else weights
        center = (counts @ rows) / counts.sum()
        most = _PER_CHANNEL * rows.shape[1]
        if len(rows) > most:
            # Drawn on the CPU, so that a seed means the same on every device.
            drawn = torch.multinomial(counts.cpu().double(), most, generator=generator)
            rows = rows[drawn.sort().values.to(rows.device)]
        centered = rows - center
        lengths = centered.norm(dim=1, keepdim=True)
        scale = float(lengths.square().mean().sqrt())
        return cls(centered / lengths.clamp_min(max(_SHORT * scale, 1e-12)), scale)
