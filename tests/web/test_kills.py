"""Kills: server and workers are killed 200 times, and after each death the data folder is whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.web.studio_running import JOB, Server, served, submitted, until_final

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found by Linux's /proc"),
]

KILLS, WORKERS = 200, 2
SEEDS = range(10)
#: Long enough to be killed in, and done in seconds.
STEADY = {"size": 32, "scales": 1, "iterations": 60, "tolerance": 0.0, "init": "noise"}


def _order(seed: int) -> dict[str, Any]:
    return {**JOB, "settings": {**STEADY, "seed": seed}}


def _painting(server: Server, job: str) -> str:
    answer = server.client.get(f"/api/jobs/{job}/result")
    assert answer.status_code == 200, answer.text
    return hashlib.sha256(answer.content).hexdigest()


class Invariants:
    """What holds in a data folder whenever its processes have died.

    Args:
        data: the folder.
        expected: the digest of each seed's picture.
    """

    def __init__(self, data: Path, expected: dict[int, str]) -> None:
        self._data, self._expected = data, expected
        self.accepted: dict[int, str] = {}
        self.results: dict[str, str] = {}

    def check(self) -> None:
        """Every accepted job is there once, and each result is whole, right and final."""
        with contextlib.closing(sqlite3.connect(self._data / "studio.sqlite3")) as database:
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)
            rows = database.execute("select id, state, lease, result ->> 'id', deleted from jobs").fetchall()
            pictures = {row[0] for row in database.execute("select id from pictures")}
        assert {row[0] for row in rows} == set(self.accepted.values()) and len(rows) == len(self.accepted)
        seeds = {job: seed for seed, job in self.accepted.items()}
        for job, state, lease, result, deleted in rows:
            assert state in ("queued", "running", "succeeded", "failed") and deleted is None
            assert (lease is not None) == (state == "running") and (result is not None) == (state == "succeeded")
            if result is not None:
                assert self.results.setdefault(job, result) == result == self._expected[seeds[job]]
            assert job not in self.results or state == "succeeded"
        for picture in pictures:
            file = self._data / "pictures" / picture[:2] / picture / "file"
            assert hashlib.sha256(file.read_bytes()).hexdigest() == picture


def _killed_workers(server: Server) -> int:
    pids = server.workers()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(pids)


def _submit(server: Server, invariants: Invariants, seed: int) -> None:
    """Submit a seed's job, or the same again; what was given up for too many deaths is tried again."""
    answer = server.client.post("/api/jobs", json=_order(seed), headers={"Idempotency-Key": f"seed-{seed}"})
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert invariants.accepted.setdefault(seed, job["id"]) == job["id"]
    if job["state"] == "failed":
        assert "3 times without progress" in job["error"]["detail"], job
        assert server.client.post(f"/api/jobs/{job['id']}/retry").status_code == 200


@pytest.mark.promise("no-job-lost")
def test_200_kills_lose_no_job_and_finish_none_twice(tmp_path):
    chance = random.Random(5)
    with served(tmp_path / "calm") as server:
        jobs = {seed: submitted(server.client, settings={**STEADY, "seed": seed}) for seed in SEEDS}
        expected = {}
        for seed, job in jobs.items():
            assert until_final(server.client, job)["state"] == "succeeded"
            expected[seed] = _painting(server, job)
    data = tmp_path / "data"
    invariants = Invariants(data, expected)
    kills = 0
    while kills < KILLS:
        with served(data, "--workers", str(WORKERS)) as server:
            # A few more jobs each time, so that some are painted to the end while others are young.
            for seed in SEEDS[: 2 + kills * len(SEEDS) // KILLS]:
                _submit(server, invariants, seed)
            for _ in range(chance.randint(0, 2)):
                # Shortly after a start, while they import, paint, or hand in a result.
                time.sleep(chance.choice([chance.uniform(0, 0.5), chance.uniform(1, 5)]))
                kills += _killed_workers(server)
            time.sleep(chance.choice([chance.uniform(0, 0.5), chance.uniform(1, 5)]))
            with contextlib.suppress(httpx.HTTPError):
                server.client.get("/api/jobs")
            server.kill()
            kills += 1 + WORKERS
        invariants.check()
    with served(data, "--workers", str(WORKERS)) as server:
        for seed in SEEDS:
            _submit(server, invariants, seed)
        for seed, job in invariants.accepted.items():
            done = until_final(server.client, job)
            assert done["state"] == "succeeded", done
            assert _painting(server, job) == expected[seed]
    invariants.check()
    assert invariants.results.keys() == set(invariants.accepted.values())
