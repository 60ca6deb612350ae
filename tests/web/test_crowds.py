"""Crowds: 1,000 clients at once are each accepted or told when to come back, and 1,000 idle listeners cost little."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.web.studio_running import JOB, finished, served, submitted, until_final

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc"),
]

CLIENTS = 1000


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """Lets this process open a connection for each client."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 4 * CLIENTS if hard == resource.RLIM_INFINITY else min(hard, 4 * CLIENTS)
    if most < CLIENTS + 200:
        pytest.skip("this user may not open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def _crowd(address: str) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=address, timeout=300, limits=limits) as client:
        return await asyncio.gather(*(client.post("/api/jobs", json=JOB) for _ in range(CLIENTS)))


@pytest.mark.promise("crowds")
def test_1000_clients_are_answered_and_each_accepted_job_is_painted(tmp_path):
    with served(tmp_path / "data", "--max-queue", "20") as server:
        server.client.post("/api/queue", json={"paused": True})
        answers = finished(_crowd(server.address))
        assert {answer.status_code for answer in answers} == {202, 429}
        assert all(int(one.headers["retry-after"]) > 0 for one in answers if one.status_code == 429)
        accepted = {one.json()["id"] for one in answers if one.status_code == 202}
        assert len(accepted) == 20
        assert set(server.client.get("/api/jobs").json()["queue"]["order"]) == accepted
        server.client.post("/api/queue", json={"paused": False})
        for job in accepted:
            assert until_final(server.client, job)["state"] == "succeeded"


def _memory(pid: int) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.promise("idle-streams")
def test_1000_idle_listeners_cost_little_and_others_are_served(tmp_path):
    with served(tmp_path / "data") as server, contextlib.ExitStack() as stack:
        until_final(server.client, submitted(server.client))
        before = _memory(server.process.pid)
        streams = []
        address = server.client.base_url
        for _ in range(CLIENTS):
            one = stack.enter_context(socket.create_connection((address.host, address.port)))
            one.sendall(b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            streams.append(one)
        for _ in range(5):
            assert until_final(server.client, submitted(server.client))["state"] == "succeeded"
        assert _memory(server.process.pid) - before < 200 << 20
        # They were listening: each has got its first event.
        streams[-1].settimeout(10)
        assert b"event: hello" in streams[-1].recv(4096)
        assert server.client.get("/api/health").status_code == 200
