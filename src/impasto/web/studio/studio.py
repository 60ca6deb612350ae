"""Owns the Studio, which joins queue, pictures and workers, and does what clients ask.

Methods block and are called from threads, except `start`, `stop` and `begin_to_stop`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from impasto._version import __version__
from impasto.settings import Settings
from impasto.web import telemetry
from impasto.web.config import Config
from impasto.web.listeners import Hub
from impasto.web.problems import Problem
from impasto.web.queue.claims import Claims
from impasto.web.queue.job import QUEUED, RUNNING, ConflictError, Job, JobSpec
from impasto.web.queue.jobs import Jobs
from impasto.web.sandbox.sandbox import Sandbox
from impasto.web.schema import requests
from impasto.web.storage.data_folder import DataFolder, explained
from impasto.web.storage.database import BEFORE_REPAIR, Database
from impasto.web.storage.erasures import Erasures
from impasto.web.storage.folders import CHECKPOINT, Folders
from impasto.web.storage.pictures import PictureStore
from impasto.web.storage.space import Space
from impasto.web.studio.fast import FastPainter
from impasto.web.studio.looks import Looks
from impasto.web.studio.sweeps import Sweeps
from impasto.web.studio.validation import JobValidator, Masks, check_memory
from impasto.web.studio.views import Views
from impasto.web.workers.dispatcher import Dispatcher
from impasto.web.workers.executor import Executor, LocalExecutor

# Bytes that the sandbox may take: for each pixel of the largest picture, and in any case.
_SANDBOX_BYTES_PER_PIXEL, _SANDBOX_BYTES = 48, 1 << 30
_HOUSEKEEPING_SECONDS = 3600.0


class Studio:
    """Everything that lives as long as the application.

    Args:
        config: its configuration.
        executor: paints; processes on this machine if None.

    Raises:
        SettingsError: the data folder cannot be used.
        Problem: another studio uses it.
    """

    def __init__(self, config: Config, executor: Executor | None = None) -> None:
        self.config = config
        self.boot = secrets.token_hex(6)
        self.stopping = False
        with contextlib.ExitStack() as undo:
            self._folder = DataFolder(config.data)
            undo.callback(self._folder.release)
            with explained(config.data):
                self.database = Database(self._folder.database)
                undo.callback(self.database.close)
                self.jobs = Jobs(self.database, max_queue=config.max_queue)
                self.claims = Claims(self.database, attempts=config.attempts)
                self.sandbox = Sandbox(memory=_SANDBOX_BYTES + _SANDBOX_BYTES_PER_PIXEL * config.max_pixels)
                self.space = Space(config.data, min_free=config.min_free)
                self.pictures = PictureStore(
                    self._folder,
                    self.database,
                    self.sandbox,
                    self.space,
                    max_pixels=config.max_pixels,
                )
            self.folders = Folders(self._folder.jobs)
            self._erasures = Erasures(self.database, "jobs", self.folders.of)
            self.hub = Hub()
            self.metrics = telemetry.Metrics(self.jobs.counts)
            self._threads = config.threads or _threads(config.workers)
            executor = executor or LocalExecutor(config.workers, self._threads)
            self.dispatcher = Dispatcher(
                self.claims, self.pictures, self.folders, executor, self.hub, self.metrics, config.attempts
            )
            self.views = Views(self.jobs, self.pictures, self.folders, self.dispatcher.active)
            self.validator = JobValidator(self.jobs, self.pictures, self.sandbox, config.max_pixels)
            self.fast = FastPainter(self.pictures, self.validator, self.sandbox, config.max_pixels)
            self.looks = Looks(self.pictures, self.validator, self.sandbox, self.fast, config.max_pixels)
            self.sweeps = Sweeps(
                self.database,
                self.jobs,
                self.pictures,
                self.validator,
                self.sandbox,
                self.views,
                self._folder.sheets,
                announce=self.announce,
                cancel=lambda job_id: self.act(job_id, "cancel"),
            )
            self._tasks: list[asyncio.Task[None]] = []
            with explained(config.data):
                self._repaired = self._set_aside_damaged()
            undo.pop_all()

    @property
    def temporary(self) -> Path:
        """The folder of temporary files."""
        return self._folder.temporary

    # Starting and stopping.

    async def start(self) -> None:
        """Recover what an earlier studio left, and begin to paint."""
        self.hub.open(asyncio.get_running_loop())
        await asyncio.to_thread(self._recover)
        await self.dispatcher.start()
        # The first upload should not wait for the sandbox to import torch.
        self._tasks = [asyncio.create_task(self._housekeeping()), asyncio.create_task(asyncio.to_thread(self._warm))]

    def begin_to_stop(self) -> None:
        """Refuse new requests and end event streams. May be called from a signal handler."""
        self.stopping = True
        self.hub.close()

    async def stop(self) -> None:
        """Have active jobs released at a checkpoint, and close everything."""
        self.begin_to_stop()
        for task in self._tasks:
            task.cancel()
        await self.dispatcher.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self.database.close)
        self._folder.release()

    def _set_aside_damaged(self) -> bool:
        """Set aside rows of the database that cannot be read; whether there were any."""
        moved = {
            "jobs": self.jobs.set_aside_damaged(),
            "pictures": self.pictures.set_aside_damaged(),
            "sweeps": self.sweeps.set_aside_damaged(),
            "keys": self.database.set_aside("keys", "key", tuple),
            "facts": self.database.set_aside("facts", "name", tuple),
        }
        for table, keys in moved.items():
            for key in keys:
                telemetry.event("damaged row set aside", logging.WARNING, table=table, key=key, copy=BEFORE_REPAIR)
        return any(moved.values())

    def _back_up(self) -> None:
        """Replace the backup; a disk without room for it keeps the old one."""
        try:
            self.database.back_up(self.database.backup)
        except (OSError, sqlite3.Error) as error:
            telemetry.exception(error)

    def _recover(self) -> None:
        if not self._repaired:
            self._back_up()
        self._folder.remove_scratch()
        for job in self.claims.recover():
            telemetry.event("job recovered", job=job.id, state=job.state, attempts=job.attempts)
        self._purge()

    def _warm(self) -> None:
        """Start the sandbox, and measure this machine's speed."""
        try:
            self.sandbox.run("warm", patient=True)
            self.validator.speed = self._known_speed()
        except (Problem, OSError, sqlite3.Error) as error:
            telemetry.exception(error)

    def _known_speed(self) -> dict[str, Any]:
        """This machine's speed, measured once for each version and number of threads."""
        measured_as = [__version__, self._threads]
        with contextlib.suppress(ValueError, KeyError, TypeError):
            known = json.loads(self.database.fact("speed") or "")
            if known["of"] == measured_as:
                return dict(known["speed"])
        speed = self.sandbox.run("speed", self._threads, patient=True)
        self.database.set_fact("speed", json.dumps({"of": measured_as, "speed": speed}))
        return dict(speed)

    async def _housekeeping(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)
            await asyncio.to_thread(self._back_up)
            await asyncio.to_thread(self._purge)

    def _purge(self) -> None:
        """Erase jobs deleted long ago, old checkpoints, and pictures that no job uses."""
        before = time.time() - self.config.keep_deleted
        for gone in self.jobs.purge(before, self._erasures):
            self.hub.notify("removed", gone)
        self._erasures.complete(self.jobs.exists)
        # Within a transaction, so that no job is retried meanwhile.
        with self.database.transaction():
            for job in self._all_jobs():
                if job.finished is not None and job.finished < before:
                    # A retry then starts from the beginning; a checkpoint is fifty times as large as its picture.
                    (self.folders.of(job.id) / CHECKPOINT).unlink(missing_ok=True)
        self.pictures.purge(lambda: {id for job in self._all_jobs() for id in job.picture_ids}, before)

    def _all_jobs(self) -> Iterable[Job]:
        yield from self.jobs.find(limit=-1)
        yield from self.jobs.find(deleted=True, limit=-1)

    def announce(self, *jobs: str) -> None:
        """Notify listeners and the dispatcher that jobs were added or changed."""
        for job in jobs:
            self.hub.notify("changed", job)
        self.hub.notify_queue()
        self.dispatcher.wake()

    # Requests.

    def submit(self, request: requests.JobRequest, key: str | None) -> tuple[dict[str, Any], bool]:
        """Queue a job.

        Returns:
            The job, and whether it is new: an idempotency key may have queued it before.

        Raises:
            Problem, SettingsError, QueueFullError, KeyReusedError: it is refused.
        """
        fingerprint = request.fingerprint()
        if key is not None and (known := self.jobs.known(key, fingerprint)) is not None:
            return self.views.job(known.id), False
        self.jobs.check_room()
        self.pictures.check_room()
        spec, settings = self.validator.spec(request)
        estimate = self.validator.estimate(spec, settings)
        check_memory(estimate)
        job, new = self.jobs.add(
            spec, settings.to_mapping(), warnings=estimate["warnings"], key=(key, fingerprint) if key else None
        )
        self.announce(job.id)
        return self.views.job(job.id), new

    def act(self, job_id: str, action: str) -> dict[str, Any]:
        """Cancel, stop, pause, resume, retry, delete or undelete a job."""
        before = self.jobs.get(job_id)
        getattr(self.jobs, action)(job_id)
        if before.state == RUNNING and action == "stop":
            self.dispatcher.stop_job(job_id)
        if before.state == RUNNING and action == "pause":
            self.dispatcher.release_job(job_id)
        self.dispatcher.abandon(job_id)
        self.announce(job_id)
        return self.views.job(job_id)

    def move(self, job_id: str, to: int) -> dict[str, Any]:
        """Move a job to another index in the queue."""
        self.jobs.move(job_id, to)
        self.announce(job_id)
        return self.views.job(job_id)

    def star(self, job_id: str, starred: bool) -> dict[str, Any]:
        """Star a job, or remove the star."""
        self.jobs.star(job_id, starred)
        self.announce(job_id)
        return self.views.job(job_id)

    def set_queue(self, request: requests.QueueRequest) -> dict[str, Any]:
        """Reorder the queue, pause it or resume it."""
        if request.order is not None:
            self.jobs.reorder(request.order)
        if request.paused is not None:
            self.jobs.pause_all(request.paused)
        self.announce()
        return self.views.queue()

    def change(self, job_id: str, change: requests.ChangeRequest) -> dict[str, Any]:
        """Change settings, weights or masks of a job.

        Raises:
            SettingsError: a setting is unknown, out of range, or cannot change any more.
            ConflictError, NoSuchJobError, Problem: there is no such job or picture, or its state allows no change.
        """
        job = self.jobs.get(job_id)
        while not self._try_change(job, change):
            # Another client changed it first; apply this change to the result.
            job = self.jobs.get(job_id)
        if job.state == RUNNING:
            self.dispatcher.change_job(job, self.jobs.get(job_id))
        self.announce(job_id)
        return self.views.job(job_id)

    def _try_change(self, job: Job, change: requests.ChangeRequest) -> bool:
        """Validate and store a change; False if the job was changed meanwhile."""
        if "settings" not in job.actions:
            raise ConflictError(f"the job is {job.state}, so its settings can no longer change")
        now = Settings.from_mapping(job.wanted)
        wanted = change.wanted()
        settings = now.replace(**wanted) if job.state == QUEUED else now.replace_live(**wanted)
        requests.check_untrusted(settings)
        spec: JobSpec = {**job.spec, **self._masks(job.spec, change)} if change.changes_masks else job.spec
        estimate = self.validator.estimate(spec, settings)
        if job.state == QUEUED:
            check_memory(estimate)
        return self.jobs.change(job, spec, settings.to_mapping(), estimate["warnings"])

    def _masks(self, spec: JobSpec, change: requests.ChangeRequest) -> Masks:
        """The masks after a change; those that it does not mention stay."""
        masks, style_masks, content_map = change.masks, change.style_masks, change.content_map
        if masks is None:
            masks = [f"picture:{mask['id']}" for mask in spec["masks"]]
        if style_masks is None:
            style_masks = [f"picture:{mask['id']}" for mask in spec["style_masks"]]
        if "content_map" not in change.model_fields_set and (known := spec["content_map"]) is not None:
            content_map = f"picture:{known['id']}"
        return self.validator.masks(masks, style_masks, content_map)

    def extend(self, job_id: str, iterations: int) -> tuple[dict[str, Any], bool]:
        """Paint a job longer.

        Returns:
            The job that continues, and whether it is a new one.
        """
        job = self.jobs.get(job_id)
        if "extend" not in job.actions:
            raise ConflictError(f"the job is {job.state}, so it cannot be extended")
        if job.state == RUNNING:
            self.dispatcher.change_job(job, self.jobs.extend(job_id, iterations))
            self.announce(job_id)
            return self.views.job(job_id), False
        assert job.result is not None
        settings = Settings.from_mapping(job.wanted).replace(
            init="content", scales=1, iterations=iterations, tolerance=0.0
        )
        start = self.pictures.get(job.result["id"])
        spec: JobSpec = {**job.spec, "init": {"id": start.id, "name": start.name}}
        new, _ = self.jobs.add(spec, settings.to_mapping(), parent=job_id)
        self.announce(new.id)
        return self.views.job(new.id), True


def _threads(workers: int) -> int:
    """CPU threads of each worker: OMP_NUM_THREADS, or its share of the machine."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else max(1, (os.cpu_count() or 1) // workers)
