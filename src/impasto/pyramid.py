"""Owns the path from coarse to fine: which sizes a picture is painted at, and for how long at each."""

from __future__ import annotations

import math
from dataclasses import dataclass

from impasto.images import fit
from impasto.settings import Settings

# Each scale has about two and a half times the pixels of the one before: smaller steps take longer and paint no better.
_FACTOR = 2 ** (2 / 3)
# What wraps around has sides of which every pooling leaves a whole number.
_TILE = 16


@dataclass(frozen=True)
class Scale:
    """One size to paint at.

    Attributes:
        size: (height, width) in pixels.
        iterations: evaluations to spend there.
    """

    size: tuple[int, int]
    iterations: int

    @property
    def work(self) -> int:
        """Pixels times iterations: what the scale costs, up to a factor."""
        return self.size[0] * self.size[1] * self.iterations


def pyramid(content: tuple[int, int], settings: Settings, *, min_side: int) -> list[Scale]:
    """The scales from coarse to fine, in geometric progression of both size and iterations.

    Args:
        content: (height, width) of the photograph, in pixels; only its shape matters.
        settings: `size`, `scales`, `coarse_size`, `iterations` and `coarse_iterations` are used; of `strength` and
            `init`, whether the photograph is to be left as it is, which takes one scale.
            A picture that wraps around (`padding`) has sides that are multiples of 16 pixels.
        min_side: smallest side that the network can see; shorter sides are stretched to it.
    """
    coarse = min(settings.coarse_size, settings.size)
    # From 64 to 512 px there are four steps and a half: rounded up, whatever a machine's logarithm makes of it.
    count = settings.scales or 1 + math.floor(math.log(settings.size / coarse, _FACTOR) + 0.5 + 1e-9)
    if settings.strength == 0 and settings.init == "content":
        # There is nothing to paint, and a small picture enlarged would not be the photograph any more.
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
