"""The position of each strength between the photograph and strength 1, and its spread over pairs.

Strengths are as they were counted before, see `counting`.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from benchmarks import counting, tables
from benchmarks.pairs import Pair, classic
from benchmarks.store import Row, Store
from impasto import api, loading, targets, weighting
from impasto.backbones import VGG19
from impasto.images import fit, resize
from impasto.metrics import Judge
from impasto.objective import evaluate
from impasto.settings import Settings

_SIDE = 192
_PAIRS = 8
_STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
_BETWEEN = _STRENGTHS[1:-1]
# Candidate exponents for scaling the balance by the photograph's style loss.
_POWERS = np.linspace(-2.0, 2.0, 81)


def measure(store: Store, *, again: bool = False) -> list[Row]:
    """Measure a row for each pair and strength."""
    return [
        store.measure({"pair": pair.name, "strength": value}, partial(_judge, pair, value), again=again)
        for pair in classic()[:_PAIRS]
        for value in _STRENGTHS
    ]


def _judge(pair: Pair, strength: float) -> dict[str, object]:
    content, style = loading.load(pair.content), loading.load(pair.style)
    begin = time.perf_counter()
    pastiche = api.stylize(content, style, size=_SIDE, strength=counting.today(strength))
    seconds = time.perf_counter() - begin
    judgement = Judge(content, [style]).judge(pastiche.image)
    photograph = resize(content.pixels, fit(content.size, _SIDE))
    objective = targets.objective_at(VGG19("relu5_1"), photograph, [style], Settings(size=_SIDE))
    return {
        "seconds": round(seconds, 2),
        "style": round(judgement.style, 4),
        "content": round(judgement.content, 4),
        "edges": round(judgement.edges, 4),
        # The style loss of the photograph itself.
        "far": round(evaluate(objective, photograph).value, 4),
    }


def shares(row: Row, end: Row) -> tuple[float, float]:
    """The style gained and the content lost, as fractions of those at strength 1."""
    return (1 - row["style"]) / (1 - end["style"]), row["content"] / end["content"]


def position(row: Row, end: Row) -> float:
    """The position of a picture between the photograph (0) and the picture at strength 1 (1): the mean of `shares`."""
    return statistics.mean(shares(row, end))


def corrected(positions: Mapping[str, Sequence[float]], far: Mapping[str, float]) -> list[float]:
    """The positions of strength ½ if the balance were scaled by a power of the photograph's style loss.

    The exponent for each pair minimises the spread of the other pairs (leave-one-out), so that it is predicted and not
    fitted. Positions are interpolated along the logarithm of the balance.

    Args:
        positions: positions of each pair at the strengths between 0 and 1.
        far: the photograph's style loss, by pair.
    """
    balances = np.log([_content(value) / _content(0.5) for value in _BETWEEN])[::-1]

    def position_at_half(pair: str, power: float, mean: float) -> float:
        return float(np.interp(power * (math.log(far[pair]) - mean), balances, positions[pair][::-1]))

    found = []
    for left_out in positions:
        others = [pair for pair in positions if pair != left_out]
        mean = statistics.mean(math.log(far[pair]) for pair in others)
        power = min(_POWERS, key=lambda p: statistics.pstdev(position_at_half(pair, p, mean) for pair in others))
        found.append(position_at_half(left_out, float(power), mean))
    return found


def _content(strength: float) -> float:
    """The factor on the content weight."""
    return weighting.balance(counting.today(strength))[0]


def write(rows: list[Row]) -> None:
    """Write the table: the position of each strength by pair, and the spread."""
    found = {(row["pair"], row["strength"]): row for row in rows}
    pairs = [pair for pair in dict.fromkeys(row["pair"] for row in rows) if all((pair, s) in found for s in _STRENGTHS)]
    if len(pairs) < 3:
        return
    positions = {pair: [position(found[pair, s], found[pair, 1.0]) for s in _BETWEEN] for pair in pairs}
    parts = [[shares(found[pair, s], found[pair, 1.0]) for pair in pairs] for s in _BETWEEN]
    columns = list(zip(*positions.values(), strict=True))
    body = [[pair, *(f"{value:.2f}" for value in values)] for pair, values in positions.items()]
    body.append(["mean", *(f"{statistics.mean(column):.2f}" for column in columns)])
    body.append(["standard deviation", *(f"{statistics.pstdev(column):.3f}" for column in columns)])
    for index, name in enumerate(("style alone, mean", "content alone, mean")):
        body.append([name, *(f"{statistics.mean(part[index] for part in column):.2f}" for column in parts)])
    half = _BETWEEN.index(0.5)
    predicted = corrected(positions, {pair: found[pair, 0.0]["far"] for pair in pairs})
    text = (
        f"{tables.table(['pair', *(f'strength {value:g}' for value in _BETWEEN)], body)}\n\n"
        f"Scaling the balance by a power of the photograph's style loss, foretold for each pair from the others, would "
        f"bring the standard deviation at strength 0.5 from {statistics.pstdev(columns[half]):.3f} to "
        f"{statistics.pstdev(predicted):.3f}. At {_SIDE} px. {tables.measured_on(rows)}"
    )
    tables.write("strength", text)
