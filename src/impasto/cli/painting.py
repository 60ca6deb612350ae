"""Owns painting on the command line, from pictures to files: the check of memory, progress, stages, and the report.

However painting ends, the best picture so far is saved before anything is reported.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from impasto import api, artifacts, devices, planning, plots, strokes
from impasto.artifacts import Artifact
from impasto.cli import reporting
from impasto.cli.checkpoints import Checkpointer
from impasto.cli.hints import before_painting
from impasto.cli.options import as_typed
from impasto.cli.outputs import Output
from impasto.cli.progress import bar, duration
from impasto.cli.signals import Interruption, Signals
from impasto.cli.sizes import MemoryOptions
from impasto.errors import CheckpointError, ImageWriteError
from impasto.images import Image
from impasto.inputs import Inputs
from impasto.messages import counted
from impasto.pastiche import Pastiche
from impasto.progress import Progress
from impasto.recipes import Change
from impasto.settings import Settings


def use_threads(threads: int | None) -> None:
    """Set the number of CPU threads; if None, torch's choice stays."""
    if threads is not None:
        torch.set_num_threads(threads)


def paint(
    pictures: Inputs,
    settings: Settings,
    output: Output,
    signals: Signals,
    *,
    weights: str | Path | None = None,
    memory: MemoryOptions = MemoryOptions(),  # noqa: B008  (frozen)
    changes: Sequence[Change] = (),
    checkpointer: Checkpointer | None = None,
    as_json: bool = False,
    quiet: bool = False,
    hints: bool = False,
) -> int:
    """Paint, save, and report.

    Args:
        pictures: what goes in.
        settings, weights, changes: as for `api.begin`.
        memory: how much memory may be used.
        output: the destination, checked by the caller.
        signals: caught by the caller.
        checkpointer: writes the checkpoint, if there is one.
        as_json: whether the result is reported as JSON.
        quiet: whether neither progress nor the closing line is shown.
        hints: whether what may be unexpected of these pictures is said before.

    Returns:
        The exit code: 0, or that of the signal that ended the painting.

    Raises:
        Interruption: a signal came before there was anything to save.
        ImpastoError: a setting cannot be used, the optimisation failed (the best picture is saved), or a result could
            not be written.
    """
    content, styles = pictures.content, pictures.styles
    plan = check_memory(content, settings, len(styles), memory)
    if plan.side is not None and not quiet:
        reporting.note(forecast_line(plan))
    begin = time.monotonic()
    checkpointer = checkpointer or Checkpointer(None)
    start = partial(
        api.begin,
        pictures,
        settings,
        changes=changes,
        weights=weights,
        memory=memory.memory,
        tile_size=memory.tile_size,
    )
    steps = _begun(start, checkpointer, quiet=quiet)
    if hints and not quiet:
        for hint in before_painting(content, settings.size, masked=pictures.masked):
            reporting.note(hint)
    latest, stages, failure = _run(steps, output, signals, checkpointer, quiet=quiet)
    if latest is None:
        raise failure or RuntimeError("the method ended without a first iteration")
    complete = failure is None
    pastiche = latest.pastiche(stopped=not complete)
    try:
        path = output.save(pastiche)
    except ImageWriteError as error:
        if isinstance(failure, Exception):
            error.add_note(f"before that, the painting failed: {failure}")
        raise
    if complete:
        checkpointer.delete()
    faults = artifacts.find(pastiche.image, content, styles, pastiche.recipe.last_settings) if complete else ()
    _warn_of_faults(faults)
    figure = None
    if complete and output.figure is not None:
        try:
            signals.release()
            figure = plots.save_figure(content, styles, pastiche, output.figure)
        except (Interruption, Exception) as error:
            failure = error
    seconds = time.monotonic() - begin

    if as_json:
        reporting.result(_record(pastiche, content, styles, path, figure, stages, faults, seconds, complete=complete))
    else:
        for result in (path, figure):
            # Standard output must hold nothing but the picture.
            if result is not None and path is not None:
                reporting.result(result)
    saved = f"the {'picture' if complete else 'best picture so far'} is saved" + (f" in {path}" if path else "")
    match failure:
        case None:
            if not quiet:
                size = f"{pastiche.image.width} × {pastiche.image.height} px"
                reporting.note(f"painted {size} in {duration(seconds)} on {pastiche.settings.device}")
            return 0
        case Interruption():
            if checkpointer.save(latest, now=True):
                saved += f", and the checkpoint in {checkpointer.path}"
            reporting.note(f"interrupted at scale {latest.scale + 1} of {latest.scales}; {saved}")
            return failure.code
        case _:
            failure.add_note(saved)
            raise failure


