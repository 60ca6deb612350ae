"""Owns what a strength means: how far it pulls from the photograph to the painting, evened out: ½ looks about halfway.

What a picture looks like goes by the logarithm of the balance between content and style, and style comes first: with
both weighed as they are given, at a strength of ¾, six sevenths of the way are behind. docs/method.md has the measure.
"""

from __future__ import annotations

# Odds of content at strength ½, where those at ¾ are even; and the power that spreads strengths evenly around it.
_ODDS, _POWER = 3.0, 7 / 6


def style_balance(strength: float) -> float:
    """How far a strength shifts the balance from content, 0, to style, 1."""
    style: float = strength**_POWER
    content: float = (_ODDS * (1.0 - strength)) ** _POWER
    return style / (style + content)


def strength_of(pull: float) -> float:
    """The strength that pulls so far: the inverse of `pull`."""
    style: float = pull ** (1 / _POWER)
    content: float = (1.0 - pull) ** (1 / _POWER)
    return style / (style + content / _ODDS)
