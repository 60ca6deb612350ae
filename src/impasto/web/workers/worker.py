"""Owns a painting process: it reads commands from standard input, paints, and writes reports to standard output.

It exits when standard input ends, so it does not outlive the studio. It does not open the database: the studio decides
whether a report still counts. See `protocol` for the messages.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import TextIO

from impasto.errors import DeviceError, ImpastoError, SettingsError, out_of_memory
from impasto.messages import reason
from impasto.web import network
from impasto.web.workers.protocol import CommandReader, Failed, Leave, Paint, write
from impasto.web.workers.run import JobRun

_NICENESS = 5


def failure(error: Exception) -> Failed:
    """The report of an error that makes a job fail.

    Raises:
        Exception: the error itself, if it is a bug in Impasto and not a fault of the job or the machine.
    """
    match error:
        case SettingsError():
            return Failed(kind="bad-setting", detail=str(error), setting=error.setting)
        case ImpastoError() if not isinstance(error, DeviceError) and out_of_memory(error.__cause__):
            return _out_of_memory()
        case ImpastoError():
            return Failed(kind=_kind(error.__cause__), detail=str(error), setting=None)
        case OSError():
            detail = (
                f"a file could not be read or written ({error.strerror or reason(error)}); correct this, then retry"
            )
            return Failed(kind=_kind(error), detail=detail, setting=None)
        case _ if out_of_memory(error):
            return _out_of_memory()
        case _:
            raise error


def _out_of_memory() -> Failed:
    detail = "there is not enough memory to paint it; choose a smaller size, or close other programs and retry"
    return Failed(kind="too-much-memory", detail=detail, setting="size")


def _kind(cause: BaseException | None) -> str:
    if out_of_memory(cause):
        return "too-much-memory"
    if isinstance(cause, OSError):
        return "disk-full" if cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "not-available"
    return "invalid"


def main() -> None:
    """Carry out commands until `Leave` or the end of standard input."""
    network.forbid()
    out = _reserve_output()
    # The server and its page keep priority over painting. Windows has no nice.
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_NICENESS)
    commands = CommandReader(sys.stdin)
    while True:
        command = commands.next()
        if isinstance(command, Leave):
            return
        if not isinstance(command, Paint):
            # It was sent to a job that had already ended.
            continue
        run = JobRun(command, commands, out)
        try:
            run.run()
        except (ImpastoError, OSError, MemoryError, RuntimeError) as error:
            write(out, failure(error))
        if run.leaving:
            return


def _reserve_output() -> TextIO:
    """Standard output for reports only; what a library prints goes to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


if __name__ == "__main__":
    main()
