"""Owns the guard: checks of host, origin, token, size and deadline before a request reaches a route.

A page on the internet can make a browser on this machine send requests to the studio. It can neither send a Host that
the studio accepts through a name of its own, nor hide its origin. So the guard checks both, and the studio never
answers another origin.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import time
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from impasto.web import telemetry
from impasto.web.config import Config, is_loopback
from impasto.web.http.authentication import Authenticator
from impasto.web.problems import Problem
from impasto.web.storage.space import Reservation
from impasto.web.telemetry import Metrics

_OPEN = ("/", "/api/health", "/api/session")
_SAFE = ("GET", "HEAD", "OPTIONS")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_JSON_BYTES = 1 << 20
_BODY_SECONDS, _PAUSE_SECONDS = 300.0, 20.0
# After the first seconds, the body must have come at this rate at least.
_LEAST_BYTES_PER_SECOND = 4096


class Guard:
    """Middleware that checks every request, and adds security headers to every response.

    Args:
        app: the guarded application.
        config: names and limits.
        authenticator: checks tokens.
        metrics: count responses.
    """

    def __init__(self, app: ASGIApp, config: Config, authenticator: Authenticator, metrics: Metrics) -> None:
        self._app, self._config, self._authenticator, self._metrics = app, config, authenticator, metrics
        self._names = {"localhost", config.host.strip("[]").lower(), *(name.lower() for name in config.hosts)}
        if not is_loopback(config.host):
            own = socket.gethostname().lower()
            self._names |= {own, f"{own}.local"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 0

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    headers["cache-control"] = "no-store"
                self._count(scope, status, time.perf_counter() - begun)
            await send(message)

        headers = Headers(scope=scope)
        try:
            await self._check(scope, headers)
            reservation = _reservation(scope, headers)
        except Problem as problem:
            await problem.response()(scope, receive, with_headers)
        else:
            try:
                with _Body(receive, self._most(headers), reservation) as body:
                    await self._app(scope, body.receive, with_headers)
            except Exception as error:
                # The response has begun, so it can no longer be a problem.
                telemetry.exception(error)
                raise

    async def _check(self, scope: Scope, headers: Headers) -> None:
        path, method = scope["path"], scope["method"]
        if len(headers.getlist("host")) != 1 or not self._is_own_name(headers["host"]):
            raise Problem(
                "forbidden",
                "this studio does not have that name; use the address that it printed, or start it with --allow-host",
            )
        self._check_origin(path, method, headers)
        studio = scope["app"].state.studio
        if studio.stopping and path != "/api/health":
            raise Problem("stopping", "the studio is being restarted; nothing is lost, try again in a few seconds")
        is_open = path in _OPEN or path.startswith("/static/")
        if not is_open and not await self._authenticator.is_authorized(headers, client_address(scope)):
            raise Problem("token-needed", "the studio needs a token; send Authorization: Bearer TOKEN")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or not length.isascii():
            raise Problem("bad-request", "Content-Length is not a number")
        if int(length[:20]) > (most := self._most(headers)):
            raise _too_long(most)

    def _is_own_name(self, host: str) -> bool:
        """Whether a Host header names this studio."""
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() and not host.endswith("]") else host
        name = name.strip("[]").lower().rstrip(".")
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        # DNS rebinding cannot use a bare address. A studio on loopback still accepts loopback addresses only.
        return address.is_loopback or not is_loopback(self._config.host)

    def _check_origin(self, path: str, method: str, headers: Headers) -> None:
        site = headers.get("sec-fetch-site", "none")
        # Links on other sites may lead to the page, but to nothing else.
        follows_link = method in _SAFE and path == "/" and headers.get("sec-fetch-mode") == "navigate"
        origin = headers.get("origin")
        is_foreign = origin is not None and origin.partition("://")[2].lower() != headers["host"].lower()
        if (site not in ("none", "same-origin") and not follows_link) or is_foreign:
            raise Problem("forbidden", "the request comes from another site's page")

    def _most(self, headers: Headers) -> int:
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        return self._config.max_bytes if kind == "multipart/form-data" else min(_JSON_BYTES, self._config.max_bytes)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's pattern, because the number of different paths is unlimited.
        route = getattr(scope.get("route"), "path", None) or "other"
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "DELETE") else "other"
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        level = logging.INFO if route != "other" or status >= 400 else logging.DEBUG
        telemetry.event("request", level, method=method, route=route, status=status, ms=round(1000 * seconds, 1))


def client_address(scope: Scope) -> str:
    """The address that a request came from; empty if it is unknown, as on a Unix socket."""
    return str(scope["client"][0]) if scope.get("client") else ""


def _reservation(scope: Scope, headers: Headers) -> Reservation | None:
    """The reservation for a body that is written to the disk as it comes, which only forms are."""
    if not headers.get("content-type", "").lower().startswith("multipart/"):
        return None
    reservation: Reservation = scope["app"].state.studio.space.reservation()
    # What is announced will be written too; the check is made once more as it comes.
    reservation.check(2 * int(headers.get("content-length", "0")[:20]))
    return reservation


class _Body:
    """Receives a request's body, and refuses one that is too long, too slow, or too large for the disk.

    Args:
        receive: gives the messages.
        most: bytes.
        reservation: of space on the disk; None if the body is not written there.
    """

    def __init__(self, receive: Receive, most: int, reservation: Reservation | None) -> None:
        self._reservation = reservation
        self._receive, self._left, self._most = receive, most, most
        self._begun = time.monotonic()
        self._whole = False

    def __enter__(self) -> _Body:
        return self

    def __exit__(self, *_: object) -> None:
        if self._reservation is not None:
            self._reservation.release()

    async def receive(self) -> Message:
        """The next message."""
        if self._whole:
            # The only message left is the end of the connection, which has no deadline.
            return await self._receive()
        try:
            allowed = min(_BODY_SECONDS, _PAUSE_SECONDS + (self._most - self._left) / _LEAST_BYTES_PER_SECOND)
            wait = min(_PAUSE_SECONDS, self._begun + allowed - time.monotonic())
            message: dict[str, Any] = dict(await asyncio.wait_for(self._receive(), wait))
        except TimeoutError:
            raise Problem("timeout", "the request was too slow, and was given up") from None
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise _too_long(self._most)
            if self._reservation is not None:
                self._reservation.take(len(message.get("body", b"")))
            self._whole = not message.get("more_body", False)
        return message


def _too_long(most: int) -> Problem:
    shown = f"{most / (1 << 20):.0f} MB" if most >= 1 << 20 else f"{most} bytes"
    return Problem("too-large", f"the request is larger than {shown}; make the picture smaller")
