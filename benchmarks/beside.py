"""The command while another program keeps a core busy, with the command's and with the default thread wait policy."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

from benchmarks import tables
from benchmarks.command import ours
from benchmarks.pairs import bundled
from benchmarks.store import Row, Store
from impasto.cli import SHORT_WAITS

_SIDE = 256
_TURNS = 3
_ALONE, _BUSY = "nothing", "a program that keeps one core busy"
# The default spin count of GNU OpenMP for waiting threads.
_LONG_WAITS = dict.fromkeys(SHORT_WAITS, "300000")


def measure(store: Store, *, again: bool = False) -> list[Row]:
    """One row without, and one row with a busy program."""
    return [store.measure({"beside": beside}, partial(_painted, beside), again=again) for beside in (_ALONE, _BUSY)]


def _painted(beside: str) -> dict[str, list[float]]:
    waits = {"short": SHORT_WAITS, "long": _LONG_WAITS}
    seconds: dict[str, list[float]] = {name: [] for name in waits}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(_TURNS):
            for name, environment in waits.items():
                with mock.patch.dict(os.environ, environment), _busy(beside == _BUSY):
                    painted = ours(bundled()[0], Path(folder) / "out.png", _SIDE)
                seconds[name].append(round(painted.seconds, 2))
    return seconds


@contextmanager
def _busy(wanted: bool) -> Iterator[None]:
    """Run a busy program in a session of its own, to which Linux gives as much CPU time as to all of our processes."""
    if not wanted:
        yield
        return
    program = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
    try:
        yield
    finally:
        program.kill()
        program.wait()


def write(rows: list[Row]) -> None:
    """Write the table: seconds, and the ratio of long to short waits."""
    body = [
        [
            row["beside"],
            tables.spread(row["short"], 1),
            tables.spread(row["long"], 1),
            f"{statistics.median(row['long']) / statistics.median(row['short']):.2f}",
        ]
        for row in rows
    ]
    text = (
        f"{tables.table(['beside', 'short waits (the command)', 'long waits (torch alone)', 'ratio'], body)}\n\n"
        f"Seconds of {bundled()[0].name} at {_SIDE} px, from the command to the file; median (least–largest) of "
        f"{_TURNS} turns. {tables.measured_on(rows)}"
    )
    tables.write("beside", text)
