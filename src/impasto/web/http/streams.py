"""Owns server-sent events: how they look on the wire."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from impasto.web.listeners import Listener


class EventStream(StreamingResponse):
    """A response of server-sent events. FastAPI's own class needs a generator as the route, which cannot answer 204."""

    media_type = "text/event-stream"


def event(name: str, data: Any, id: str | None = None) -> bytes:
    """One event, encoded."""
    return format_sse_event(event=name, data_str=json.dumps(data, allow_nan=False), id=id)


async def kept_alive(listener: Listener) -> AsyncIterator[bytes | None]:
    """Yields None for every notification, and a comment for the client after a time without one."""
    while not listener.closed:
        yield None if await listener.wait() else KEEPALIVE_COMMENT
