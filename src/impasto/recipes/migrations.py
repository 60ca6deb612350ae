"""Owns what recipes of earlier forms mean today: settings as this version counts them.

| form | what is different |
|---|---|
| 1 | strengths are balances; the style loss that is left open is `gram`; see also form 2 |
| 2 | without a number of scales, each is √2 larger than the one before; see also form 3 |
| 3 | strength goes on to where next to nothing of the scene is left; painted without `largest_form` and `enlarged` |
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from impasto.settings import Settings, strength_of, style_balance
from impasto.settings.options import LARGEST_WEIGHT

#: The form that recipes are written in.
CURRENT = 4
_BALANCES, _ROOTS, _TO_NOTHING = 1, 2, 3
#: The forms that can be read.
KNOWN = (_BALANCES, _ROOTS, _TO_NOTHING, CURRENT)

# Of forms 2 and 3: odds of content to style at strength ½, exponent of the odds, and the least factor on the content
# weight. The factor was the odds to the power 1½.
_ODDS, _POWER, _LEAST = 3.0, 7 / 6, 0.01
# Balances below this are as this one.
_LEAST_BALANCE = 1e-6
# What a recipe before form 4 means where it leaves something open, and the strength with even balance.
_BEFORE: Mapping[str, Any] = {
    "largest_form": 0.0,
    "enlarged": "all",
    "iterations": 15,
    "coarse_iterations": 35,
}
_EVEN = {_BALANCES: 0.5, _ROOTS: 0.75, _TO_NOTHING: 0.75}
# What strength is translated into.
_WITH_STRENGTH = ("strength", "region_strength", "content_weight", "detail")


def all_settings(
    first: Any, changes: Sequence[Any], form: int
) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]:
    """Settings at the beginning and the changes of them, as they are counted today.

    What is no setting or out of range is left for `Settings` to refuse.

    Args:
        first: settings at the beginning, by name.
        changes: those that changed, each by name.
        form: of the recipe.

    Raises:
        TypeError: one of them is not a mapping.
    """
    begun = dict(mapping(first))
    changed = [dict(mapping(change)) for change in changes]
    if form == CURRENT:
        return begun, changed
    for name, then in {**_BEFORE, "strength": _EVEN[form]}.items():
        begun.setdefault(name, then)
    if form <= _ROOTS:
        _before_scales(begun)
    states = [begun]
    for change in changed:
        states.append(states[-1] | change)
    today = [_translated(state, form) for state in states]
    return today[0], [
        {name: value for name, value in after.items() if name in change or value != before.get(name)}
        for change, (before, after) in zip(changed, pairwise(today), strict=True)
    ]


def _before_scales(begun: dict[str, Any]) -> None:
    """Put in what settings of forms 1 and 2 leave open."""
    begun.setdefault("style_loss", "gram")
    if begun.get("scales", 0) == 0:
        whole = Settings.from_mapping({name: value for name, value in begun.items() if name not in _WITH_STRENGTH})
        coarse = min(whole.coarse_size, whole.size)
        begun["scales"] = min(1 + round(math.log(whole.size / coarse, math.sqrt(2.0))), 20)
    if begun["scales"] == 1:
        # What the first of several scales was to have by default has no effect, and is nobody's wish.
        begun.pop("coarse_iterations", None)


def _translated(state: Mapping[str, Any], form: int) -> dict[str, Any]:
    """All settings at one time, with strengths as they are counted today.

    Strengths whose pictures show less of the scene than today's strongest become the strongest, with the smaller
    content weight and the smaller share of detail that they stood for.
    """
    settings = dict(state)
    whole, regions = state.get("strength"), state.get("region_strength", ())
    if not _is_strength(whole) or not isinstance(regions, list | tuple) or not all(map(_is_strength, regions)):
        return settings
    balances = [_balance(strength, form) for strength in (whole, *regions)]
    least = _factor(style_balance(1.0))
    factors = [max(_factor(balance), _LEAST) if balance else None for balance in balances]
    beyond = min([1.0, *(factor / least for factor in factors if factor is not None)])
    strengths = [0.0 if factor is None else _strength(factor / beyond) for factor in factors]
    settings["strength"] = strengths[0]
    if "region_strength" in state:
        settings["region_strength"] = strengths[1:]
    detail = min(1.0, 2 * (1 - balances[0])) / min(1.0, 2 * (1 - style_balance(strengths[0])))
    for name, share, default in (("content_weight", beyond, 1.0), ("detail", detail, 0.5)):
        value = state.get(name, default)
        if isinstance(value, int | float) and 0 <= value <= LARGEST_WEIGHT and not math.isclose(share, 1.0):
            settings[name] = value * share
    return settings


def _balance(strength: float, form: int) -> float:
    """The share of style in the balance that a strength of an earlier form stands for; 0 if there is no style."""
    if form == _BALANCES or strength == 0:
        return strength
    style: float = strength**_POWER
    content: float = (_ODDS * (1.0 - strength)) ** _POWER
    return style / (style + content)


def _factor(balance: float) -> float:
    """The factor on the content weight at a balance above 0."""
    style = max(balance, _LEAST_BALANCE)
    factor: float = ((1 - style) / style) ** 1.5
    return factor


def _strength(factor: float) -> float:
    """Today's strength with that factor on the content weight."""
    return min(1.0, strength_of(1 / (1 + factor ** (1 / 1.5))))


def _is_strength(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def mapping(value: Any) -> Mapping[str, Any]:
    """`value`, if it is a mapping.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, dict):
        raise TypeError("not a mapping")
    return value
