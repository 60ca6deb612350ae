"""Owns `impasto serve`: the studio, a web page for painting and an HTTP API."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from impasto import files
from impasto.cli import lan as addresses
from impasto.cli import reporting, streams
from impasto.cli.options import flag, whole, words
from impasto.errors import ImpastoError
from impasto.settings import Option

#: The variable for a token that should not appear in the list of processes.
TOKEN_VARIABLE = "IMPASTO_TOKEN"
#: The file in the data folder that has the address with the token, where that was not printed.
ADDRESS_FILE = "impasto-address.txt"
#: The file in the data folder with a line a request, where a terminal shows the address and little else.
LOG_FILE = "impasto-log.txt"


def _number(name: str, default: str, meaning: str, unit: str = "", low: int = 1, high: int = 1_000_000_000) -> object:
    return whole(name, default, meaning, Option(meaning=meaning, group="Output", unit=unit, low=low, high=high))


def serve(
    *,
    host: Annotated[
        str,
        words("Address to listen on; one that others can reach needs a token.", "127.0.0.1", metavar="HOST"),
    ] = "127.0.0.1",
    port: Annotated[
        int | None, _number("port", "8765", "Port to listen on; 0 chooses a free one.", low=0, high=65535)
    ] = None,
    data: Annotated[
        str | None,
        words(
            "Folder of queue, pictures and history: new, empty, or an earlier studio's.",
            "the system's own place",
            metavar="DIR",
        ),
    ] = None,
    token: Annotated[
        str | None,
        words(f"Token that clients must send; better given as {TOKEN_VARIABLE}.", "none", metavar="TOKEN"),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        words("A further name to accept in the Host header.", "none", repeatable=True, metavar="NAME"),
    ] = None,
    max_pixels: Annotated[
        int | None, _number("max_pixels", "50000000", "Limit for a picture, width × height.", "pixels", low=1024)
    ] = None,
    max_queue: Annotated[
        int | None, _number("max_queue", "100", "Jobs that may be queued or running at once.", high=100_000)
    ] = None,
    workers: Annotated[int | None, _number("workers", "1", "Pictures painted at once.", high=64)] = None,
    open: Annotated[bool, flag("Open the page in a browser.")] = False,
    lan: Annotated[
        bool, flag("Let phones and others in this network in: makes a token, shows the address and a code to scan.")
    ] = False,
    log: Annotated[
        Literal["auto", "json"],
        words(
            "json writes a line a request to standard error; auto does so too, unless that is a terminal: then the "
            "lines go to a file in the data folder.",
            "auto",
            metavar="KIND",
        ),
    ] = "auto",
) -> int:
    """Open the studio: a web page for painting, and an HTTP API.

    Nothing leaves this machine. Jobs survive a restart: they resume from
    their last checkpoint. Ctrl-C ends it.
    """
    chosen = token or os.environ.get(TOKEN_VARIABLE) or None
    given: dict[str, Any] = {
        "host": "0.0.0.0" if lan and host == "127.0.0.1" else host,
        "port": port,
        "data": Path(data).expanduser() if data else None,
        "token": chosen or (addresses.token() if lan else None),
        "hosts": tuple(allow_host) if allow_host else None,
        "max_pixels": max_pixels,
        "max_queue": max_queue,
        "workers": workers,
    }
    try:
        from impasto.web.http.server import serve as listen
    except ModuleNotFoundError as error:
        raise ImpastoError(f"the studio needs {error.name}; install it with: pip install 'impasto[web]'") from error
    from impasto.web.config import Config
    from impasto.web.problems import Problem

    config = Config(**{name: value for name, value in given.items() if value is not None})
    try:
        listen(
            config,
            lambda address: _ready(addresses.reachable(address) if lan else address, config.data, browse=open, lan=lan),
            log=config.data / LOG_FILE if log == "auto" and sys.stderr.isatty() else None,
        )
    except Problem as problem:
        raise ImpastoError(problem.detail) from problem
    return 0


def _ready(address: str, data: Path, *, browse: bool, lan: bool) -> None:
    public, _, token = address.partition("#")
    if token and not sys.stdout.isatty():
        # Whatever is not a terminal may be a journal that others read.
        file = data / ADDRESS_FILE
        _write_private(file, f"{address}\n")
        reporting.note(f"the address with the token is in {file}")
        reporting.result(public)
    else:
        reporting.result(address)
        if lan:
            reporting.result(addresses.code(address))
    with streams.writing():
        sys.stdout.flush()
    if browse:
        import webbrowser

        webbrowser.open(address)


def _write_private(file: Path, text: str) -> None:
    with files.whole(file, durable=False) as beside:
        beside.chmod(0o600)
        beside.write_text(text, encoding="utf-8")
