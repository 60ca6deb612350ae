"""Owns how a phone in the same network reaches the studio: this machine's address there, and a code to scan."""

from __future__ import annotations

import io
import secrets
import socket
from urllib.parse import urlsplit, urlunsplit

#: An address that belongs to nobody (RFC 5737); a route to it is asked for, and nothing is sent.
_NOWHERE = ("192.0.2.1", 9)
_TOKEN_BYTES = 16


def token() -> str:
    """A token that nobody guesses, short enough for a code to be scanned."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def own_address() -> str | None:
    """This machine's address in its network; None without one."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(_NOWHERE)
            found = str(probe.getsockname()[0])
    except OSError:
        return None
    return None if found.startswith(("0.", "127.")) else found


def reachable(address: str) -> str:
    """The address of the studio with this machine's own in the place of its name, which a phone may not know."""
    own = own_address()
    if own is None:
        return address
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=f"{own}:{parts.port}"))


def code(address: str) -> str:
    """A QR code of the address, as text of a terminal."""
    import segno

    drawn = io.StringIO()
    segno.make(address, error="l", micro=False).terminal(drawn, compact=True)
    return drawn.getvalue()
