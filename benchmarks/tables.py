"""Owns the tables: Markdown in `results/NAME.md`, and between two marks in the docs."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.store import RESULTS, Row

DOCS = Path(__file__).parents[1] / "docs"


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median, with the least and the largest value if there are several."""
    middle = f"{statistics.median(values):.{digits}f}"
    return middle if len(values) < 2 else f"{middle} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    rule = ["---", *["---:"] * (len(headings) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (headings, rule, *rows))


def in_order(rows: Sequence[Row], column: str, names: Iterable[object]) -> list[Row]:
    """The rows in the order of `names` in a column, then by age; rows with other names come last."""
    ranks = {name: rank for rank, name in enumerate(names)}
    return sorted(rows, key=lambda row: ranks.get(row[column], len(ranks)))


def measured_on(rows: Sequence[Row]) -> str:
    """A sentence with the machines, the numbers of threads and the versions of the rows."""
    threads: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        threads.setdefault((row["machine"], row["versions"]), set()).add(_threads(row))
    made = [f"{machine}, {' or '.join(sorted(found))}; {versions}" for (machine, versions), found in threads.items()]
    return "Measured on " + "; and on ".join(sorted(made)) + "."


def processor_seconds(rows: Sequence[Row]) -> str:
    """The median seconds of the rows that were measured with one thread; empty if there are none."""
    found = [row["seconds"] for row in rows if row.get("threads") == 1]
    return f"{statistics.median(found):.1f}" if found else ""


def _threads(row: Row) -> str:
    # The oldest rows have no number of threads; they were measured with one thread per core.
    count = row.get("threads")
    return f"{count} thread{'s' if count > 1 else ''}" if count else "a thread for each core"


def write(name: str, text: str) -> None:
    """Write a table to `results`, and between its marks in the docs."""
    (RESULTS / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    for page in DOCS.glob("*.md"):
        before = page.read_text(encoding="utf-8")
        after = re.sub(
            f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n\n{text}\n\n{end}", before, flags=re.DOTALL
        )
        if after != before:
            page.write_text(after, encoding="utf-8")
