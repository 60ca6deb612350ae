"""Owns the process that listens: its address, and what signals do to it.

The first SIGTERM or Ctrl-C lets requests end, has paintings laid aside at a checkpoint, and leaves their jobs in the
queue; a second one ends everything at once, which loses only what was painted since the last checkpoint.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing.util
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from impasto.errors import ImpastoError
from impasto.messages import printable, reason
from impasto.web import telemetry
from impasto.web.app import create_app
from impasto.web.config import Config

_HEADER_SECONDS = 15.0
_GRACE_SECONDS = 3


class ServingError(ImpastoError):
    """The studio cannot listen there."""


class _Protocol(H11Protocol):
    """HTTP on one connection; one that does not finish a request's head in time is closed."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected."""
        super().connection_made(transport)
        self._waiting = self.loop.call_later(_HEADER_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """They have gone."""
        if self._waiting is not None:
            self._waiting.cancel()
        super().connection_lost(exc)


class _Server(uvicorn.Server):
    """Ends on signals as this module says."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal has come."""
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True
        self._stopping()
        telemetry.event("stopping", signal=signal.Signals(sig).name)


def listen(host: str, port: int) -> socket.socket:
    """A socket at that address.

    Raises:
        ServingError: it cannot be had.
    """
    name = host.strip("[]")
    try:
        family, _, _, _, address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise ServingError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}; choose another --port"
        ) from error
    return listener


def address(config: Config, listener: socket.socket) -> str:
    """What to type into a browser; with the token, in the part that browsers keep to themselves."""
    port = listener.getsockname()[1]
    host = config.host if ":" not in config.host or config.host.startswith("[") else f"[{config.host}]"
    host = {"0.0.0.0": socket.gethostname(), "[::]": socket.gethostname()}.get(host, host)
    return f"http://{host}:{port}/" + (f"#token={config.token}" if config.token else "")


def serve(config: Config, ready: Callable[[str], Any]) -> None:
    """Listen until a signal comes.

    Args:
        config: how the studio is set up.
        ready: called with the address when it can be opened.

    Raises:
        ImpastoError: it cannot listen there, the data folder cannot be used, or it could not be started.
    """
    telemetry.to_stderr()
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    listener = listen(config.host, config.port)
    app = create_app(config)
    # The children's sockets lie in the system's folder, if it may be written to: a socket's path must be short.
    with contextlib.suppress(OSError):
        multiprocessing.util.get_temp_dir()
    # Uploads wait where there is room for them, and where a studio that died has its leftovers cleared away.
    tempfile.tempdir = str(config.data / "tmp")
    server = _Server(
        uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            h11_max_incomplete_event_size=32 << 10,
        ),
        app.state.studio.begin_to_stop,
    )

    async def run() -> None:
        said = asyncio.create_task(_say_when_started(server, lambda: ready(address(config, listener))))
        await server.serve(sockets=[listener])
        said.cancel()

    try:
        asyncio.run(run())
    except SystemExit:
        # How the server ends that could not begin; it says nothing of why.
        if (failure := app.state.failure) is None:
            raise
        where = printable(str(config.data))
        raise ServingError(f"the studio in {where} could not be started ({reason(failure)})") from failure


async def _say_when_started(server: uvicorn.Server, ready: Callable[[], Any]) -> None:
    while not server.started:
        await asyncio.sleep(0.02)
    ready()
