"""Owns sizes, (height, width) in whole pixels: the size of a picture after resizing."""

from __future__ import annotations

import math

from impasto.errors import ImageError


def fit(size: tuple[int, int], long_side: int) -> tuple[int, int]:
    """(height, width) of the same aspect as `size` whose longer side is `long_side` pixels: smaller or larger.

    The shorter side is rounded to the nearest pixel, halves up, and is at least 1.

    Raises:
        ImageError: a side is not a positive whole number.
    """
    height, width = checked(size)
    checked((long_side, long_side))
    longest = max(height, width)
    # Integer arithmetic, so that no size depends on floating-point rounding.
    return (
        max(1, (2 * height * long_side + longest) // (2 * longest)),
        max(1, (2 * width * long_side + longest) // (2 * longest)),
    )


def of_area(size: tuple[int, int], area: float, *, least: int = 1) -> tuple[int, int]:
    """(height, width) of about the same aspect as `size` with about `area` pixels; each side is at least `least`."""
    factor = math.sqrt(area / (size[0] * size[1]))
    return max(least, round(size[0] * factor)), max(least, round(size[1] * factor))


def checked(size: tuple[int, int]) -> tuple[int, int]:
    """`size`, or an ImageError if a side is not a positive whole number."""
    if not all(isinstance(side, int) and side >= 1 for side in size):
        raise ImageError(f"size: received {size}; both sides must be whole numbers of pixels, at least 1")
    return size
