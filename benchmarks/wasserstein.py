"""The time of Wasserstein losses with Adam for a picture of the same content distance as Impasto's.

The published defaults of crowsonkb/style-transfer-pytorch are reproduced with Impasto's losses and optimiser. They are
compared with the command at several strengths around the resulting content distance.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from functools import partial

import numpy as np

from benchmarks import counting, quality, tables
from benchmarks.pairs import classic
from benchmarks.store import Row, Store

THEIRS = "Wasserstein and Adam"
# The original uses scales by √2 from 128 px, 1000 iterations at the first and 500 at each other scale, no
# preconditioning and averaged iterates. Our iterations are interpolated from the first scale to the last; 600 to 500
# are as much work. Its weights of content (0.015) and total variation (2) belong to losses of other magnitudes: here
# content has our default weight, and total variation none.
_THEIR_OPTIONS = (
    *("--style-loss", "wasserstein", "--optimizer", "adam", "--averaging", "0.99"),
    *("--style-weight", "10", "--style-layers", "relu1_1=256,relu2_1=64,relu3_1=16,relu4_1=4,relu5_1=1"),
    *("--coarse-size", "128", "--scales", "5", "--coarse-iterations", "600", "--iterations", "500", "--tolerance", "0"),
    *("--preconditioning", "0", "--detail", "0", "--grain", "0", "--precision", "float32"),
)
# Our defaults, and fewer iterations at the final size.
_OURS: dict[str, tuple[str, ...]] = {"impasto": (), "impasto, in haste": ("--iterations", "10")}
# As they were counted before, see `counting`.
_STRENGTHS = (0.3, 0.35, 0.4, 0.45, 0.5)


def measure(store: Store, *, side: int = 512, again: bool = False) -> list[Row]:
    """Measure a row for each of our strengths, and one for Wasserstein losses with Adam, on the first classic pair."""
    rows = []
    for pair in classic()[:1]:
        for program, options in _programs().items():
            about = {"program": program, "pair": pair.name, "side": side}
            work = partial(quality.painted, program, pair, side, options)
            rows.append(store.measure(about, work, again=again))
    return rows


def _programs() -> dict[str, tuple[str, ...]]:
    """Options of each program."""
    programs = {
        f"{name}, strength {strength:g}": ("--strength", str(counting.today(strength)), *options)
        for name, options in _OURS.items()
        for strength in _STRENGTHS
    }
    return {**programs, THEIRS: _THEIR_OPTIONS}


def write(rows: list[Row]) -> None:
    """Write the table, with our speed at the same content distance."""
    body = [
        [
            row["program"],
            f"{row['side']} px",
            *(f"{row[name]:.3f}" for name in ("style", "content", "edges")),
            ", ".join(row["faults"]) or "none",
            f"{row['seconds']:.0f}",
        ]
        for row in tables.in_order(rows, "program", _programs())
    ]
    headings = ["program", "long side", "style", "content", "edges", "faults", "seconds"]
    text = f"{tables.table(headings, body)}\n\n{compared(rows)} {rows[0]['pair']}. {tables.measured_on(rows)}"
    tables.write("wasserstein", text)


def compared(rows: Sequence[Row]) -> str:
    """A sentence for each size and each of our entries: its style at their content distance, and the ratio of times."""
    sentences = []
    for side, name in itertools.product(sorted({row["side"] for row in rows}), _OURS):
        here = [row for row in rows if row["side"] == side]
        theirs = next((row for row in here if row["program"] == THEIRS), None)
        ours = [row for row in here if row["program"].rpartition(", strength ")[0] == name]
        ours.sort(key=lambda row: row["content"])
        contents = [row["content"] for row in ours]
        if theirs is None or not ours or not contents[0] <= theirs["content"] <= contents[-1]:
            continue
        style = np.interp(theirs["content"], contents, [row["style"] for row in ours])
        factor = theirs["seconds"] / statistics.median(row["seconds"] for row in ours)
        sentences.append(
            f"At {side} px and a content distance of {theirs['content']:.3f}, style is {theirs['style']:.3f} with "
            f"Wasserstein losses and Adam, and {style:.3f} with {name}, which is {factor:.0f} times faster."
        )
    return " ".join(sentences)
