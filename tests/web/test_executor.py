"""Those who paint, and what stands between them and the queue: nothing that goes wrong there loses a job."""

from __future__ import annotations

import asyncio
import errno
import re
import sqlite3
import sys
import time

import pytest

from impasto.errors import DeviceError, ImageWriteError, OptimizationError, SettingsError
from impasto.web.workers.executor import LocalExecutor
from impasto.web.workers.protocol import ChangeMasks, ChangeSettings, Command, Paint, PictureFile
from impasto.web.workers.worker import failure
from tests.web.studio_running import (
    ENDLESS,
    QUICK,
    Nobody,
    begun,
    finished,
    in_process,
    mask,
    submitted,
    until,
    until_final,
    uploaded,
)

#: A worker that has painted whatever it is asked for.
QUICKEST = """
import json, sys
painted = {"say": "painted", "path": "", "stopped": False, "seconds": 1.0, "step": 1, "warnings": []}
for line in sys.stdin:
    if json.loads(line)["do"] == "leave":
        break
    print(json.dumps(painted), flush=True)
"""


#: A worker that takes the photograph for the painting, and aborts at one seed.
ABORTING = """
import json, os, pathlib, shutil, sys
for line in sys.stdin:
    order = json.loads(line)
    if order["do"] == "leave":
        break
    if order["do"] == "paint":
        if order["settings"]["seed"] == 50:
            os.abort()
        path = pathlib.Path(order["folder"], "result.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(order["content"]["path"], path)
        painted = {"say": "painted", "path": str(path), "stopped": False, "seconds": 1.0, "step": 1, "warnings": []}
        print(json.dumps(painted), flush=True)
"""


def paint(job: str, lease: str) -> Paint:
    picture = PictureFile(path="", name="")
    return Paint(
        job=job,
        lease=lease,
        folder="",
        settings={},
        wanted={},
        stopping=False,
        seconds=0.0,
        content=picture,
        styles=[picture],
    )


@pytest.mark.promise("disk-full")
def test_a_result_that_cannot_be_noted_loses_the_job_until_that_can_be_noted():
    heard: list[str] = []

    async def report(job, lease, report):
        heard.append(report.say)
        if len(heard) <= 2:
            raise sqlite3.OperationalError("database or disk is full")
        noted.set()

    async def run() -> None:
        executor = LocalExecutor(1, 1, (sys.executable, "-c", QUICKEST))
        await executor.start(report)
        (first,) = executor.pids
        await executor.paint(paint("j", "l"))
        await asyncio.wait_for(noted.wait(), 30)
        while not executor.free:
            await asyncio.sleep(0.01)
        # Another has taken its place, and paints.
        assert executor.pids != [first]
        noted.clear()
        await executor.paint(paint("k", "m"))
        await asyncio.wait_for(noted.wait(), 30)
        await executor.stop(5)

    noted = asyncio.Event()
    finished(run())
    assert heard == ["painted", "lost", "lost", "painted"]


class Clumsy(Nobody):
    """An executor whose first process dies before it can be given anything."""

    free = 1

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def paint(self, order):
        self.asked.append(order.job)
        if len(self.asked) == 1:
            raise ProcessLookupError("no painting process is free any more")
        self.free = 0


def test_a_job_that_cannot_be_handed_out_goes_back_into_the_queue_and_is_handed_out_again(data):
    executor = Clumsy()
    with in_process(data, executor=executor) as client:
        job = submitted(client)
        wait_for(lambda: len(executor.asked) == 2)
        assert executor.asked == [job, job]
        now = client.get(f"/api/jobs/{job}").json()
        assert (now["state"], now["attempts"]) == ("running", 1)


