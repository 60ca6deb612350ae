"""Owns problems of the standard streams: closed, full, without a reader, or in a small character set."""

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
    """Replaces a stream that was closed before the start, as in daemons; discards what is written."""


def open_closed() -> None:
    """Replace each stream that was closed before the start."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    # Otherwise the next opened file would get the closed stream's number, and with it the output of libraries.
    while (nowhere := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Nowhere(io.FileIO(nowhere, "w", closefd=False), encoding="utf-8"))


def print_anything() -> None:
    """Allow file names that are not valid text, and characters that the terminal's encoding lacks."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        unicode = (sys.stdout.encoding or "").lower().startswith("utf")
        sys.stdout.reconfigure(errors="surrogateescape" if unicode else "replace")


@contextmanager
def writing() -> Iterator[None]:
    """Turns errors of writing to standard output into a StreamError.

    Raises:
        StreamError: it cannot be written to; the message says why.
        BrokenPipeError: its reader has closed it.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        forget(sys.stdout)
        reason = error.strerror or str(error)
        message = f"standard output: {reason[:1].lower()}{reason[1:]}; free space, or redirect it elsewhere"
        raise StreamError(message) from error


def forget(stream: TextIO) -> None:
    """Discard what could not be written; Python would report it again at exit."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
