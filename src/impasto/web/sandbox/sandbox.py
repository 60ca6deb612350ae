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
from multiprocessing.connection import Connection
from typing import Any

from impasto.errors import ImpastoError, SettingsError
from impasto.web import network
from impasto.web.problems import Problem

_MIB = 1 << 20
# The largest part of a result is a picture's recipe, of at most 64 KB.
_LONGEST_RESULT = 4 * _MIB
_AT_ONCE = 2
_CPU_SECONDS = 120
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
        self._context: Any = multiprocessing.get_context("forkserver" if _FORKS else "spawn")
        if _FORKS:
            self._context.set_forkserver_preload(["impasto.web.sandbox.sandbox", "impasto.web.sandbox.operations"])

    def run(self, operation: str, *arguments: Any, seconds: float | None = None) -> Any:
        """Run the function of that name in `operations`, and return its result, which is JSON. Blocks.

        Raises:
            Problem: the operation refused its arguments, took too long or too much memory, or crashed.
        """
        with self._slots:
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


def _limit(memory: int) -> None:
    """Limit this process's memory and CPU time."""
    if sys.platform == "win32":
        return
    import resource

    held = 0
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            held = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        # Without /proc the memory that is mapped already is unknown, and other systems ignore the limit.
        return
    _lower(resource.RLIMIT_AS, held + memory)
    _lower(resource.RLIMIT_CPU, _CPU_SECONDS)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(what: int, to: int) -> None:
    import resource

    _, hard = resource.getrlimit(what)
    if hard == resource.RLIM_INFINITY or to < hard:
        resource.setrlimit(what, (to, to))
