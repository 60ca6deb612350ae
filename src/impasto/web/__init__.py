"""Owns the studio: a page and an HTTP API that paint, with a queue that survives whatever happens to the process.

| module | owns |
|---|---|
| `config` | how a studio is set up |
| `app` | the application: routes, middlewares, what lives as long as it does |
| `serving` | the process that listens, and its signals |
| `guard` | who may ask what: hosts, origins, tokens, sizes, deadlines |
| `problems` | errors as RFC 9457 has them |
| `studio` | what people can do: the one place where the parts below meet |
| `database`, `records`, `job` | jobs in SQLite, which is the truth |
| `jobs`, `sheets` | what people do with them; sweeps |
| `leases`, `foreman` | what those who paint do, and what they are told |
| `pictures` | pictures on disk by their contents |
| `children`, `tasks` | work on strangers' files in short-lived processes, with limits |
| `executor`, `worker`, `painting`, `talk` | painting, in processes of its own |
| `fast` | pictures painted at once, beside the queue |
| `orders`, `shapes` | what a request may hold, and what an answer does |
| `streams` | server-sent events |
| `routes` | the paths |
| `telemetry` | logs and metrics, which stay on this machine |

`README.md` is the contract with the page in `static/`. FastAPI and uvicorn are imported only here, so that the rest of
Impasto does without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from impasto.web.config import Config

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["Config", "create_app"]


def create_app(config: Config | None = None, **parts: Any) -> FastAPI:
    """The studio as an ASGI application; see `impasto.web.app.create_app`."""
    from impasto.web.app import create_app

    return create_app(config, **parts)
