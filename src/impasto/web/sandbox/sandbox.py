"""Owns the sandbox: operations on untrusted files run in short-lived processes, so that no file can harm the server.

A fork server of Python's multiprocessing imports torch once and forks a child for each operation, which then starts
within milliseconds. Results come back as JSON, never as pickles: a child that a file has taken over can run no code
in the server.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from impasto.errors import ImpastoError, SettingsError
from impasto.web import network
from impasto.web.problems import Problem

_MIB = 1 << 20
# The largest part of a result is a picture's recipe, of at most 64 KB.
_LONGEST_RESULT = 4 * _MIB
# Each request that waits occupies one of the server's 40 threads.
_AT_ONCE, _MOST_WAITING = 2, 24
_NICENESS = 10
_CPU_SECONDS = 120
# From Linux's prctl.h.
_PR_SET_PDEATHSIG = 1
_FORKS = "forkserver" in multiprocessing.get_all_start_methods()


class Sandbox:
    """Runs operations in processes of their own, two at a time.

    Args:
        memory: bytes that an operation may allocate beside what Python and torch occupy.
        seconds: after which an operation is ended.
    """

    def __init__(self, *, memory: int, seconds: float = 60.0) -> None:
        self._memory, self._seconds = memory, seconds
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._counting, self._waiting = threading.Lock(), 0
        self._context: Any = multiprocessing.get_context("forkserver" if _FORKS else "spawn")
        if _FORKS:
            self._context.set_forkserver_preload(["impasto.web.sandbox.sandbox", "impasto.web.sandbox.operations"])

    def run(self, operation: str, *arguments: Any, seconds: float | None = None, patient: bool = False) -> Any:
        """Run the function of that name in `operations`, and return its result, which is JSON. Blocks.

        Args:
            operation: the function's name.
            arguments: of the function.
            seconds: time limit; that of the sandbox if None.
            patient: wait for a free process however many others wait, as for work that no client can repeat.

        Raises:
            Problem: too many others wait, or the operation refused its arguments, took too long or too much memory, or
                crashed.
        """
        with self._slot(patient):
            receive, send = self._context.Pipe(duplex=False)
            process = self._context.Process(target=_serve, args=(send, self._memory, operation, arguments), daemon=True)
            with receive:
                process.start()
                send.close()
                try:
                    answer = self._receive(receive, seconds or self._seconds)
                finally:
                    process.kill()
                    process.join()
        if answer is None:
            raise Problem("damaged-picture", "the picture could not be read: reading it took too much time or memory")
        outcome = json.loads(answer)
        if "problem" in outcome:
            raise Problem(outcome["problem"], outcome["detail"], **outcome["more"])
        return outcome["value"]

    @contextmanager
    def _slot(self, patient: bool) -> Iterator[None]:
        """Holds one of the processes that may run at once.

        Raises:
            Problem: too many others wait. Each of them occupies a thread that other requests need.
        """
        with self._counting:
            if self._waiting >= _MOST_WAITING and not patient:
                raise Problem("too-many-requests", "the studio is busy reading pictures; try again", retry_after=5)
            self._waiting += 1
        try:
            self._slots.acquire()
        finally:
            with self._counting:
                self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    @staticmethod
    def _receive(receive: Connection, seconds: float) -> bytes | None:
        try:
            return receive.recv_bytes(_LONGEST_RESULT) if receive.poll(seconds) else None
        except (EOFError, OSError):
            return None


def _serve(send: Connection, memory: int, operation: str, arguments: tuple[Any, ...]) -> None:
    """The main function of the child."""
    # Imported here because it imports torch, which the server does without.
    from impasto.web import problems, telemetry
    from impasto.web.sandbox import operations

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    # The server and its page keep priority. Windows has no nice.
    with suppress(OSError, AttributeError):
        os.nice(_NICENESS)
    network.forbid()
    _limit(memory)
    outcome: dict[str, Any]
    try:
        outcome = {"value": getattr(operations, operation)(*arguments)}
    except Problem as refusal:
        outcome = {"problem": refusal.kind, "detail": refusal.detail, "more": refusal.more}
    except SettingsError as error:
        outcome = {"problem": "bad-setting", "detail": str(error), "more": {"setting": error.setting}}
    except ImpastoError as error:
        outcome = {"problem": "damaged-picture", "detail": str(error), "more": {}}
    except Exception as error:
        problem = problems.from_exception(error)
        if problem.kind == "internal":
            # A bug; nothing else records where in the child it happened.
            telemetry.exception(error)
        outcome = {"problem": problem.kind, "detail": problem.detail, "more": {}}
    send.send_bytes(json.dumps(outcome, allow_nan=False).encode())
    send.close()
    # Skip Python's shutdown, which could hang or crash in a process that a file has damaged.
    os._exit(0)


def _die_with_parent() -> None:
    """Have this process killed when the fork server ends, which ends with the studio's server."""
    if sys.platform != "linux":
        return
    import ctypes
    from multiprocessing import forkserver

    # As long as a child holds this descriptor, the fork server outlives the server.
    fork_server: Any = forkserver._forkserver
    if (alive := fork_server._forkserver_alive_fd) is not None:
        os.close(alive)
        fork_server._forkserver_alive_fd = None
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # It ended before the system was told.
        os._exit(1)


def _limit(memory: int) -> None:
    """Limit this process's memory and CPU time."""
    if sys.platform == "win32":
        return
    import resource

    _lower(resource.RLIMIT_CPU, _CPU_SECONDS)
    _lower(resource.RLIMIT_CORE, 0)
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            held = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        # Without /proc the memory that is mapped already is unknown, and other systems ignore the limit.
        return
    _lower(resource.RLIMIT_AS, held + memory)


def _lower(what: int, to: int) -> None:
    import resource

    _, hard = resource.getrlimit(what)
    if hard == resource.RLIM_INFINITY or to < hard:
        resource.setrlimit(what, (to, to))
