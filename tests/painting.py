"""Painting with the method itself, as its tests do: pictures and settings in, an evaluator as a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from impasto import method
from impasto.checkpoints import Checkpoint
from impasto.evaluators import WHOLE_IMAGE, Evaluator
from impasto.guidance import Guidance
from impasto.images import Image
from impasto.inputs import Inputs
from impasto.method import Stylization
from impasto.objective import Evaluation, Objective
from impasto.recipes import Change
from impasto.settings import Settings
from impasto.task import Engine


@dataclass
class By(Evaluator):
    """Value and gradient by a function; targets as usual."""

    function: Callable[[Objective, Tensor], Evaluation]

    def evaluate(self, objective: Objective, image: Tensor) -> Evaluation:
        return self.function(objective, image)


def stylization(
    content: Image,
    styles: Sequence[Image],
    settings: Settings,
    *,
    init: Image | None = None,
    guidance: Guidance | None = None,
    weights: Path | None = None,
    evaluator: Callable[[Objective, Tensor], Evaluation] | None = None,
    changes: Sequence[Change] = (),
    resume: Checkpoint | None = None,
) -> Stylization:
    """`method.stylization` of these pictures."""
    engine = Engine(weights=weights, evaluator=By(evaluator) if evaluator else WHOLE_IMAGE)
    inputs = Inputs(content, styles, init, guidance)
    return method.stylization(inputs, settings, engine, changes=changes, resume=resume)
