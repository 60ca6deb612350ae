"""The whole command and its peers: seconds and memory from `impasto stylize …` to the picture, by preset."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import tables
from benchmarks.pairs import Pair, bundled
from benchmarks.peers import DESCENTS, ITERATIONS, PEERS
from benchmarks.processes import Finished, run
from benchmarks.store import Row, Store

# Preset, long side in pixels, number of runs.
_OURS = (("default", 512, 3), ("default", 1024, 2), ("quick", 512, 3))
_SIDE_OF_PEERS = 512
# Iterations of the two short runs of a peer; the larger exceeds its L-BFGS history, so that peak memory is realistic.
_FEW, _MORE = 20, 120


def measure(store: Store, *, peers: bool = True, again: bool = False) -> list[Row]:
    """Measure a row for each program, preset and size."""
    pair = bundled()[0]
    rows = [
        store.measure(
            {"program": f"impasto, {preset}", "side": side}, partial(_ours, pair, preset, side, repeats), again=again
        )
        for preset, side, repeats in _OURS
    ]
    if peers:
        for name in PEERS:
            about = {"program": f"{name}, defaults", "side": _SIDE_OF_PEERS}
            rows.append(store.measure(about, partial(_peer, name, pair), again=again))
    return rows


def ours(pair: Pair, out: Path, size: int, *options: str, verb: str = "stylize") -> Finished:
    """Run `impasto stylize`, or another command, as a user does."""
    command: list[str | Path] = [sys.executable, "-m", "impasto", verb, pair.content, pair.style]
    return run([*command, "-o", out, "--size", str(size), "--quiet", "--force", *options])


def _ours(pair: Pair, preset: str, side: int, repeats: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.png"
        runs = [ours(pair, out, side, "--preset", preset) for _ in range(repeats)]
    return _summary(runs)


def _peer(name: str, pair: Pair) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.png"
        if name not in DESCENTS:
            return _summary([PEERS[name](pair, out, _SIDE_OF_PEERS)])
        few, more = (DESCENTS[name](pair, out, _SIDE_OF_PEERS, iterations=length) for length in (_FEW, _MORE))
        return _summary([replace(more, seconds=whole(few.seconds, more.seconds))])


def whole(few: float, more: float) -> float:
    """Seconds of a full run, extrapolated from two short runs: every iteration takes the same time."""
    return few + (ITERATIONS - _FEW) * (more - few) / (_MORE - _FEW)


def _summary(runs: list[Finished]) -> dict[str, list[float]]:
    return {
        "seconds": [round(one.seconds, 2) for one in runs],
        "gibibytes": [round(one.peak / 2**30, 2) for one in runs],
    }


def write(rows: list[Row]) -> None:
    """Write the table: seconds and GiB."""
    body = [
        [
            row["program"],
            f"{row['side']} px",
            str(len(row["seconds"])),
            tables.spread(row["seconds"], 1),
            tables.spread(row["gibibytes"]),
        ]
        for row in rows
    ]
    pair = bundled()[0]
    text = (
        f"{tables.table(['program', 'long side', 'runs', 'seconds', 'peak memory, GiB'], body)}\n\n"
        f"{pair.name}, from the command to the file. Of the {ITERATIONS} iterations of {' and '.join(DESCENTS)}, "
        f"{_FEW} and {_MORE} were run, which tell how long one takes. {tables.measured_on(rows)}"
    )
    tables.write("command", text)
