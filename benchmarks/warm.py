"""What a second picture, a sheet and a live change cost beside the first picture, which loads the network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks import tables
from benchmarks.pairs import bundled
from benchmarks.processes import in_a_process
from benchmarks.store import Row, Store
from impasto import api
from impasto.method import Stylization

_PICTURES = 10
_CELLS = 9
_SIDE = 256
# One thread, so that the processor's time is the time that a quiet machine takes.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1"}


def measure(store: Store, *, again: bool = False) -> list[Row]:
    """Measure a row for each case, each in a new process."""
    return [store.measure({"what": what}, partial(_measured, case), again=again) for what, case in _CASES]


def _measured(case: Callable[[], dict[str, float]]) -> dict[str, float]:
    found = in_a_process(case, environment=_ENVIRONMENT)
    return {name: round(seconds, 3) for name, seconds in found.items()}


def in_a_row() -> dict[str, float]:
    """Processor seconds up to the end of the first iteration: of the first picture, and of those after it."""
    seconds = [_first_iteration() for _ in range(_PICTURES)]
    return {"first": seconds[0], "then": statistics.median(seconds[1:])}


def sheet() -> dict[str, float]:
    """Processor seconds until a picture's settings are checked against its network: the first cell's, the others'."""
    seconds = []
    for cell in range(_CELLS):
        begin = time.process_time()
        _begun(size=_SIDE, strength=0.1 * (1 + cell))
        seconds.append(time.process_time() - begin)
    return {"first": seconds[0], "then": statistics.median(seconds[1:])}


def live_change() -> dict[str, float]:
    """Processor seconds of an iteration, and of one before which strength changes, with what that computes anew."""
    painting = _begun(size=_SIDE, scales=1, iterations=100, tolerance=0)
    _next(painting)
    plain = statistics.median(_next(painting) for _ in range(5))
    changed = []
    for step in range(5):
        painting.change(strength=0.6 + 0.02 * step)
        changed.append(_next(painting))
    return {"first": plain, "then": statistics.median(changed)}


def _first_iteration() -> float:
    begin = time.process_time()
    next(_begun(size=_SIDE, scales=1))
    return time.process_time() - begin


def _begun(**settings: Any) -> Stylization:
    pair = bundled()[0]
    return api.stylization(pair.content, pair.style, api.settings_for(**settings))


def _next(painting: Iterator[object]) -> float:
    begin = time.process_time()
    next(painting)
    return time.process_time() - begin


_CASES: tuple[tuple[str, Callable[[], dict[str, float]]], ...] = (
    (f"first iteration of {_PICTURES} pictures in a row: the first, the others", in_a_row),
    (f"checking {_CELLS} pictures of a sheet: the first, the others", sheet),
    ("an iteration, and one after a live change of strength", live_change),
)


def write(rows: list[Row]) -> None:
    """Write the table: seconds."""
    body = [[row["what"], f"{row['first']:.2f}", f"{row['then']:.2f}"] for row in rows]
    text = (
        f"{tables.table(['what', 'seconds', 'seconds'], body)}\n\nProcessor seconds with one thread, at {_SIDE} px; "
        f"of several, the median. {tables.measured_on(rows)}"
    )
    tables.write("warm", text)
