"""Owns the server process: its address and its signals.

The first SIGTERM or Ctrl-C lets requests finish, has active jobs released at a checkpoint, and leaves them in the
queue. A second one exits at once, which loses only the work since the last checkpoint.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import multiprocessing.util
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
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
# File descriptors for connections, and those that everything else needs.
_DESCRIPTORS, _SPARE_DESCRIPTORS = 8192, 200


class ServingError(ImpastoError):
    """The studio cannot listen at the address, or could not start."""


class _Protocol(H11Protocol):
    """HTTP on one connection, which is closed if the head of any request takes too long, or if there are too many.

    Args:
        most_connections: open at once; more would use up the file descriptors.
        arguments: of uvicorn's protocol.
    """

    def __init__(self, *, most_connections: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._most_connections = most_connections
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline of the first head."""
        super().connection_made(transport)
        if len(self.connections) > self._most_connections:
            transport.close()
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Start the deadline with the first byte of a head, and stop it with the last."""
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the deadline."""
        self._stop_watching()
        super().connection_lost(exc)

    @property
    def _in_head(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _watch_head(self) -> None:
        if not self._in_head:
            self._stop_watching()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(_HEADER_SECONDS, self._give_up)

    def _stop_watching(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._in_head and not self.transport.is_closing():
            self.transport.close()


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


def serve(config: Config, ready: Callable[[str], Any], *, log: Path | None = None) -> None:
    """Run the studio until a signal ends it.

    Args:
        config: of the studio.
        ready: called with the URL once it accepts requests.
        log: the file to write the log to, once the data folder is in use; standard error if None.

    Raises:
        ImpastoError: it cannot listen, cannot use the data folder, or could not start.
    """
    telemetry.to_stderr()
    # Pictures and the database are for this user only, in whatever folder they are.
    os.umask(0o077)
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    most_connections = _raise_descriptor_limit() - _SPARE_DESCRIPTORS
    listener = listen(config.host, config.port)
    app = create_app(config)
    if log is not None:
        telemetry.to_file(log)
    # Resolve the folder of the sandbox's sockets before `tempdir` changes: a socket's path must be short.
    with contextlib.suppress(OSError):
        multiprocessing.util.get_temp_dir()
    # Uploads are spooled into the data folder, where the next start removes what a crash left behind.
    tempfile.tempdir = str(app.state.studio.temporary)
    server = _Server(
        uvicorn.Config(
            app,
            http=functools.partial(_Protocol, most_connections=most_connections),  # type: ignore[arg-type]
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
        asyncio.get_running_loop().set_exception_handler(_log_loop_error)
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


def _log_loop_error(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error of the event loop in one line; asyncio's own traceback could fill a disk."""
    error = context.get("exception")
    telemetry.exception(error if isinstance(error, BaseException) else RuntimeError(str(context.get("message"))))


def _raise_descriptor_limit() -> int:
    """Allow this process as many file descriptors as it may have; their number."""
    if sys.platform == "win32":
        return _DESCRIPTORS
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


async def _call_when_started(server: uvicorn.Server, ready: Callable[[], Any]) -> None:
    while not server.started:
        await asyncio.sleep(0.02)
    ready()
