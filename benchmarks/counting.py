"""Owns how strengths were counted when the kept rows were measured: the default was 0.75."""

from __future__ import annotations


def today(before: float) -> float:
    """Today's strength for one of before, which multiplied the content weight by (3 (1 − s) / s)^1.75; at most 1."""
    return 1.0 if before == 1 else min(1.0, round(0.5 * (before / (3 * (1 - before))) ** (1.75 / 2.75), 4))
