"""Owns the paths of health, which needs no token, and of the session, whose cookie replaces the token."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from impasto._version import __version__
from impasto.web.http.authentication import COOKIE
from impasto.web.http.guard import client_address
from impasto.web.http.routes.dependencies import Here, refusals
from impasto.web.schema.requests import LoginRequest
from impasto.web.schema.responses import HealthResponse

router = APIRouter(prefix="/api", tags=["session"])


@router.get("/health", response_model=HealthResponse, responses=refusals(429))
async def health(request: Request, studio: Here) -> dict[str, Any]:
    """Whether the studio works, and whether the request is authorized."""
    authenticator = request.app.state.authenticator
    return {
        "status": "stopping" if studio.stopping else "ok",
        "version": __version__,
        "token_needed": authenticator.needed,
        "authorized": await authenticator.is_authorized(request.headers, client_address(request.scope)),
    }


@router.post("/session", status_code=204, responses=refusals(422, 429))
async def log_in(request: Request, login: LoginRequest) -> Response:
    """Exchange the token for a cookie."""
    authenticator = request.app.state.authenticator
    await authenticator.check(login.token, client_address(request.scope))
    response = Response(status_code=204)
    response.set_cookie(
        COOKIE,
        authenticator.cookie,
        max_age=30 * 86400,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@router.delete("/session", status_code=204, responses=refusals())
def log_out() -> Response:
    """Remove the cookie."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
