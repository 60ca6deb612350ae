"""Owns work in short-lived processes with limits: whatever a stranger's file does to a decoder, the studio lives.

A server process of Python's own loads torch once, and forks a child for each task, so that a task begins within
milliseconds. Answers come back as JSON, never as pickles: a child that a file has taken over can say nothing else.
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
from impasto.web.problems import Problem

_MIB = 1 << 20
# What an answer may hold, beside which a picture's recipe (64 KB) is small.
_LONGEST_ANSWER = 4 * _MIB
_AT_ONCE = 2
_FORKS = "forkserver" in multiprocessing.get_all_start_methods()


class Children:
    """Runs tasks in processes of their own, a few at a time.

    Args:
        memory: bytes that a task may take beside what Python and torch hold anyway.
        seconds: after which a task is ended.
    """

    def __init__(self, *, memory: int, seconds: float = 60.0) -> None:
        self._memory, self._seconds = memory, seconds
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        self._context: Any = multiprocessing.get_context("forkserver" if _FORKS else "spawn")
        if _FORKS:
            self._context.set_forkserver_preload(["impasto.web.children", "impasto.web.tasks"])

    def run(self, task: str, *arguments: Any, seconds: float | None = None) -> Any:
        """What the task of that name in `tasks` returns, which must be JSON; blocks until it is there.

        Raises:
            Problem: the task refused its arguments, took too long, took too much memory, or died.
        """
        with self._room:
            receive, send = self._context.Pipe(duplex=False)
            process = self._context.Process(target=_serve, args=(send, self._memory, task, arguments), daemon=True)
            with receive:
                process.start()
                send.close()
                try:
                    answer = self._answer(receive, seconds or self._seconds)
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
    def _answer(receive: Connection, seconds: float) -> bytes | None:
        try:
            return receive.recv_bytes(_LONGEST_ANSWER) if receive.poll(seconds) else None
        except (EOFError, OSError):
            return None


def _serve(send: Connection, memory: int, task: str, arguments: tuple[Any, ...]) -> None:
    """The child's whole life."""
    # By name and here, for it loads torch.
    from impasto.web import problems, tasks, telemetry

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit(memory)
    outcome: dict[str, Any]
    try:
        outcome = {"value": getattr(tasks, task)(*arguments)}
    except Problem as refusal:
        outcome = {"problem": refusal.kind, "detail": refusal.detail, "more": refusal.more}
    except SettingsError as error:
        outcome = {"problem": "bad-setting", "detail": str(error), "more": {"setting": error.setting}}
    except ImpastoError as error:
        outcome = {"problem": "damaged-picture", "detail": str(error), "more": {}}
    except Exception as error:
        problem = problems.of(error)
        if problem.kind == "internal":
            # A mistake of ours; the child's last words are the only trace of it.
            telemetry.exception(error)
        outcome = {"problem": problem.kind, "detail": problem.detail, "more": {}}
    send.send_bytes(json.dumps(outcome, allow_nan=False).encode())
    send.close()
    # Without what Python does at its end, which a damaged process might not survive.
    os._exit(0)


def _limit(memory: int) -> None:
    """Bounds what this process may take of the machine."""
    if sys.platform == "win32":
        return
    import resource

    held = 0
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - not a file one would name
            held = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        # Only Linux says how much is mapped already, and only Linux keeps to the limit.
        return
    _lower(resource.RLIMIT_AS, held + memory)
    _lower(resource.RLIMIT_CPU, 120)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(what: int, to: int) -> None:
    import resource

    _, hard = resource.getrlimit(what)
    if hard == resource.RLIM_INFINITY or to < hard:
        resource.setrlimit(what, (to, to))
