"""Owns the method: how a photograph becomes a painting. Read this first.

Neural style transfer (Gatys, Ecker & Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016)
asks a network that has learned to see for two things: *what* is in the photograph (the features of a deep layer) and
*how* the painting is painted (which features occur together, at five depths). Then it changes the pixels of a third
picture until it has the first and the second. Here that is done coarse to fine: large forms on a small picture,
brushwork on the full one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto.checkpoints import Checkpoint
from impasto.errors import CheckpointError, DeviceError, out_of_memory
from impasto.guidance import Guidance
from impasto.images import Image
from impasto.objective import Evaluator, evaluate
from impasto.optimizers import LBFGS, Adam, FrequencyPreconditioner, Optimizer
from impasto.pastiche import Change, Recipe, TracePoint
from impasto.progress import Progress
from impasto.settings import Settings
from impasto.task import Inputs, Task

# Iterations over which a picture must have changed visibly for its scale to go on.
_WINDOW = 10
# Settings that change how long is painted, or what is laid over an enlarged picture, but not what is aimed for.
_ASIDE = {"iterations", "coarse_iterations", "tolerance", "detail", "grain"}


def stylization(
    content: Image,
    styles: Sequence[Image],
    settings: Settings,
    *,
    init: Image | None = None,
    guidance: Guidance | None = None,
    weights: Path | None = None,
    device: torch.device | None = None,
    evaluator: Evaluator = evaluate,
    changes: Sequence[Change] = (),
    resume: Checkpoint | None = None,
) -> Stylization:
    """Paint `content` in the manner of `styles`: iterate to paint, stop iterating to cancel.

    Args:
        content: the photograph.
        styles: one painting, or several whose statistics are blended as `settings.blend` says.
        settings: everything else, as it is at the beginning.
        init: the picture to start from, where `settings.init` is none of `content`, `noise` and `style`; for `fast`,
            what the fast engine made.
        guidance: regions with styles of their own, and where content counts more.
        weights: file of the backbone's weights; its own by default.
        device: where to compute; the CPU by default.
        evaluator: computes value and gradient of an objective at an image.
        changes: of settings, to be made again as a recipe tells of them.
        resume: where to go on from, instead of beginning.

    Returns:
        An iterator of Progress, one after every iteration; the last one's `pastiche()` is the result. With `resume`,
        the first is the one that the checkpoint was taken of.

    Raises:
        SettingsError: a backbone or layer does not exist, or there are not as many shares as paintings, or strengths as
            regions; raised at once, before the first iteration.
        AssetError: the backbone's weights are not here, and cannot be fetched; raised at once.
        CheckpointError: `resume` is of another painting; raised at once.
        OptimizationError: the loss is not finite and cannot be made so; the last Progress holds the best picture.
        DeviceError: the device's memory is used up.
    """
    pictures = Inputs(content, styles, init, guidance)
    recipe = pictures.recipe(settings)
    if resume is not None:
        resume.check_fits(recipe)
        recipe = resume.recipe
    task = Task(pictures, recipe.last_settings, device or torch.device("cpu"), first=settings, weights=weights)
    if resume is None:
        recipe = replace(recipe, weights=task.weights_used)
    elif recipe.weights != task.weights_used:
        raise CheckpointError("it was begun with other weights of the backbone")
    return Stylization(task, recipe, evaluator, changes, resume)


class Stylization(Iterator[Progress]):
    """A picture being painted: iterating paints, and meanwhile its settings may change; made by `stylization`.

    Attributes:
        settings: those by which it goes on, with all changes asked for so far.
    """

    def __init__(
        self,
        task: Task,
        recipe: Recipe,
        evaluator: Evaluator,
        changes: Sequence[Change] = (),
        resume: Checkpoint | None = None,
    ) -> None:
        self.settings = task.settings
        self._pictures = task.pictures
        self._evaluator = evaluator
        self._again = deque(changes)
        self._asked: deque[Mapping[str, Any]] = deque()
        self._steps = self._paint(task, recipe, resume)
        for change in changes:
            self._checked(change.settings)

    def change(self, **settings: Any) -> None:
        """Change settings before the next iteration; painting goes on from the picture as it is.

        Another thread may call it than the one that iterates.

        Raises:
            SettingsError: a setting is unknown or out of range, or cannot change any more; then nothing is changed.
        """
        changed = self._checked(settings)
        self._asked.append(changed.differences(self.settings))
        self.settings = changed

    def extend(self, iterations: int) -> None:
        """Allow that many iterations more at the final size."""
        self.change(iterations=self.settings.iterations + iterations)

    def close(self) -> None:
        """Cancel."""
        self._steps.close()

    def __next__(self) -> Progress:
        try:
            return next(self._steps)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            raise DeviceError(
                f"the memory of {self.settings.device} is used up; choose a smaller size than {self.settings.size}, "
                "or another device"
            ) from error

    def _paint(self, task: Task, recipe: Recipe, resume: Checkpoint | None) -> Generator[Progress, None, None]:
        settings, device = task.first, task.device
        optimizer: Optimizer = (
            LBFGS(settings.history)
            if settings.optimizer == "lbfgs"
            else Adam(settings.learning_rate, settings.averaging)
        )
        # Drawn on the CPU, so that a seed means the same on every device.
        generator = torch.Generator().manual_seed(settings.seed)
        trace: list[TracePoint] = []
        recent: list[Tensor] = []
        scale = iteration = 0
        changed: tuple[str, ...] = ()
        if resume is not None:
            resume = resume.on(device)
            trace, recent = list(resume.trace), list(resume.recent)
            scale, iteration = trace[-1].scale, trace[-1].iteration
            optimizer.restore(resume.optimizer)
            generator.set_state(resume.generator)
            yield Progress.at(resume, task)

        while scale < len(task.scales):
            # What to aim for, at this size.
            size = task.scales[scale].size
            objective = task.objective(size)

            # Where to start: from the scale before, enlarged.
            begun = iteration > 0
            if not begun:
                recent = [
                    task.enlarged(recent[-1].clamp(0, 1), size, generator)
                    if recent
                    else task.first_picture(size, generator)
                ]
                optimizer.resize(size)

            # The descent.
            precondition = FrequencyPreconditioner(
                size, settings.preconditioning, wrap=settings.padding == "wrap", device=device
            )
            while True:
                if due := self._due(len(trace), task.settings):
                    recipe = replace(recipe, changes=(*recipe.changes, Change(len(trace), due)))
                    changed = tuple(due)
                    task = replace(task, settings=recipe.last_settings)
                    recent = recent[-1:]
                    if not due.keys() <= _ASIDE:
                        # The loss is another from here on, and what was learned of the old one may mislead.
                        objective, begun = task.objective(size), False
                        optimizer.forget()
                if iteration >= task.scales[scale].iterations or _stands_still(recent, task.settings):
                    break
                evaluate = partial(self._evaluator, objective)
                step = optimizer.step(evaluate, precondition) if begun else optimizer.begin(evaluate, recent[-1])
                if step is None:
                    break
                begun, iteration = True, iteration + 1
                evaluation = step.evaluation
                trace.append(TracePoint(scale, size, iteration, evaluation.value, evaluation.terms, changed))
                changed = ()
                recent = [*recent[-_WINDOW:], step.image]
                checkpoint = Checkpoint(recipe, tuple(trace), tuple(recent), optimizer.state(), generator.get_state())
                yield Progress.at(checkpoint, task)
            scale, iteration = scale + 1, 0

    def _checked(self, changes: Mapping[str, Any]) -> Settings:
        """The settings with those changes, if they can be made."""
        changed = self.settings.replace_live(**changes)
        self._pictures.check(changed)
        return changed

    def _due(self, painted: int, settings: Settings) -> dict[str, Any]:
        """What is to change after so many iterations: as a recipe tells, and as was asked for since."""
        due: dict[str, Any] = {}
        while self._again and self._again[0].after <= painted:
            change = self._again.popleft()
            # Those before were made already, by what is gone on with.
            if change.after == painted:
                due |= change.settings
                self.settings = self.settings.replace(**change.settings)
        while self._asked:
            due |= self._asked.popleft()
        return settings.replace(**due).differences(settings)


def _stands_still(recent: Sequence[Tensor], settings: Settings) -> bool:
    """Whether the last iterations have not changed the picture visibly: by root mean square, in levels of 255."""
    if len(recent) <= _WINDOW:
        return False
    return 255.0 * float((recent[0] - recent[-1]).square().mean().sqrt()) < settings.tolerance
