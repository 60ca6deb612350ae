"""Owns the carrying out of one order: it paints, does what is said meanwhile, and keeps what is needed to go on."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import impasto
from impasto import images
from impasto.errors import CheckpointError, ImpastoWarning, SettingsError
from impasto.files import whole
from impasto.images import Image
from impasto.planning.forecast import Forecast
from impasto.settings import OPTIONS, Settings
from impasto.web.files import CHECKPOINT, LOSSES, PREVIEW, PREVIEW_SIDE, RESULT, START
from impasto.web.talk import Orders, say

_GUIDES = ("masks", "style_masks", "content_map")
_PREVIEW_QUALITY = 85
_REPORT_EVERY = 1.0
_CHECKPOINT_EVERY = 2.0
# Telling may take a tenth of the time and keeping a twentieth, however large the picture.
_REPORT_SHARE, _CHECKPOINT_SHARE = 10, 20


class Painting:
    """One order being carried out.

    Args:
        order: `job`, `lease`, `folder`, `settings` (those it began with), `wanted` (those asked for by now),
            `stopping`, `seconds` painted before, and the pictures, each as `{"path", "name"}`: `content`, `styles`,
            `masks`, `style_masks`, `content_map`, `init`.
        orders: what is said meanwhile.
        out: where reports go.
    """

    def __init__(self, order: Mapping[str, Any], orders: Orders, out: TextIO) -> None:
        self._order = dict(order)
        self._orders, self._out = orders, out
        self._folder = Path(order["folder"])
        self._begun: float = time.monotonic() - order["seconds"]
        self._version = 0
        self._points: list[dict[str, Any]] = []
        self._told = 0
        self._stopping = bool(order["stopping"])
        self.leaving = False
        self._pictures: dict[str, Image] = {}

    def run(self) -> None:
        """Paint until it is done, or told otherwise."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / RESULT).unlink(missing_ok=True)
        steps = self._steps()
        ended = self._follow(steps)
        while ended == "guide":
            ended = self._follow(self._anew())
        steps.close()

    def _steps(self, *, resume: bool = True) -> impasto.Stylization:
        """The stylization, from its checkpoint if there is a good one."""
        order = self._order
        begun = Settings.from_mapping(order["settings"])
        saved = self._folder / CHECKPOINT
        checkpoint = None
        if resume and saved.exists():
            try:
                checkpoint = impasto.Checkpoint.load(saved)
            except CheckpointError as error:
                self._say("warning", text=f"it began anew: {error}")
        try:
            steps = self._stylization(begun, checkpoint)
        except CheckpointError as error:
            self._say("warning", text=f"it began anew: {error}")
            steps = self._stylization(begun, None)
        steps.change(**_live_differences(steps.settings, Settings.from_mapping(order["wanted"])))
        return steps

    def _stylization(self, settings: Settings, checkpoint: impasto.Checkpoint | None) -> impasto.Stylization:
        order = self._order
        with warnings.catch_warnings():
            # Whoever asked was told when the job was taken in.
            warnings.simplefilter("ignore", ImpastoWarning)
            return impasto.stylization(
                self._read(order["content"]),
                [self._read(one) for one in order["styles"]],
                settings,
                init=self._read(order["init"]) if order["init"] else None,
                masks=[self._read(one) for one in order["masks"]],
                style_masks=[self._read(one) for one in order["style_masks"]],
                content_map=self._read(order["content_map"]) if order["content_map"] else None,
                resume=checkpoint,
            )

    def _read(self, picture: Mapping[str, str]) -> Image:
        """A picture of the order; looked at before, when it was taken in, under limits and in a process of its own."""
        if picture["path"] not in self._pictures:
            with Path(picture["path"]).open("rb") as file:
                self._pictures[picture["path"]] = images.read(file, name=picture["name"], max_pixels=2**40)
        return self._pictures[picture["path"]]

    def _follow(self, steps: impasto.Stylization) -> str:
        """Iterate, and do what is said; how it ended."""
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
            if (ended := self._heed(steps, progress)) is not None:
                return ended
            now = time.monotonic()
            if now >= checkpoint_at:
                self._keep(progress)
                checkpoint_at = now + max(_CHECKPOINT_EVERY, _CHECKPOINT_SHARE * (time.monotonic() - now))
        assert progress is not None
        return self._finish(progress, stopped=False)

    def _heed(self, steps: impasto.Stylization, progress: impasto.Progress) -> str | None:
        """Do what was said since the last iteration; how the painting ended, if it did."""
        if self._stopping:
            return self._finish(progress, stopped=True)
        for said in self._orders.now(self._order["lease"]):
            match said["do"]:
                case "change":
                    self._change(steps, said["settings"])
                case "guide" if any(self._order[name] != said[name] for name in _GUIDES):
                    self._rebase(steps, progress, said)
                    return "guide"
                case "stop":
                    return self._finish(progress, stopped=True)
                case "cancel":
                    self._say("dropped", ends=True)
                    return "dropped"
                case "rest" | "leave":
                    self._keep(progress)
                    self.leaving = said["do"] == "leave"
                    self._say(
                        "rested",
                        ends=True,
                        progress=self._position(progress, None),
                        seconds=self._seconds,
                        reached=len(self._points),
                    )
                    return "rested"
        return None

    def _change(self, steps: impasto.Stylization, settings: Mapping[str, Any]) -> None:
        self._order["wanted"] = {**self._order["wanted"], **settings}
        try:
            steps.change(**settings)
        except SettingsError as error:
            self._say("warning", text=str(error))

    def _anew(self) -> impasto.Stylization:
        return self._steps(resume=False)

    def _rebase(self, steps: impasto.Stylization, progress: impasto.Progress, said: Mapping[str, Any]) -> None:
        """Begin anew from the picture as it is, at the size it has: masks decide about more than can be changed."""
        start = self._folder / f"{len(self._points)}-{START}"
        images.write(progress.preview(), start)
        settings = steps.settings.replace(
            init="content",
            coarse_size=max(32, max(progress.size)),
            scales=0,
            coarse_iterations=max(1, progress.iterations - progress.iteration),
        )
        heard = self._order["wanted"]
        self._order |= {name: said[name] for name in _GUIDES}
        self._order |= {"settings": settings.to_mapping(), "wanted": settings.to_mapping()}
        self._order["init"] = {"path": str(start), "name": START}
        # Before the studio hears of it, and takes the file in.
        self._read(self._order["init"])
        (self._folder / CHECKPOINT).unlink(missing_ok=True)
        self._say("rebased", start=str(start), settings=settings.to_mapping(), heard=heard)
        self._points, self._told = [], 0

    def _finish(self, progress: impasto.Progress, *, stopped: bool) -> str:
        pastiche = progress.pastiche(stopped=stopped)
        path = self._folder / RESULT
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            pastiche.save(path)
        self._report(progress, 0.0)
        self._say(
            "painted",
            ends=True,
            path=str(path),
            stopped=stopped,
            seconds=self._seconds,
            step=len(self._points),
            settings=pastiche.recipe.last_settings.to_mapping(),
            warnings=[str(one.message) for one in caught],
        )
        return "painted"

    @property
    def _seconds(self) -> float:
        return round(float(time.monotonic() - self._begun), 3)

    def _note(self, progress: impasto.Progress) -> None:
        """Add the losses to the file; after a resumption, the file is made to say what the checkpoint does."""
        trace = progress.checkpoint().trace
        new = [_point(number, point) for number, point in enumerate(trace[len(self._points) :], len(self._points) + 1)]
        mode = "a" if self._points else "w"
        with (self._folder / LOSSES).open(mode, encoding="ascii") as file:
            file.writelines(json.dumps(point) + "\n" for point in new)
        self._points += new

    def _report(self, progress: impasto.Progress, left: float | None) -> None:
        picture = progress.preview()
        long_side = min(PREVIEW_SIDE, max(picture.size))
        small = picture.resized(images.fit(picture.size, long_side))
        self._version += 1
        with whole(self._folder / PREVIEW, durable=False) as beside:
            beside.write_bytes(images.encode(small, "JPEG", quality=_PREVIEW_QUALITY))
        self._say(
            "progress",
            progress=self._position(progress, left),
            preview={"width": small.width, "height": small.height},
            points=self._points[self._told :],
            **{"from": self._told},
        )
        self._told = len(self._points)

    def _position(self, progress: impasto.Progress, left: float | None) -> dict[str, Any]:
        last = self._points[-1]
        return {
            "scale": progress.scale,
            "scales": progress.scales,
            "size": list(progress.size),
            "iteration": progress.iteration,
            "iterations": progress.iterations,
            "step": last["step"],
            "fraction": round(min(1.0, progress.work / max(1, progress.total_work)), 4),
            "seconds": self._seconds,
            "seconds_left": None if left is None else round(left, 1),
            "loss": last["loss"],
            "losses": last["losses"],
        }

    def _keep(self, progress: impasto.Progress) -> None:
        """Write a checkpoint; a disk without room costs only that."""
        try:
            progress.checkpoint().save(self._folder / CHECKPOINT)
        except CheckpointError as error:
            self._say("warning", text=str(error).partition(": ")[2])
            return
        self._say(
            "checkpoint", reached=len(self._points), progress=self._position(progress, None), seconds=self._seconds
        )

    def _say(self, what: str, **more: Any) -> None:
        say(self._out, what, **more)


def _live_differences(now: Settings, wanted: Settings) -> dict[str, Any]:
    """The settings to change while painting, to get from one to the other as far as that is possible."""
    return {name: value for name, value in wanted.differences(now).items() if OPTIONS[name][1].live}


def _point(step: int, point: Any) -> dict[str, Any]:
    return {
        "step": step,
        "scale": point.scale,
        "size": list(point.size),
        "iteration": point.iteration,
        "loss": point.value,
        "losses": dict(point.terms),
        "changed": list(getattr(point, "changed", ())),
    }
