"""Owns L-BFGS on pixels: its memory of curvature, and its safeguards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from impasto.objective import Evaluation
from impasto.optimizers.optimizer import (
    MOST_FAILURES,
    Evaluate,
    Optimizer,
    Pixels,
    Precondition,
    State,
    Step,
    check_failures,
    evaluated_start,
    resized,
    rms,
)


@dataclass
class CurvatureMemory:
    """The last steps and changes of gradient that L-BFGS builds its picture of the curvature from.

    Attributes:
        length: number of pairs that are kept.
        scaling: factor on the inverse Hessian that the recursion starts from; 1 is as curved as the last pair.
        steps, changes: the pairs, oldest first.
        curvatures: the inner product of each pair.
    """

    length: int = 20
    scaling: float = 1.0
    steps: list[Tensor] = field(default_factory=list)
    changes: list[Tensor] = field(default_factory=list)
    curvatures: list[float] = field(default_factory=list)

    def add(self, step: Tensor, change: Tensor) -> bool:
        """Remember a pair, if it shows positive curvature (else the direction might not descend)."""
        curvature = _dot(step, change)
        if not curvature > 1e-10 * _dot(change, change) ** 0.5 * _dot(step, step) ** 0.5:
            return False
        self.steps.append(step)
        self.changes.append(change)
        self.curvatures.append(curvature)
        del self.steps[: -self.length], self.changes[: -self.length], self.curvatures[: -self.length]
        return True

    def clear(self) -> None:
        """Forget everything."""
        self.steps.clear()
        self.changes.clear()
        self.curvatures.clear()

    def restore(self, steps: Sequence[Tensor], changes: Sequence[Tensor]) -> None:
        """Know those pairs, which another memory knew."""
        self.steps, self.changes = list(steps), list(changes)
        self.curvatures = [_dot(step, change) for step, change in zip(steps, changes, strict=True)]

    def resize(self, size: tuple[int, int]) -> None:
        """Carry the pairs to another size: steps are images; a gradient's entries shrink as the pixels multiply."""
        pairs = list(zip(self.steps, self.changes, strict=True))
        self.clear()
        for step, change in pairs:
            share = step.shape[-2] * step.shape[-1] / (size[0] * size[1])
            self.add(resized(step, size), resized(change, size) * share)

    def direction(self, gradient: Pixels, precondition: Callable[[Pixels], Pixels]) -> Pixels:
        """The quasi-Newton direction −H·gradient by the two-loop recursion (Nocedal & Wright 2006, algorithm 7.4).

        H starts as the preconditioner, by their equation 7.20 as curved as the last pair, times `scaling`.
        """
        pairs = list(zip(self.steps, self.changes, self.curvatures, strict=True))
        q = gradient.clone()
        alphas: list[float] = []
        for step, change, curvature in reversed(pairs):
            alphas.append(_dot(step, q) / curvature)
            q.add_(change, alpha=-alphas[-1])
        q = precondition(q)
        if pairs:
            _, change, curvature = pairs[-1]
            q *= self.scaling * curvature / _dot(change, precondition(change))
        for (step, change, curvature), alpha in zip(pairs, reversed(alphas), strict=True):
            q.add_(step, alpha=alpha - _dot(change, q) / curvature)
        return -q


class LBFGS(Optimizer):
    """Limited-memory BFGS (Liu & Nocedal 1989) with the safeguards that pixels need.

    Departures: the inverse Hessian starts from a frequency preconditioner; the first step has a size in pixel values
    instead of in gradients, so that it depends on no scale of the loss; no step exceeds a size; a step that does not
    lower the loss enough, or makes it infinite, is undone and shortened, while what it showed of the curvature is kept.

    Args:
        history: number of steps to remember.
        scaling: factor on the initial inverse Hessian. What a long history leaves unsaid is flatter than its last pair,
            so that runs of hundreds of steps gain by 2 to 4; those of a few dozen do not, and lose by 3.
        first_step, largest_step: root mean square of the change of the pixels (range 0..1) in a first and in any step.
    """

    def __init__(
        self, history: int = 20, *, scaling: float = 1.0, first_step: float = 0.02, largest_step: float = 0.1
    ) -> None:
        self.memory = CurvatureMemory(history, scaling)
        self.first_step = first_step
        self.largest_step = largest_step

    def begin(self, evaluate: Evaluate, image: Tensor) -> Step:
        self._here = evaluated_start(evaluate, image)
        # Factor on the length of the next step, and how many in a row were not finite, or did not lower the loss.
        self._shrink, self._failures, self._rises = 1.0, 0, 0
        return Step(self._here, self._here.image)

    def step(self, evaluate: Evaluate, precondition: Precondition) -> Step | None:
        here = self._here
        direction = self.memory.direction(here.gradient, precondition)
        slope = float((direction * here.gradient).sum())
        if not slope < 0:
            self.memory.clear()
            direction = -precondition(here.gradient)
            slope = float((direction * here.gradient).sum())
        size = rms(direction)
        if size == 0.0:
            return None
        length = self._shrink * (min(1.0, self.largest_step / size) if self.memory.steps else self.first_step / size)
        there = evaluate(here.image + length * direction)
        if not there.finite:
            self._failures += 1
            self._shrink *= 0.1
            check_failures(self._failures)
        else:
            self._failures = 0
            self.memory.add(there.image - here.image, there.gradient - here.gradient)
            if there.value <= here.value + 1e-4 * length * slope:
                self._here, self._shrink, self._rises = there, 1.0, 0
            else:
                self._shrink *= 0.5
                self._rises += 1
                if self._rises == MOST_FAILURES:
                    # The remembered curvature misleads; begin again from the gradient alone.
                    self.memory.clear()
                    self._shrink, self._rises = 1.0, 0
        return Step(there, self._here.image)

    def resize(self, size: tuple[int, int]) -> None:
        self.memory.resize(size)

    def forget(self) -> None:
        self.memory.clear()

    def state(self) -> State:
        return {
            **{name: getattr(self._here, name) for name in ("image", "value", "gradient")},
            "steps": list(self.memory.steps),
            "changes": list(self.memory.changes),
            "shrink": self._shrink,
            "failures": self._failures,
            "rises": self._rises,
        }

    def restore(self, state: State) -> None:
        self._here = Evaluation(state["image"], state["value"], {}, state["gradient"])
        self.memory.restore(state["steps"], state["changes"])
        self._shrink, self._failures, self._rises = (state[name] for name in ("shrink", "failures", "rises"))


def _dot(one: Tensor, other: Tensor) -> float:
    """The inner product; not by `torch.dot`, whose last digits depend on where in memory the numbers lie."""
    return float((one * other).sum())
