"""Owns the handing out of jobs to those who paint, and the noting of what they say."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from impasto.settings import OPTIONS
from impasto.web import telemetry
from impasto.web.executor import Executor
from impasto.web.files import CHECKPOINT, START, Folders
from impasto.web.job import Job, NoSuchJobError
from impasto.web.leases import Leases
from impasto.web.pictures import Pictures
from impasto.web.problems import Problem
from impasto.web.streams import Hub

LOST = "the process that painted it ended"
_STOP_SECONDS = 15.0
_LOOK_AGAIN = 1.0
_GUIDES = ("masks", "style_masks", "content_map")


@dataclass
class Live:
    """A job that is being painted, as far as only this process knows.

    Attributes:
        job: as it was claimed.
        points: losses so far.
        progress: where it is.
        preview: its size, and a number that tells it from the one before.
    """

    job: Job
    points: list[dict[str, Any]] = field(default_factory=list)
    progress: dict[str, Any] | None = None
    preview: dict[str, Any] | None = None


class Foreman:
    """Stands between the queue and those who paint.

    Args:
        leases: the queue, as those who paint see it.
        pictures: what is painted from, and where results go.
        folders: where each job has its files.
        executor: those who paint.
        hub: those who listen.
        metrics: told of paintings and deaths.
        attempts: as in `Config`, to be named in the error.

    Attributes:
        live: jobs that are being painted, by id.
    """

    def __init__(
        self,
        leases: Leases,
        pictures: Pictures,
        folders: Folders,
        executor: Executor,
        hub: Hub,
        metrics: telemetry.Metrics,
        attempts: int,
    ) -> None:
        self.live: dict[str, Live] = {}
        self._changing = threading.Lock()
        self._leases, self._pictures, self._folders = leases, pictures, folders
        self._executor, self._hub, self._metrics = executor, hub, metrics
        self._attempts = attempts
        self._stopping = False
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to hand out jobs."""
        self._loop = asyncio.get_running_loop()
        await self._executor.start(self._report)
        self._task = asyncio.create_task(self._hand_out())

    async def stop(self) -> None:
        """Have what is painted laid aside at its checkpoint."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._executor.stop(_STOP_SECONDS)

    def wake(self) -> None:
        """There may be something to paint; any thread may say so."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    def tell(self, job_id: str, command: Mapping[str, Any]) -> None:
        """Tell whoever paints a job something; from any thread."""
        live = self.live.get(job_id)
        if live is not None:
            self._tell(live, command)

    def let_go(self, job_id: str) -> None:
        """Have nobody paint a job that was taken from them; from any thread.

        It may have been put back and handed out anew by now: whoever has its lease keeps it.
        """
        live = self.live.get(job_id)
        if live is not None and self._leases.get(job_id).lease != live.job.lease:
            self._tell(live, {"do": "cancel"})
            self._forget(live)

    def _tell(self, live: Live, command: Mapping[str, Any]) -> None:
        if live.job.lease is not None and self._loop is not None and not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self._executor.tell(live.job.lease, command), self._loop)

    def _forget(self, live: Live) -> None:
        """It is painted no more; what the same job is handed out as since stays."""
        with self._changing:
            if self.live.get(live.job.id) is live:
                del self.live[live.job.id]

    def order(self, job: Job) -> dict[str, Any]:
        """What is to be painted, for those who do."""
        return {
            "job": job.id,
            "lease": job.lease,
            "folder": str(self._folders.of(job.id)),
            "settings": job.settings,
            "wanted": job.wanted,
            "stopping": job.stopping,
            "seconds": job.seconds,
            **self._found(job.spec, "content", "styles", "init", *_GUIDES),
        }

    def news(self, before: Job, now: Job) -> list[dict[str, Any]]:
        """What to tell those who paint a job, after its settings or masks have changed."""
        settings = {
            name: value
            for name, value in now.wanted.items()
            if name in OPTIONS and OPTIONS[name][1].live and value != before.wanted.get(name)
        }
        told: list[dict[str, Any]] = [{"do": "change", "settings": settings}] if settings else []
        if any(now.spec[name] != before.spec[name] for name in _GUIDES):
            told.append({"do": "guide", **self._found(now.spec, *_GUIDES)})
        return told

    def _found(self, spec: Mapping[str, Any], *names: str) -> dict[str, Any]:
        """Pictures of a job with the paths of their files."""

        def found(one: Any) -> Any:
            if isinstance(one, list):
                return [found(part) for part in one]
            return None if one is None else {"path": str(self._pictures.path(one["id"])), "name": one["name"]}

        return {name: found(spec[name]) for name in names}

    async def _hand_out(self) -> None:
        while True:
            self._wake.clear()
            try:
                while self._executor.free and (job := await asyncio.to_thread(self._leases.claim)) is not None:
                    with self._changing:
                        self.live[job.id] = Live(job)
                    self._hub.tell("changed", job.id)
                    self._hub.tell_queue()
                    await self._hand(job)
            except Exception as error:
                # A full disk, say: nothing was begun, and it is tried again.
                telemetry.exception(error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _LOOK_AGAIN)

    async def _hand(self, job: Job) -> None:
        """Give a job to someone who paints; back into the queue with it if that cannot be done."""
        assert job.lease is not None
        try:
            await self._executor.paint(await asyncio.to_thread(self.order, job))
            await self._catch_up(job)
        except Exception:
            await self._executor.tell(job.lease, {"do": "cancel"})
            self.live.pop(job.id, None)
            await self._put_back(job)
            raise

    async def _put_back(self, job: Job) -> None:
        """Release a job, as soon as that can be noted."""
        while True:
            try:
                await asyncio.to_thread(self._leases.release, job)
            except sqlite3.Error as error:
                telemetry.exception(error)
                await asyncio.sleep(_LOOK_AGAIN)
                continue
            self._hub.tell("changed", job.id)
            self._hub.tell_queue()
            return

    async def _catch_up(self, job: Job) -> None:
        """Tell what was asked for after the job was claimed, and before there was anyone to tell."""
        now = await asyncio.to_thread(self._leases.get, job.id)
        assert job.lease is not None
        if now.lease != job.lease:
            await self._executor.tell(job.lease, {"do": "cancel"})
        elif now.stopping and not job.stopping:
            await self._executor.tell(job.lease, {"do": "stop"})
        elif now.paused:
            await self._executor.tell(job.lease, {"do": "rest"})
        else:
            for command in self.news(job, now):
                await self._executor.tell(job.lease, command)

    async def _report(self, job_id: str, lease: str, said: Mapping[str, Any]) -> None:
        """What those who paint say."""
        live = self.live.get(job_id)
        if live is None or live.job.lease != lease:
            # Of a job that was canceled, or has gone to another meanwhile.
            self._wake.set()
            return
        if said["say"] == "progress":
            self._progressed(live, said)
            return
        ended = await asyncio.to_thread(self._record, live, said)
        if ended:
            self._forget(live)
            self._wake.set()
            self._hub.tell_queue()
        if said["say"] != "checkpoint":
            self._hub.tell("changed", job_id)

    def _progressed(self, live: Live, said: Mapping[str, Any]) -> None:
        live.points[said["from"] :] = said["points"]
        live.progress = dict(said["progress"])
        first = live.preview is None
        # Larger than any of an attempt before.
        version = int(time.time() * 10) if live.preview is None else live.preview["version"] + 1
        live.preview = {**said["preview"], "version": version}
        if first:
            # What may be done to it is new, too.
            self._hub.tell("changed", live.job.id)
        self._hub.tell("progressed", live.job.id)

    def _record(self, live: Live, said: Mapping[str, Any]) -> bool:
        """Note what was said in the database; whether it ends the job's being painted."""
        job = live.job
        match said["say"]:
            case "checkpoint":
                try:
                    self._leases.note(job, progress=said["progress"], seconds=said["seconds"], reached=said["reached"])
                except sqlite3.Error as error:
                    # The next one says as much.
                    telemetry.exception(error)
                return False
            case "rebased":
                self._rebased(live, said)
                return False
            case "warning":
                telemetry.event("worker warned", job=job.id)
                return False
            case "painted":
                self._painted(live, said)
            case "failed":
                more = {"setting": said["setting"]} if said["setting"] else {}
                self._leases.fail(job, Problem(said["kind"], said["detail"], **more).body())
            case "rested":
                self._leases.note(job, progress=said["progress"], seconds=said["seconds"], reached=said["reached"])
                self._leases.release(job)
            case "lost" if self._stopping:
                self._leases.release(job)
            case "lost":
                detail = f"{LOST} {self._attempts} times without getting further ({said['reason']}); try a smaller size"
                self._leases.lost(job, Problem("internal", detail).body())
                self._metrics.deaths.inc()
        with contextlib.suppress(NoSuchJobError):
            if self._leases.get(job.id).state == "succeeded":
                (self._folders.of(job.id) / CHECKPOINT).unlink(missing_ok=True)
        return True

    def _painted(self, live: Live, said: Mapping[str, Any]) -> None:
        job = live.job
        try:
            picture, _ = self._pictures.add(Path(said["path"]), f"{job.spec['name']}.png")
        except (Problem, OSError) as error:
            why = error.detail if isinstance(error, Problem) else "there was no room for the finished picture"
            self._leases.fail(job, Problem("disk-full", f"{why}; then retry: it goes on from where it was").body())
            return
        known = {name: said[name] for name in ("seconds", "stopped", "step")}
        if live.progress is not None:
            self._leases.note(job, progress=live.progress, seconds=said["seconds"])
        if self._leases.finish(job, {"id": picture.id, **known}, warnings=said["warnings"]):
            self._metrics.painted.observe(said["seconds"])

    def _rebased(self, live: Live, said: Mapping[str, Any]) -> None:
        start, _ = self._pictures.add(Path(said["start"]), START)
        # By the name that the checkpoint knows it by, whatever the same picture was called before.
        self._leases.rebase(live.job, {"id": start.id, "name": START}, said["settings"], said["heard"])
        live.points.clear()
