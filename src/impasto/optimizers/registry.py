"""Owns the optimisers by the name of the setting `optimizer`: how each is made, its settings, and its memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from impasto.optimizers.adam import Adam
from impasto.optimizers.lbfgs import LBFGS
from impasto.optimizers.optimizer import Optimizer
from impasto.settings import Settings


@dataclass(frozen=True)
class OptimizerEntry:
    """What is known of an optimiser.

    Attributes:
        title: as people call it.
        settings: names of the settings that only this optimiser has.
        make: an optimiser that has these settings.
        images: how many images of the size painted at it remembers at most, from the settings and the number of
            iterations of all scales.
    """

    title: str
    settings: tuple[str, ...]
    make: Callable[[Settings], Optimizer]
    images: Callable[[Settings, int], int]


#: In the order in which they are offered; names are those of the setting.
OPTIMIZERS: Mapping[str, OptimizerEntry] = {
    "lbfgs": OptimizerEntry(
        title="L-BFGS",
        settings=("history",),
        make=lambda settings: LBFGS(settings.history),
        # A step and a change of gradient each.
        images=lambda settings, iterations: 2 * min(settings.history, iterations),
    ),
    "adam": OptimizerEntry(
        title="Adam",
        settings=("learning_rate", "averaging"),
        make=lambda settings: Adam(settings.learning_rate, settings.averaging),
        # Two moments of the gradient, the average and what it is made from.
        images=lambda settings, iterations: 4,
    ),
}


def without_effect(settings: Settings) -> dict[str, str]:
    """The settings that are not at their defaults but belong to an optimiser that was not chosen, with the reason."""
    changed = settings.changed()
    return {
        name: f"it belongs to {entry.title}, and optimizer is {settings.optimizer}"
        for key, entry in OPTIMIZERS.items()
        for name in entry.settings
        if key != settings.optimizer and name in changed
    }
