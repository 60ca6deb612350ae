"""Owns Banks: samples of a painting's feature vectors, for nearest-neighbour search."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.representations.rows import weighted_rows

# The most vectors in a bank, per channel: enough for all of a 512 × 512 px painting at relu4_1 and deeper.
_PER_CHANNEL = 8
# Vectors shorter than this share of the root mean square length are divided by that share of it instead of by their
# own length: in flat areas the direction is noise.
_SHORT = 1e-3


@dataclass(frozen=True)
class Bank:
    """Feature vectors of a painting, centred and scaled to length 1.

    Attributes:
        vectors: (vectors, channels), with at most 8 vectors per channel.
        scale: root mean square length of the centred vectors before scaling.
    """

    vectors: Float[Tensor, "b c"]
    scale: float

    @classmethod
    def of(
        cls, features: Float[Tensor, "1 c h w"], weight: Float[Tensor, "h w"] | None, generator: torch.Generator
    ) -> Bank:
        """Bank of `features`. If there are too many, a random sample is drawn, with probabilities by `weight`."""
        rows, weights = weighted_rows(features, weight)
        counts = torch.ones_like(rows[:, 0]) if weights is None else weights
        center = (counts @ rows) / counts.sum()
        most = _PER_CHANNEL * rows.shape[1]
        if len(rows) > most:
            # Drawn on the CPU, so that a seed gives the same sample on every device.
            drawn = torch.multinomial(counts.cpu().double(), most, generator=generator)
            rows = rows[drawn.sort().values.to(rows.device)]
        centered = rows - center
        lengths = centered.norm(dim=1, keepdim=True)
        scale = float(lengths.square().mean().sqrt())
        return cls(centered / lengths.clamp_min(max(_SHORT * scale, 1e-12)), scale)
