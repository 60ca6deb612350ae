"""Peak memory by size and precision, compared with the estimate."""

from __future__ import annotations

import itertools
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.pairs import bundled
from benchmarks.processes import run
from benchmarks.store import Row, Store
from impasto import api, loading, planning
from impasto.images import fit

_SIDES = (256, 512, 1024, 2048)
_PRECISIONS = ("bfloat16", "float32")
# A short run that allocates everything a long one does, except for the older steps of the L-BFGS history.
_OPTIONS: dict[str, Any] = {"scales": 1, "iterations": 3, "history": 2}


def measure(store: Store, *, again: bool = False) -> list[Row]:
    """Measure a row for each size and precision."""
    return [
        store.measure({"side": side, "precision": precision}, partial(_weigh, side, precision), again=again)
        for side, precision in itertools.product(_SIDES, _PRECISIONS)
    ]


def _weigh(side: int, precision: str) -> dict[str, float]:
    pair = bundled()[0]
    options = [word for name, value in _OPTIONS.items() for word in (f"--{name}", str(value))]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.png"
        command: list[str | Path] = [sys.executable, "-m", "impasto", "stylize", pair.content, pair.style, "-o", out]
        done = run([*command, "-q", "--size", str(side), "--precision", precision, *options])
    photograph = loading.load(pair.content)
    settings = api.settings_for(size=side, precision=precision, **_OPTIONS)
    height, width = fit(photograph.size, side)
    return {
        "pixels": height * width,
        "peak": done.peak,
        "forecast": planning.peak_bytes(photograph.size, settings),
    }


def write(rows: list[Row]) -> None:
    """Write the table: GiB, and bytes per pixel relative to the smallest size."""
    body = []
    for row in rows:
        smallest = next(r for r in rows if r["precision"] == row["precision"])
        more = row["pixels"] - smallest["pixels"]
        each = f"{(row['peak'] - smallest['peak']) / more:.0f}" if more else ""
        forecast = f"{row['forecast'] / 2**30:.2f} ({row['forecast'] / row['peak'] - 1:+.0%})"
        body.append([f"{row['side']} px", row["precision"], f"{row['peak'] / 2**30:.2f}", forecast, each])
    text = (
        f"{tables.table(['long side', 'precision', 'peak, GiB', 'forecast, GiB', 'bytes a pixel'], body)}\n\n"
        f"{bundled()[0].name}, whole process, one scale, a history of {_OPTIONS['history']}; every step that L-BFGS "
        f"remembers adds 24 bytes a pixel. {tables.measured_on(rows)}"
    )
    tables.write("memory", text)
