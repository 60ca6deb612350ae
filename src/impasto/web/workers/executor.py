"""Owns the Executor, which has jobs painted somewhere, and the one that uses processes on this machine.

The studio gives an Executor commands and receives reports; it does not know where the jobs are painted. Commands name
files in the studio's data folder, which an executor on other machines would have to share or copy.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

from impasto.web import telemetry
from impasto.web.workers.protocol import Command, Leave, Lost, Paint, WorkerReport, decode_report, encode

#: Receives the reports of a job: its id, its lease, and the report.
OnReport = Callable[[str, str, WorkerReport], Awaitable[None]]
_LONGEST_LINE = 64 << 20
_RETRY_SECONDS = 1.0
_KILL_SECONDS = 5.0


@runtime_checkable
class Executor(Protocol):
    """Has jobs painted."""

    async def start(self, on_report: OnReport) -> None:
        """Get ready to accept jobs; reports about them go to `on_report`."""

    @property
    def free(self) -> int:
        """How many more jobs can be started now."""

    async def paint(self, paint: Paint) -> None:
        """Start a job.

        Raises:
            Exception: it could not be started.
        """

    async def send(self, command: Command) -> None:
        """Pass a command to the worker that holds its lease; without effect if no worker does."""

    async def stop(self, seconds: float) -> None:
        """Have every worker release its job at a checkpoint, and kill those that take longer than `seconds`."""


class _Worker:
    """A painting process, and the job that it is painting, if any."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.job: str | None = None
        self.lease = ""

    async def send(self, command: Command) -> None:
        """Send a command. A process that has died is noticed by its reader, not here."""
        assert self.process.stdin is not None
        with contextlib.suppress(ConnectionError, RuntimeError):
            self.process.stdin.write(encode(command).encode())
            await self.process.stdin.drain()


class LocalExecutor:
    """Paints in processes on this machine, which are kept for further jobs and replaced when they die.

    Args:
        workers: how many processes.
        threads: CPU threads of each.
        command: the command line of one; Impasto's own worker if None.
    """

    def __init__(self, workers: int, threads: int, command: tuple[str, ...] | None = None) -> None:
        self._count, self._threads = workers, threads
        self._command = command or (sys.executable, "-m", "impasto.web.workers.worker")
        self._workers: list[_Worker] = []
        self._readers: set[asyncio.Task[None]] = set()
        self._on_report: OnReport | None = None
        self._stopping = False

    async def start(self, on_report: OnReport) -> None:
        """Start the processes; each imports torch before its first job."""
        self._on_report = on_report
        for _ in range(self._count):
            await self._launch()

    @property
    def free(self) -> int:
        """Processes without a job."""
        return 0 if self._stopping else sum(worker.job is None for worker in self._workers)

    @property
    def pids(self) -> list[int]:
        """Ids of the processes."""
        return [worker.process.pid for worker in self._workers]

    async def paint(self, paint: Paint) -> None:
        """Give a job to a free process.

        Raises:
            ProcessLookupError: there is none, because the last free one died meanwhile.
        """
        worker = next((worker for worker in self._workers if worker.job is None), None)
        if worker is None:
            raise ProcessLookupError("no painting process is free any more")
        worker.job, worker.lease = paint.job, paint.lease
        await worker.send(paint)

    async def send(self, command: Command) -> None:
        """Pass a command to the process that holds its lease."""
        for worker in self._workers:
            if worker.job is not None and worker.lease == command.lease:
                await worker.send(command)

    async def stop(self, seconds: float) -> None:
        """Have each process release its job and exit."""
        self._stopping = True
        for worker in list(self._workers):
            await worker.send(Leave())
        _, late = await asyncio.wait(self._readers, timeout=seconds) if self._readers else (set(), set())
        for worker in list(self._workers):
            with contextlib.suppress(ProcessLookupError):
                worker.process.kill()
        if late:
            await asyncio.wait(late, timeout=_KILL_SECONDS)

    async def _launch(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            env=self._environment(),
            # Ctrl-C on the terminal must reach the server only, which then has the jobs released.
            start_new_session=True,
        )
        worker = _Worker(process)
        self._workers.append(worker)
        reader = asyncio.create_task(self._attend(worker))
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    def _environment(self) -> dict[str, str]:
        # Workers import the same package as the server, and do not get its token.
        root = str(Path(__file__).parents[3])
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        kept = {name: value for name, value in os.environ.items() if name != "IMPASTO_TOKEN"}
        return {**kept, "PYTHONPATH": path, "OMP_NUM_THREADS": str(self._threads), "PYTHONUNBUFFERED": "1"}

    async def _attend(self, worker: _Worker) -> None:
        """Read a process's reports until it ends, then replace it."""
        fault, is_own = await self._read(worker)
        if fault:
            with contextlib.suppress(ProcessLookupError):
                worker.process.kill()
        code = await worker.process.wait()
        self._workers.remove(worker)
        if worker.job is not None:
            telemetry.event("worker died", job=worker.job, code=code)
            await self._report_lost(worker.job, worker.lease, Lost(reason=fault or _reason(code), died=is_own))
        if not self._stopping:
            if worker.job is None:
                # A process that dies without a job would probably die again at once.
                await asyncio.sleep(_RETRY_SECONDS)
            await self._launch()

    async def _read(self, worker: _Worker) -> tuple[str, bool]:
        """Pass on a process's reports until its output ends.

        Returns:
            The reason if that is given up, and whether the process is to blame.
        """
        assert worker.process.stdout is not None and self._on_report is not None
        try:
            async for line in worker.process.stdout:
                report = decode_report(line)
                if worker.job is not None:
                    await self._on_report(worker.job, worker.lease, report)
                if report.ends:
                    worker.job = None
        except ValueError as error:
            # Something other than the protocol wrote to its standard output.
            telemetry.exception(error)
            return "its output could not be understood", True
        except (OSError, sqlite3.Error) as error:
            # For example a full disk.
            telemetry.exception(error)
            return "its report could not be stored", False
        except Exception as error:
            telemetry.exception(error)
            return "its report could not be stored", True
        return "", True

    async def _report_lost(self, job: str, lease: str, report: Lost) -> None:
        """Report a job as lost, again and again until that is stored; a stopping studio finds it at its next start."""
        assert self._on_report is not None
        while True:
            try:
                await self._on_report(job, lease, report)
            except Exception as error:
                telemetry.exception(error)
                if not self._stopping:
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
            return


def _reason(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    return f"{name}, which can mean that memory ran out" if name == "SIGKILL" else name
