"""Owns the command `impasto`: which commands there are, and what each exit code means.

One module a command: it parses, calls, and renders. Torch is imported only when there is something to compute.

| code | meaning |
|---|---|
| 0 | done |
| 1 | a picture, a file or the device could not be used, or the painting failed; what was best is saved |
| 2 | the command line or a setting is wrong; nothing was begun |
| 128 + n | stopped by signal n: 130 by Ctrl-C, 143 by `kill`; what was best is saved |
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence

from cyclopts import App

from impasto._version import __version__
from impasto.cli import reporting
from impasto.cli.options import in_transit
from impasto.cli.signals import Interruption

COMMANDS = (
    "stylize",
    "rerun",
    "sweep",
    "texture",
    "fast",
    "train",
    "export",
    "judge",
    "explain",
    "serve",
    "demo",
    "samples",
    "presets",
    "backbones",
    "doctor",
)

#: By which torch asks for memory in large pages, where the system (Linux) has them on request: what is used for the
#: first time is there in fewer steps, and every iteration takes large arrays anew.
LARGE_PAGES = {"THP_MEM_ALLOC_ENABLE": "1"}

# The number of SIGPIPE, which not every system has.
_SIGPIPE = 13

app = App(
    name="impasto",
    help="""Paint a photograph in the manner of a painting, by neural style transfer.

Begin with `impasto demo`. Every command has its own --help.""",
    version=f"impasto {__version__}",
    help_format="plaintext",
    # Errors are ours to word, and interruptions ours to handle.
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
for _place, _name in enumerate(COMMANDS):
    # As text, so that only the command that is called is imported.
    app.command(f"impasto.cli.{_name}:{_name}", sort_key=_place)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command `impasto`.

    Args:
        arguments: of the command line, without the program's name; the process's own if None.

    Returns:
        The exit code.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    for name, value in LARGE_PAGES.items():
        os.environ.setdefault(name, value)
    _print_anything()
    with reporting.warnings_as_lines():
        try:
            if all(argument in ("--help", "-h") for argument in arguments):
                _import_all()
            code = app(in_transit(arguments))
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read the output has enough of it. Python would complain once more when it closes stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + _SIGPIPE
        except (Interruption, KeyboardInterrupt) as interruption:
            reporting.note("interrupted before anything was painted")
            return interruption.code if isinstance(interruption, Interruption) else 128 + signal.SIGINT
        except Exception as failure:
            return reporting.error(failure, arguments)
    return code or 0


def _import_all() -> None:
    """Has the list of commands show what each says of itself."""
    for name in COMMANDS:
        app[name]


def _print_anything() -> None:
    """Lets results hold file names that are no text, and help its signs on a terminal that has not got them."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        unicode = (sys.stdout.encoding or "").lower().startswith("utf")
        sys.stdout.reconfigure(errors="surrogateescape" if unicode else "replace")
