"""Owns what is told to those who listen: server-sent events.

A listener is told *that* something has changed, and then looks up what it is by now. So a slow one misses only what is out
of date, and what is kept for it is never more than the names of the jobs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from collections.abc import Iterator
from typing import Any

from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from impasto.web.problems import Problem

PING_SECONDS = 15.0
_MOST_LISTENERS = 2000


class EventStream(StreamingResponse):
    """An answer that goes on. Our own, for FastAPI's leaves no way to answer anything else once there is a generator."""

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
    """All who listen. To be used on the event loop's thread."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._closed = False

    @contextmanager
    def listening(self, job: str | None = None) -> Iterator[Listener]:
        """A listener, as long as its connection lasts.

        Raises:
            Problem: there are too many already.
        """
        self.check_room()
        listener = Listener(job, closed=self._closed)
        self._listeners.add(listener)
        if self._closed:
            listener.wake()
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
        for listener in self._listeners:
            if listener.job in (None, job):
                getattr(listener, what).add(job)
                listener.wake()

    def tell_queue(self) -> None:
        """The queue is new."""
        for listener in self._listeners:
            listener.queue = True
            listener.wake()

    def close(self) -> None:
        """Nothing more is to come: every stream ends."""
        self._closed = True
        for listener in self._listeners:
            listener.closed = True
            listener.wake()


def event(name: str, data: Any, id: str | None = None) -> bytes:
    """One event on the wire."""
    return format_sse_event(event=name, data_str=json.dumps(data, allow_nan=False), id=id)


async def kept_alive(listener: Listener) -> AsyncIterator[bytes | None]:
    """None whenever there is something to tell, and a comment when there has been nothing for long."""
    while not listener.closed:
        yield None if await listener.wait() else KEEPALIVE_COMMENT
