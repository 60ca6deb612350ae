"""Owns the storage of measured rows, one per line, each with its machine and versions."""

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
        name: name of the benchmark.
        key: the columns that identify a row, together with machine and versions. A row with the same values is not
            measured again, even at another commit; the row names its commit.
    """

    def __init__(self, name: str, key: Iterable[str], *, folder: Path = RESULTS) -> None:
        self.path = folder / f"{name}.jsonl"
        self.key = tuple(key)

    def rows(self) -> list[Row]:
        """All rows of every machine, oldest first; of rows with the same key, only the last."""
        found = {self._about(row): row for row in self._lines()}
        return list(found.values())

    def of_one_machine(self) -> list[Row]:
        """The rows of the machine and versions that measured last: only these are comparable."""
        lines = self._lines()
        return [row for row in self.rows() if all(row[name] == lines[-1][name] for name in ("machine", "versions"))]

    def measured(self, about: Mapping[str, Any]) -> Row | None:
        """The row with the key `about`, this machine and these versions; None if there is none."""
        wanted = self._about({**about, "machine": machine(), "versions": versions()})
        return next((row for row in self.rows() if self._about(row) == wanted), None)

    def measure(self, about: Mapping[str, Any], work: Callable[[], Mapping[str, Any]], *, again: bool = False) -> Row:
        """The stored row with the key `about`, or a new one from `work`, which is stored at once."""
        known = None if again else self.measured(about)
        if known is not None:
            return known
        print(f"{self.path.stem}: {', '.join(f'{name} {value}' for name, value in about.items())} …", flush=True)
        # If the key has a number of threads, it takes precedence.
        conditions = {"machine": machine(), "threads": threads(), "versions": versions(), "commit": commit()}
        row: Row = {**conditions, **about, **work()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        return row

    def _lines(self) -> list[Row]:
        """All stored lines, oldest first."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]

    def _about(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(json.dumps(row.get(column)) for column in (*self.key, "machine", "versions"))
