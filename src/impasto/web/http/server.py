"""Owns the server process: its address and its signals.

The first SIGTERM or Ctrl-C lets requests finish, has active jobs released at a checkpoint, and leaves them in the
queue. A second one exits at once, which loses only the work since the last checkpoint.
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
from impasto.web.config import Config
from impasto.web.http.app import create_app

_HEADER_SECONDS = 15.0
_GRACE_SECONDS = 3


class ServingError(ImpastoError):
    """The studio cannot listen at the address, or could not start."""


class _Protocol(H11Protocol):
    """HTTP on one connection, which is closed if a request's head takes too long."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline."""
        super().connection_made(transport)
        self._waiting = self.loop.call_later(_HEADER_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the deadline."""
        if self._waiting is not None:
            self._waiting.cancel()
        super().connection_lost(exc)


class _Server(uvicorn.Server):
    """Handles signals as the module describes."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True
        self._stopping()
        telemetry.event("stopping", signal=signal.Signals(sig).name)


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to that address.

    Raises:
        ServingError: it cannot be bound.
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
    """The URL for a browser. The token is in the fragment, which browsers do not send."""
    port = listener.getsockname()[1]
    host = config.host if ":" not in config.host or config.host.startswith("[") else f"[{config.host}]"
    host = {"0.0.0.0": socket.gethostname(), "[::]": socket.gethostname()}.get(host, host)
    return f"http://{host}:{port}/" + (f"#token={config.token}" if config.token else "")


def serve(config: Config, ready: Callable[[str], Any]) -> None:
    """Run the studio until a signal ends it.

    Args:
        config: of the studio.
        ready: called with the URL once it accepts requests.

    Raises:
        ImpastoError: it cannot listen, cannot use the data folder, or could not start.
    """
    telemetry.to_stderr()
    # Pictures and the database are for this user only, in whatever folder they are.
    os.umask(0o077)
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    listener = listen(config.host, config.port)
    app = create_app(config)
    # Resolve the folder of the sandbox's sockets before `tempdir` changes: a socket's path must be short.
    with contextlib.suppress(OSError):
        multiprocessing.util.get_temp_dir()
    # Uploads are spooled into the data folder, where the next start removes what a crash left behind.
    tempfile.tempdir = str(app.state.studio.temporary)
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
        waiting = asyncio.create_task(_call_when_started(server, lambda: ready(address(config, listener))))
        await server.serve(sockets=[listener])
        waiting.cancel()

    try:
        asyncio.run(run())
    except SystemExit:
        # uvicorn exits like this if startup failed, without the reason.
        if (failure := app.state.failure) is None:
            raise
        where = printable(str(config.data))
        raise ServingError(f"the studio in {where} could not be started ({reason(failure)})") from failure


async def _call_when_started(server: uvicorn.Server, ready: Callable[[], Any]) -> None:
    while not server.started:
        await asyncio.sleep(0.02)
    ready()
