"""Owns every option of the method.

| module | owns |
|---|---|
| `settings` | the options: names, defaults, ranges, meanings |
| `options` | the description of one option, and the check of its values |
| `strength` | how strength sets the balance between content and style |
"""

from impasto.settings.options import GROUPS, LayerWeights, Option, Shares, number_in, parse_layers
from impasto.settings.settings import OPTIONS, ContentLossName, Settings, StyleLossName
from impasto.settings.strength import strength_of, style_balance

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
    "strength_of",
    "style_balance",
]
