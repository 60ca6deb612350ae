"""Owns the time left of a painting under way, told from how long its iterations took so far."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol, runtime_checkable

#: Iterations of the first scale before anything is said about time.
_FIRST_WORD = 3
# Iterations that the present speed is taken from: enough to be calm, few enough to follow a machine that gets busy.
_RECENT = 9
# Pixels that cost as much as the fixed part of an iteration, before a second scale has shown it (measured on CPUs).
_FIXED_PIXELS = 4096
# The share of an iteration's time that grows with its pixels is at least this, whatever two noisy scales seem to show.
_LEAST_SHARE = 0.1
# From scale to scale, before a second one has shown it: how the pixels grow and the iterations become fewer.
_GROWTH, _DECLINE = 2.0, 0.8


@runtime_checkable
class Position(Protocol):
    """What is needed of the method's Progress."""

    @property
    def scale(self) -> int: ...
    @property
    def scales(self) -> int: ...
    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def iteration(self) -> int: ...
    @property
    def iterations(self) -> int: ...
    @property
    def value(self) -> float: ...
    @property
    def work(self) -> int: ...
    @property
    def total_work(self) -> int: ...


class Forecast:
    """Estimates the time left from how long recent iterations took.

    An iteration takes a fixed time and a time for each pixel. Small scales are mostly fixed time, so their seconds a
    pixel promise too much for large ones; two scales together tell the parts apart. The first iteration of a scale also
    computes the targets, which is counted apart. Sizes and iterations go on from scale to scale as they did before. A
    scale that ends early makes the estimate too long, never too short.

    Args:
        now: seconds on any clock, at the start.
    """

    def __init__(self, now: float) -> None:
        self._before = now
        self._here: _Scale | None = None
        self._previous: _Scale | None = None
        self._left: float | None = None

    def update(self, position: Position, now: float) -> float | None:
        """Take note of an iteration that ended at `now`; seconds left, or None while it is too early to say."""
        took, self._before = now - self._before, now
        if self._here is None or position.scale != self._here.index:
            if self._here is not None and self._here.recent:
                self._previous = self._here
            pixels = position.size[0] * position.size[1]
            self._here = _Scale(position.scale, pixels, position.iterations, first=took)
            # Nothing is known yet of iterations at this scale, so what was said before goes on.
            self._left = None if self._left is None else max(0.0, self._left - took)
            return self._left
        self._here.recent.append(took)
        if position.scale == 0 and position.iteration < _FIRST_WORD:
            return None
        self._left = self._estimate(position, self._here)
        return self._left

    def _estimate(self, position: Position, here: _Scale) -> float:
        each = here.each
        slope = each / (here.pixels + _FIXED_PIXELS)
        growth, decline = _GROWTH, _DECLINE
        previous = self._previous
        if previous is not None and here.pixels > previous.pixels:
            slope = (each - previous.each) / (here.pixels - previous.pixels)
            slope = min(max(slope, _LEAST_SHARE * each / here.pixels), each / here.pixels)
            growth, decline = here.pixels / previous.pixels, min(1.0, here.iterations / previous.iterations)
        fixed = each - slope * here.pixels
        setup = max(0.0, here.first - each) / here.pixels
        rest = here.iterations - position.iteration
        later_work = position.total_work - position.work - rest * here.pixels
        seconds = rest * each + later_work * slope
        for step in range(1, position.scales - position.scale):
            seconds += fixed * here.iterations * decline**step + setup * here.pixels * growth**step
        return seconds


class SteadyForecast:
    """Estimates the time left where work goes on at one speed.

    Args:
        now: seconds on any clock, at the start.
    """

    def __init__(self, now: float) -> None:
        self._begin = now

    def update(self, position: Position, now: float) -> float | None:
        """Seconds left after an iteration that ended at `now`, or None while it is too early to say."""
        if position.scale == 0 and position.iteration < _FIRST_WORD:
            return None
        return (now - self._begin) * (position.total_work - position.work) / max(1, position.work)


@dataclass
class _Scale:
    """What was seen at one scale: its first iteration, in seconds, and the recent ones after it."""

    index: int
    pixels: int
    iterations: int
    first: float
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    @property
    def each(self) -> float:
        """Seconds of an iteration after the first."""
        return median(self.recent)
