"""Owns the ASGI application: routes, guard, page, and the studio's start and stop."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from impasto._version import __version__
from impasto.web.config import Config
from impasto.web.http import handlers
from impasto.web.http.authentication import Authenticator
from impasto.web.http.guard import Guard
from impasto.web.http.routes import ROUTERS
from impasto.web.problems import Problem
from impasto.web.studio.studio import Studio
from impasto.web.workers.executor import Executor

STATIC = Path(__file__).parents[1] / "static"
_DESCRIPTION = "Paints photographs in the style of paintings. See docs/api.md for examples."


class _Page(StaticFiles):
    """The page's files; browsers revalidate them every time, so that an update shows at once."""

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
        config: its configuration; that of `impasto serve` without options if None.
        executor: paints; processes on this machine if None.

    Raises:
        ImpastoError, Problem: the data folder cannot be used.
    """
    config = config or Config()
    studio = Studio(config, executor)
    authenticator = Authenticator(config.token)
    # The system's own type for .js may be wrong.
    mimetypes.add_type("text/javascript", ".js")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            await studio.start()
        except Exception as error:
            # uvicorn reports only that startup failed.
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
        # Their scripts are loaded from another site, which the policy forbids.
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation,
        redirect_slashes=False,
        # Nothing may leave this machine, whatever the environment variables say.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.studio, app.state.authenticator, app.state.failure = studio, authenticator, None
    handlers.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", _Page(directory=STATIC, check_dir=False), name="static")

    @app.get("/", include_in_schema=False, response_class=FileResponse)
    def page() -> FileResponse:
        if not (STATIC / "index.html").is_file():
            raise Problem("not-found", "the page is not installed; the API is at /api/openapi.json")
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    app.add_middleware(Guard, config=config, authenticator=authenticator, metrics=studio.metrics)
    return app


def _operation(route: Any) -> str:
    """The operation id of a route, which generated clients use as a name."""
    return str(route.name)
