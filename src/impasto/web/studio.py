"""Owns what people can do in the studio: the one place where queue, pictures and those who paint meet.

Methods are called from threads and block; what concerns those who paint and those who listen is handed to the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from impasto._version import __version__
from impasto.settings import Settings
from impasto.web import orders, shapes, telemetry
from impasto.web.atomic import replaced
from impasto.web.children import Children
from impasto.web.config import Config
from impasto.web.database import FILE, Database
from impasto.web.executor import Executor, LocalExecutor
from impasto.web.jobs import QUEUED, RUNNING, Conflict, Job, Jobs, NoSuchJob
from impasto.web.pictures import SAMPLE_PREFIX, Picture, Pictures
from impasto.web.problems import Problem
from impasto.web.sheets import Sheets
from impasto.web.streams import Hub
from impasto.web.worker_files import CHECKPOINT, LOSSES, PREVIEW

# Bytes that a child may take for each pixel of the largest picture, beside what it always does.
_CHILD_BYTES_PER_PIXEL, _CHILD_BYTES = 48, 1 << 30
_STOP_SECONDS = 15.0
_HOUSEKEEPING_SECONDS = 3600.0
_LOST = "the process that painted it ended"


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


class Studio:
    """Everything that lives as long as the application.

    Args:
        config: how it is set up.
        executor: who paints; processes on this machine, if None.
    """

    def __init__(self, config: Config, executor: Executor | None = None) -> None:
        self.config = config
        self.boot = secrets.token_hex(6)
        self.stopping = False
        config.data.mkdir(parents=True, exist_ok=True)
        self._lock = _Lock(config.data / "lock")
        self._database = Database(config.data / FILE)
        self.jobs = Jobs(self._database, max_queue=config.max_queue, attempts=config.attempts)
        self.children = Children(memory=_CHILD_BYTES + _CHILD_BYTES_PER_PIXEL * config.max_pixels)
        self.pictures = Pictures(
            config.data / "pictures",
            self._database,
            self.children,
            max_pixels=config.max_pixels,
            min_free=config.min_free,
        )
        self.database = self._database
        self.hub = Hub()
        self.metrics = telemetry.Metrics(self.jobs.counts)
        self._threads = config.threads or max(1, (os.cpu_count() or 1) // config.workers)
        self.executor: Executor = executor or LocalExecutor(config.workers, self._threads)
        self.sheets = Sheets(self)
        self._live: dict[str, Live] = {}
        self._speed: dict[str, Any] | None = None
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # Its life.

    async def start(self) -> None:
        """Take up what the studio before left, and begin to paint."""
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._take_up)
        await self.executor.start(self._report)
        self._tasks = [asyncio.create_task(self._foreman()), asyncio.create_task(self._housekeeping())]
        # The first picture should not have to wait for torch.
        self._tasks.append(asyncio.create_task(asyncio.to_thread(self._warm)))

    def begin_to_stop(self) -> None:
        """Take nothing more in, and end what is listened to; may be called by a signal's handler."""
        self.stopping = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.hub.close)

    async def stop(self) -> None:
        """Have what is painted laid aside at its checkpoint, and let go of everything."""
        self.begin_to_stop()
        for task in self._tasks:
            task.cancel()
        await self.executor.stop(_STOP_SECONDS)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._database.close)
        self._lock.release()

    def _take_up(self) -> None:
        self.pictures.sweep()
        for job in self.jobs.recover(Problem("internal", f"{_LOST} with the studio, again and again").body()):
            telemetry.event("job taken up", job=job.id, state=job.state, attempts=job.attempts)
        self._purge()

    def _warm(self) -> None:
        """Have children at hand, and know how fast this machine is."""
        try:
            self.children.run("warm")
            self._speed = self._known_speed()
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
        replaced(path, json.dumps({"of": of, "speed": speed}).encode())
        return dict(speed)

    async def _housekeeping(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)
            await asyncio.to_thread(self._purge)

    def _purge(self) -> None:
        before = time.time() - self.config.keep_deleted
        for job in self.jobs.purge(before):
            shutil.rmtree(self.folder(job), ignore_errors=True)
            self._tell("removed", job)
        named = {one["id"] for job in self._all_jobs() for one in _named(job)}
        self.pictures.purge(named, before)

    def _all_jobs(self) -> Iterable[Job]:
        yield from self.jobs.list(limit=-1)
        yield from self.jobs.list(deleted=True, limit=-1)

    # Those who paint.

    async def _foreman(self) -> None:
        """Hands out the jobs, one to each who is free."""
        while True:
            self._wake.clear()
            try:
                while self.executor.free and (job := await asyncio.to_thread(self.jobs.claim)) is not None:
                    self._live[job.id] = Live(job)
                    self._changed(job.id, queue=True)
                    await self.executor.paint(await asyncio.to_thread(self._order, job))
            except Exception as error:  # a full disk, say: nothing is begun, and it is tried again
                telemetry.exception(error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), 1.0)

    def _order(self, job: Job) -> dict[str, Any]:
        spec = job.spec

        def found(one: Mapping[str, str] | None) -> dict[str, str] | None:
            return None if one is None else {"path": str(self.path(one)), "name": one["name"]}

        return {
            "job": job.id,
            "lease": job.lease,
            "folder": str(self.folder(job.id)),
            "settings": job.settings,
            "wanted": job.wanted,
            "stopping": job.stopping,
            "seconds": job.seconds,
            **{name: found(spec[name]) for name in ("content", "content_map", "init")},
            **{name: [found(one) for one in spec[name]] for name in ("styles", "masks", "style_masks")},
        }

    def path(self, one: Mapping[str, str]) -> Path:
        """Where the file of a picture is that a job names."""
        picture = self.pictures.find(one["id"])
        # If it is gone, whoever paints says so.
        return self.pictures.file(picture) if picture else self.config.data / "pictures" / "gone"

    async def _report(self, job_id: str, lease: str, said: Mapping[str, Any]) -> None:
        """What those who paint say."""
        live = self._live.get(job_id)
        if live is None or live.job.lease != lease:
            return
        if said["say"] == "progress":
            self._progressed(live, said)
            return
        ended = await asyncio.to_thread(self._record, live, said)
        if ended:
            if self._live.get(job_id) is live:
                del self._live[job_id]
            self._wake.set()
        self._changed(job_id, queue=ended)

    def _progressed(self, live: Live, said: Mapping[str, Any]) -> None:
        live.points[said["from"] :] = said["points"]
        live.progress = dict(said["progress"])
        version = (live.preview or {"version": int(time.time() * 10)})["version"] + 1
        first = live.preview is None
        live.preview = {**said["preview"], "version": version}
        if first:
            self._changed(live.job.id)
        self.hub.tell("progressed", live.job.id)

    def _record(self, live: Live, said: Mapping[str, Any]) -> bool:
        """Note what was said in the database; whether it ends the job's being painted."""
        job = live.job
        match said["say"]:
            case "checkpoint":
                self.jobs.note(job, progress=said["progress"], seconds=said["seconds"], reached=said["reached"])
                return False
            case "rebased":
                self._rebase(live, said)
                return False
            case "warning":
                telemetry.event("worker warned", job=job.id)
                return False
            case "painted":
                self._painted(live, said)
            case "failed":
                more = {"setting": said["setting"]} if said["setting"] else {}
                self.jobs.fail(job, Problem("bad-setting" if more else "invalid", said["detail"], **more).body())
            case "rested":
                self.jobs.note(job, progress=said["progress"], seconds=said["seconds"])
                self.jobs.release(job)
            case "lost" if self.stopping:
                self.jobs.release(job)
            case "lost":
                self.metrics.deaths.inc()
                detail = f"{_LOST} {self.config.attempts} times without getting further ({said['reason']}); a smaller size may help"
                self.jobs.lost(job, Problem("internal", detail).body())
        if said["say"] != "rested" and self.jobs.get(job.id).final:
            (self.folder(job.id) / CHECKPOINT).unlink(missing_ok=True)
        return True

    def _painted(self, live: Live, said: Mapping[str, Any]) -> None:
        job = live.job
        try:
            picture, _ = self.pictures.add(Path(said["path"]), f"{job.spec['name']}.png")
        except (Problem, OSError) as error:
            detail = error.detail if isinstance(error, Problem) else "there was no room for the finished picture"
            self.jobs.fail(job, Problem("disk-full", f"{detail}; then retry: it goes on from where it was").body())
            return
        known = {name: said[name] for name in ("seconds", "stopped", "step")}
        progress = live.progress or job.progress
        if progress is not None:
            self.jobs.note(job, progress=progress, seconds=said["seconds"])
        if self.jobs.finish(job, {"id": picture.id, **known}, warnings=said["warnings"]):
            self.metrics.painted.observe(said["seconds"])

    def _rebase(self, live: Live, said: Mapping[str, Any]) -> None:
        job = self.jobs.get(live.job.id)
        start, _ = self.pictures.add(Path(said["start"]), "start.png")
        spec = job.spec | said["guides"] | {"init": {"id": start.id, "name": start.name}}
        self.jobs.rebase(live.job, spec, said["settings"])
        live.points.clear()

    def _tell_executor(self, job_id: str, command: Mapping[str, Any]) -> None:
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self.executor.tell(job_id, command), self._loop)

    # Those who listen.

    def _on_loop(self, call: Callable[..., object], *arguments: object) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)

    def _tell(self, what: str, job_id: str) -> None:
        self._on_loop(self.hub.tell, what, job_id)

    def _changed(self, job_id: str, *, queue: bool = False) -> None:
        """Something is new of a job, and of the queue perhaps; there may be something to paint."""
        self._tell("changed", job_id)
        if queue:
            self._on_loop(self.hub.tell_queue)
        self._on_loop(self._wake.set)

    def announce(self) -> None:
        """There are new jobs."""
        self._on_loop(self.hub.tell_queue)
        self._on_loop(self._wake.set)

    # What is shown.

    def folder(self, job_id: str) -> Path:
        """Where a job has its checkpoint, its preview and its losses."""
        return self.config.data / "jobs" / job_id

    def job(self, job_id: str) -> dict[str, Any]:
        """A job as it is shown."""
        return self.shown([self.jobs.get(job_id)])[0]

    def shown(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """Jobs as they are shown."""
        order = {job: place for place, job in enumerate(self.jobs.order())} if jobs else {}
        pictures: dict[str, Picture] = {}
        for job in jobs:
            for one in _named(job):
                if one["id"] not in pictures and (found := self.pictures.find(one["id"])) is not None:
                    pictures[one["id"]] = found
        return [
            shapes.job(
                job,
                pictures,
                Settings.from_mapping(job.wanted).changed(),
                position=order.get(job.id),
                progress=self.progress(job),
                preview=self.preview(job),
            )
            for job in jobs
        ]

    def progress(self, job: Job) -> dict[str, Any] | None:
        """Where a job is."""
        live = self._live.get(job.id)
        if live is not None and live.progress is not None and job.state == RUNNING:
            return live.progress
        return job.progress

    def preview(self, job: Job) -> dict[str, Any] | None:
        """What is known of a job's preview."""
        live = self._live.get(job.id)
        known = live.preview if live is not None else None
        if known is None and job.progress is not None:
            try:
                version = (self.folder(job.id) / PREVIEW).stat().st_mtime_ns // 100_000_000
            except FileNotFoundError:
                return None
            height, width = job.progress["size"]
            shrink = min(1.0, 512 / max(height, width))
            known = {"width": round(width * shrink), "height": round(height * shrink), "version": version}
        if known is None:
            return None
        return {**known, "url": f"/api/jobs/{job.id}/preview?v={known['version']}"}

    def losses(self, job_id: str) -> list[dict[str, Any]]:
        """The losses of a job so far."""
        live = self._live.get(job_id)
        if live is not None and live.points:
            return list(live.points)
        self.jobs.get(job_id)
        try:
            lines = (self.folder(job_id) / LOSSES).read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return []
        points = []
        for line in lines:
            # The last line of a file whose writer was killed may be a half.
            with contextlib.suppress(ValueError):
                points.append(json.loads(line))
        return points

    def queue(self) -> dict[str, Any]:
        """What waits and what runs."""
        return {"paused": self.jobs.all_paused, "order": self.jobs.order(), "running": self.jobs.running()}

    def recipe(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """A recipe, with its pictures as references where they are known here."""

        def known(note: Mapping[str, str] | None) -> dict[str, Any] | None:
            if note is None:
                return None
            picture = self.pictures.find(note["sha256"])
            ref = None if picture is None else shapes.picture(picture)["ref"]
            return {"name": note["name"], "ref": ref}

        return {
            **found,
            **{name: known(found[name]) for name in ("content", "content_map", "init")},
            **{name: [known(one) for one in found[name]] for name in ("styles", "masks", "style_masks")},
        }

    def picture(self, one: Picture) -> dict[str, Any]:
        """A picture as it is shown by itself."""
        return shapes.picture(one, recipe=self.recipe(one.recipe) if one.recipe else None)

    # What is asked for.

    def refer(self, ref: str, field: str) -> dict[str, str]:
        """The picture that a reference stands for: its id, and what it is called.

        Raises:
            Problem: there is none.
        """
        kind, _, name = ref.partition(":")
        try:
            match kind:
                case "sample":
                    picture = self.pictures.sample(name)
                case "picture":
                    picture = self.pictures.get(name)
                case "job":
                    result = self.jobs.get(name).result
                    if result is None:
                        raise Problem("invalid", "that job has no result yet")
                    picture = self.pictures.get(result["id"])
                case _:
                    raise Problem("invalid", "write sample:NAME, picture:ID or job:ID; addresses are not fetched")
        except (Problem, NoSuchJob) as error:
            detail = error.detail if isinstance(error, Problem) else "there is no such job"
            raise Problem("invalid", f"{field}: {detail}", errors=[{"field": field, "message": detail}]) from None
        return {"id": picture.id, "name": picture.name}

    def resolved(self, order: orders.JobOrder) -> tuple[dict[str, Any], Settings]:
        """An order's pictures found and its settings checked, as a job notes them.

        Raises:
            Problem, SettingsError: something in it is wrong.
        """
        settings = order.chosen()
        content = self.refer(order.content, "content")
        styles = [self.refer(one.ref, f"styles.{place}") for place, one in enumerate(order.paintings)]
        spec = {
            "name": orders.name_of(content["name"], [one["name"] for one in styles]),
            "preset": order.preset,
            "content": content,
            "styles": styles,
            **self._guides(order.masks, order.style_masks, order.content_map),
            "init": None if order.init is None else self.refer(order.init, "init"),
        }
        return spec, settings

    def _guides(self, masks: Sequence[str], style_masks: Sequence[str], content_map: str | None) -> dict[str, Any]:
        return {
            "masks": [self.refer(ref, f"masks.{place}") for place, ref in enumerate(masks)],
            "style_masks": [self.refer(ref, f"style_masks.{place}") for place, ref in enumerate(style_masks)],
            "content_map": None if content_map is None else self.refer(content_map, "content_map"),
        }

    def foretell(self, spec: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
        """What a job will take, found out in a child that looks at it as closely as painting will.

        Raises:
            Problem: it cannot be painted.
        """
        content = self.pictures.get(spec["content"]["id"])
        told = self.children.run(
            "foretell",
            {
                "settings": settings.to_mapping(),
                "size": [content.height, content.width],
                "styles": [one["id"] for one in spec["styles"]],
                "masks": [str(self.path(one)) for one in spec["masks"]],
                "style_masks": [str(self.path(one)) for one in spec["style_masks"]],
            },
            self.config.max_pixels,
            self._speed,
        )
        known = [told["memory_free"], told["memory_total"]]
        told["fits"] = None in known or told["memory_bytes"] <= known[0]
        told["possible"] = None in known or told["memory_bytes"] <= known[1]
        return told

    def submit(self, order: orders.JobOrder, key: str | None) -> tuple[dict[str, Any], bool]:
        """Take in a job; the job, and whether it is new.

        Raises:
            Problem, SettingsError, QueueFull, KeyReused: it is not taken in.
        """
        fingerprint = order.fingerprint()
        if key is not None and (known := self.jobs.known(key, fingerprint)) is not None:
            return self.job(known.id), False
        self.jobs.check_room()
        self.pictures.check_room()
        spec, settings = self.resolved(order)
        told = self.foretell(spec, settings)
        self.check_memory(told)
        job, new = self.jobs.add(
            spec, settings.to_mapping(), warnings=told["warnings"], key=(key, fingerprint) if key else None
        )
        self._changed(job.id, queue=True)
        return self.job(job.id), new

    @staticmethod
    def check_memory(told: Mapping[str, Any]) -> None:
        """Refuse what this machine can never have the memory for.

        Raises:
            Problem: it cannot.
        """
        if not told["possible"]:
            gib = 1 << 30
            raise Problem(
                "too-much-memory",
                f"it would take {told['memory_bytes'] / gib:.1f} GiB, and this machine has "
                f"{told['memory_total'] / gib:.1f}; choose a smaller size",
                setting="size",
            )

    def act(self, job_id: str, action: str) -> dict[str, Any]:
        """Cancel, stop, pause, resume, retry, delete or undelete a job."""
        before = self.jobs.get(job_id)
        getattr(self.jobs, action)(job_id)
        if before.state == RUNNING and (command := _COMMANDS.get(action)) is not None:
            self._tell_executor(job_id, {"do": command})
        if action == "retry" or self.jobs.get(job_id).state == "canceled":
            self._live.pop(job_id, None)
        self._changed(job_id, queue=True)
        return self.job(job_id)

    def move(self, job_id: str, to: int) -> dict[str, Any]:
        """Give a job another place in the queue."""
        self.jobs.move(job_id, to)
        self._changed(job_id, queue=True)
        return self.job(job_id)

    def star(self, job_id: str, starred: bool) -> dict[str, Any]:
        """Mark a job, or not."""
        self.jobs.star(job_id, starred)
        self._changed(job_id)
        return self.job(job_id)

    def set_queue(self, order: orders.QueueOrder) -> dict[str, Any]:
        """Order the queue, or halt it."""
        if order.order is not None:
            self.jobs.reorder(order.order)
        if order.paused is not None:
            self.jobs.pause_all(order.paused)
        self.announce()
        return self.queue()

    def change(self, job_id: str, change: orders.Change) -> dict[str, Any]:
        """Want other settings, weights or masks of a job.

        Raises:
            SettingsError: a setting is unknown, out of range, or cannot change any more.
            Conflict, NoSuchJob, Problem: the job or a picture is not there, or not so.
        """
        job = self.jobs.get(job_id)
        if "settings" not in job.actions:
            raise Conflict(f"the job is {job.state}, so its settings cannot change any more")
        now = Settings.from_mapping(job.wanted)
        wanted = change.wanted()
        settings = now.replace(**wanted) if job.state == QUEUED else now.replace_live(**wanted)
        orders.of_strangers(settings)
        spec = dict(job.spec)
        guides = {}
        if change.guides:
            asked = {name: [f"picture:{one['id']}" for one in spec[name]] for name in ("masks", "style_masks")}
            given = {name: getattr(change, name) for name in asked if getattr(change, name) is not None}
            content_map = spec["content_map"] and f"picture:{spec['content_map']['id']}"
            if "content_map" in change.model_fields_set:
                content_map = change.content_map
            guides = self._guides(**{**asked, **given}, content_map=content_map)
            spec |= guides
        told = self.foretell(spec, settings)
        self.jobs.change(job_id, spec, settings.to_mapping(), told["warnings"])
        if job.state == RUNNING:
            self._tell_executor(job_id, {"do": "change", "settings": settings.to_mapping()})
            if guides:
                paths = self._order(self.jobs.get(job_id))
                found = {name: paths[name] for name in ("masks", "style_masks", "content_map")}
                self._tell_executor(job_id, {"do": "guide", **found, "guides": guides})
        self._changed(job_id)
        return self.job(job_id)

    def extend(self, job_id: str, iterations: int) -> tuple[dict[str, Any], bool]:
        """Paint a job longer; the job that goes on, and whether it is a new one."""
        job = self.jobs.get(job_id)
        if "extend" not in job.actions:
            raise Conflict(f"the job is {job.state}, so it cannot be painted longer")
        if job.state == RUNNING:
            wanted = self.jobs.extend(job_id, iterations).wanted
            self._tell_executor(job_id, {"do": "change", "settings": wanted})
            self._changed(job_id)
            return self.job(job_id), False
        assert job.result is not None
        settings = Settings.from_mapping(job.wanted).replace(
            init="content", scales=1, iterations=iterations, tolerance=0.0
        )
        start = self.pictures.get(job.result["id"])
        spec = job.spec | {"init": {"id": start.id, "name": start.name}}
        new, _ = self.jobs.add(spec, settings.to_mapping(), parent=job_id)
        self._changed(new.id, queue=True)
        return self.job(new.id), True


_COMMANDS = {"cancel": "cancel", "delete": "cancel", "stop": "stop", "pause": "rest"}


def _named(job: Job) -> list[Mapping[str, str]]:
    """The pictures that a job names."""
    spec = job.spec
    ones = [spec["content"], *spec["styles"], *spec["masks"], *spec["style_masks"], spec["content_map"], spec["init"]]
    return [one for one in (*ones, job.result) if one is not None]


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
            raise Problem("conflict", f"another studio uses the folder {path.parent}; stop it, or choose another with --data") from None

    def release(self) -> None:
        """Lets others in."""
        self._file.close()
