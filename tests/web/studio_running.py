"""Owns how the tests run a studio: in this process, or as a server of its own where that is the point."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx
import PIL.Image

from impasto._version import __version__
from impasto.web import Config, create_app
from impasto.web.storage.data_folder import DataFolder
from impasto.web.storage.database import Database
from impasto.web.workers.executor import Executor, OnReport
from impasto.web.workers.protocol import Command, Paint

with warnings.catch_warnings():
    # It would rather have httpx2, which has no release that httpx's other users can share.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient as TestClient

#: Settings that paint next to nothing.
QUICK = {"size": 32, "iterations": 2, "coarse_iterations": 2}
#: Settings that would paint for hours, at one small size.
ENDLESS = {"size": 32, "iterations": 1_000_000, "coarse_iterations": 2, "tolerance": 0.0}
JOB = {"content": "sample:coffee", "styles": ["sample:starry_night"], "settings": QUICK}

#: A machine's speed, for a studio that shall not spend its first seconds on measuring one.
SPEED = {
    "device": "cpu",
    "threads": 1,
    "setup": 0.1,
    "evaluation": {"fixed": 0.01, "per_pixel": 8e-6},
    "features": {"fixed": 0.005, "per_pixel": 3e-6},
    "step": {"fixed": 0.0, "per_pixel": 1e-7},
    "flops": 1e11,
    "matrix_flops": 2e11,
    "samples": {},
}


def png(width: int = 48, height: int = 32, color: tuple[int, int, int] = (200, 120, 40)) -> bytes:
    """A picture's file: one colour, and a darker corner so that it has something to be painted."""
    picture = PIL.Image.new("RGB", (width, height), color)
    picture.paste((30, 40, 90), (0, 0, width // 2, height // 2))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


Answer = TypeVar("Answer")


def finished(coroutine: Coroutine[Any, Any, Answer]) -> Answer:
    """What a coroutine answers, in a thread of its own: the tests in a browser keep an event loop running in theirs."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


class Nobody:
    """An executor that never has room: for a studio of which nothing is painted."""

    free = 0

    async def start(self, on_report: OnReport) -> None:
        """Nothing is to be got ready."""

    async def paint(self, paint: Paint) -> None:
        raise AssertionError("there is no room")

    async def send(self, command: Command) -> None:
        """Nobody has a lease."""

    async def stop(self, seconds: float) -> None:
        """Nothing is being painted."""


def mask(width: int, height: int) -> bytes:
    """A mask's file: the left half is inside."""
    picture = PIL.Image.new("L", (width, height))
    picture.paste(255, (0, 0, width // 2, height))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def uploaded(client: httpx.Client, content: bytes) -> str:
    """The reference to a picture, taken in."""
    answer = client.post("/api/pictures", files={"file": ("mask.png", content)})
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["ref"])


def measured(data: Path) -> None:
    """Lets a studio know how fast the machine is, as from its last start."""
    folder = DataFolder(data)
    database = Database(folder.database)
    database.set_fact("speed", json.dumps({"of": [__version__, 1], "speed": SPEED}))
    database.close()
    folder.release()


@contextlib.contextmanager
def in_process(data: Path, *, paints: bool = True, executor: Executor | None = None, **config: Any) -> Iterator[Any]:
    """A studio in this process, painting in others as ever, or not at all, or as an executor does."""
    measured(data)
    executor = executor or (None if paints else Nobody())
    app = create_app(Config(data=data, min_free=0, threads=1, **config), executor=executor)
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def until(
    client: httpx.Client, job: str, wanted: Callable[[dict[str, Any]], bool], seconds: float = 300
) -> dict[str, Any]:
    """Waits until a job is as wanted."""
    deadline = time.monotonic() + seconds
    while True:
        now = client.get(f"/api/jobs/{job}").json()
        if wanted(now):
            return now
        assert time.monotonic() < deadline and now["state"] not in ("failed", "canceled"), now
        time.sleep(0.05)


def until_final(client: httpx.Client, job: str, seconds: float = 300) -> dict[str, Any]:
    """Waits until nothing more happens to a job."""
    return until(client, job, lambda now: now["state"] in ("succeeded", "failed", "canceled"), seconds)


def begun(now: dict[str, Any]) -> bool:
    """Whether a job has been painted at for at least an iteration."""
    return now["progress"] is not None


def submitted(client: httpx.Client, **more: Any) -> str:
    """A job taken in: its id."""
    answer = client.post("/api/jobs", json={**JOB, **more})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def events(lines: Iterator[str]) -> Iterator[tuple[str, Any, str | None]]:
    """Name, data and id of each event of a stream."""
    name, data, number = "message", "", None
    for line in lines:
        field, _, value = line.partition(": ")
        match field:
            case "event":
                name = value
            case "data":
                data += value
            case "id":
                number = value
            case "" if data:
                yield name, json.loads(data), number
                name, data, number = "message", "", None


class Server:
    """A studio as a process, reached over the network as by anyone.

    Args:
        data: its folder.
        options: of `impasto serve`.
    """

    def __init__(self, data: Path, *options: str, env: dict[str, str] | None = None) -> None:
        measured(data)
        self._log = (data.parent / f"{data.name}.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "impasto", "serve", "--port", "0", "--data", str(data), *options],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        assert self.address.startswith("http://"), Path(self._log.name).read_text()
        self.client = httpx.Client(base_url=self.address.partition("#")[0], timeout=60)

    def log(self) -> list[dict[str, Any]]:
        """What it has written so far."""
        lines = Path(self._log.name).read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def workers(self) -> list[int]:
        """Numbers of its painting processes."""
        found = []
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.process.pid and b"impasto.web.workers.worker" in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
        return found

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self._gone()

    def stop(self, seconds: float = 30) -> int:
        """End it as an administrator would; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        finally:
            self._gone()

    def _gone(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.client.close()
        self._log.close()


@contextlib.contextmanager
def served(data: Path, *options: str, env: dict[str, str] | None = None) -> Iterator[Server]:
    """A server as long as the context lasts."""
    server = Server(data, *options, env=env)
    try:
        yield server
    finally:
        server.kill()
