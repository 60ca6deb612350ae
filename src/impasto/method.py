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
from typing import Any

import torch
from torch import Tensor

from impasto.checkpoints import Checkpoint
from impasto.errors import CheckpointError, DeviceError, out_of_memory
from impasto.inputs import Inputs
from impasto.objective import Objective
from impasto.optimizers import OPTIMIZERS, Step, difference, rms
from impasto.preconditioning import FrequencyPreconditioner, is_giant
from impasto.progress import Progress
from impasto.recipes import Change, Recipe
from impasto.settings import Settings
from impasto.task import Engine, Task
from impasto.trace import Trace, TracePoint

# Iterations over which a picture must have changed visibly for its scale to go on.
_WINDOW = 10
# Settings that change the number of iterations, or what is added to an enlarged picture, but not the loss.
_OUTSIDE_THE_LOSS = {"iterations", "coarse_iterations", "tolerance", "detail", "grain"}


def stylization(
    inputs: Inputs,
    settings: Settings,
    engine: Engine = Engine(),  # noqa: B008  (frozen)
    *,
    changes: Sequence[Change] = (),
    resume: Checkpoint | None = None,
) -> Stylization:
    """Paint the photograph of `inputs` in the style of its paintings: iterate to paint, stop iterating to cancel.

    Args:
        inputs: the pictures that go in. The picture to start from is needed where `settings.init` is none of
            `content`, `noise` and `style`; for `fast`, it is what the fast engine made.
        settings: everything else, as it is at the beginning.
        engine: what computes: device, network, evaluator.
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
    recipe = inputs.recipe(settings)
    if resume is not None:
        resume.check_fits(recipe)
        recipe = resume.recipe
    task = Task.of(inputs, recipe.last_settings, engine, first=settings)
    if resume is None:
        recipe = replace(recipe, weights=task.weights_used)
    elif recipe.weights != task.weights_used:
        raise CheckpointError("it was begun with other weights of the backbone")
    return Stylization(task, recipe, changes, resume)


class Stylization(Iterator[Progress]):
    """A picture being painted: iterating paints, and meanwhile its settings may change; made by `stylization`.

    Attributes:
        settings: those by which it goes on, with all changes asked for so far.
    """

    def __init__(
        self, task: Task, recipe: Recipe, changes: Sequence[Change] = (), resume: Checkpoint | None = None
    ) -> None:
        self.settings = task.settings
        self._task, self._recipe = task, recipe
        # Changes that a recipe notes, to be made again; and those asked for since the last iteration.
        self._noted = deque(changes)
        self._asked: deque[Mapping[str, Any]] = deque()
        self._optimizer = OPTIMIZERS[task.first.optimizer].make(task.first)
        # Drawn on the CPU, so that a seed means the same on every device.
        self._generator = torch.Generator().manual_seed(task.first.seed)
        self._trace = Trace()
        # The last pictures at this scale; the last one is the best so far.
        self._recent: list[Tensor] = []
        # How far each of the last steps moved a giant.
        self._moved: tuple[float, ...] = ()
        # Settings that changed before the next iteration.
        self._changed: tuple[str, ...] = ()
        self._scale = self._iteration = 0
        for change in changes:
            self._checked(change.settings)
        self._steps = self._paint() if resume is None else self._paint_on(resume)

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

    def _paint(self) -> Generator[Progress, None, None]:
        """The method: from the coarsest size to the finest, each time from the picture before, enlarged."""
        while self._scale < len(self._task.scales):
            size = self._task.scales[self._scale].size
            objective = self._task.objective(size)
            start = None
            if self._iteration == 0:
                start = self._start(size)
                self._recent, self._moved = [start], ()
                self._optimizer.resize(size)
            yield from self._descend(size, objective, start)
            self._scale, self._iteration = self._scale + 1, 0

    def _start(self, size: tuple[int, int]) -> Tensor:
        """Where to start at a size."""
        if not self._recent:
            return self._task.first_picture(size, self._generator)
        return self._task.enlarged(self._recent[-1].clamp(0, 1), size, self._generator)

    def _descend(
        self, size: tuple[int, int], objective: Objective, start: Tensor | None
    ) -> Generator[Progress, None, None]:
        """Paint at one size, from `start`; if that is None, from where the optimiser is."""
        first, engine = self._task.first, self._task.engine
        precondition = FrequencyPreconditioner(
            size, first.preconditioning, wrap=first.padding == "wrap", device=engine.device
        )
        while True:
            if names := self._make_changes():
                self._changed = names
                self._recent, self._moved = self._recent[-1:], ()
                if not set(names) <= _OUTSIDE_THE_LOSS:
                    # The loss is a different one from here on, and the curvature of the old one may mislead.
                    objective, start = self._task.objective(size), self._recent[-1]
                    self._optimizer.forget()
            if self._iteration >= self._task.scales[self._scale].iterations or self._stands_still():
                return
            step = self._optimizer.advance(partial(engine.evaluator.evaluate, objective), precondition, start)
            if step is None:
                return
            start, self._iteration = None, self._iteration + 1
            progress = self._progress(step, size)
            # It may hold a picture and a gradient that nobody needs any more.
            del step
            yield progress

    def _progress(self, step: Step, size: tuple[int, int]) -> Progress:
        """Add a step to the trace, and return the progress."""
        evaluation = step.evaluation
        self._trace = self._trace.extended(
            TracePoint(self._scale, size, self._iteration, evaluation.value, evaluation.terms, self._changed)
        )
        self._changed = ()
        if is_giant(size):
            moved = rms(difference(step.image, self._recent[-1]))
            self._moved = (*self._moved[1 - _WINDOW :], moved)
        before = self._recent[-_WINDOW:] if self._compares(size) else []
        self._recent = [*before, step.image]
        state, generator = self._optimizer.state(), self._generator.get_state()
        checkpoint = Checkpoint(self._recipe, self._trace, tuple(self._recent), state, generator, self._moved)
        return Progress.at(checkpoint, self._task)

    def _compares(self, size: tuple[int, int]) -> bool:
        """Whether pictures are kept to see if they still change: not of giants, nor where nothing ends early."""
        settings, scale = self._task.settings, self._task.scales[self._scale]
        return not is_giant(size) and settings.tolerance > 0 and scale.iterations > _WINDOW

    def _paint_on(self, resume: Checkpoint) -> Generator[Progress, None, None]:
        """The method, from a checkpoint on."""
        resume = resume.on(self._task.engine.device)
        self._trace, self._recent, self._moved = resume.trace, list(resume.recent), resume.moved
        self._scale, self._iteration = resume.trace[-1].scale, resume.trace[-1].iteration
        self._optimizer.restore(resume.optimizer)
        self._generator.set_state(resume.generator)
        yield Progress.at(resume, self._task)
        yield from self._paint()

    def _checked(self, changes: Mapping[str, Any]) -> Settings:
        """The settings with those changes, if they can be made."""
        changed = self.settings.replace_live(**changes)
        self._task.inputs.check(changed, self._task.engine.architecture(changed))
        return changed

    def _make_changes(self) -> tuple[str, ...]:
        """Change the settings as the recipe notes and as was asked for since the last iteration; the names of those."""
        due = self._due(len(self._trace))
        if due:
            self._recipe = replace(self._recipe, changes=(*self._recipe.changes, Change(len(self._trace), due)))
            self._task = self._task.changed(self._recipe.last_settings)
        return tuple(due)

    def _due(self, painted: int) -> dict[str, Any]:
        """The settings to change after so many iterations."""
        due: dict[str, Any] = {}
        while self._noted and self._noted[0].after <= painted:
            change = self._noted.popleft()
            # Changes before that are part of the checkpoint already.
            if change.after == painted:
                due |= change.settings
                self.settings = self.settings.replace(**change.settings)
        while self._asked:
            due |= self._asked.popleft()
        settings = self._task.settings
        return settings.replace(**due).differences(settings)

    def _stands_still(self) -> bool:
        """Whether the picture has not changed visibly over the last iterations.

        By root mean square. Of giants no pictures are kept, and their steps are added up: never less than the change.
        """
        if len(self._moved) == _WINDOW:
            return 255.0 * sum(self._moved) < self._task.settings.tolerance
        recent = self._recent
        if len(recent) <= _WINDOW:
            return False
        # In levels of 255.
        change = 255.0 * float((recent[0] - recent[-1]).square().mean().sqrt())
        return change < self._task.settings.tolerance
