"""Owns the dispatcher: it gives queued jobs to the executor, and stores what workers report."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from impasto.settings import OPTIONS
from impasto.web import telemetry
from impasto.web.listeners import Hub
from impasto.web.problems import Problem
from impasto.web.queue.claims import Claims
from impasto.web.queue.job import SUCCEEDED, Job, JobSpec, NamedPicture, NoSuchJobError
from impasto.web.storage.folders import CHECKPOINT, START, Folders
from impasto.web.storage.pictures import PictureStore
from impasto.web.workers.executor import Executor
from impasto.web.workers.protocol import (
    Cancel,
    ChangeMasks,
    ChangeSettings,
    Checkpointed,
    Command,
    Dropped,
    Failed,
    Finished,
    Lost,
    Paint,
    PictureFile,
    Progressed,
    Rebased,
    Release,
    Released,
    Stop,
    Warned,
    WorkerReport,
)

_STOP_SECONDS = 15.0
_POLL_SECONDS = 1.0


@dataclass
class ActiveJob:
    """A job that is being painted, with the state that is kept in memory only.

    Attributes:
        job: as it was claimed.
        points: its losses so far.
        progress: its position.
        preview: size and version of its preview.
    """

    job: Job
    points: list[dict[str, Any]] = field(default_factory=list)
    progress: dict[str, Any] | None = None
    preview: dict[str, Any] | None = None

    @property
    def lease(self) -> str:
        """Of its claim."""
        assert self.job.lease is not None
        return self.job.lease


class Dispatcher:
    """Moves jobs between the queue and the executor.

    Args:
        claims: the worker's side of the queue.
        pictures: the inputs of jobs, and where results go.
        folders: of the jobs' files.
        executor: paints.
        hub: is notified of changes.
        metrics: count paintings and deaths.
        attempts: as in `Config`; named in the error.

    Attributes:
        active: jobs that are being painted, by id.
    """

    def __init__(
        self,
        claims: Claims,
        pictures: PictureStore,
        folders: Folders,
        executor: Executor,
        hub: Hub,
        metrics: telemetry.Metrics,
        attempts: int,
    ) -> None:
        self.active: dict[str, ActiveJob] = {}
        self._changing = threading.Lock()
        self._claims, self._pictures, self._folders = claims, pictures, folders
        self._executor, self._hub, self._metrics = executor, hub, metrics
        self._attempts = attempts
        self._stopping = False
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to dispatch jobs."""
        self._loop = asyncio.get_running_loop()
        await self._executor.start(self._on_report)
        self._task = asyncio.create_task(self._dispatch_all())

    async def stop(self) -> None:
        """Stop dispatching, and have every active job released at a checkpoint."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._executor.stop(_STOP_SECONDS)

    def wake(self) -> None:
        """Look for a job now, instead of at the next poll. May be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    def stop_job(self, job_id: str) -> None:
        """Have an active job finished with its current picture. May be called from any thread."""
        if (active := self.active.get(job_id)) is not None:
            self._send(Stop(lease=active.lease))

    def release_job(self, job_id: str) -> None:
        """Have an active job released at a checkpoint. May be called from any thread."""
        if (active := self.active.get(job_id)) is not None:
            self._send(Release(lease=active.lease))

    def change_job(self, before: Job, now: Job) -> None:
        """Send an active job's changed settings and masks. May be called from any thread."""
        if (active := self.active.get(now.id)) is not None:
            for command in self._changes(before, now, active.lease):
                self._send(command)

    def abandon(self, job_id: str) -> None:
        """Cancel the painting of a job if its lease has ended. May be called from any thread.

        The job may have been queued and dispatched again meanwhile; the holder of its present lease keeps it.
        """
        active = self.active.get(job_id)
        if active is not None and self._claims.get(job_id).lease != active.lease:
            self._send(Cancel(lease=active.lease))
            self._forget(active)

    def _send(self, command: Command) -> None:
        if self._loop is not None and not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self._executor.send(command), self._loop)

    def _forget(self, active: ActiveJob) -> None:
        """Remove an active job, unless the same job is already active under another lease."""
        with self._changing:
            if self.active.get(active.job.id) is active:
                del self.active[active.job.id]

    def _paint_command(self, job: Job) -> Paint:
        spec = job.spec
        assert job.lease is not None
        return Paint(
            lease=job.lease,
            job=job.id,
            folder=str(self._folders.of(job.id)),
            settings=job.settings,
            wanted=job.wanted,
            stopping=job.stopping,
            seconds=job.seconds,
            content=self._file(spec["content"]),
            styles=[self._file(style) for style in spec["styles"]],
            init=self._file_or_none(spec["init"]),
            masks=[self._file(mask) for mask in spec["masks"]],
            style_masks=[self._file(mask) for mask in spec["style_masks"]],
            content_map=self._file_or_none(spec["content_map"]),
        )

    def _changes(self, before: Job, now: Job, lease: str) -> list[Command]:
        """The commands for a job whose settings or masks have changed."""
        settings = {
            name: value
            for name, value in now.wanted.items()
            if name in OPTIONS and OPTIONS[name][1].live and value != before.wanted.get(name)
        }
        commands: list[Command] = [ChangeSettings(lease=lease, settings=settings)] if settings else []
        if _masks(now.spec) != _masks(before.spec):
            commands.append(
                ChangeMasks(
                    lease=lease,
                    masks=[self._file(mask) for mask in now.spec["masks"]],
                    style_masks=[self._file(mask) for mask in now.spec["style_masks"]],
                    content_map=self._file_or_none(now.spec["content_map"]),
                )
            )
        return commands

    def _file(self, picture: NamedPicture) -> PictureFile:
        return PictureFile(path=str(self._pictures.path(picture["id"])), name=picture["name"])

    def _file_or_none(self, picture: NamedPicture | None) -> PictureFile | None:
        return None if picture is None else self._file(picture)

    async def _dispatch_all(self) -> None:
        while True:
            self._wake.clear()
            try:
                while self._executor.free and (job := await asyncio.to_thread(self._claims.claim)) is not None:
                    with self._changing:
                        self.active[job.id] = ActiveJob(job)
                    self._hub.notify("changed", job.id)
                    self._hub.notify_queue()
                    await self._dispatch(job)
            except Exception as error:
                # For example a full disk: no job was started, and the next poll tries again.
                telemetry.exception(error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _POLL_SECONDS)

    async def _dispatch(self, job: Job) -> None:
        """Start a claimed job; if that fails, return it to the queue."""
        assert job.lease is not None
        try:
            await self._executor.paint(await asyncio.to_thread(self._paint_command, job))
            await self._catch_up(job)
        except Exception:
            await self._executor.send(Cancel(lease=job.lease))
            self.active.pop(job.id, None)
            await self._release(job)
            raise

    async def _release(self, job: Job) -> None:
        """Return a job to the queue, as soon as the database accepts that."""
        while True:
            try:
                await asyncio.to_thread(self._claims.release, job)
            except sqlite3.Error as error:
                telemetry.exception(error)
                await asyncio.sleep(_POLL_SECONDS)
                continue
            self._hub.notify("changed", job.id)
            self._hub.notify_queue()
            return

    async def _catch_up(self, job: Job) -> None:
        """Send what clients requested after the job was claimed and before it had a worker."""
        now = await asyncio.to_thread(self._claims.get, job.id)
        assert job.lease is not None
        if now.lease != job.lease:
            await self._executor.send(Cancel(lease=job.lease))
        elif now.stopping and not job.stopping:
            await self._executor.send(Stop(lease=job.lease))
        elif now.paused:
            await self._executor.send(Release(lease=job.lease))
        else:
            for command in self._changes(job, now, job.lease):
                await self._executor.send(command)

    async def _on_report(self, job_id: str, lease: str, report: WorkerReport) -> None:
        active = self.active.get(job_id)
        if active is None or active.lease != lease:
            # The job was canceled, or has been dispatched again since.
            self._wake.set()
            return
        if isinstance(report, Progressed):
            self._on_progress(active, report)
            return
        await asyncio.to_thread(self._store, active, report)
        if report.ends:
            self._forget(active)
            self._wake.set()
            self._hub.notify_queue()
        if not isinstance(report, Checkpointed):
            self._hub.notify("changed", job_id)

    def _on_progress(self, active: ActiveJob, report: Progressed) -> None:
        active.points[report.first :] = [point.model_dump() for point in report.points]
        active.progress = report.progress.model_dump()
        first = active.preview is None
        # A new attempt starts at a higher version than any earlier one reached.
        version = int(time.time() * 10) if active.preview is None else active.preview["version"] + 1
        active.preview = {**report.preview.model_dump(), "version": version}
        if first:
            # The first preview also changes the job's allowed actions.
            self._hub.notify("changed", active.job.id)
        self._hub.notify("progressed", active.job.id)

    def _store(self, active: ActiveJob, report: WorkerReport) -> None:
        """Store a report in the database."""
        job = active.job
        match report:
            case Checkpointed():
                try:
                    self._store_progress(job, report)
                except sqlite3.Error as error:
                    # The next checkpoint's report makes up for this one.
                    telemetry.exception(error)
            case Rebased():
                self._store_rebase(active, report)
            case Warned():
                telemetry.event("worker warned", job=job.id)
            case Finished():
                self._store_result(active, report)
            case Failed():
                more: dict[str, Any] = {"setting": report.setting} if report.setting else {}
                self._claims.fail(job, Problem(report.kind, report.detail, **more).body())
            case Released():
                self._store_progress(job, report)
                self._claims.release(job)
            case Lost() if self._stopping or not report.died:
                self._claims.release(job)
            case Lost():
                self._claims.worker_lost(job, self._died_too_often(report.reason).body())
                self._metrics.deaths.inc()
            case Dropped():
                pass
        if report.ends:
            with contextlib.suppress(NoSuchJobError):
                if self._claims.get(job.id).state == SUCCEEDED:
                    (self._folders.of(job.id) / CHECKPOINT).unlink(missing_ok=True)

    def _died_too_often(self, reason: str) -> Problem:
        return Problem(
            "internal",
            f"the process that painted it ended {self._attempts} times without progress ({reason}); try a smaller size",
        )

    def _store_progress(self, job: Job, report: Checkpointed | Released) -> None:
        self._claims.record_progress(
            job, progress=report.progress.model_dump(), seconds=report.seconds, reached=report.reached
        )

    def _store_result(self, active: ActiveJob, report: Finished) -> None:
        job = active.job
        try:
            picture, _ = self._pictures.add(Path(report.path), f"{job.spec['name']}.png", patient=True)
        except (Problem, OSError) as error:
            reason = error.detail if isinstance(error, Problem) else "there was no room for the finished picture"
            self._claims.fail(job, Problem("disk-full", f"{reason}; then retry: it resumes from its checkpoint").body())
            return
        if active.progress is not None:
            self._claims.record_progress(job, progress=active.progress, seconds=report.seconds)
        result = {"id": picture.id, "seconds": report.seconds, "stopped": report.stopped, "step": report.step}
        if self._claims.finish(job, result, warnings=report.warnings):
            self._metrics.painted.observe(report.seconds)

    def _store_rebase(self, active: ActiveJob, report: Rebased) -> None:
        start, _ = self._pictures.add(Path(report.start), START, patient=True)
        # The checkpoint knows the picture by this name, whatever an identical one was called before.
        self._claims.rebase(active.job, {"id": start.id, "name": START}, report.settings, report.heard)
        active.points.clear()


def _masks(spec: JobSpec) -> tuple[object, ...]:
    return spec["masks"], spec["style_masks"], spec["content_map"]
