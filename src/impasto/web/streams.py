"""Owns what is told to those who listen: server-sent events.

A listener is told *that* something has changed, and then looks up what it is by now. So a slow one misses only what is
out of date, and what is kept for it is never more than the names of the jobs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from impasto.web.problems import Problem

PING_SECONDS = 15.0
_MOST_LISTENERS = 2000


class EventStream(StreamingResponse):
    """An answer that goes on. FastAPI's own wants a generator for a route, which can no longer answer otherwise."""

    media_type = "text/event-stream"


@dataclass(eq=False)
class Listener:
    """What one connection has still to be told.

    Attributes:
        job: the only job it wants to hear of; None for all.
        changed: jobs of which something but progress is new.
        progressed: jobs that have got further.
        removed: jobs that are gone.
        queue: whether the queue is new.
        closed: whether there is nothing more to come.
    """

    job: str | None = None
    changed: set[str] = field(default_factory=set)
    progressed: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    queue: bool = False
    closed: bool = False
    _awake: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> bool:
        """Until there is something to tell; False if there was nothing for so long that a sign of life is due."""
        try:
            await asyncio.wait_for(self._awake.wait(), PING_SECONDS)
        except TimeoutError:
            return False
        self._awake.clear()
        return True

    def wake(self) -> None:
        """There is something to tell."""
        self._awake.set()

    def take(self, name: str) -> list[str]:
        """What has gathered under that name, which is empty afterwards."""
        gathered: set[str] = getattr(self, name)
        taken = sorted(gathered)
        gathered.clear()
        return taken


class Hub:
    """All who listen. Any thread may tell them something."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on there may be listeners, on that loop."""
        self._loop = loop

    @contextmanager
    def listening(self, job: str | None = None) -> Iterator[Listener]:
        """A listener, as long as its connection lasts."""
        listener = Listener(job, closed=self._closed)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def check_room(self) -> None:
        """Refuses more listeners than there may be.

        Raises:
            Problem: there are too many already.
        """
        if len(self._listeners) >= _MOST_LISTENERS:
            raise Problem("too-many-requests", "too many pages are listening; close some", retry_after=30)

    def tell(self, what: str, job: str) -> None:
        """Something is new of a job: `changed`, `progressed` or `removed`."""

        def note(listener: Listener) -> None:
            if listener.job in (None, job):
                getattr(listener, what).add(job)
                listener.wake()

        self._each(note)

    def tell_queue(self) -> None:
        """The queue is new."""

        def note(listener: Listener) -> None:
            listener.queue = True
            listener.wake()

        self._each(note)

    def close(self) -> None:
        """Nothing more is to come: every stream ends."""

        def end(listener: Listener) -> None:
            listener.closed = True
            listener.wake()

        self._closed = True
        self._each(end)

    def _each(self, do: Callable[[Listener], None]) -> None:
        def all_of_them() -> None:
            for listener in self._listeners:
                do(listener)

        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(all_of_them)


def event(name: str, data: Any, id: str | None = None) -> bytes:
    """One event on the wire."""
    return format_sse_event(event=name, data_str=json.dumps(data, allow_nan=False), id=id)


async def kept_alive(listener: Listener) -> AsyncIterator[bytes | None]:
    """None whenever there is something to tell, and a comment when there has been nothing for long."""
    while not listener.closed:
        yield None if await listener.wait() else KEEPALIVE_COMMENT
