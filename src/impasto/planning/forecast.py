"""Owns the estimate of the time left of a running task, from the duration of its iterations so far."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol, runtime_checkable

# Iterations of the first scale before the first estimate.
_FIRST_ESTIMATE = 3
# Number of recent iterations from which the speed is taken: enough for a stable value, few enough to follow changes.
_RECENT = 9
# Pixels that take as long as the fixed part of an iteration, until a second scale allows measuring it (from CPUs).
_FIXED_PIXELS = 4096
# Lower limit for the share of an iteration's time that is proportional to its pixels; measurements are noisy.
_LEAST_SHARE = 0.1
# Factors of pixels and iterations from scale to scale, until a second scale shows them.
_GROWTH, _DECLINE = 2.0, 0.8


@runtime_checkable
class Position(Protocol):
    """The attributes of the method's `Progress` that a forecast uses."""

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

    The time of an iteration has a fixed part and a part proportional to the pixels; two scales are needed to separate
    them. The first iteration of a scale also computes the targets, whose time is modelled separately. Sizes and
    iterations are assumed to change from scale to scale by constant factors. If a scale ends early, the estimate was
    too long.

    Args:
        now: time of the start, in seconds on any clock.
    """

    def __init__(self, now: float) -> None:
        self._before = now
        self._here: _ScaleTimes | None = None
        self._previous: _ScaleTimes | None = None
        self._left: float | None = None

    def update(self, position: Position, now: float) -> float | None:
        """Record an iteration that ended at `now`; return the seconds left, or None before the first estimate."""
        took, self._before = now - self._before, now
        if self._here is None or position.scale != self._here.index:
            if self._here is not None and self._here.recent:
                self._previous = self._here
            pixels = position.size[0] * position.size[1]
            self._here = _ScaleTimes(position.scale, pixels, position.iterations, first=took)
            # No iteration of this scale has been timed alone yet, so the last estimate counts down.
            self._left = None if self._left is None else max(0.0, self._left - took)
            return self._left
        self._here.recent.append(took)
        if position.scale == 0 and position.iteration < _FIRST_ESTIMATE:
            return None
        self._left = self._estimate(position, self._here)
        return self._left

    def _estimate(self, position: Position, here: _ScaleTimes) -> float:
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
    """Estimates the time left for work at constant speed.

    Args:
        now: time of the start, in seconds on any clock.
    """

    def __init__(self, now: float) -> None:
        self._begin = now

    def update(self, position: Position, now: float) -> float | None:
        """Return the seconds left after an iteration that ended at `now`, or None before the first estimate."""
        if position.scale == 0 and position.iteration < _FIRST_ESTIMATE:
            return None
        return (now - self._begin) * (position.total_work - position.work) / max(1, position.work)


@dataclass
class _ScaleTimes:
    """Durations at one scale, in seconds: of its first iteration, and of the recent ones after it."""

    index: int
    pixels: int
    iterations: int
    first: float
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    @property
    def each(self) -> float:
        """Typical seconds of an iteration after the first."""
        return median(self.recent)
