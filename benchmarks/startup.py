"""Start-up time: imports, help, and the time to the first iteration."""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks import tables
from benchmarks.pairs import bundled
from benchmarks.processes import run
from benchmarks.store import Row, Store

_REPEATS = 7
_FIRST_ITERATION = """
import sys, time
begin = time.perf_counter()
from impasto import api
next(api.stylization(sys.argv[1], sys.argv[2], api.settings_for(size=512)))
"""


def measure(store: Store, *, again: bool = False) -> list[Row]:
    """Measure a row for each command."""
    pair = bundled()[0]
    python = sys.executable
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "out.png"
        commands: dict[str, list[str | Path]] = {
            "python -c pass": [python, "-c", "pass"],
            "import impasto": [python, "-c", "import impasto"],
            "import torch": [python, "-c", "import torch"],
            "impasto --help": [python, "-m", "impasto", "--help"],
            "impasto stylize --help": [python, "-m", "impasto", "stylize", "--help"],
            "to the first iteration": [python, "-c", _FIRST_ITERATION, pair.content, pair.style],
            "stylize at 32 px, 1 iteration": [
                *(python, "-m", "impasto", "stylize", pair.content, pair.style, "-o", picture, "-q", "-f"),
                *("--size", "32", "--scales", "1", "--iterations", "1"),
            ],
        }
        return [
            store.measure({"what": what}, partial(_time, command), again=again) for what, command in commands.items()
        ]


def _time(command: list[str | Path]) -> dict[str, list[float]]:
    run(command)
    return {"seconds": [round(run(command).seconds, 3) for _ in range(_REPEATS)]}


def write(rows: list[Row]) -> None:
    """Write the table: seconds."""
    body = [[row["what"], tables.spread(row["seconds"])] for row in rows]
    text = (
        f"{tables.table(['what', 'seconds'], body)}\n\nWhole processes, median (least–largest) of {_REPEATS}. "
        f"{tables.measured_on(rows)}"
    )
    tables.write("startup", text)
