"""Owns the listeners: who is to be notified that something has changed.

A listener is notified *that* a job has changed, and looks up its present state later. A slow client therefore misses
only outdated states, and the memory for each client is bounded by the number of jobs.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from impasto.web.problems import Problem

PING_SECONDS = 15.0
# Of the file descriptors, half are for event streams; some are for everything else.
_MOST_LISTENERS, _SPARE_DESCRIPTORS = 2000, 200


@dataclass(eq=False)
class Listener:
    """The pending notifications of one connection.

    Attributes:
        job: the only job it listens to; None for all.
        changed: jobs that have changed in anything but progress.
        progressed: jobs with new progress.
        removed: jobs that were erased.
        queue: whether the queue has changed.
        closed: whether no more notifications will come.
    """

    job: str | None = None
    changed: set[str] = field(default_factory=set)
    progressed: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    queue: bool = False
    closed: bool = False
    _awake: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> bool:
        """Wait for a notification; False after `PING_SECONDS` without one."""
        try:
            await asyncio.wait_for(self._awake.wait(), PING_SECONDS)
        except TimeoutError:
            return False
        self._awake.clear()
        return True

    def wake(self) -> None:
        """End `wait`."""
        self._awake.set()

    def take(self, name: str) -> list[str]:
        """The jobs in the set of that name, which is emptied."""
        pending: set[str] = getattr(self, name)
        taken = sorted(pending)
        pending.clear()
        return taken


class Hub:
    """All listeners. Any thread may notify them."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Accept listeners, on that loop."""
        self._loop = loop

    @contextmanager
    def listening(self, job: str | None = None) -> Iterator[Listener]:
        """A new listener, removed at the end of the context."""
        listener = Listener(job, closed=self._closed)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def check_room(self) -> None:
        """Check that there is room for another listener.

        Raises:
            Problem: there is none.
        """
        if len(self._listeners) >= _room():
            raise Problem("too-many-requests", "too many event streams are open; close some", retry_after=30)

    def notify(self, what: str, job: str) -> None:
        """Notify of a job that `changed`, `progressed` or was `removed`."""

        def note(listener: Listener) -> None:
            if listener.job in (None, job):
                getattr(listener, what).add(job)
                listener.wake()

        self._each(note)

    def notify_queue(self) -> None:
        """Notify of a change of the queue."""

        def note(listener: Listener) -> None:
            listener.queue = True
            listener.wake()

        self._each(note)

    def close(self) -> None:
        """End every stream."""

        def end(listener: Listener) -> None:
            listener.closed = True
            listener.wake()

        self._closed = True
        self._each(end)

    def _each(self, do: Callable[[Listener], None]) -> None:
        def notify_all() -> None:
            for listener in self._listeners:
                do(listener)

        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(notify_all)


def _room() -> int:
    """How many listeners the file descriptors of this process allow."""
    if sys.platform == "win32":
        return _MOST_LISTENERS
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MOST_LISTENERS
    return min(_MOST_LISTENERS, max(1, (soft - _SPARE_DESCRIPTORS) // 2))
