"""Owns Adam on pixels, with averaged iterates."""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.objective import Evaluation
from impasto.optimizers.optimizer import (
    Evaluate,
    Optimizer,
    Precondition,
    State,
    Step,
    check_failures,
    evaluated_start,
    resized,
    rms,
)


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
        self._here = evaluated_start(evaluate, image)
        self._average, self._averaged, self._failures = image, 1, 0
        return Step(self._here, self._average)

    def step(self, evaluate: Evaluate, precondition: Precondition) -> Step | None:
        gradient = precondition(self._here.gradient)
        # The same steps for any scale of the loss, also where the scale of the gradient jumps between sizes.
        gradient = gradient / rms(gradient) if (size := rms(gradient)) else gradient
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
            check_failures(self._failures)
        return Step(there, self._average)

    def resize(self, size: tuple[int, int]) -> None:
        # Moments of the gradient are kept relative to its own size, which is all that Adam's steps depend on.
        if self.mean is not None and self.square is not None:
            self.mean = resized(self.mean, size)
            self.square = resized(self.square, size).clamp_min(0)

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
