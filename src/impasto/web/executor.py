"""Owns who paints: the Executor, which is an interface, and the one that paints in processes on this machine.

The studio gives an Executor orders and hears reports; it does not know where they are carried out. An order names files
in the studio's data folder, which an executor on other machines would have to share or send.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from impasto.web import telemetry

#: What comes back of a job: its id, its lease, and what is said, as `talk` has it.
Report = Callable[[str, str, Mapping[str, Any]], Awaitable[None]]
_LONGEST_LINE = 64 << 20
_AGAIN_AFTER = 1.0


@runtime_checkable
class Executor(Protocol):
    """Carries out orders to paint."""

    async def start(self, report: Report) -> None:
        """Get ready; from now on `report` is told what becomes of orders."""

    @property
    def free(self) -> int:
        """How many orders would be begun at once."""

    async def paint(self, order: Mapping[str, Any]) -> None:
        """Begin an order: a mapping with `job` and `lease`, and the rest as `painting` has it.

        Raises:
            Exception: it cannot be begun, and nobody has it.
        """

    async def tell(self, lease: str, command: Mapping[str, Any]) -> None:
        """Tell whoever has that lease to do something; nobody, if nobody has it any more."""

    async def stop(self, seconds: float) -> None:
        """Have everything laid aside at a checkpoint, and end what has not within that time."""


class _Process:
    """A painting process, and the order it carries out."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.job: str | None = None
        self.lease = ""

    async def send(self, message: Mapping[str, Any]) -> None:
        """Tells it; one that has died is noticed elsewhere."""
        assert self.process.stdin is not None
        with contextlib.suppress(ConnectionError, RuntimeError):
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            await self.process.stdin.drain()


class LocalExecutor:
    """Paints in processes on this machine, which wait for the next order when they have done one.

    Args:
        workers: how many.
        threads: of the CPU for each.
        command: what runs one.
    """

    def __init__(self, workers: int, threads: int, command: tuple[str, ...] | None = None) -> None:
        self._workers, self._threads = workers, threads
        self._command = command or (sys.executable, "-m", "impasto.web.worker")
        self._processes: list[_Process] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._report: Report | None = None
        self._stopping = False

    async def start(self, report: Report) -> None:
        """Start the processes; each loads torch before the first order comes."""
        self._report = report
        for _ in range(self._workers):
            await self._launch()

    @property
    def free(self) -> int:
        """Processes without an order."""
        return 0 if self._stopping else sum(one.job is None for one in self._processes)

    @property
    def pids(self) -> list[int]:
        """The processes' numbers."""
        return [one.process.pid for one in self._processes]

    async def paint(self, order: Mapping[str, Any]) -> None:
        """Give the order to a process that has none.

        Raises:
            ProcessLookupError: the last one has died meanwhile.
        """
        one = next((one for one in self._processes if one.job is None), None)
        if one is None:
            raise ProcessLookupError("no painting process is free any more")
        one.job, one.lease = order["job"], order["lease"]
        await one.send({"do": "paint", **order})

    async def tell(self, lease: str, command: Mapping[str, Any]) -> None:
        """Tell the process that has this lease."""
        for one in self._processes:
            if one.job is not None and one.lease == lease:
                await one.send({**command, "lease": lease})

    async def stop(self, seconds: float) -> None:
        """Have each lay its job aside and end."""
        self._stopping = True
        for one in list(self._processes):
            await one.send({"do": "leave"})
        _, late = await asyncio.wait(self._tasks, timeout=seconds) if self._tasks else (set(), set())
        for one in list(self._processes):
            with contextlib.suppress(ProcessLookupError):
                one.process.kill()
        if late:
            await asyncio.wait(late, timeout=5)

    async def _launch(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            env=self._environment(),
            # Ctrl-C on the terminal is for the studio, which then lays the jobs aside.
            start_new_session=True,
        )
        one = _Process(process)
        self._processes.append(one)
        task = asyncio.create_task(self._listen(one))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _environment(self) -> dict[str, str]:
        # The same package as here, however this process found it; and no secret of the studio's.
        home = str(Path(__file__).parents[2])
        path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
        kept = {name: value for name, value in os.environ.items() if name != "IMPASTO_TOKEN"}
        return {**kept, "PYTHONPATH": path, "OMP_NUM_THREADS": str(self._threads), "PYTHONUNBUFFERED": "1"}

    async def _listen(self, one: _Process) -> None:
        """Hears a process until it ends, and puts another in its place."""
        unheard = await self._hear(one)
        if unheard:
            with contextlib.suppress(ProcessLookupError):
                one.process.kill()
        code = await one.process.wait()
        self._processes.remove(one)
        if one.job is not None:
            telemetry.event("worker died", job=one.job, code=code)
            await self._lose(one.job, one.lease, unheard or _reason(code))
        if not self._stopping:
            if one.job is None:
                # One that dies without an order would die again at once.
                await asyncio.sleep(_AGAIN_AFTER)
            await self._launch()

    async def _hear(self, one: _Process) -> str:
        """Reports what a process says until it ends; or why it cannot be heard any more."""
        assert one.process.stdout is not None and self._report is not None
        try:
            async for line in one.process.stdout:
                message = json.loads(line)
                ends = message.pop("ends", False)
                if one.job is not None:
                    await self._report(one.job, one.lease, message)
                if ends:
                    one.job = None
        except ValueError as error:
            # No JSON: something has got hold of its standard output.
            telemetry.exception(error)
            return "it could not be understood"
        except Exception as error:
            telemetry.exception(error)
            return "what it said could not be noted"
        return ""

    async def _lose(self, job: str, lease: str, reason: str) -> None:
        """Reports a job as lost until that is noted; a studio that stops finds out when it is started again."""
        assert self._report is not None
        while True:
            try:
                await self._report(job, lease, {"say": "lost", "reason": reason})
            except Exception as error:
                telemetry.exception(error)
                if not self._stopping:
                    await asyncio.sleep(_AGAIN_AFTER)
                    continue
            return


def _reason(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    return f"{name}, as when its memory is used up" if name == "SIGKILL" else name
