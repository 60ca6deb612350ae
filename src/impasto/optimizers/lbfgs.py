"""Owns L-BFGS on pixels: its memory of curvature, and its safeguards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
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
    difference,
    dot,
    evaluated_start,
    resized,
    rms,
)
from impasto.preconditioning import is_giant

#: Pairs that are kept of giants: enough for the few steps that they take.
GIANT_PAIRS = 2


@dataclass
class CurvatureMemory:
    """The last steps and changes of gradient that L-BFGS builds its picture of the curvature from.

    Attributes:
        length: number of pairs that are kept.
        scaling: factor on the inverse Hessian that the recursion starts from; 1 is as curved as the last pair.
        steps, changes: the pairs, oldest first.
        curvatures: the inner product of each pair.
        giant: whether the pictures are giants, of which two pairs are kept, in bfloat16.
    """

    length: int = 20
    scaling: float = 1.0
    steps: list[Tensor] = field(default_factory=list)
    changes: list[Tensor] = field(default_factory=list)
    curvatures: list[float] = field(default_factory=list)
    giant: bool = False

    @property
    def most(self) -> int:
        """Number of pairs that are kept of pictures of the present size."""
        return min(self.length, GIANT_PAIRS) if self.giant else self.length

    def add(self, step: Tensor, change: Tensor) -> bool:
        """Remember a pair, if it shows positive curvature (else the direction might not descend)."""
        if self.giant:
            step, change = step.to(torch.bfloat16), change.to(torch.bfloat16)
        curvature = dot(step, change)
        if not curvature > 1e-10 * dot(change, change) ** 0.5 * dot(step, step) ** 0.5:
            return False
        self.steps.append(step)
        self.changes.append(change)
        self.curvatures.append(curvature)
        del self.steps[: -self.most], self.changes[: -self.most], self.curvatures[: -self.most]
        return True

    def clear(self) -> None:
        """Forget everything."""
        self.steps.clear()
        self.changes.clear()
        self.curvatures.clear()

    def restore(self, steps: Sequence[Tensor], changes: Sequence[Tensor]) -> None:
        """Know those pairs, which another memory knew."""
        self.steps, self.changes = list(steps), list(changes)
        self.curvatures = [dot(step, change) for step, change in zip(steps, changes, strict=True)]

    def resize(self, size: tuple[int, int]) -> None:
        """Carry the pairs to another size: steps are images; a gradient's entries shrink as the pixels multiply."""
        self.giant = is_giant(size)
        pairs = list(zip(self.steps, self.changes, strict=True))[-self.most :]
        self.clear()
        for step, change in pairs:
            share = step.shape[-2] * step.shape[-1] / (size[0] * size[1])
            self.add(resized(step.float(), size), resized(change.float(), size).mul_(share))

    def direction(self, gradient: Pixels, precondition: Callable[[Pixels], Pixels]) -> Pixels:
        """The quasi-Newton direction −H·gradient by the two-loop recursion (Nocedal & Wright 2006, algorithm 7.4).

        H starts as the preconditioner, by their equation 7.20 as curved as the last pair, times `scaling`.
        """
        pairs = list(zip(self.steps, self.changes, self.curvatures, strict=True))
        q = gradient.clone()
        alphas: list[float] = []
        for step, change, curvature in reversed(pairs):
            alphas.append(dot(step, q) / curvature)
            q.add_(change, alpha=-alphas[-1])
        q = precondition(q)
        if pairs:
            _, change, curvature = pairs[-1]
            q *= self.scaling * curvature / dot(change, precondition(change.to(q.dtype)))
        for (step, change, curvature), alpha in zip(pairs, reversed(alphas), strict=True):
            q.add_(step, alpha=alpha - dot(change, q) / curvature)
        return q.neg_()


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
        slope = dot(direction, here.gradient)
        if not slope < 0:
            self.memory.clear()
            direction = -precondition(here.gradient)
            slope = dot(direction, here.gradient)
        size = rms(direction)
        if size == 0.0:
            return None
        length = self._shrink * (min(1.0, self.largest_step / size) if self.memory.steps else self.first_step / size)
        # In place, for each picture of a giant takes its gigabyte.
        there = evaluate(direction.mul_(length).add_(here.image))
        if not there.finite:
            self._failures += 1
            self._shrink *= 0.1
            check_failures(self._failures)
        else:
            self._failures = 0
            self.memory.add(difference(there.image, here.image), difference(there.gradient, here.gradient))
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
        self.memory.giant = is_giant((state["image"].shape[-2], state["image"].shape[-1]))
        self.memory.restore(state["steps"], state["changes"])
        self._shrink, self._failures, self._rises = (state[name] for name in ("shrink", "failures", "rises"))
