"""Owns every option of the method. `settings` declares them; `options` says what is known of one, and checks values."""

from impasto.settings.options import GROUPS, LayerWeights, Option, Shares, parse_layers
from impasto.settings.settings import OPTIONS, Settings

__all__ = ["GROUPS", "OPTIONS", "LayerWeights", "Option", "Settings", "Shares", "parse_layers"]
