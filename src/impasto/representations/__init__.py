"""Owns the representations of style: the statistics of a layer's features that style losses compare.

| module | owns |
|---|---|
| `moments` | Moments and CrossMoments, which can be added over tiles, regions, devices and machines |
| `quantiles` | Quantiles: distributions along directions |
| `bank` | Banks: samples of feature vectors, for nearest-neighbour search |
| `rows` | feature maps as matrices with one row per position |
"""

from impasto.representations.bank import Bank
from impasto.representations.moments import CrossMoments, Moments, blend, blend_cross
from impasto.representations.quantiles import Quantiles, blend_quantiles

__all__ = ["Bank", "CrossMoments", "Moments", "Quantiles", "blend", "blend_cross", "blend_quantiles"]
