"""Owns who one is: health, which everyone may see, and the session that stands for the token."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from impasto._version import __version__
from impasto.web.guard import COOKIE
from impasto.web.orders import Login
from impasto.web.routes.asked import Here, refusals
from impasto.web.shapes import HealthShape

router = APIRouter(prefix="/api", tags=["session"])


@router.get("/health", response_model=HealthShape)
def health(request: Request, studio: Here) -> dict[str, Any]:
    """Whether the studio works, and whether it knows you."""
    keys = request.app.state.keys
    return {
        "status": "stopping" if studio.stopping else "ok",
        "version": __version__,
        "token_needed": keys.needed,
        "authorized": keys.let_in(request.headers),
    }


@router.post("/session", status_code=204, responses=refusals(422, 429))
def log_in(request: Request, login: Login) -> Response:
    """Show the token once, and get a cookie for it."""
    keys = request.app.state.keys
    keys.check(login.token)
    response = Response(status_code=204)
    response.set_cookie(
        COOKIE, keys.cookie, max_age=30 * 86400, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return response


@router.delete("/session", status_code=204, responses=refusals())
def log_out() -> Response:
    """Give the cookie back."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
