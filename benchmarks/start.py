"""Initialization: seconds to the same loss from the photograph and from the result of the fast engine."""

from __future__ import annotations

import math
import time
from functools import partial
from itertools import pairwise

from benchmarks import tables
from benchmarks.pairs import Pair, bundled
from benchmarks.store import Row, Store
from impasto import api, assets, loading
from impasto.fast.models import ANY, BUNDLED
from impasto.metrics import Judge

_SIDE = 384
_STARTS = ("content", "fast")
# Fractions of the default number of iterations.
_SHARES = (0.125, 0.25, 0.5, 1.0)


def measure(store: Store, *, pairs: int | None = None, again: bool = False) -> list[Row]:
    """Measure a row for each pair, start and length."""
    model = _model()
    return [
        store.measure(
            {"pair": pair.name, "start": start, "share": share, "model": model},
            partial(_paint, pair, start, share),
            again=again,
        )
        for pair in bundled()[:pairs]
        for share in _SHARES
        for start in _STARTS
    ]


def _model() -> str:
    """A hash that identifies the bundled model that `--init fast` uses."""
    path = BUNDLED[ANY]
    return next(asset.sha256[:12] for asset in assets.manifest() if asset.path == path)


def _paint(pair: Pair, start: str, share: float) -> dict[str, object]:
    content, style = loading.load(pair.content), loading.load(pair.style)
    settings = api.settings_for()
    lengths = {name: max(1, round(share * getattr(settings, name))) for name in ("iterations", "coarse_iterations")}
    # Processor time, so that other programs on the machine matter little.
    begin = time.process_time()
    pastiche = api.stylize(content, style, size=_SIDE, init=start, **lengths)
    seconds = time.process_time() - begin
    judgement = Judge(content, [style]).judge(pastiche.image)
    return {
        "seconds": round(seconds, 2),
        "loss": round(pastiche.trace[-1].value, 4),
        "style": round(judgement.style, 4),
        "content": round(judgement.content, 4),
        "artifacts": len(judgement.artifacts),
    }


def write(rows: list[Row]) -> None:
    """Write the table: medians for each start and length, over the pairs that are complete for the bundled model."""
    model = _model()
    rows = [row for row in rows if row.get("model") == model]
    by_pair: dict[str, list[Row]] = {}
    for row in rows:
        by_pair.setdefault(row["pair"], []).append(row)
    pairs = [found for found in by_pair.values() if len(found) == len(_SHARES) * len(_STARTS)]
    if not pairs:
        return
    body = []
    for share in _SHARES:
        for start in _STARTS:
            mine = [row for pair in pairs for row in pair if row["start"] == start and row["share"] == share]
            figures = [tables.spread([row[name] for row in mine]) for name in ("seconds", "loss", "style", "content")]
            body.append([f"{start}, {share:g}", *figures, str(sum(row["artifacts"] for row in mine))])
    headings = ["start, of the default's iterations", "processor s", "loss", "style", "content", "artifacts"]
    until = {start: [_reached(pair, start) for pair in pairs] for start in _STARTS}
    tables.write(
        "start",
        f"{tables.table(headings, body)}\n\n{_SIDE} px, {len(pairs)} pairs; medians, least and largest. To the loss "
        f"with which the worse of both ends: {tables.spread(until['content'], 0)} s from the photograph, "
        f"{tables.spread(until['fast'], 0)} s from the fast engine's picture. {tables.measured_on(rows)}",
    )


def _reached(pair: list[Row], start: str) -> float:
    """Seconds until a start reaches the higher of the two final losses, interpolated between the measured lengths."""
    goal = max(row["loss"] for row in pair if row["share"] == _SHARES[-1])
    course = sorted((row["seconds"], row["loss"]) for row in pair if row["start"] == start)
    for (before, high), (after, low) in pairwise(course):
        if low <= goal:
            # The logarithm of the loss falls about linearly.
            part = math.log(high / goal) / math.log(high / low) if high > goal else 0.0
            return float(before + part * (after - before))
    return float(course[-1][0])
