"""The race to a loss: seconds until Impasto reaches the loss that plain L-BFGS has after 500 evaluations.

Both minimise the same objective, starting from the photograph. The loss that counts is the plain objective at one size
in float32; the clock is stopped while it is computed. Impasto uses its preconditioner and its number formats, and
starts
on a smaller picture, as it always does: at half the size, from which the change is enlarged and added to the
photograph. All of this is timed. Impasto gives up when it has taken as long as plain L-BFGS. Each program runs in its
own process with the thread wait policy of the command, so that other programs disturb it little; Impasto also uses
large memory pages.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import tables
from benchmarks.baseline import HISTORY, PlainObjective, descend
from benchmarks.machine import threads
from benchmarks.pairs import Pair, bundled
from benchmarks.processes import in_a_process
from benchmarks.store import Row, Store
from impasto import devices, loading, targets
from impasto.backbones import VGG19
from impasto.cli import LARGE_PAGES, SHORT_WAITS
from impasto.images import fit, resize
from impasto.objective import Objective, evaluate
from impasto.optimizers import LBFGS, Step
from impasto.preconditioning import FrequencyPreconditioner
from impasto.settings import Settings

PLAIN, ADAM, IMPASTO = "plain L-BFGS", "plain Adam", "impasto"
_EVALUATIONS = 500
# Evaluations of plain Adam on the first pair, for comparison; it does not reach the loss.
_ADAM = 100
# History of Impasto's L-BFGS: with 20 it stalls after hundreds of evaluations.
_HISTORY = 100
# Factor on the initial inverse Hessian of Impasto's L-BFGS, for runs as long as these.
_SCALING = 3.0
# Evaluations of Impasto at half the size.
_COARSE = 100
# The style layers of the paper, with equal weights.
_LAYERS = dict.fromkeys(("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"), 1.0)
# Exponent of the preconditioner. The default of 0.75 is for a tenth as many evaluations: it favours large forms over
# fine detail.
_PRECONDITIONING = 0.25
# Impasto gives up after this multiple of the time of plain L-BFGS.
_PATIENCE = 1.0
# Evaluations between two checks of the plain objective, which are not timed.
_CHECK_EVERY = 4


def measure(store: Store, *, side: int = 512, pairs: int | None = None, again: bool = False) -> list[Row]:
    """Measure a row for each program and pair."""
    rows = []
    for index, pair in enumerate(bundled()[:pairs]):
        work = partial(in_a_process, _plain, pair, side, "lbfgs", _EVALUATIONS, environment=SHORT_WAITS)
        plain = store.measure(_about(PLAIN, pair, side), work, again=again)
        rows.append(plain)
        if index == 0:
            work = partial(in_a_process, _plain, pair, side, "adam", _ADAM, environment=SHORT_WAITS)
            rows.append(store.measure(_about(ADAM, pair, side), work, again=again))
        limits = _Limits(plain["loss"], _PATIENCE * plain["seconds"], 4 * _EVALUATIONS, _COARSE)
        work = partial(in_a_process, _ours, pair, side, limits, environment=LARGE_PAGES | SHORT_WAITS)
        rows.append(store.measure(_about(IMPASTO, pair, side), work, again=again))
    return rows


def _clock() -> float:
    """Processor time if there is one thread, because other programs influence it little; else wall-clock time."""
    return time.process_time() if threads() == 1 else time.perf_counter()


def _about(program: str, pair: Pair, side: int) -> dict[str, object]:
    return {"program": program, "pair": pair.name, "side": side, "threads": threads()}


@dataclass(frozen=True)
class _Limits:
    """The loss that Impasto has to reach, its limits of time and evaluations, and its evaluations at half the size."""

    loss: float
    seconds: float
    evaluations: int
    coarse: int


class _Problem:
    """A pair at a size: the photograph, the plain objective, and Impasto's objective."""

    def __init__(self, pair: Pair, side: int) -> None:
        content, self.style = loading.load(pair.content), loading.load(pair.style)
        self.settings = Settings(
            size=side, style_loss="gram", style_layers=_LAYERS, style_weight=10.0, preconditioning=_PRECONDITIONING
        )
        self.photograph = resize(content.pixels, fit(content.size, side))
        network = VGG19("relu5_1")
        self.plain = PlainObjective(self.objective(network, self.photograph), network)

    def objective(self, network: VGG19, photograph: Tensor) -> Objective:
        return targets.objective_at(network, photograph, [self.style], self.settings)

    @torch.no_grad()
    def loss(self, image: Tensor) -> float:
        """The loss by the plain objective."""
        return float(self.plain(image))

    def descent(self, network: VGG19, photograph: Tensor, image: Tensor, iterations: int) -> Iterator[Step]:
        """Impasto's optimizer on the objective for a photograph of any size, from an image of that size."""
        height, width = photograph.shape[-2:]
        return LBFGS(_HISTORY, scaling=_SCALING).descend(
            partial(evaluate, self.objective(network, photograph)),
            image,
            iterations=iterations,
            precondition=FrequencyPreconditioner((height, width), self.settings.preconditioning),
        )


