"""Owns what a picture is compared by: content features, and style as what a loss keeps of a layer's features.

| module | owns |
|---|---|
| `moments` | Moments and CrossMoments, which add: over tiles, regions, devices, machines |
| `quantiles` | Quantiles: distributions along directions, by sorting |
| `bank` | Banks: feature vectors as they are, to be found again |
| `rows` | features as rows |
"""

from impasto.representations.bank import Bank
from impasto.representations.moments import CrossMoments, Moments, blend, blend_cross
from impasto.representations.quantiles import Quantiles, blend_quantiles

__all__ = ["Bank", "CrossMoments", "Moments", "Quantiles", "blend", "blend_cross", "blend_quantiles"]
