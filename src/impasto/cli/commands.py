"""Owns which commands there are, and how one is called: by its name, its module imported only then."""

from __future__ import annotations

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


def run(arguments: Sequence[str]) -> int:
    """Run the command that the arguments of the command line name, and return its exit code."""
    if all(argument in ("--help", "-h") for argument in arguments):
        # The list of commands shows what each says of itself.
        for name in COMMANDS:
            app[name]
    # With those, nothing is written but to standard output.
    shows = not arguments or any(argument in ("--help", "-h", "--version") for argument in arguments)
    with streams.writing() if shows else nullcontext():
        return app(in_transit(arguments)) or 0
