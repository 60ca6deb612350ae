"""Owns errors as clients see them: problem details (RFC 9457)."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from impasto.errors import ImpastoError, SettingsError, out_of_memory

MEDIA_TYPE = "application/problem+json"

#: Status and title of each kind of problem.
KINDS: Mapping[str, tuple[int, str]] = {
    "bad-request": (400, "The request cannot be understood"),
    "token-needed": (401, "A token is needed"),
    "forbidden": (403, "Requests from there are not allowed"),
    "not-found": (404, "Not found"),
    "method-not-allowed": (405, "The method is not allowed here"),
    "timeout": (408, "The request came too slowly"),
    "conflict": (409, "The present state does not allow that"),
    "too-large": (413, "The request or the picture is too large"),
    "unsupported-media-type": (415, "The media type of the request is not supported"),
    "not-a-picture": (415, "The file is not a picture that Impasto reads"),
    "invalid": (422, "Something in the request is wrong"),
    "bad-setting": (422, "A setting is wrong"),
    "damaged-picture": (422, "The picture cannot be used"),
    "key-reused": (422, "The Idempotency-Key belongs to another request"),
    "too-much-memory": (422, "There is not enough memory for that"),
    "queue-full": (429, "The queue is full"),
    "too-many-requests": (429, "Too many requests at once"),
    "internal": (500, "Internal error"),
    "stopping": (503, "The studio is being restarted"),
    "not-available": (503, "Not available"),
    "disk-full": (507, "The disk is full"),
}
_RETRY_WHEN_STOPPING = 5
INTERNAL = "an internal error occurred; the studio's log has the details"


class Problem(HTTPException):
    """An error response. It is an HTTPException, because FastAPI handles those wherever they are raised.

    Attributes:
        kind: one of `KINDS`.
        detail: what was wrong and what to do, for people.
        more: further members of the response, such as `setting`.
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
        if self.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            # A connection that is kept open occupies what others need.
            headers["Connection"] = "close"
        return JSONResponse(self.body(), self.status_code, headers, MEDIA_TYPE)


def disk_full() -> Problem:
    """The problem of a full disk."""
    return Problem("disk-full", "there is no room left on the studio's disk; delete something, then try again")


def from_settings_error(error: SettingsError) -> Problem:
    """The problem of a refused setting."""
    return Problem(
        "bad-setting",
        str(error),
        setting=error.setting,
        errors=[{"field": f"settings.{error.setting}", "message": error.message}],
    )


def from_exception(error: BaseException) -> Problem:
    """The problem that describes an exception."""
    match error:
        case Problem():
            return error
        case SettingsError():
            return from_settings_error(error)
        case ImpastoError():
            return Problem("damaged-picture", str(error))
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EFBIG):
            return disk_full()
        case sqlite3.OperationalError() if "full" in str(error):
            return disk_full()
        case _ if out_of_memory(error):
            return Problem("too-much-memory", "there is not enough memory for that now; choose a smaller size")
        case _:
            return Problem("internal", INTERNAL)
