"""Owns what is said on the terminal beside the progress bar: results on stdout; notes, warnings and errors on stderr.

Each is one line, and nothing that a file or a name holds can break it or steer the terminal.
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
from impasto.errors import ImpastoError, ImpastoWarning, SettingsError, SettingsWarning
from impasto.files import label

#: Set it to anything to see where an error comes from.
DEBUG_VARIABLE = "IMPASTO_DEBUG"

FAILED, MISUSED = 1, 2


def one_line(message: str) -> str:
    """`message` on one line, its control characters made visible."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(message.splitlines()))


def result(value: object) -> None:
    """A result, for people and scripts: a path as it is, or a mapping as JSON."""
    if isinstance(value, Mapping):
        value = json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
    with streams.writing():
        print(value)


def note(message: str) -> None:
    """What is good to know, but no result: where it cannot be written, the work goes on."""
    try:
        print(f"impasto: {one_line(message)}", file=sys.stderr)
    except BrokenPipeError:
        raise
    except OSError:
        streams.forget(sys.stderr)


def warning(message: str) -> None:
    """The work goes on, but not quite as asked."""
    note(f"warning: {message}")


def without_effect(setting: str, reason: str) -> None:
    """A warning that a setting changes nothing, by the name it is typed with."""
    warning(f"{option_name(setting)} has no effect: {as_typed(reason)}")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows in aligned columns; folded to the terminal's width, whole where stdout is not a terminal."""
    from rich.console import Console
    from rich.table import Table

    drawn = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        drawn.add_row(*map(one_line, row))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 10_000, highlight=False, markup=False)
    # What is captured is nothing to rich's mind, and that it writes too.
    with streams.writing(), console.capture() as text:
        console.print(drawn)
    result("\n".join(line.rstrip() for line in text.get().splitlines()))


def number(value: float) -> float | None:
    """A number as JSON can hold it: JSON has no infinity."""
    return value if math.isfinite(value) else None


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Shows warnings as lines of ours instead of with file names and source code; Impasto's own always."""

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
    """Says what failed, in one line, and returns the exit code.

    Args:
        failure: any exception; its notes are said as well.
        arguments: of the command line, by which settings are called as they were typed.
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
                # In a preset's file, settings have the names that `impasto presets NAME` writes.
                message = failure.message if failure.setting == "preset" else as_typed(failure.message)
                return f"{typed}: {message}", MISUSED
            return str(failure), MISUSED
        case ImpastoError():
            return str(failure), FAILED
        case OSError(errno=errno.ENAMETOOLONG):
            return f"{label(failure.filename or 'a file')}: the name is too long; choose a shorter one", FAILED
        case MemoryError():
            return "there is not enough memory; choose a smaller --size, or close other programs", FAILED
        case RuntimeError() if "memory" in str(failure):
            # What torch raises for it, on the CPU and on GPUs, has no type in common.
            return "there is not enough memory on the device; choose a smaller --size, or --device cpu", FAILED
        case _:
            what = f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
            return f"this should not happen ({what}); please report it, with what {DEBUG_VARIABLE}=1 shows", FAILED


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
            return f"there is no place for {arrived(first)!r}; see {command} --help"
        case _:
            message = arrived(str(failure)).rstrip(".")
            return message[:1].lower() + message[1:]
