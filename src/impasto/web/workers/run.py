"""Owns a run: one job being painted in this process, from its commands to its files and reports."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TextIO

import impasto
from impasto import images
from impasto.errors import CheckpointError, ImpastoWarning, SettingsError
from impasto.files import whole
from impasto.images import Image
from impasto.planning.forecast import Forecast
from impasto.settings import OPTIONS, Settings
from impasto.web.storage.folders import CHECKPOINT, LOSSES, PREVIEW, PREVIEW_SIDE, RESULT, START
from impasto.web.workers.protocol import (
    Cancel,
    ChangeMasks,
    ChangeSettings,
    Checkpointed,
    CommandReader,
    Dropped,
    Finished,
    JobPosition,
    Leave,
    LossPoint,
    Paint,
    PictureFile,
    PreviewSize,
    Progressed,
    Rebased,
    Release,
    Released,
    Stop,
    Warned,
    WorkerReport,
    write,
)

_PREVIEW_QUALITY = 85
_REPORT_EVERY = 1.0
_CHECKPOINT_EVERY = 2.0
# A report may take 1/10 of the time and a checkpoint 1/20, however large the picture.
_REPORT_SHARE, _CHECKPOINT_SHARE = 10, 20

#: How a run, or the part of it up to a change of masks, ended.
Ending = Literal["painted", "dropped", "released", "masks"]


class JobRun:
    """One job being painted.

    Args:
        paint: the command that started it.
        commands: further commands.
        out: where reports go.

    Attributes:
        leaving: whether the process should exit after this run.
    """

    def __init__(self, paint: Paint, commands: CommandReader, out: TextIO) -> None:
        self._paint = paint
        self._commands, self._out = commands, out
        self._folder = Path(paint.folder)
        self._begun: float = time.monotonic() - paint.seconds
        self._points: list[LossPoint] = []
        self._reported = 0
        self.leaving = False
        self._pictures: dict[str, Image] = {}

    def run(self) -> None:
        """Paint until the job is finished, or a command ends it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / RESULT).unlink(missing_ok=True)
        steps = self._steps()
        ended = self._follow(steps)
        while ended == "masks":
            ended = self._follow(self._steps(resume=False))
        steps.close()

    def _steps(self, *, resume: bool = True) -> impasto.Stylization:
        """The stylization, resumed from its checkpoint if there is a valid one."""
        begun = Settings.from_mapping(self._paint.settings)
        saved = self._folder / CHECKPOINT
        checkpoint = None
        if resume and saved.exists():
            try:
                checkpoint = impasto.Checkpoint.load(saved)
            except CheckpointError as error:
                self._send(Warned(text=f"it was started again: {error}"))
        try:
            steps = self._stylization(begun, checkpoint)
        except CheckpointError as error:
            self._send(Warned(text=f"it was started again: {error}"))
            steps = self._stylization(begun, None)
        steps.change(**_live_differences(steps.settings, Settings.from_mapping(self._paint.wanted)))
        return steps

    def _stylization(self, settings: Settings, checkpoint: impasto.Checkpoint | None) -> impasto.Stylization:
        paint = self._paint
        with warnings.catch_warnings():
            # The client received these warnings when it submitted the job.
            warnings.simplefilter("ignore", ImpastoWarning)
            return impasto.stylization(
                self._read(paint.content),
                [self._read(style) for style in paint.styles],
                settings,
                init=self._read(paint.init) if paint.init else None,
                masks=[self._read(mask) for mask in paint.masks],
                style_masks=[self._read(mask) for mask in paint.style_masks],
                content_map=self._read(paint.content_map) if paint.content_map else None,
                resume=checkpoint,
            )

    def _read(self, picture: PictureFile) -> Image:
        """A picture of the job. The sandbox has already checked the file, so there is no limit on its pixels here."""
        if picture.path not in self._pictures:
            with Path(picture.path).open("rb") as file:
                self._pictures[picture.path] = images.read(file, name=picture.name, max_pixels=2**40)
        return self._pictures[picture.path]

    def _follow(self, steps: impasto.Stylization) -> Ending:
        """Iterate and carry out commands, until the run ends or needs other masks."""
        forecast = Forecast(time.monotonic())
        report_at = checkpoint_at = 0.0
        progress = None
        for progress in steps:
            now = time.monotonic()
            left = forecast.update(progress, now)
            self._note(progress)
            if checkpoint_at == 0.0:
                checkpoint_at = now + _CHECKPOINT_EVERY
            if now >= report_at:
                self._report(progress, left)
                report_at = now + max(_REPORT_EVERY, _REPORT_SHARE * (time.monotonic() - now))
            if (ended := self._obey(steps, progress)) is not None:
                return ended
            now = time.monotonic()
            if now >= checkpoint_at:
                self._save_checkpoint(progress)
                checkpoint_at = now + max(_CHECKPOINT_EVERY, _CHECKPOINT_SHARE * (time.monotonic() - now))
        assert progress is not None
        return self._finish(progress, stopped=False)

    def _obey(self, steps: impasto.Stylization, progress: impasto.Progress) -> Ending | None:
        """Carry out the commands that arrived since the last iteration; how the run ended, if it did."""
        if self._paint.stopping:
            return self._finish(progress, stopped=True)
        for command in self._commands.pending(self._paint.lease):
            match command:
                case ChangeSettings():
                    self._change_settings(steps, command.settings)
                case ChangeMasks() if self._has_other_masks(command):
                    self._rebase(steps, progress, command)
                    return "masks"
                case Stop():
                    return self._finish(progress, stopped=True)
                case Cancel():
                    self._send(Dropped())
                    return "dropped"
                case Release() | Leave():
                    self._save_checkpoint(progress)
                    self.leaving = isinstance(command, Leave)
                    position = self._position(progress, None)
                    self._send(Released(progress=position, seconds=self._seconds, reached=len(self._points)))
                    return "released"
        return None

    def _change_settings(self, steps: impasto.Stylization, settings: Mapping[str, Any]) -> None:
        self._paint = self._paint.model_copy(update={"wanted": {**self._paint.wanted, **settings}})
        try:
            steps.change(**settings)
        except SettingsError as error:
            self._send(Warned(text=str(error)))

    def _has_other_masks(self, command: ChangeMasks) -> bool:
        now = self._paint
        return (command.masks, command.style_masks, command.content_map) != (
            now.masks,
            now.style_masks,
            now.content_map,
        )

    def _rebase(self, steps: impasto.Stylization, progress: impasto.Progress, command: ChangeMasks) -> None:
        """Start again from the current picture at its current size: masks are fixed for one optimization."""
        start = self._folder / f"{len(self._points)}-{START}"
        images.write(progress.preview(), start)
        settings = steps.settings.replace(
            init="content",
            coarse_size=max(32, max(progress.size)),
            scales=0,
            coarse_iterations=max(1, progress.iterations - progress.iteration),
        ).to_mapping()
        heard = self._paint.wanted
        init = PictureFile(path=str(start), name=START)
        self._paint = self._paint.model_copy(
            update={
                "masks": command.masks,
                "style_masks": command.style_masks,
                "content_map": command.content_map,
                "settings": settings,
                "wanted": settings,
                "init": init,
            }
        )
        # The studio moves the file when it receives the report.
        self._read(init)
        (self._folder / CHECKPOINT).unlink(missing_ok=True)
        self._send(Rebased(start=str(start), settings=settings, heard=heard))
        self._points, self._reported = [], 0

    def _finish(self, progress: impasto.Progress, *, stopped: bool) -> Ending:
        pastiche = progress.pastiche(stopped=stopped)
        path = self._folder / RESULT
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            pastiche.save(path)
        self._report(progress, 0.0)
        self._send(
            Finished(
                path=str(path),
                stopped=stopped,
                seconds=self._seconds,
                step=len(self._points),
                warnings=[str(warning.message) for warning in caught],
            )
        )
        return "painted"

    @property
    def _seconds(self) -> float:
        return round(float(time.monotonic() - self._begun), 3)

    def _note(self, progress: impasto.Progress) -> None:
        """Append the new losses to the file; after a resumption, write it anew from the checkpoint's trace."""
        trace = progress.checkpoint().trace
        new = [_point(step, point) for step, point in enumerate(trace[len(self._points) :], len(self._points) + 1)]
        mode = "a" if self._points else "w"
        with (self._folder / LOSSES).open(mode, encoding="ascii") as file:
            file.writelines(json.dumps(point.model_dump()) + "\n" for point in new)
        self._points += new

    def _report(self, progress: impasto.Progress, left: float | None) -> None:
        picture = progress.preview()
        long_side = min(PREVIEW_SIDE, max(picture.size))
        small = picture.resized(images.fit(picture.size, long_side))
        with whole(self._folder / PREVIEW, durable=False) as beside:
            beside.write_bytes(images.encode(small, "JPEG", quality=_PREVIEW_QUALITY))
        self._send(
            Progressed(
                progress=self._position(progress, left),
                preview=PreviewSize(width=small.width, height=small.height),
                first=self._reported,
                points=self._points[self._reported :],
            )
        )
        self._reported = len(self._points)

    def _position(self, progress: impasto.Progress, left: float | None) -> JobPosition:
        last = self._points[-1]
        return JobPosition(
            scale=progress.scale,
            scales=progress.scales,
            size=list(progress.size),
            iteration=progress.iteration,
            iterations=progress.iterations,
            step=last.step,
            fraction=round(min(1.0, progress.work / max(1, progress.total_work)), 4),
            seconds=self._seconds,
            seconds_left=None if left is None else round(left, 1),
            loss=last.loss,
            losses=last.losses,
        )

    def _save_checkpoint(self, progress: impasto.Progress) -> None:
        """Write a checkpoint; if that fails, as on a full disk, painting goes on without."""
        try:
            progress.checkpoint().save(self._folder / CHECKPOINT)
        except CheckpointError as error:
            self._send(Warned(text=str(error).partition(": ")[2]))
            return
        position = self._position(progress, None)
        self._send(Checkpointed(reached=len(self._points), progress=position, seconds=self._seconds))

    def _send(self, report: WorkerReport) -> None:
        write(self._out, report)


def _live_differences(now: Settings, wanted: Settings) -> dict[str, Any]:
    """The wanted values of the live settings that differ."""
    return {name: value for name, value in wanted.differences(now).items() if OPTIONS[name][1].live}


def _point(step: int, point: Any) -> LossPoint:
    return LossPoint(
        step=step,
        scale=point.scale,
        size=list(point.size),
        iteration=point.iteration,
        loss=point.value,
        losses=dict(point.terms),
        changed=list(getattr(point, "changed", ())),
    )