@pytest.mark.slow
@pytest.mark.promise("poison-jobs")
@pytest.mark.skipif(sys.platform == "win32", reason="aborting opens a window there")
def test_a_job_that_aborts_its_worker_among_100_is_set_aside_and_the_others_are_painted(data):
    executor = LocalExecutor(2, 1, (sys.executable, "-c", ABORTING))
    with in_process(data, executor=executor, max_queue=200) as client:
        studio = client.app.state.studio
        client.post("/api/queue", json={"paused": True})
        first = studio.jobs.get(submitted(client, settings={**QUICK, "seed": 0}))
        others = [studio.jobs.add(first.spec, {**first.settings, "seed": seed})[0] for seed in range(1, 101)]
        client.post("/api/queue", json={"paused": False})
        wait_for(lambda: studio.jobs.counts()["queued"] + studio.jobs.counts()["running"] == 0, seconds=300)
        poison = others.pop(49)
        failed = studio.jobs.get(poison.id)
        assert (failed.state, failed.attempts) == ("failed", 3)
        assert "ended 3 times without progress (SIGABRT)" in failed.error["detail"]
        for job in (first, *others):
            now = studio.jobs.get(job.id)
            # A job that the other worker painted meanwhile has not suffered.
            assert (now.state, now.attempts) == ("succeeded", 1)
        assert len(executor.pids) == 2


class Late(Nobody):
    """An executor that someone is faster than: while it takes an order in, other masks are asked for."""

    free = 1

    def __init__(self) -> None:
        self.change = lambda job: None
        self.order: Paint | None = None
        self.told: list[Command] = []

    async def paint(self, order):
        self.free = 0
        await asyncio.to_thread(self.change, order.job)
        self.order = order

    async def send(self, command):
        if self.order:
            self.told.append(command)


def test_masks_asked_for_while_a_job_is_handed_out_are_told(data):
    executor = Late()
    with in_process(data, executor=executor) as client:
        ref = uploaded(client, mask(48, 32))

        def change(job: str) -> None:
            answer = client.post(f"/api/jobs/{job}/settings", json={"masks": [ref], "settings": {"strength": 0.3}})
            assert answer.status_code == 200, answer.text

        executor.change = change
        submitted(client)
        wait_for(lambda: len(executor.told) == 2)
        assert executor.order is not None and executor.order.masks == []
        settings, masks = executor.told
        assert isinstance(settings, ChangeSettings) and settings.settings == {"strength": 0.3}
        assert isinstance(masks, ChangeMasks) and [one.name for one in masks.masks] == ["mask.png"]


def test_a_job_that_is_handed_out_before_its_retry_is_answered_is_painted(data, monkeypatch):
    with in_process(data) as client:
        studio = client.app.state.studio
        job = submitted(client, settings=ENDLESS)
        until(client, job, begun)
        client.post(f"/api/jobs/{job}/cancel")
        assert job not in studio.dispatcher.active
        retry = studio.jobs.retry

        def retried_and_handed_out(job_id: str) -> None:
            retry(job_id)
            studio.dispatcher.wake()
            wait_for(lambda: job_id in studio.dispatcher.active)

        monkeypatch.setattr(studio.jobs, "retry", retried_and_handed_out)
        assert client.post(f"/api/jobs/{job}/retry").json()["state"] == "running"
        until(client, job, begun, seconds=30)
        client.post(f"/api/jobs/{job}/stop")
        assert until_final(client, job, seconds=30)["state"] == "succeeded"


def wait_for(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (SettingsError("size", "got 7"), "bad-setting", "size: got 7"),
        (OptimizationError("the loss is not finite"), "invalid", "not finite"),
        (_caused(DeviceError("the memory of cpu is used up"), MemoryError()), "too-much-memory", "used up"),
        (_caused(ImageWriteError("x.png: no room"), OSError(errno.ENOSPC, "full")), "disk-full", "no room"),
        (MemoryError(), "too-much-memory", "choose a smaller size"),
        (RuntimeError("can't allocate memory"), "too-much-memory", "choose a smaller size"),
        (OSError(errno.ENOSPC, "No space left on device", "/secret/x"), "disk-full", r"\(No space left on device\)"),
        (OSError(errno.EIO, "Input/output error"), "not-available", "correct this, then retry"),
    ],
)
def test_why_a_job_failed_is_said_in_words(error, kind, words):
    told = failure(error)
    assert told.kind == kind
    assert re.search(words, told.detail)
    assert "secret" not in told.detail


def test_a_mistake_of_ours_is_none_of_the_jobs():
    with pytest.raises(RuntimeError, match="shapes"):
        failure(RuntimeError("the shapes do not match"))
