"""Owns authentication: the token, the cookie that stands for it, and the limit on wrong guesses.

After ten wrong tokens within a minute from one address, further tokens from there are compared one a second. The right
one still gets in, so nobody can lock the owner out. Other addresses, and requests with a cookie, are not slowed down.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers

from impasto.web.problems import Problem

COOKIE = "impasto"
_FREE_GUESSES, _WINDOW_SECONDS = 10, 60.0
_SLOW_SECONDS = 1.0
_MOST_WAITING = 4
_MOST_ADDRESSES = 10_000
# A network gives its users this many bits of an IPv6 address to choose.
_IPV6_PREFIX = 64


@dataclass(eq=False)
class _Guesses:
    """The wrong tokens from one address.

    Attributes:
        wrong: when the latest ones came.
        turn: held while a token is compared slowly.
        waiting: requests that wait for their turn.
    """

    wrong: deque[float] = field(default_factory=lambda: deque(maxlen=_FREE_GUESSES))
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0

    @property
    def too_many(self) -> bool:
        return len(self.wrong) == _FREE_GUESSES and time.monotonic() - self.wrong[0] < _WINDOW_SECONDS


class Authenticator:
    """Authorizes requests by the token, or by the cookie that stands for it.

    Args:
        token: None authorizes every request.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token
        # Derived from the token, so that the cookie does not contain it.
        self.cookie = hmac.new((token or "").encode(), b"impasto session", hashlib.sha256).hexdigest()
        self._guesses: OrderedDict[str, _Guesses] = OrderedDict()

    @property
    def needed(self) -> bool:
        """Whether a token is required."""
        return self._token is not None

    async def is_authorized(self, headers: Headers, address: str) -> bool:
        """Whether a request from an address carries the token or the cookie.

        Raises:
            Problem: there were too many wrong tokens from there.
        """
        if self._token is None or self._has_cookie(headers):
            return True
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and await self._is_right(shown.strip(), address)

    async def check(self, token: str, address: str) -> None:
        """Check a token that came from an address.

        Raises:
            Problem: it is wrong, or there were too many wrong ones from there.
        """
        if not await self._is_right(token, address):
            raise Problem("token-needed", "the token is wrong; `impasto serve` was started with the right one")

    def _has_cookie(self, headers: Headers) -> bool:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        return COOKIE in cookies and _same(cookies[COOKIE].value, self.cookie)

    async def _is_right(self, shown: str, address: str) -> bool:
        if self._token is None:
            return True
        guesses = self._guesses_of(address)
        async with self._turn(guesses) as slow:
            right = _same(shown, self._token)
            if not right:
                guesses.wrong.append(time.monotonic())
        if slow and not right:
            raise _too_many()
        return right

    @asynccontextmanager
    async def _turn(self, guesses: _Guesses) -> AsyncIterator[bool]:
        """Waits until a token may be compared; yields whether it had to wait.

        Raises:
            Problem: too many others are waiting.
        """
        if not guesses.too_many:
            yield False
            return
        if guesses.waiting >= _MOST_WAITING:
            raise _too_many()
        guesses.waiting += 1
        try:
            async with guesses.turn:
                await asyncio.sleep(_SLOW_SECONDS)
                yield True
        finally:
            guesses.waiting -= 1

    def _guesses_of(self, address: str) -> _Guesses:
        network = _network(address)
        guesses = self._guesses.pop(network, None) or _Guesses()
        self._guesses[network] = guesses
        if len(self._guesses) > _MOST_ADDRESSES:
            self._guesses.popitem(last=False)
        return guesses


def _network(address: str) -> str:
    """The address, or the network of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, _IPV6_PREFIX), strict=False))
    return str(found)


def _too_many() -> Problem:
    return Problem("too-many-requests", "too many wrong tokens; wait a minute", retry_after=round(_WINDOW_SECONDS))


def _same(shown: str, right: str) -> bool:
    return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), right.encode())
