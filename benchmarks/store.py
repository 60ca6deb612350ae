"""Owns the rows that were measured: kept one a line, each with its machine and versions, and not measured twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.machine import machine, threads, versions

RESULTS = Path(__file__).parent / "results"

Row = dict[str, Any]


class Store:
    """The rows of one benchmark, in `results/NAME.jsonl`.

    Args:
        name: of the benchmark.
        key: the columns that say what a row is about; a row with the same values, machine and versions stands for it.
    """

    def __init__(self, name: str, key: Iterable[str], *, folder: Path = RESULTS) -> None:
        self.path = folder / f"{name}.jsonl"
        self.key = tuple(key)

    def rows(self) -> list[Row]:
        """All rows, oldest first; of those about the same thing only the last."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").splitlines()
        found = {self._about(row): row for row in map(json.loads, lines)}
        return list(found.values())

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
        row: Row = {**about, **work(), "machine": machine(), "threads": threads(), "versions": versions()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        return row

    def _about(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(json.dumps(row.get(column)) for column in (*self.key, "machine", "versions"))
