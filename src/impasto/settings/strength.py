"""Owns the mapping from strength to the balance between content and style.

The look of a picture depends on the logarithm of the balance, so strength is a power of it: at ½ content and style have
the weights that they are given, and each halving of the strength gives content 6.7 times the weight. At 1, content has
0.15 of its weight: the least with which a picture is still one of the scene. docs/method.md has the measurement.
"""

from __future__ import annotations

# Strength with even balance, and the exponent of its odds.
_EVEN, _POWER = 0.5, 11 / 6


def style_balance(strength: float) -> float:
    """The share of style in the balance between content and style: 0 (content only) at strength 0, ½ at strength ½."""
    odds: float = (strength / _EVEN) ** _POWER
    return odds / (1.0 + odds)


def strength_of(balance: float) -> float:
    """The strength that gives that balance: the inverse of `style_balance`. It is above 1 for balances above 0.78."""
    odds = balance / (1.0 - balance)
    return _EVEN * float(odds ** (1 / _POWER))
