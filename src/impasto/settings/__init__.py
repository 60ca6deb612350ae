"""Owns every option of the method. `settings` declares them; `options` says what is known of one, and checks values.

`strength` says what a strength means.
"""

from impasto.settings.options import GROUPS, LayerWeights, Option, Shares, number_in, parse_layers
from impasto.settings.settings import OPTIONS, ContentLossName, Settings, StyleLossName
from impasto.settings.strength import pull, strength_of

__all__ = [
    "GROUPS",
    "OPTIONS",
    "ContentLossName",
    "LayerWeights",
    "Option",
    "Settings",
    "Shares",
    "StyleLossName",
    "number_in",
    "parse_layers",
    "pull",
    "strength_of",
]
