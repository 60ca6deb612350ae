"""Owns what recipes of earlier forms mean today: settings as this version counts them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from impasto.settings import Settings, strength_of

#: The form that recipes are written in.
CURRENT = 3
# In form 1 a strength was the balance that it is turned into today. In forms 1 and 2, where the number of scales was
# not given, each was √2 larger than the one before.
_BALANCES, _ROOTS = 1, 2
#: The forms that can be read.
KNOWN = (_BALANCES, _ROOTS, CURRENT)


def first_settings(value: Any, form: int) -> Mapping[str, Any]:
    """Settings at the beginning, where what they leave open is what it was then."""
    settings = dict(settings_of(value, form))
    if form > _ROOTS:
        return settings
    settings.setdefault("style_loss", "gram")
    if settings.get("scales", 0) == 0:
        whole = Settings.from_mapping(settings)
        coarse = min(whole.coarse_size, whole.size)
        settings["scales"] = min(1 + round(math.log(whole.size / coarse, math.sqrt(2.0))), 20)
    if settings["scales"] == 1:
        # What the first of several scales was to have by default has no effect, and is nobody's wish.
        settings.pop("coarse_iterations", None)
    return settings


def settings_of(value: Any, form: int) -> Mapping[str, Any]:
    """Settings, with strengths as they are counted today; what is no strength is left for Settings to refuse."""
    settings = dict(mapping(value))
    if form == _BALANCES:
        if "strength" in settings:
            settings["strength"] = _strength(settings["strength"])
        if isinstance(regions := settings.get("region_strength"), list):
            settings["region_strength"] = [_strength(region) for region in regions]
    return settings


def _strength(value: Any) -> Any:
    return strength_of(value) if isinstance(value, int | float) and 0 <= value <= 1 else value


def mapping(value: Any) -> Mapping[str, Any]:
    """`value`, if it is a mapping.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, dict):
        raise TypeError("not a mapping")
    return value
