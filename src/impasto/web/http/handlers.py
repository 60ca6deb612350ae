"""Owns the translation of exceptions into answers: every error leaves as problem details."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from impasto.errors import ImpastoError
from impasto.web import telemetry
from impasto.web.problems import Problem, from_exception
from impasto.web.queue.job import ConflictError, KeyReusedError, NoSuchJobError, QueueFullError

_BY_STATUS = {400: "bad-request", 404: "not-found", 405: "method-not-allowed", 413: "too-large"}
_RETRY_WHEN_FULL = 30


def from_validation_errors(errors: Sequence[Any]) -> Problem:
    """The problem that describes pydantic's errors."""
    found = [
        {"field": ".".join(str(part) for part in one["loc"] if part != "body"), "message": str(one["msg"])}
        for one in errors
    ]
    first = found[0] if found else {"field": "", "message": "it is not valid"}
    if any(one["type"] == "json_invalid" for one in errors):
        return Problem("bad-request", "the body is not JSON", errors=found)
    return Problem("invalid", f"{first['field'] or 'the body'}: {first['message']}", errors=found)


def install(app: FastAPI) -> None:
    """Install the handlers of all exceptions."""

    async def any_error(_: Request, error: Exception) -> JSONResponse:
        problem = from_exception(error)
        if problem.kind == "internal":
            telemetry.exception(error)
        return problem.response()

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return from_validation_errors(error.errors()).response()

    async def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        kind = _BY_STATUS.get(error.status_code, "bad-request" if error.status_code < 500 else "internal")
        detail = {
            "not-found": "there is nothing at this address",
            "method-not-allowed": "this address does not take that method",
        }.get(kind, str(error.detail))
        response = Problem(kind, detail).response()
        response.headers.update(error.headers or {})
        return response

    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    for kind in (Problem, ImpastoError, OSError, sqlite3.Error, Exception):
        app.add_exception_handler(kind, any_error)

    _install_queue_errors(app)


def _install_queue_errors(app: FastAPI) -> None:
    """Answers the queue's own exceptions."""

    async def refused(_: Request, error: Exception) -> JSONResponse:
        match error:
            case NoSuchJobError():
                problem = Problem("not-found", "there is no such job")
            case ConflictError():
                problem = Problem("conflict", str(error))
            case KeyReusedError():
                problem = Problem("key-reused", "that Idempotency-Key was used for another request; use a new one")
            case _:
                problem = Problem(
                    "queue-full", "the queue is full; try again when a job has ended", retry_after=_RETRY_WHEN_FULL
                )
        return problem.response()

    for kind in (NoSuchJobError, ConflictError, KeyReusedError, QueueFullError):
        app.add_exception_handler(kind, refused)
