"""Owns errors as clients see them: problem details (RFC 9457), whatever went wrong."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from impasto.errors import ImpastoError, SettingsError, out_of_memory
from impasto.web import telemetry

MEDIA_TYPE = "application/problem+json"

#: What each kind of problem is called, and its status.
KINDS: Mapping[str, tuple[int, str]] = {
    "bad-request": (400, "The request cannot be understood"),
    "token-needed": (401, "A token is needed"),
    "forbidden": (403, "The request comes from where it must not"),
    "not-found": (404, "There is no such thing"),
    "method-not-allowed": (405, "That cannot be done here"),
    "timeout": (408, "The request came too slowly"),
    "conflict": (409, "That cannot be done now"),
    "too-large": (413, "It is too large"),
    "unsupported-media-type": (415, "The request has a form that is not understood"),
    "not-a-picture": (415, "It is not a picture that Impasto reads"),
    "invalid": (422, "Something in the request is wrong"),
    "bad-setting": (422, "A setting is wrong"),
    "damaged-picture": (422, "The picture cannot be used"),
    "key-reused": (422, "The Idempotency-Key belongs to another request"),
    "too-much-memory": (422, "There is not enough memory for that"),
    "queue-full": (429, "The queue is full"),
    "too-many-requests": (429, "Too many requests at once"),
    "internal": (500, "This should not happen"),
    "stopping": (503, "The studio is being restarted"),
    "not-available": (503, "That is not available here"),
    "disk-full": (507, "The disk is full"),
}
_BY_STATUS = {400: "bad-request", 404: "not-found", 405: "method-not-allowed", 413: "too-large"}
_RETRY_WHEN_STOPPING = 5
MISTAKE = "the studio made a mistake; its log says more"


class Problem(HTTPException):
    """Something that a client is told. FastAPI lets its own kind of exception through wherever it is raised.

    Attributes:
        kind: one of `KINDS`.
        detail: in plain words: what was wrong, and what to do.
        more: further members, such as `setting`.
        retry_after: seconds after which it makes sense to try again.
    """

    def __init__(self, kind: str, detail: str, *, retry_after: int | None = None, **more: Any) -> None:
        super().__init__(KINDS[kind][0], detail)
        self.kind, self.more = kind, more
        self.retry_after = _RETRY_WHEN_STOPPING if kind == "stopping" and retry_after is None else retry_after

    def body(self) -> dict[str, Any]:
        """The members of the problem."""
        status, title = KINDS[self.kind]
        body = {
            "type": f"about:blank#{self.kind}",
            "title": title,
            "status": status,
            "detail": self.detail,
            **self.more,
        }
        return body | ({"retry_after": self.retry_after} if self.retry_after is not None else {})

    def response(self) -> JSONResponse:
        """The answer."""
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after is not None else {}
        if self.status_code == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = 'Bearer realm="impasto"'
        return JSONResponse(self.body(), self.status_code, headers, MEDIA_TYPE)


def disk_full() -> Problem:
    """What is said when there is no room."""
    return Problem("disk-full", "there is no room left on the studio's disk; delete something, then try again")


def of_setting(error: SettingsError) -> Problem:
    """A setting that was refused."""
    return Problem(
        "bad-setting",
        str(error),
        setting=error.setting,
        errors=[{"field": f"settings.{error.setting}", "message": error.message}],
    )


def of(error: BaseException) -> Problem:
    """What a client is told of any exception."""
    match error:
        case Problem():
            return error
        case SettingsError():
            return of_setting(error)
        case ImpastoError():
            return Problem("damaged-picture", str(error))
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EFBIG):
            return disk_full()
        case sqlite3.OperationalError() if "full" in str(error):
            return disk_full()
        case _ if out_of_memory(error):
            return Problem("too-much-memory", "there is not enough memory for that now; choose a smaller size")
        case _:
            return Problem("internal", MISTAKE)


def of_validation(errors: Sequence[Any]) -> Problem:
    """What pydantic found wrong with a request."""
    told = [
        {"field": ".".join(str(part) for part in one["loc"] if part != "body"), "message": str(one["msg"])}
        for one in errors
    ]
    first = told[0] if told else {"field": "", "message": "it is not valid"}
    if any(one["type"] == "json_invalid" for one in errors):
        return Problem("bad-request", "the body is not JSON", errors=told)
    return Problem("invalid", f"{first['field'] or 'the body'}: {first['message']}", errors=told)


def install(app: FastAPI) -> None:
    """Has every error of `app` answered as a problem."""

    async def any_error(_: Request, error: Exception) -> JSONResponse:
        problem = of(error)
        if problem.kind == "internal":
            telemetry.exception(error)
        return problem.response()

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return of_validation(error.errors()).response()

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
