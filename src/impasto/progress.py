"""Owns Progress: what the method says after every iteration, and what can be had of the picture by then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from impasto.checkpoints import Checkpoint
from impasto.images import Image, resize
from impasto.pastiche import Pastiche
from impasto.task import Task


@dataclass(frozen=True)
class Progress:
    """Where the method is, after one iteration.

    Attributes:
        scale, scales: index of the scale (from 0) and how many there are.
        size: (height, width) painted at, in pixels.
        iteration, iterations: index within the scale (from 1) and how many it may take.
        value, terms: the loss of this iteration, in total and by term (weighted).
        work, total_work: pixels times iterations, done and in all; early stops count as done.
    """

    scale: int
    scales: int
    size: tuple[int, int]
    iteration: int
    iterations: int
    value: float
    terms: Mapping[str, float]
    work: int
    total_work: int
    _task: Task
    _checkpoint: Checkpoint

    @classmethod
    def at(cls, checkpoint: Checkpoint, task: Task) -> Progress:
        """The progress of `task` at a checkpoint."""
        last, scales = checkpoint.trace[-1], task.scales
        now = scales[last.scale]
        return cls(
            scale=last.scale,
            scales=len(scales),
            size=last.size,
            iteration=last.iteration,
            iterations=now.iterations,
            value=last.value,
            terms=last.terms,
            work=sum(scale.work for scale in scales[: last.scale]) + now.work * last.iteration // now.iterations,
            total_work=sum(scale.work for scale in scales),
            _task=task,
            _checkpoint=checkpoint,
        )

    def preview(self) -> Image:
        """The best picture so far, at the size it is now painted at."""
        preview = Image(pixels=self._task.finished(self._picture()), name="preview")
        return preview.with_alpha_of(self._task.inputs.content)

    def pastiche(self, *, stopped: bool = False) -> Pastiche:
        """The best picture so far as a result, at the final size.

        Args:
            stopped: whether it is given up here, which its recipe notes.
        """
        pixels = self._task.finished(resize(self._picture(), self._task.final_size))
        trace = self._checkpoint.trace
        recipe = replace(self._checkpoint.recipe, stopped=len(trace) if stopped else None)
        picture = Image(pixels=pixels, name="pastiche").with_alpha_of(self._task.inputs.content)
        return Pastiche(picture, recipe, trace)

    def checkpoint(self) -> Checkpoint:
        """Where the painting stands: from there it can be gone on with to the very same picture."""
        return self._checkpoint

    def _picture(self) -> Tensor:
        return self._checkpoint.recent[-1].clamp(0, 1).cpu()
