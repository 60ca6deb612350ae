"""Owns what an optimiser of pixels is: its interface, its steps, and the safeguards that all of them share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from impasto.errors import OptimizationError
from impasto.objective import Evaluation
from impasto.preconditioning import is_giant

Pixels = Float[Tensor, "1 3 h w"]

# Pixels of a band of rows.
_BAND = 2**21

#: Value and gradient at an image.
Evaluate = Callable[[Tensor], Evaluation]
#: Multiplies an image by the initial inverse Hessian, up to a factor.
Precondition = Callable[[Tensor], Tensor]
#: All that an optimiser knows between two iterations, by name: numbers, tensors and lists of tensors.
State = Mapping[str, Any]

#: A run of this many steps that give no finite loss, each shorter than the one before, ends in an error.
MOST_FAILURES = 8


@dataclass(frozen=True)
class Step:
    """What one iteration came to.

    Attributes:
        evaluation: the one that was made, whether the optimiser liked it or not.
        image: the optimiser's answer so far: the image of least loss, or an average.
    """

    evaluation: Evaluation
    image: Tensor


class Optimizer(ABC):
    """Moves an image downhill: `begin` somewhere, then `step` as often as one likes."""

    @abstractmethod
    def begin(self, evaluate: Evaluate, image: Tensor) -> Step:
        """Go to `image`, (1, 3, height, width), with what is known from before.

        Raises:
            OptimizationError: the loss is not finite there.
        """

    @abstractmethod
    def step(self, evaluate: Evaluate, precondition: Precondition) -> Step | None:
        """Take one step from where it is, or say by None that the gradient is zero there.

        Raises:
            OptimizationError: the loss stayed infinite or not a number after repeatedly shortened steps.
        """

    @abstractmethod
    def resize(self, size: tuple[int, int]) -> None:
        """Carry what was learned about the problem over to images of another (height, width)."""

    @abstractmethod
    def forget(self) -> None:
        """Drop what was learned about the problem and would mislead in another."""

    @abstractmethod
    def state(self) -> State:
        """Where it is and what it knows, once begun; later steps leave it as it is."""

    @abstractmethod
    def restore(self, state: State) -> None:
        """Be where and know what another optimiser of the same settings was and knew."""

    def advance(self, evaluate: Evaluate, precondition: Precondition, start: Tensor | None = None) -> Step | None:
        """Make one evaluation: at `start` if there is one, else by a step from where it is.

        Returns:
            What came of it; None where the gradient is zero and no step can be taken.

        Raises:
            OptimizationError: as `begin` and `step`.
        """
        return self.step(evaluate, precondition) if start is None else self.begin(evaluate, start)

    def descend(
        self, evaluate: Evaluate, image: Tensor, *, iterations: int, precondition: Precondition
    ) -> Iterator[Step]:
        """Take up to `iterations` steps from `image`, its own evaluation included.

        Raises:
            OptimizationError: as `begin` and `step`.
        """
        for iteration in range(iterations):
            step = self.advance(evaluate, precondition, None if iteration else image)
            if step is None:
                return
            yield step


def dot(one: Pixels, other: Pixels) -> float:
    """The inner product; not by `torch.dot`, whose last digits depend on where in memory the numbers lie.

    Of giants, by bands of rows that are added up in float64.
    """
    size = (one.shape[-2], one.shape[-1])
    if not is_giant(size):
        return float((one * other).sum())
    step = max(1, _BAND // size[1])
    bands = zip(torch.split(one, step, -2), torch.split(other, step, -2), strict=True)
    return math.fsum(float((ours.float() * theirs.float()).sum()) for ours, theirs in bands)


def difference(one: Pixels, other: Pixels) -> Pixels:
    """`one` − `other`; of giants in bfloat16, by bands of rows."""
    size = (one.shape[-2], one.shape[-1])
    if not is_giant(size):
        return one - other
    found = torch.empty_like(one, dtype=torch.bfloat16, memory_format=torch.contiguous_format)
    step = max(1, _BAND // size[1])
    for band, ours, theirs in zip(*(torch.split(image, step, -2) for image in (found, one, other)), strict=True):
        band.copy_(ours - theirs)
    return found


def rms(image: Pixels) -> float:
    """Root mean square of an image's numbers."""
    if is_giant((image.shape[-2], image.shape[-1])):
        return math.sqrt(dot(image, image) / image.numel())
    return float(image.square().mean().sqrt())


def resized(image: Pixels, size: tuple[int, int]) -> Float[Tensor, "1 3 _ _"]:
    """An image of numbers, such as a gradient, at another (height, width)."""
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False)


def evaluated_start(evaluate: Evaluate, image: Tensor) -> Evaluation:
    """The evaluation at `image`, where an optimiser begins.

    Raises:
        OptimizationError: the loss is not finite there.
    """
    start = evaluate(image)
    if not start.finite:
        raise OptimizationError(
            f"the loss is {start.value} at the start; lower the weights of the losses, or start from another picture"
        )
    return start


def check_failures(failures: int) -> None:
    """End a run of steps to losses that are not finite.

    Raises:
        OptimizationError: there were `MOST_FAILURES` of them.
    """
    if failures == MOST_FAILURES:
        raise OptimizationError(f"the loss stayed infinite or not a number after {failures} shorter steps")
