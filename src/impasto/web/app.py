"""Owns the application: the routes, the guard before them, and the studio that lives as long as they do."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from impasto._version import __version__
from impasto.web import problems
from impasto.web.config import Config
from impasto.web.executor import Executor
from impasto.web.guard import Guard, Keys
from impasto.web.job import ConflictError, KeyReusedError, NoSuchJobError, QueueFullError
from impasto.web.problems import Problem
from impasto.web.routes import ROUTERS
from impasto.web.studio import Studio

STATIC = Path(__file__).with_name("static")
_RETRY_WHEN_FULL = 30
_DESCRIPTION = "Paints photographs in the manner of paintings. See docs/api.md for examples."


class _Page(StaticFiles):
    """The page's files, which browsers ask after every time, so that an update is seen at once."""

    def file_response(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["cache-control"] = "no-cache"
        return response

    async def get_response(self, path: str, scope: Scope) -> object:  # type: ignore[override]
        if "\0" in path:
            raise Problem("not-found", "there is nothing at this address")
        return await super().get_response(path, scope)


def create_app(config: Config | None = None, *, executor: Executor | None = None) -> FastAPI:
    """The studio as an ASGI application.

    Args:
        config: how it is set up; as `impasto serve` without options, if None.
        executor: who paints; processes on this machine, if None.

    Raises:
        ImpastoError, Problem: the data folder cannot be used.
    """
    config = config or Config()
    studio = Studio(config, executor)
    keys = Keys(config.token)
    # What the system says of .js may be anything.
    mimetypes.add_type("text/javascript", ".js")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            await studio.start()
        except Exception as error:
            # The server says only that there was one.
            app.state.failure = error
            raise
        try:
            yield
        finally:
            await studio.stop()

    app = FastAPI(
        title="Impasto",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        # Their scripts come from elsewhere.
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation,
        redirect_slashes=False,
        # What happens here is nobody's business elsewhere, whatever the environment says.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.studio, app.state.keys, app.state.failure = studio, keys, None
    problems.install(app)
    _explain(app)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", _Page(directory=STATIC, check_dir=False), name="static")

    @app.get("/", include_in_schema=False, response_class=FileResponse)
    def page() -> FileResponse:
        if not (STATIC / "index.html").is_file():
            raise Problem("not-found", "the page is not installed; the API is at /api/openapi.json")
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    app.add_middleware(Guard, config=config, keys=keys, metrics=studio.metrics)
    return app


def _explain(app: FastAPI) -> None:
    """What the queue refuses, in HTTP's words."""

    async def refused(_: Request, error: Exception) -> JSONResponse:
        match error:
            case NoSuchJobError():
                problem = Problem("not-found", "there is no such job")
            case ConflictError():
                problem = Problem("conflict", str(error))
            case KeyReusedError():
                problem = Problem("key-reused", "that Idempotency-Key came with another request; take a new one")
            case _:
                problem = Problem(
                    "queue-full", "as many jobs wait as may; try again when one is done", retry_after=_RETRY_WHEN_FULL
                )
        return problem.response()

    for kind in (NoSuchJobError, ConflictError, KeyReusedError, QueueFullError):
        app.add_exception_handler(kind, refused)


def _operation(route: Any) -> str:
    """What a client made from the description calls a route."""
    return str(route.name)