def paint_one(
    pictures: Inputs, settings: Settings, signals: Signals, *, weights: str | Path | None = None, quiet: bool = False
) -> Pastiche:
    """Paint one of many: the caller saves and reports it, and signals are postponed until the next one begins.

    Args:
        pictures, settings, weights, quiet: as for `paint`.
        signals: caught by the caller.

    Raises:
        Interruption: a signal came; the picture is painted anew the next time.
        ImpastoError: as for `paint`.
    """
    signals.release()
    check_memory(pictures.content, settings, len(pictures.styles))
    steps = api.begin(pictures, settings, weights=weights)
    latest, _, failure = _run(steps, Output(path=None), signals, Checkpointer(None), quiet=quiet)
    if failure is not None or latest is None:
        raise failure or RuntimeError("the method ended without a first iteration")
    pastiche = latest.pastiche()
    _warn_of_faults(artifacts.find(pastiche.image, pictures.content, pictures.styles, pastiche.recipe.last_settings))
    return pastiche


def _warn_of_faults(faults: Sequence[Artifact]) -> None:
    for fault in faults:
        # Of an enlarged painting was warned before.
        if fault.kind != "enlarged painting":
            reporting.warning(as_typed(f"the picture shows {fault}"))


def _begun(start: Callable[..., Iterator[Progress]], checkpointer: Checkpointer, *, quiet: bool) -> Iterator[Progress]:
    """The painting, from the checkpoint if there is one."""
    found = checkpointer.load()
    if found is None:
        return start()
    try:
        steps = start(resume=found)
    except CheckpointError as error:
        checkpointer.start_over(error)
        return start()
    if not quiet:
        reporting.note(f"continuing from {checkpointer.path}, after {counted(len(found.trace), 'iteration')}")
    return steps


def _run(
    steps: Iterator[Progress], output: Output, signals: Signals, checkpointer: Checkpointer, *, quiet: bool
) -> tuple[Progress | None, list[str], BaseException | None]:
    """Paint to the end, or to the exception that is returned; afterwards the first signal is postponed."""
    latest: Progress | None = None
    stages: list[str] = []
    save_every = output.save_every
    try:
        with bar(shown=not quiet, clock=time.monotonic) as show:
            for count, latest in enumerate(steps, start=1):
                signals.keep()
                show(latest)
                checkpointer.save(latest)
                if save_every and count % save_every == 0:
                    try:
                        stages.append(str(output.save_stage(latest.preview(), count // save_every)))
                    except ImageWriteError as error:
                        save_every = 0
                        reporting.warning(f"{error}; no more stages are saved, painting continues")
        # Here, where an Interruption is still caught: none may fall between painting and saving.
        signals.hold()
    except (Interruption, Exception) as error:
        return latest, stages, error
    return latest, stages, None


def _record(
    pastiche: Pastiche,
    content: Image,
    styles: Sequence[Image],
    path: Path | None,
    figure: Path | None,
    stages: Sequence[str],
    faults: Sequence[Artifact],
    seconds: float,
    *,
    complete: bool,
) -> dict[str, Any]:
    """The output of `--json`."""
    last = pastiche.trace[-1]
    return {
        "output": path,
        "figure": figure,
        "stages": list(stages),
        "width": pastiche.image.width,
        "height": pastiche.image.height,
        "seconds": round(seconds, 3),
        "iterations": len(pastiche.trace),
        "loss": reporting.number(last.value),
        "terms": {name: reporting.number(value) for name, value in last.terms.items()},
        "faults": [vars(fault) for fault in faults],
        "complete": complete,
        # By the last settings, which may have changed while painting.
        "stroke_sizes": [
            round(size, 2) for size in strokes.stroke_sizes(styles, content.size, pastiche.recipe.last_settings)
        ],
        "settings": pastiche.settings.to_mapping(),
        "recipe": json.loads(pastiche.recipe.to_json()),
    }


def check_memory(
    content: Image,
    settings: Settings,
    styles: int,
    memory: MemoryOptions = MemoryOptions(),  # noqa: B008  (frozen)
) -> planning.TilePlan:
    """The plan for the memory of this machine, or the budget; warns if other programs use too much of it.

    Raises:
        DeviceError: the machine has not that much, or the budget is too small; says what would fit.
    """
    budget = None if memory.memory is None else planning.parse_bytes(memory.memory)
    plan = planning.checked_plan(content.size, settings, styles=styles, budget=budget, tile=memory.tile_size)
    if not plan.fits and plan.budget is not None:
        reporting.warning(
            f"--size {settings.size} takes about {planning.gigabytes(plan.peak_bytes)} of memory, and "
            f"{devices.resolve(settings.device)} has only {planning.gigabytes(plan.budget)} free; close programs, or "
            "choose a smaller size"
        )
    return plan


def forecast_line(plan: planning.TilePlan) -> str:
    """What a plan comes to, in one line."""
    height, width = plan.scales[-1].scale.size
    return (
        f"painting {width} × {height} px in tiles of {plan.side} px takes about {planning.gigabytes(plan.peak_bytes)} "
        f"of memory; as a whole it would take {planning.gigabytes(plan.whole_bytes)}"
    )
