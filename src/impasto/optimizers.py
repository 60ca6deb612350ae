"""Owns how pixels descend: L-BFGS and Adam, their safeguards, and what they remember from scale to scale.

Both have one interface, `Optimizer`. One iteration is one evaluation of the objective (one forward and one backward
pass), whatever the optimiser makes of it, so that iterations cost the same everywhere. Between two iterations, all that
an optimiser knows is its `state()`, from which another goes on to the same digits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from impasto.errors import OptimizationError
from impasto.objective import Evaluation

Pixels = Float[Tensor, "1 3 h w"]


#: Value and gradient at an image.
Evaluate = Callable[[Tensor], Evaluation]
#: Multiplies an image by the initial inverse Hessian, up to a factor.
Precondition = Callable[[Tensor], Tensor]
#: All that an optimiser knows between two iterations, by name: numbers, tensors and lists of tensors.
State = Mapping[str, Any]

# A run of this many steps that give no finite loss, each shorter than the one before, ends in an error.
_MOST_FAILURES = 8


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

    def descend(
        self, evaluate: Evaluate, image: Tensor, *, iterations: int, precondition: Precondition
    ) -> Iterator[Step]:
        """Take up to `iterations` steps from `image`, its own evaluation included.

        Raises:
            OptimizationError: as `begin` and `step`.
        """
        yield self.begin(evaluate, image)
        for _ in range(iterations - 1):
            step = self.step(evaluate, precondition)
            if step is None:
                return
            yield step


class FrequencyPreconditioner:
    """Multiplies an image's cosine spectrum by 1 / frequency^power: what a step of the optimiser is smoothed by.

    Natural images have far more energy at low than at high frequencies; a gradient on raw pixels mostly asks for fine
    noise. With `power` 2α this is the same as optimising in a basis weighted by 1 / frequency^α (Olah, Mordvintsev &
    Schubert, "Feature Visualization", Distill 2017, "preconditioning"); departing from it, the basis is the cosine
    transform, whose even continuation does not tie opposite borders of the picture together. It is scaled to leave the
    energy of white noise alone.

    Args:
        size: (height, width) in pixels.
        power: 0 leaves the gradient as it is.
        wrap: whether opposite borders do belong together, as in a tile; then the basis is the Fourier transform.
    """

    def __init__(
        self, size: tuple[int, int], power: float, *, wrap: bool = False, device: torch.device | None = None
    ) -> None:
        height, width = size
        self.power, self.wrap = power, wrap
        periods = 1 if wrap else 2
        vertical = torch.fft.fftfreq(periods * height, dtype=torch.float64)
        horizontal = torch.fft.rfftfreq(periods * width, dtype=torch.float64)
        frequency = (vertical[:, None].square() + horizontal[None, :].square()).sqrt()
        frequency = frequency.clamp_min(1.0 / max(height, width))
        response = frequency.pow(-power)
        # The first quarter is the cosine spectrum; the rest mirrors it and adds frequencies that no cosine has.
        energy = response[:height, :width].square().mean()
        self.response = (response / energy.sqrt()).float().to(device)

    def __call__(self, image: Pixels) -> Pixels:
        """`image` with its spectrum weighted."""
        if self.power == 0:
            return image
        height, width = image.shape[-2:]
        if self.wrap:
            periodic: Tensor = torch.fft.irfft2(torch.fft.rfft2(image) * self.response, s=(height, width))
            return periodic
        # An even continuation on both axes turns the Fourier transform into a cosine transform.
        tall = torch.cat([image, image.flip(-2)], dim=-2)
        even = torch.cat([tall, tall.flip(-1)], dim=-1)
        weighted: Tensor = torch.fft.irfft2(torch.fft.rfft2(even) * self.response, s=even.shape[-2:])
        return weighted[..., :height, :width].contiguous()


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
            self.add(_resize(step, size), _resize(change, size) * share)

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


def _dot(one: Tensor, other: Tensor) -> float:
    """The inner product; not by `torch.dot`, whose last digits depend on where in memory the numbers lie."""
    return float((one * other).sum())


def _resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False)


def _rms(image: Tensor) -> float:
    return float(image.square().mean().sqrt())


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
        self._here = _evaluated_start(evaluate, image)
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
        size = _rms(direction)
        if size == 0.0:
            return None
        length = self._shrink * (min(1.0, self.largest_step / size) if self.memory.steps else self.first_step / size)
        there = evaluate(here.image + length * direction)
        if not there.finite:
            self._failures += 1
            self._shrink *= 0.1
            _check_failures(self._failures)
        else:
            self._failures = 0
            self.memory.add(there.image - here.image, there.gradient - here.gradient)
            if there.value <= here.value + 1e-4 * length * slope:
                self._here, self._shrink, self._rises = there, 1.0, 0
            else:
                self._shrink *= 0.5
                self._rises += 1
                if self._rises == _MOST_FAILURES:
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


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015) on the pixels, with averaged iterates.

    Departures: the answer is a moving average of the images (Polyak & Juditsky 1992), which takes out the noise of
    constant steps; a step to a loss that is not finite is undone, and the steps are made smaller for good.

    Args:
        learning_rate: size of a step, in pixel values (range 0..1).
        averaging: share of the past in the average, 0 to 1; 0 answers with the last image.
        betas: decay of the mean gradient and of its mean square.
    """

    def __init__(
        self, learning_rate: float = 0.02, averaging: float = 0.95, betas: tuple[float, float] = (0.9, 0.99)
    ) -> None:
        self.learning_rate = learning_rate
        self.averaging = averaging
        self.betas = betas
        self.count = 0
        self.mean: Tensor | None = None
        self.square: Tensor | None = None

    def begin(self, evaluate: Evaluate, image: Tensor) -> Step:
        self._here = _evaluated_start(evaluate, image)
        self._average, self._averaged, self._failures = image, 1, 0
        return Step(self._here, self._average)

    def step(self, evaluate: Evaluate, precondition: Precondition) -> Step | None:
        gradient = precondition(self._here.gradient)
        # The same steps for any scale of the loss, also where the scale of the gradient jumps between sizes.
        gradient = gradient / _rms(gradient) if (size := _rms(gradient)) else gradient
        if size == 0.0:
            return None
        if self.mean is None or self.square is None:
            self.mean, self.square = torch.zeros_like(gradient), torch.zeros_like(gradient)
        self.count += 1
        first, second = self.betas
        self.mean = first * self.mean + (1 - first) * gradient
        self.square = second * self.square + (1 - second) * gradient.square()
        mean = self.mean / (1 - first**self.count)
        square = self.square / (1 - second**self.count)
        there = evaluate(self._here.image - self.learning_rate * mean / (square.sqrt() + 1e-8))
        if there.finite:
            self._here, self._failures = there, 0
            self._averaged += 1
            share = min(self.averaging, (self._averaged - 1) / self._averaged)
            self._average = share * self._average + (1 - share) * there.image
        else:
            self._failures += 1
            self.learning_rate *= 0.3
            _check_failures(self._failures)
        return Step(there, self._average)

    def resize(self, size: tuple[int, int]) -> None:
        # Moments of the gradient are kept relative to its own size, which is all that Adam's steps depend on.
        if self.mean is not None and self.square is not None:
            self.mean = _resize(self.mean, size)
            self.square = _resize(self.square, size).clamp_min(0)

    def forget(self) -> None:
        """Nothing: the moments fade by themselves, and a first step without them would move every pixel as far."""

    def state(self) -> State:
        moments = {} if self.mean is None else {"mean": self.mean, "square": self.square}
        return {
            **{name: getattr(self._here, name) for name in ("image", "value", "gradient")},
            **moments,
            "average": self._average,
            "averaged": self._averaged,
            "failures": self._failures,
            "count": self.count,
            "learning_rate": self.learning_rate,
        }

    def restore(self, state: State) -> None:
        self._here = Evaluation(state["image"], state["value"], {}, state["gradient"])
        self.mean, self.square = state.get("mean"), state.get("square")
        self._average, self._averaged, self._failures = (state[name] for name in ("average", "averaged", "failures"))
        self.count, self.learning_rate = state["count"], state["learning_rate"]


def _evaluated_start(evaluate: Evaluate, image: Tensor) -> Evaluation:
    start = evaluate(image)
    if not start.finite:
        raise OptimizationError(
            f"the loss is {start.value} at the start; lower the weights of the losses, or start from another picture"
        )
    return start


def _check_failures(failures: int) -> None:
    if failures == _MOST_FAILURES:
        raise OptimizationError(f"the loss stayed infinite or not a number after {failures} shorter steps")
