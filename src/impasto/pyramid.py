"""Owns the pyramid: the sizes at which a picture is painted, from coarse to fine, and the iterations at each."""

from __future__ import annotations

import math
from dataclasses import dataclass

from impasto.images import fit
from impasto.settings import Settings

# Each scale has about two and a half times the pixels of the one before; smaller steps take longer without better
# results.
_FACTOR = 2 ** (2 / 3)
# Sides of pictures that wrap around are multiples of this, so that every pooling divides them evenly.
_TILE = 16


@dataclass(frozen=True)
class Scale:
    """One size to paint at.

    Attributes:
        size: (height, width) in pixels.
        iterations: number of evaluations of the objective.
    """

    size: tuple[int, int]
    iterations: int

    @property
    def work(self) -> int:
        """Pixels times iterations, which is proportional to the cost."""
        return self.size[0] * self.size[1] * self.iterations


def pyramid(content: tuple[int, int], settings: Settings, *, min_side: int) -> list[Scale]:
    """The scales from coarse to fine, with sizes and iterations in geometric progression.

    Args:
        content: (height, width) of the photograph, in pixels; only its aspect ratio matters.
        settings: `size`, `scales`, `coarse_size`, `iterations` and `coarse_iterations` are used. With `strength` 0 and
            `init` content, the photograph stays unchanged and there is one scale. With `padding` wrap, sides are
            multiples of 16 pixels.
        min_side: smallest side that the network accepts; shorter sides are stretched to it.
    """
    coarse = min(settings.coarse_size, settings.size)
    # From 64 to 512 px there are 4.5 steps; 1e-9 makes all machines round this up, whatever their logarithm's rounding.
    count = settings.scales or 1 + math.floor(math.log(settings.size / coarse, _FACTOR) + 0.5 + 1e-9)
    if settings.strength == 0 and settings.init == "content":
        # Nothing changes; enlarging a coarse picture would lose the photograph's detail.
        count = 1
    scales: list[Scale] = []
    for index in range(count):
        position = 1.0 if count == 1 else index / (count - 1)
        side = round(coarse * (settings.size / coarse) ** position)
        height, width = fit(content, side)
        iterations = round(settings.coarse_iterations * (settings.iterations / settings.coarse_iterations) ** position)
        if settings.padding == "wrap":
            height, width = (_TILE * max(1, round(side / _TILE)) for side in (height, width))
        scales.append(Scale((max(height, min_side), max(width, min_side)), max(1, iterations)))
    return scales
