"""Owns what people can do in the studio: the one place where queue, pictures and those who paint meet.

Methods are called from threads and block, but for those of its own life.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from impasto._version import __version__
from impasto.errors import SettingsError
from impasto.files import whole
from impasto.messages import printable, reason
from impasto.settings import Settings
from impasto.web import orders, telemetry
from impasto.web.children import Children
from impasto.web.config import Config
from impasto.web.database import FILE, Database, DatabaseError
from impasto.web.executor import Executor, LocalExecutor
from impasto.web.fast import Fast
from impasto.web.files import CHECKPOINT, Folders
from impasto.web.foreman import LOST, Foreman
from impasto.web.intake import Intake
from impasto.web.job import QUEUED, RUNNING, ConflictError, Job
from impasto.web.jobs import Jobs
from impasto.web.leases import Leases
from impasto.web.pictures import Pictures
from impasto.web.problems import Problem
from impasto.web.sheets import Sheets
from impasto.web.streams import Hub
from impasto.web.views import Views

# Bytes that a child may take for each pixel of the largest picture, beside what it always does.
_CHILD_BYTES_PER_PIXEL, _CHILD_BYTES = 48, 1 << 30
_HOUSEKEEPING_SECONDS = 3600.0


class Studio:
    """Everything that lives as long as the application.

    Args:
        config: how it is set up.
        executor: who paints; processes on this machine, if None.

    Raises:
        SettingsError: the data folder cannot be used.
        Problem: another studio uses it.
    """

    def __init__(self, config: Config, executor: Executor | None = None) -> None:
        self.config = config
        self.boot = secrets.token_hex(6)
        self.stopping = False
        with _usable(config.data):
            config.data.mkdir(parents=True, exist_ok=True)
            self._lock = _Lock(config.data / "lock")
            self.database = Database(config.data / FILE)
            self.jobs = Jobs(self.database, max_queue=config.max_queue)
            self.leases = Leases(self.database, attempts=config.attempts)
            self.children = Children(memory=_CHILD_BYTES + _CHILD_BYTES_PER_PIXEL * config.max_pixels)
            self.pictures = Pictures(
                config.data / "pictures",
                self.database,
                self.children,
                max_pixels=config.max_pixels,
                min_free=config.min_free,
            )
        self.folders = Folders(config.data / "jobs")
        self.hub = Hub()
        self.metrics = telemetry.Metrics(self.jobs.counts)
        self._threads = config.threads or _threads(config.workers)
        executor = executor or LocalExecutor(config.workers, self._threads)
        self.foreman = Foreman(
            self.leases, self.pictures, self.folders, executor, self.hub, self.metrics, config.attempts
        )
        self.views = Views(self.jobs, self.pictures, self.folders, self.foreman.live)
        self.sheets = Sheets(self)
        self.intake = Intake(self.jobs, self.pictures, self.children, config.max_pixels)
        self.fast = Fast(self.pictures, self.intake, self.children, config.max_pixels)
        self._tasks: list[asyncio.Task[None]] = []

    # Its life.

    async def start(self) -> None:
        """Take up what the studio before left, and begin to paint."""
        self.hub.open(asyncio.get_running_loop())
        await asyncio.to_thread(self._take_up)
        await self.foreman.start()
        # The first picture should not have to wait for torch.
        self._tasks = [asyncio.create_task(self._housekeeping()), asyncio.create_task(asyncio.to_thread(self._warm))]

    def begin_to_stop(self) -> None:
        """Take nothing more in, and end what is listened to; may be called by a signal's handler."""
        self.stopping = True
        self.hub.close()

    async def stop(self) -> None:
        """Have what is painted laid aside at its checkpoint, and let go of everything."""
        self.begin_to_stop()
        for task in self._tasks:
            task.cancel()
        await self.foreman.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self.database.close)
        self._lock.release()

    def _take_up(self) -> None:
        self.pictures.sweep()
        for job in self.leases.recover(Problem("internal", f"{LOST} with the studio, again and again").body()):
            telemetry.event("job taken up", job=job.id, state=job.state, attempts=job.attempts)
        self._purge()

    def _warm(self) -> None:
        """Have children at hand, and know how fast this machine is."""
        try:
            self.children.run("warm")
            self.intake.speed = self._known_speed()
        except (Problem, OSError) as error:
            telemetry.exception(error)

    def _known_speed(self) -> dict[str, Any]:
        """As measured, once for each version and number of threads."""
        path = self.config.data / "speed.json"
        of = [__version__, self._threads]
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            known = json.loads(path.read_text(encoding="ascii"))
            if known["of"] == of:
                return dict(known["speed"])
        speed = self.children.run("speed", self._threads)
        with whole(path, durable=False) as beside:
            beside.write_text(json.dumps({"of": of, "speed": speed}), encoding="ascii")
        return dict(speed)

    async def _housekeeping(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)
            await asyncio.to_thread(self._purge)

    def _purge(self) -> None:
        """Erase what was thrown away long ago, and what nothing names any more."""
        before = time.time() - self.config.keep_deleted
        for gone in self.jobs.purge(before):
            shutil.rmtree(self.folders.of(gone), ignore_errors=True)
            self.hub.tell("removed", gone)
        named: set[str] = set()
        for job in self._all_jobs():
            named |= {one["id"] for one in job.pictures}
            if job.finished is not None and job.finished < before:
                # A retry then begins anew; a checkpoint is fifty times as large as its picture.
                (self.folders.of(job.id) / CHECKPOINT).unlink(missing_ok=True)
        self.pictures.purge(named, before)

    def _all_jobs(self) -> Iterable[Job]:
        yield from self.jobs.find(limit=-1)
        yield from self.jobs.find(deleted=True, limit=-1)

    # What is new.

    def announce(self, *jobs: str) -> None:
        """Jobs are new, or something of them but their place in the queue."""
        for job in jobs:
            self.hub.tell("changed", job)
        self.hub.tell_queue()
        self.foreman.wake()

    # What is asked for.

    def submit(self, order: orders.JobOrder, key: str | None) -> tuple[dict[str, Any], bool]:
        """Take in a job; the job, and whether it is new.

        Raises:
            Problem, SettingsError, QueueFullError, KeyReusedError: it is not taken in.
        """
        fingerprint = order.fingerprint()
        if key is not None and (known := self.jobs.known(key, fingerprint)) is not None:
            return self.views.job(known.id), False
        self.jobs.check_room()
        self.pictures.check_room()
        spec, settings = self.intake.resolved(order)
        told = self.intake.foretell(spec, settings)
        self.intake.check_memory(told)
        job, new = self.jobs.add(
            spec, settings.to_mapping(), warnings=told["warnings"], key=(key, fingerprint) if key else None
        )
        self.announce(job.id)
        return self.views.job(job.id), new

    def act(self, job_id: str, action: str) -> dict[str, Any]:
        """Cancel, stop, pause, resume, retry, delete or undelete a job."""
        before = self.jobs.get(job_id)
        getattr(self.jobs, action)(job_id)
        if before.state == RUNNING and (command := _COMMANDS.get(action)) is not None:
            self.foreman.tell(job_id, {"do": command})
        self.foreman.let_go(job_id)
        self.announce(job_id)
        return self.views.job(job_id)

    def move(self, job_id: str, to: int) -> dict[str, Any]:
        """Give a job another place in the queue."""
        self.jobs.move(job_id, to)
        self.announce(job_id)
        return self.views.job(job_id)

    def star(self, job_id: str, starred: bool) -> dict[str, Any]:
        """Mark a job, or not."""
        self.jobs.star(job_id, starred)
        self.announce(job_id)
        return self.views.job(job_id)

    def set_queue(self, order: orders.QueueOrder) -> dict[str, Any]:
        """Order the queue, or halt it."""
        if order.order is not None:
            self.jobs.reorder(order.order)
        if order.paused is not None:
            self.jobs.pause_all(order.paused)
        self.announce()
        return self.views.queue()

    def change(self, job_id: str, change: orders.Change) -> dict[str, Any]:
        """Want other settings, weights or masks of a job.

        Raises:
            SettingsError: a setting is unknown, out of range, or cannot change any more.
            ConflictError, NoSuchJobError, Problem: the job or a picture is not there, or not so.
        """
        job = self.jobs.get(job_id)
        while not self._changed(job, change):
            # Someone else was faster: what they changed is to stay.
            job = self.jobs.get(job_id)
        if job.state == RUNNING:
            for command in self.foreman.news(job, self.jobs.get(job_id)):
                self.foreman.tell(job_id, command)
        self.announce(job_id)
        return self.views.job(job_id)

    def _changed(self, job: Job, change: orders.Change) -> bool:
        """Look at a change of a job and note it; False if the job is no longer the one that was looked at."""
        if "settings" not in job.actions:
            raise ConflictError(f"the job is {job.state}, so its settings cannot change any more")
        now = Settings.from_mapping(job.wanted)
        wanted = change.wanted()
        settings = now.replace(**wanted) if job.state == QUEUED else now.replace_live(**wanted)
        orders.of_strangers(settings)
        spec = job.spec | (self._guides(job.spec, change) if change.guides else {})
        told = self.intake.foretell(spec, settings)
        if job.state == QUEUED:
            self.intake.check_memory(told)
        return self.jobs.change(job, spec, settings.to_mapping(), told["warnings"])

    def _guides(self, spec: Mapping[str, Any], change: orders.Change) -> dict[str, Any]:
        """The masks as a change wants them; those that it does not name stay."""
        asked = {name: [f"picture:{one['id']}" for one in spec[name]] for name in ("masks", "style_masks")}
        given = {name: getattr(change, name) for name in asked if getattr(change, name) is not None}
        content_map = spec["content_map"] and f"picture:{spec['content_map']['id']}"
        if "content_map" in change.model_fields_set:
            content_map = change.content_map
        return self.intake.guides(**{**asked, **given}, content_map=content_map)

    def extend(self, job_id: str, iterations: int) -> tuple[dict[str, Any], bool]:
        """Paint a job longer; the job that goes on, and whether it is a new one."""
        job = self.jobs.get(job_id)
        if "extend" not in job.actions:
            raise ConflictError(f"the job is {job.state}, so it cannot be painted longer")
        if job.state == RUNNING:
            for command in self.foreman.news(job, self.jobs.extend(job_id, iterations)):
                self.foreman.tell(job_id, command)
            self.announce(job_id)
            return self.views.job(job_id), False
        assert job.result is not None
        settings = Settings.from_mapping(job.wanted).replace(
            init="content", scales=1, iterations=iterations, tolerance=0.0
        )
        start = self.pictures.get(job.result["id"])
        spec = job.spec | {"init": {"id": start.id, "name": start.name}}
        new, _ = self.jobs.add(spec, settings.to_mapping(), parent=job_id)
        self.announce(new.id)
        return self.views.job(new.id), True


def _threads(workers: int) -> int:
    """A painting process's share of the CPU, or what people said of it in the usual way."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) else max(1, (os.cpu_count() or 1) // workers)


_COMMANDS = {"stop": "stop", "pause": "rest"}


@contextlib.contextmanager
def _usable(data: Path) -> Iterator[None]:
    """Says what is wrong with the data folder.

    Raises:
        SettingsError: files in it cannot be read or written, or its database is damaged.
    """
    folder = printable(str(data), longest=300)
    try:
        yield
    except DatabaseError as error:
        raise SettingsError("data", f"got {folder}: {error}") from error
    except OSError as error:
        raise SettingsError(
            "data",
            f"got {folder}, which cannot be used ({error.strerror or reason(error)}); choose a folder of your own",
        ) from error


class _Lock:
    """Keeps a second studio out of the same folder.

    Raises:
        Problem: there is one already.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        try:
            import fcntl

            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            # Windows opens the database for one at a time anyway.
            return
        except OSError:
            self._file.close()
            raise Problem(
                "conflict", f"another studio uses the folder {path.parent}; stop it, or choose another with --data"
            ) from None

    def release(self) -> None:
        """Lets others in."""
        self._file.close()
