"""Owns the list of commands, and calling one by its name; its module is imported only then."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext

from cyclopts import App

from impasto._version import __version__
from impasto.cli import streams
from impasto.cli.options import in_transit

COMMANDS = (
    "stylize",
    "rerun",
    "sweep",
    "texture",
    "fast",
    "batch",
    "train",
    "export",
    "judge",
    "explain",
    "serve",
    "demo",
    "samples",
    "presets",
    "backbones",
    "plan",
    "doctor",
)

app = App(
    name="impasto",
    help="""Paint a photograph in the style of a painting, by neural style transfer.

Start with `impasto demo`. Every command has its own --help.""",
    version=f"impasto {__version__}",
    help_format="plaintext",
    # Impasto words its errors and handles interruptions itself.
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
for _index, _name in enumerate(COMMANDS):
    # As text, so that only the called command is imported.
    app.command(f"impasto.cli.{_name}:{_name}", sort_key=_index)


def run(arguments: Sequence[str]) -> int:
    """Run the command that the arguments of the command line name, and return its exit code."""
    if all(argument in ("--help", "-h") for argument in arguments):
        # The list of commands shows the help of each.
        for name in COMMANDS:
            app[name]
    # These write to standard output only.
    shows = not arguments or any(argument in ("--help", "-h", "--version") for argument in arguments)
    with streams.writing() if shows else nullcontext():
        code = app(in_transit(arguments)) or 0
        if not arguments and sys.stdout.isatty():
            print("\nOr paint in a browser: impasto serve --open")
        return code
