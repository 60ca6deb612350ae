"""The race to a loss: seconds until Impasto reaches the loss that plain L-BFGS has after 500 evaluations.

Both minimise the same objective from the same start, the photograph, at one size. Impasto has its preconditioner and
its arithmetic. The loss that counts is that of the plain objective in float32, computed while the clock is stopped.
"""

from __future__ import annotations

import time
from functools import partial

import torch

from benchmarks import tables
from benchmarks.pairs import Pair, bundled
from benchmarks.store import Row, Store
from benchmarks.yardstick import PlainObjective, descend
from impasto import devices, pictures, targets
from impasto.backbones import VGG19
from impasto.images import Image, fit, resize
from impasto.objective import evaluate
from impasto.optimizers import LBFGS, FrequencyPreconditioner
from impasto.settings import Settings

_EVALUATIONS = 500
# Of plain Adam, to see how far it gets; it does not get to the loss.
_ADAM = 100


def measure(store: Store, *, side: int = 512, pairs: int | None = None, again: bool = False) -> list[Row]:
    """A row for each pair."""
    return [
        store.measure({"pair": pair.name, "side": side}, partial(_race, pair, side), again=again)
        for pair in bundled()[:pairs]
    ]


def _race(pair: Pair, side: int) -> dict[str, object]:
    content, style = pictures.load(pair.content), pictures.load(pair.style)
    settings = Settings(size=side)
    network = VGG19("relu5_1")
    photograph = resize(content.pixels, fit(content.size, side))
    plain = PlainObjective(targets.objective_at(network, photograph, [style], settings), network)
    adam = descend(plain, photograph, evaluations=_ADAM, optimizer="adam")
    trace = descend(plain, photograph, evaluations=_EVALUATIONS)
    goal = min(loss for _, loss in trace)
    seconds, evaluations, loss = _ours(plain, photograph, style, settings, goal)
    return {
        "goal": goal,
        "plain": trace[-1][0],
        "adam_loss": min(loss for _, loss in adam),
        "adam": adam[-1][0],
        "impasto": seconds,
        "evaluations": evaluations,
        "loss": loss,
        "height": photograph.shape[-2],
        "width": photograph.shape[-1],
    }


def _ours(
    plain: PlainObjective, photograph: torch.Tensor, style: Image, settings: Settings, goal: float
) -> tuple[float, int, float]:
    """Seconds, evaluations at the final size, and the loss reached; the clock stands while the loss is checked."""
    begin = time.perf_counter()
    checked = 0.0
    network = VGG19("relu5_1", dtype=devices.precision("auto", torch.device("cpu")))
    size = (photograph.shape[-2], photograph.shape[-1])
    objective = targets.objective_at(network, photograph, [style], settings)
    descent = LBFGS(settings.history).descend(
        partial(evaluate, objective),
        photograph,
        iterations=4 * _EVALUATIONS,
        precondition=FrequencyPreconditioner(size, settings.preconditioning),
    )
    best = float("inf")
    evaluations = 0
    for step in descent:
        evaluations += 1
        # What bfloat16 says is near enough to know when it is worth asking.
        if step.evaluation.value > 1.03 * goal:
            continue
        pause = time.perf_counter()
        with torch.no_grad():
            best = min(best, float(plain(step.image)))
        checked += time.perf_counter() - pause
        if best <= goal:
            break
    return time.perf_counter() - begin - checked, evaluations, best


def write(rows: list[Row]) -> None:
    """The table: seconds of both, and their ratio."""
    body = []
    for row in rows:
        reached = row["loss"] <= row["goal"]
        body.append(
            [
                row["pair"],
                f"{row['width']} × {row['height']}",
                f"{row['goal']:.4f}",
                f"{row['adam_loss']:.4f}",
                f"{row['plain']:.0f}",
                f"{row['impasto']:.0f}" + ("" if reached else " (not reached)"),
                str(row["evaluations"]),
                f"{row['impasto'] / row['plain']:.2f}",
            ]
        )
    ratios = [row["impasto"] / row["plain"] for row in rows]
    headings = [
        "pair",
        "px",
        "loss",
        f"Adam's after {_ADAM}",
        "plain L-BFGS, s",
        "Impasto, s",
        "Impasto's evaluations",
        "ratio",
    ]
    text = (
        f"{tables.table(headings, body)}\n\nSeconds to the loss that `torch.optim.LBFGS` has after {_EVALUATIONS} "
        f"evaluations of the same objective from the same photograph; median ratio {tables.spread(ratios)}. "
        f"{tables.measured_on(rows)}"
    )
    tables.write("race", text)
