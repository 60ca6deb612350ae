"""Owns the geometry of deep zoom: level 0 is full size, each further level half of it, the last fits one tile."""

from __future__ import annotations

#: Side of a tile, in pixels.
TILE = 512


def levels(width: int, height: int) -> int:
    """How many levels a picture of that size has."""
    return 1 + ((max(width, height) - 1) // TILE).bit_length()
