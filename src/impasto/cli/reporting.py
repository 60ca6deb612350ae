"""Owns the output of the commands except progress: results on stdout; notes, warnings and errors on stderr.

Each is one line. Text from files and names can neither break the line nor control the terminal.
"""

from __future__ import annotations

import difflib
import errno
import json
import math
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from cyclopts import CycloptsError, MissingArgumentError, UnknownCommandError, UnusedCliTokensError

from impasto.cli import streams
from impasto.cli.commands import COMMANDS
from impasto.cli.options import arrived, as_typed, option_name
from impasto.errors import ImpastoError, ImpastoWarning, SettingsError, SettingsWarning, out_of_memory
from impasto.files import label

#: If this environment variable is set, errors show their traceback.
DEBUG_VARIABLE = "IMPASTO_DEBUG"

FAILED, MISUSED = 1, 2


def one_line(message: str) -> str:
    """`message` on one line, with control characters escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(message.splitlines()))


def result(value: object) -> None:
    """Print a result, for people and scripts: a path as it is, or a mapping as JSON."""
    if isinstance(value, Mapping):
        value = json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
    with streams.writing():
        print(value)


def note(message: str) -> None:
    """Print a note on stderr; if that fails, the work continues."""
    try:
        print(f"impasto: {one_line(message)}", file=sys.stderr)
    except BrokenPipeError:
        raise
    except OSError:
        streams.forget(sys.stderr)


def warning(message: str) -> None:
    """Print a warning: the work continues, but differs from what was asked for."""
    note(f"warning: {message}")


def without_effect(setting: str, reason: str) -> None:
    """Warn that a setting has no effect, by the name of its option."""
    warning(f"{option_name(setting)} has no effect: {as_typed(reason)}")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in aligned columns; on a terminal they are wrapped to its width."""
    from rich.console import Console
    from rich.table import Table

    drawn = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        drawn.add_row(*map(one_line, row))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 10_000, highlight=False, markup=False)
    # rich writes to the console even while it captures, if only an empty text.
    with streams.writing(), console.capture() as text:
        console.print(drawn)
    result("\n".join(line.rstrip() for line in text.get().splitlines()))


def number(value: float) -> float | None:
    """The number, or None if it is not finite, which JSON cannot express."""
    return value if math.isfinite(value) else None


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Prints warnings as single lines, without file names and source code; those of Impasto every time."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        if isinstance(message, SettingsWarning):
            without_effect(message.setting, message.reason)
        else:
            warning(as_typed(str(message)))

    with warnings.catch_warnings():
        warnings.simplefilter("always", ImpastoWarning)
        warnings.showwarning = show
        yield


def error(failure: BaseException, arguments: Sequence[str]) -> int:
    """Print what failed, in one line, and return the exit code.

    Args:
        failure: any exception; its notes are printed too.
        arguments: of the command line; settings among them are named by their options.
    """
    message, code = _explained(failure, arguments)
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(failure)
    note("; ".join([f"error: {message}", *getattr(failure, "__notes__", ())]))
    return code


def _explained(failure: BaseException, arguments: Sequence[str]) -> tuple[str, int]:
    match failure:
        case CycloptsError():
            return _misuse(failure), MISUSED
        case SettingsError():
            typed = option_name(failure.setting)
            if any(argument.partition("=")[0] == typed for argument in arguments):
                # A message about a preset's file uses the names in that file, not the options.
                message = failure.message if failure.setting == "preset" else as_typed(failure.message)
                return f"{typed}: {message}", MISUSED
            return str(failure), MISUSED
        case ImpastoError():
            return str(failure), FAILED
        case OSError(errno=errno.ENAMETOOLONG):
            return f"{label(failure.filename or 'a file')}: the name is too long; choose a shorter one", FAILED
        case MemoryError():
            return "there is not enough memory; choose a smaller --size, or close other programs", FAILED
        case RuntimeError() if out_of_memory(failure):
            # torch raises different types for it on the CPU and on GPUs.
            return "there is not enough memory on the device; choose a smaller --size, or --device cpu", FAILED
        case _:
            what = f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
            return f"this is a bug ({what}); please report it, with the output under {DEBUG_VARIABLE}=1", FAILED


def _misuse(failure: CycloptsError) -> str:
    command = " ".join(["impasto", *(failure.command_chain or ())])
    match failure:
        case MissingArgumentError(keyword=str(option)):
            return f"{option}: got no value; see {command} --help"
        case MissingArgumentError(argument=argument) if argument is not None:
            return f"{argument.name} is missing; see {command} --help"
        case UnknownCommandError(unused_tokens=[first, *_]):
            near = difflib.get_close_matches(first, COMMANDS, n=1)
            hint = (
                f"did you mean impasto {near[0]}?" if near else f"there are {', '.join(COMMANDS)}; see impasto --help"
            )
            return f"unknown command {arrived(first)!r}; {hint}"
        case UnusedCliTokensError(unused_tokens=[first, *_]):
            return f"unexpected argument {arrived(first)!r}; see {command} --help"
        case _:
            message = arrived(str(failure)).rstrip(".")
            return message[:1].lower() + message[1:]
