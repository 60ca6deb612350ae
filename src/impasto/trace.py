"""Owns the trace: the losses as they fell, iteration by iteration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, overload


@dataclass(frozen=True)
class TracePoint:
    """The losses at one iteration.

    Attributes:
        scale: index of the scale, from 0, coarse to fine.
        size: (height, width) painted at, in pixels.
        iteration: index within the scale, from 1.
        value: total loss.
        terms: weighted terms that add up to it, by name.
        changed: settings that changed just before it, so that its loss is no sequel to the one before.
    """

    scale: int
    size: tuple[int, int]
    iteration: int
    value: float
    terms: Mapping[str, float]
    changed: tuple[str, ...] = ()


class Trace(Sequence[TracePoint]):
    """The losses of all iterations so far; it never changes.

    `extended` gives a longer one without copying: traces of one run share a list, and each knows its own length. So a
    trace can be kept with every iteration of a long run.
    """

    def __init__(self, points: Iterable[TracePoint] = ()) -> None:
        self._points = list(points)
        self._length = len(self._points)

    def extended(self, point: TracePoint) -> Self:
        """This trace and one point more."""
        if self._length < len(self._points):
            # Another went on from here already.
            return type(self)((*self, point))
        longer = type(self)()
        longer._points, longer._length = self._points, self._length + 1
        self._points.append(point)
        return longer

    @overload
    def __getitem__(self, index: int) -> TracePoint: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[TracePoint, ...]: ...

    def __getitem__(self, index: int | slice) -> TracePoint | tuple[TracePoint, ...]:
        if isinstance(index, slice):
            return tuple(self._points[i] for i in range(*index.indices(self._length)))
        return self._points[range(self._length)[index]]

    def __len__(self) -> int:
        return self._length

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(one == another for one, another in zip(self, other, strict=True))

    def __repr__(self) -> str:
        return f"Trace({list(self)!r})"
