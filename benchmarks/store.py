"""Owns the rows that were measured: kept one a line, each with its machine and versions, and not measured twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.machine import commit, machine, threads, versions

RESULTS = Path(__file__).parent / "results"

Row = dict[str, Any]


class Store:
    """The rows of one benchmark, in `results/NAME.jsonl`.

    Args:
        name: of the benchmark.
        key: the columns that say what a row is about; a row with the same values, machine and versions stands for it,
            whichever commit it was measured at, which it names.
    """

    def __init__(self, name: str, key: Iterable[str], *, folder: Path = RESULTS) -> None:
        self.path = folder / f"{name}.jsonl"
        self.key = tuple(key)

    def rows(self) -> list[Row]:
        """All rows of every machine, oldest first; of those about the same thing only the last."""
        found = {self._about(row): row for row in self._lines()}
        return list(found.values())

    def of_one_machine(self) -> list[Row]:
        """The rows of the machine and versions that measured last, for only those can be compared."""
        lines = self._lines()
        return [row for row in self.rows() if all(row[name] == lines[-1][name] for name in ("machine", "versions"))]

    def measured(self, about: Mapping[str, Any]) -> Row | None:
        """The row about this, measured on this machine with these versions; None if there is none."""
        wanted = self._about({**about, "machine": machine(), "versions": versions()})
        return next((row for row in self.rows() if self._about(row) == wanted), None)

    def measure(self, about: Mapping[str, Any], work: Callable[[], Mapping[str, Any]], *, again: bool = False) -> Row:
        """The row about this: the one there is, or what `work` measures, which is kept at once."""
        known = None if again else self.measured(about)
        if known is not None:
            return known
        print(f"{self.path.stem}: {', '.join(f'{name} {value}' for name, value in about.items())} …", flush=True)
        # A number of threads that the row is about stays.
        conditions = {"machine": machine(), "threads": threads(), "versions": versions(), "commit": commit()}
        row: Row = {**conditions, **about, **work()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        return row

    def _lines(self) -> list[Row]:
        """All that was ever measured, oldest first."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]

    def _about(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(json.dumps(row.get(column)) for column in (*self.key, "machine", "versions"))
