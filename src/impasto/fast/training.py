"""Owns the settings of a training: its length, crops, rates, and the loss that it minimises."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from impasto.settings import Settings

#: The settings of the loss: those of the optimise engine, but for the backbone's borders. It mirrors there, because
#: with zero padding in the loss a network learns to paint a frame.
LOSS = Settings(padding="reflect")
# Sides of crops are multiples of this, as many pixels as one feature of the deepest layer stands for.
_STRIDE = 16
# Share of the largest side that the smaller crops have.
_SMALLER = 2 / 3


@dataclass(frozen=True, kw_only=True)
class Training:
    """The settings of a training.

    Attributes:
        steps: updates of the weights in all.
        begin: the step with which the schedule of the learning rate begins.
        side: side of the largest squares that the loss sees, in pixels; every other step has smaller ones.
        batch: crops in each update, over all parts and processes.
        accumulate: parts that a batch is split into, to save memory.
        learning_rate: the highest of Adam; it rises over the first fiftieth of the steps, then falls to a hundredth
            along a half cosine.
        identity: share of the crops that the network should leave as they are, which teaches strength 0.
        steadiness: weight of the squared difference between the warped pastiche of a crop and the pastiche of the
            warped crop; 0 leaves this term out.
        averaging: decay of the moving average of the weights, which becomes the model.
        seed: of all random choices.
        loss: layers, weights and losses of the objective.
    """

    steps: int = 1000
    begin: int = 0
    side: int = 192
    batch: int = 4
    accumulate: int = 1
    learning_rate: float = 8e-4
    identity: float = 0.1
    steadiness: float = 20.0
    averaging: float = 0.995
    seed: int = 0
    loss: Settings = field(default_factory=lambda: LOSS)

    def side_at(self, step: int) -> int:
        """Side of the squares that the loss sees in a step, counted from 0: the smaller, then the largest.

        Two sizes teach one network to paint both the whole of a picture and a part of it.
        """
        if step % 2:
            return self.side
        return max(_STRIDE, round(_SMALLER * self.side / _STRIDE) * _STRIDE)

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        steps, step = self.steps - self.begin, step - self.begin
        warm = max(1, steps // 50)
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        past = (step - warm) / max(1, steps - warm)
        return self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * past)))

    def to_mapping(self) -> dict[str, Any]:
        """Names and values, for JSON; of the loss, the settings that differ from the defaults."""
        return {**asdict(self), "loss": self.loss.changed()}
