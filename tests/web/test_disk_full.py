"""A full disk, in each kind of file that the studio writes: what was there stays, and it goes on when there is room."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.web.studio_running import ENDLESS, JOB, QUICK, in_process, png, submitted, until, until_final, uploaded

pytestmark = [
    pytest.mark.promise("disk-full"),
    pytest.mark.skipif(sys.platform != "linux", reason="it uses Linux's limits and mounts"),
]


@contextlib.contextmanager
def limited(pid: int, size: int) -> Iterator[None]:
    """Lets a process write no file beyond that many bytes."""
    import resource

    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_a_checkpoint_without_room_keeps_the_last_one_and_painting_goes_on(data, caplog):
    with in_process(data) as client, caplog.at_level("INFO", logger="impasto.web"):
        (worker,) = client.app.state.studio.dispatcher._executor.pids
        job = submitted(client, settings=ENDLESS)
        checkpoint = data / "jobs" / job / "checkpoint.safetensors"
        wait_for(checkpoint.exists)
        # The file grows while L-BFGS gathers its memory.
        until(client, job, lambda now: now["progress"] is not None and now["progress"]["step"] > 60)
        time.sleep(2.5)
        with limited(worker, checkpoint.stat().st_size // 2):
            time.sleep(0.5)
            before = checkpoint.read_bytes()
            wait_for(lambda: any(record.message == "worker warned" for record in caplog.records))
            assert checkpoint.read_bytes() == before
            reached = client.get(f"/api/jobs/{job}").json()
            assert reached["state"] == "running"
            until(client, job, lambda now: now["progress"]["step"] > reached["progress"]["step"])
        wait_for(lambda: checkpoint.read_bytes() != before)
        client.post(f"/api/jobs/{job}/pause")
        until(client, job, lambda now: now["state"] == "queued")
        client.post(f"/api/jobs/{job}/resume")
        again = until(client, job, lambda now: now["state"] == "running" and now["progress"] is not None)
        assert again["progress"]["step"] >= reached["progress"]["step"]
        client.post(f"/api/jobs/{job}/cancel")


def test_a_result_without_room_fails_in_words_and_a_retry_paints_the_same(data):
    with in_process(data) as client:
        whole = until_final(client, submitted(client))
        expected = client.get(whole["result"]["url"]).content
        (worker,) = client.app.state.studio.dispatcher._executor.pids
        assert (data / "jobs" / whole["id"] / "preview.jpg").stat().st_size < len(expected) - 1
        with limited(worker, len(expected) - 1):
            failed = until_final(client, submitted(client))
        assert (failed["state"], failed["error"]["type"]) == ("failed", "about:blank#disk-full"), failed["error"]
        assert client.get(whole["result"]["url"]).content == expected
        # The process lives on, and leaves no part of a picture.
        assert client.app.state.studio.dispatcher._executor.pids == [worker]
        assert [file.name for file in (data / "jobs" / failed["id"]).iterdir() if "result" in file.name] == []
        client.post(f"/api/jobs/{failed['id']}/retry")
        again = until_final(client, failed["id"])
        assert (again["state"], again["result"]["id"]) == ("succeeded", whole["result"]["id"])


@pytest.fixture
def disk(data: Path) -> Iterator[Path]:
    """The data folder as a file system of 12 MB."""
    data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(data)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield data
    subprocess.run(["umount", "-l", str(data)], check=True)


def fill(disk: Path) -> Path:
    """A file that takes the last byte."""
    rest = disk / "impasto-tmp" / "rest"
    with contextlib.suppress(OSError), rest.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return rest


def test_a_database_without_room_refuses_changes_and_loses_none(disk):
    with in_process(disk, paints=False, max_queue=1000) as client:
        kept = [submitted(client, settings={**QUICK, "seed": seed}) for seed in range(3)]
        rest = fill(disk)
        refused = 0
        # The log of the database has some room left over.
        for seed in range(3, 300):
            answer = client.post("/api/jobs", json={**JOB, "settings": {**QUICK, "seed": seed}})
            if answer.status_code == 507:
                assert answer.json()["type"] == "about:blank#disk-full"
                refused += 1
            else:
                assert answer.status_code == 202, answer.text
                kept.append(answer.json()["id"])
            if refused == 3:
                break
        assert refused == 3
        assert client.post(f"/api/jobs/{kept[0]}/star", json={"starred": True}).status_code == 507
        assert client.get("/api/jobs").json()["queue"]["order"] == kept
        rest.unlink()
        assert client.post(f"/api/jobs/{kept[0]}/star", json={"starred": True}).status_code == 200
        kept.append(submitted(client))
        assert client.get("/api/jobs").json()["queue"]["order"] == kept
    with contextlib.closing(sqlite3.connect(disk / "studio.sqlite3")) as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)


@pytest.mark.slow
def test_a_disk_that_fills_up_while_painting_loses_no_job(disk):
    with in_process(disk) as client:
        picture = png()
        ref = uploaded(client, picture)
        job = submitted(client, content=ref, settings=ENDLESS)
        wait_for((disk / "jobs" / job / "checkpoint.safetensors").exists)
        before = client.get(f"/api/jobs/{job}").json()["progress"]["step"]
        rest = fill(disk)
        time.sleep(6)
        assert hashlib.sha256(client.get(f"/api/pictures/{ref.removeprefix('picture:')}").content).hexdigest() == (
            ref.removeprefix("picture:")
        )
        assert client.get(f"/api/jobs/{job}").status_code == 200
        rest.unlink()
        # It waits in the queue or is painted again; or it has failed in words, and is retried by its owner.
        deadline = time.monotonic() + 60
        while (now := client.get(f"/api/jobs/{job}").json())["state"] not in ("running", "failed"):
            assert time.monotonic() < deadline, now
            time.sleep(0.1)
        if now["state"] == "failed":
            assert now["error"]["type"] == "about:blank#disk-full", now
            client.post(f"/api/jobs/{job}/retry")
        # It went on from its checkpoint.
        until(client, job, lambda now: now["progress"] is not None and now["progress"]["step"] >= before, seconds=60)
        client.post(f"/api/jobs/{job}/stop")
        assert until_final(client, job)["state"] == "succeeded"
