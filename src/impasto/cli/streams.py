"""Owns the standard streams as a command may find them: closed, full, without a reader, or of few letters."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from impasto.errors import ImpastoError


class StreamError(ImpastoError):
    """Standard output cannot be written to."""


class Nowhere(io.TextIOWrapper):
    """Stands in for a stream that was closed before the start, as daemons have it: what is written is forgotten."""


def open_closed() -> None:
    """Put a stream in place of each that was closed before the start."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    # Otherwise the next file that is opened has the closed stream's number, and gets what libraries print.
    while (nowhere := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Nowhere(io.FileIO(nowhere, "w", closefd=False), encoding="utf-8"))


def print_anything() -> None:
    """Let results hold file names that are no text, and help its signs on a terminal that has not got them."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        unicode = (sys.stdout.encoding or "").lower().startswith("utf")
        sys.stdout.reconfigure(errors="surrogateescape" if unicode else "replace")


@contextmanager
def writing() -> Iterator[None]:
    """Where standard output is written to, and its errors can be of nothing else.

    Raises:
        StreamError: it cannot be written to; the message says why.
        BrokenPipeError: nobody reads it any more.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        forget(sys.stdout)
        reason = error.strerror or str(error)
        message = f"standard output: {reason[:1].lower()}{reason[1:]}; make room, or send it somewhere else"
        raise StreamError(message) from error


def forget(stream: TextIO) -> None:
    """Forget what could not be written, of which Python would complain once more at the end."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
