"""Owns the mapping from strength to the balance between content and style.

The mapping is nonlinear so that equal steps of strength look equally large: a picture of strength ½ looks about halfway
between photograph and painting. The look depends on the logarithm of the balance, and most of the change happens while
content still dominates: at equal weights (strength ¾) six sevenths of it are done. docs/method.md has the measurement.
"""

from __future__ import annotations

# The odds of content to style at strength ½ before the exponent, with even odds at ¾; and the exponent that makes equal
# steps look equally large.
_ODDS, _POWER = 3.0, 7 / 6


def style_balance(strength: float) -> float:
    """The share of style in the balance between content and style, from 0 (content only) to 1 (style only)."""
    style: float = strength**_POWER
    content: float = (_ODDS * (1.0 - strength)) ** _POWER
    return style / (style + content)


def strength_of(balance: float) -> float:
    """The strength that gives that balance: the inverse of `style_balance`."""
    style: float = balance ** (1 / _POWER)
    content: float = (1.0 - balance) ** (1 / _POWER)
    return style / (style + content / _ODDS)
