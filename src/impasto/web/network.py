"""Owns the ban on the network in processes that paint or read untrusted files: none of them ever needs it."""

from __future__ import annotations

import sys

_BANNED = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg")


def forbid() -> None:
    """Make every attempt of this process to use the network fail from now on.

    It is a second line of defence behind validation, against libraries that would download what they lack. It does not
    stop native code that a file has taken over.
    """
    sys.addaudithook(_refuse)


def _refuse(event: str, _: tuple[object, ...]) -> None:
    if event in _BANNED:
        raise PermissionError("this process of the studio must not use the network")