def _plain(pair: Pair, side: int, optimizer: str, evaluations: int) -> dict[str, object]:
    problem = _Problem(pair, side)
    trace = descend(problem.plain, problem.photograph, evaluations=evaluations, optimizer=optimizer, clock=_clock)
    return {
        "seconds": trace[-1][0],
        "loss": min(loss for _, loss in trace),
        "evaluations": len(trace),
        "height": problem.photograph.shape[-2],
        "width": problem.photograph.shape[-1],
    }


def _ours(pair: Pair, side: int, limits: _Limits) -> dict[str, object]:
    problem = _Problem(pair, side)
    begin = _clock()
    checked = 0.0
    network = VGG19("relu5_1", dtype=devices.precision("auto", torch.device("cpu")))
    start = _coarse_start(problem, network, limits.coarse)
    best, made = math.inf, 0
    for made, step in enumerate(problem.descent(network, problem.photograph, start, limits.evaluations), start=1):
        # The bfloat16 loss is exact enough to decide when to check the plain objective.
        if step.evaluation.value < 1.03 * limits.loss and made % _CHECK_EVERY == 0:
            pause = _clock()
            best = min(best, problem.loss(step.image))
            checked += _clock() - pause
        if best <= limits.loss or _clock() - begin - checked > limits.seconds:
            break
    seconds = _clock() - begin - checked
    if best > limits.loss:
        # The loss that it did reach.
        best = min(best, problem.loss(step.image))
    return {"seconds": seconds, "loss": best, "evaluations": made}


def _coarse_start(problem: _Problem, network: VGG19, evaluations: int) -> Tensor:
    """The photograph plus the enlarged change of an optimisation at half the size."""
    height, width = problem.photograph.shape[-2:]
    small = resize(problem.photograph, (height // 2, width // 2))
    for step in problem.descent(network, small, small, evaluations):
        painted = step.image
    change = F.interpolate(painted - small, size=(height, width), mode="bicubic", align_corners=False)
    return problem.photograph + change


def write(rows: list[Row]) -> None:
    """Write the table: seconds of both programs, and their ratio."""
    ordered = sorted(tables.in_order(rows, "pair", [pair.name for pair in bundled()]), key=lambda row: row["side"])
    found = {(row["program"], row["pair"], row["side"], row["threads"]): row for row in ordered}
    body: list[list[str]] = []
    notes: list[str] = []
    ratios: dict[int, list[float]] = {}
    for (program, pair, side, thread_count), plain in found.items():
        if program == ADAM:
            size = f"{plain['width']} × {plain['height']} px"
            notes.append(f"Plain Adam has {plain['loss']:.4f} after {plain['evaluations']} evaluations at {size}.")
        ours = found.get((IMPASTO, pair, side, thread_count))
        if program != PLAIN or ours is None:
            continue
        ratio, reached = ours["seconds"] / plain["seconds"], ours["loss"] <= plain["loss"]
        ratios.setdefault(side, []).append(ratio)
        body.append(
            [
                pair,
                f"{plain['width']} × {plain['height']}",
                str(thread_count),
                f"{plain['loss']:.4f}",
                f"{plain['seconds']:.0f}",
                f"{ours['seconds']:.0f}",
                str(ours["evaluations"]),
                f"{ratio:.2f}" if reached else f"not reached, {ours['loss'] / plain['loss'] - 1:.1%} above",
            ]
        )
    headings = ["pair", "px", "threads", "loss", "plain L-BFGS, s", "Impasto, s", "Impasto's evaluations", "ratio"]
    text = (
        f"{tables.table(headings, body)}\n\nSeconds to the loss that `torch.optim.LBFGS` has after {_EVALUATIONS} "
        f"evaluations of the same objective, Gram matrices alone, from the same photograph; of one thread, the "
        f"processor's. Impasto's are those of its settings for long runs (a history of {_HISTORY}, preconditioning "
        f"{_PRECONDITIONING:g}, scaling {_SCALING:g}), of bfloat16, of memory in large pages, and of {_COARSE} "
        f"evaluations at half the size before those that are counted; plain L-BFGS has a history of {HISTORY}, float32 "
        f"and the size alone. "
        f"{_medians(ratios)} {' '.join(notes)} "
        f"{tables.measured_on(rows)}"
    )
    tables.write("race", text)


def _medians(ratios: Mapping[int, Sequence[float]]) -> str:
    """The median ratio of each size; races in which the loss was not reached count with their time."""
    each = [f"{tables.spread(found)} at {side} px ({len(found)})" for side, found in sorted(ratios.items())]
    return f"Median ratio (least–largest; races): {', '.join(each)}."
