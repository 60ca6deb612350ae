"""Owns the studio: a web page and an HTTP API for painting, with a queue that survives crashes and restarts.

| package or module | owns |
|---|---|
| `http` | the application, its routes and checks, the server process |
| `studio` | what clients can do, independent of HTTP |
| `schema` | the JSON of requests and responses |
| `workers` | dispatching jobs to painting processes, and the processes |
| `queue` | jobs in SQLite: the clients' side and the workers' side |
| `storage` | the data folder: database, pictures, files of jobs |
| `sandbox` | work on untrusted files, in short-lived processes with limits |
| `listeners` | who is notified of changes |
| `problems` | errors, as clients see them |
| `telemetry` | logs and metrics |
| `config` | the studio's configuration |

Each imports only from those below it; `pyproject.toml` has the order. `README.md` describes the API for the authors of
the page in `static/`. Only this package imports FastAPI and uvicorn, which are an optional extra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from impasto.web.config import Config

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["Config", "create_app"]


def create_app(config: Config | None = None, **parts: Any) -> FastAPI:
    """The studio as an ASGI application. See `impasto.web.http.app.create_app`."""
    from impasto.web.http.app import create_app

    return create_app(config, **parts)
