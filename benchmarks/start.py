"""Where to start: seconds to the same picture from the photograph and from what the fast engine makes of it."""

from __future__ import annotations

import time
from functools import partial

from benchmarks import tables
from benchmarks.pairs import Pair, bundled
from benchmarks.store import Row, Store
from impasto import api, pictures
from impasto.metrics import Judge

_SIDE = 384
_STARTS = ("content", "fast")
# Shares of the default's iterations.
_SHARES = (0.125, 0.25, 0.5, 1.0)


def measure(store: Store, *, pairs: int | None = None, again: bool = False) -> list[Row]:
    """A row for each pair, start and length."""
    return [
        store.measure(
            {"pair": pair.name, "start": start, "share": share}, partial(_paint, pair, start, share), again=again
        )
        for pair in bundled()[:pairs]
        for share in _SHARES
        for start in _STARTS
    ]


def _paint(pair: Pair, start: str, share: float) -> dict[str, object]:
    content, style = pictures.load(pair.content), pictures.load(pair.style)
    settings = api.settings_for()
    lengths = {name: max(1, round(share * getattr(settings, name))) for name in ("iterations", "coarse_iterations")}
    begin = time.perf_counter()
    pastiche = api.stylize(content, style, size=_SIDE, init=start, **lengths)
    seconds = time.perf_counter() - begin
    judgement = Judge(content, [style]).judge(pastiche.image)
    return {
        "seconds": round(seconds, 2),
        "loss": round(pastiche.trace[-1].value, 4),
        "style": round(judgement.style, 4),
        "content": round(judgement.content, 4),
        "artifacts": len(judgement.artifacts),
    }


def write(rows: list[Row]) -> None:
    """The table: medians over the pairs of what each start comes to in each length."""
    body = []
    for share in _SHARES:
        for start in _STARTS:
            mine = [row for row in rows if row["start"] == start and row["share"] == share]
            figures = [tables.spread([row[name] for row in mine]) for name in ("seconds", "loss", "style", "content")]
            body.append([f"{start}, {share:g}", *figures, str(sum(row["artifacts"] for row in mine))])
    text = tables.table(["start, of the default's iterations", "s", "loss", "style", "content", "artifacts"], body)
    count = len({row["pair"] for row in rows})
    tables.write(
        "start", f"{text}\n\n{_SIDE} px, {count} pairs; medians, least and largest. {tables.measured_on(rows)}"
    )
