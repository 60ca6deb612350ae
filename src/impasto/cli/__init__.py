"""Owns the command `impasto`: its entry point and its exit codes.

Each command is one module that parses its arguments, calls the library and prints the result. Torch is imported only
when there is something to compute.

| code | meaning |
|---|---|
| 0 | done |
| 1 | a picture, a file or the device could not be used, or painting failed; the best picture so far is saved |
| 2 | the command line or a setting is wrong; nothing was started |
| 128 + n | stopped by signal n: 130 by Ctrl-C, 143 by `kill`; the best picture so far is saved |
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from impasto.cli import streams
from impasto.cli.signals import BEFORE_PAINTING, INTERRUPTED, Interruption, Signals

#: Makes torch request memory in large pages where the system offers them (Linux). Each iteration allocates large
#: arrays, and large pages make their first use faster.
LARGE_PAGES = {"THP_MEM_ALLOC_ENABLE": "1"}

#: Makes a waiting thread of GNU's OpenMP (torch on Linux) sleep soon instead of spinning, which would occupy cores that
#: other programs need. A user's `OMP_WAIT_POLICY` has precedence.
SHORT_WAITS = {"GOMP_SPINCOUNT": "2000"}

# The commands that paint.
_PAINTING = ("stylize", "rerun", "sweep", "texture", "fast", "demo")

# The number of SIGPIPE, which some systems lack.
_SIGPIPE = 13


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command `impasto`.

    Args:
        arguments: of the command line, without the program's name; those of the process if None.

    Returns:
        The exit code.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    streams.open_closed()
    words = BEFORE_PAINTING if arguments and arguments[0] in _PAINTING else INTERRUPTED
    try:
        with Signals.caught(words):
            return _run(arguments)
    except (Interruption, KeyboardInterrupt) as interruption:
        # Any library may have been interrupted, so none is used here.
        print(f"impasto: {words}", file=sys.stderr)
        return interruption.code if isinstance(interruption, Interruption) else 128 + signal.SIGINT


def _prepare_torch() -> None:
    """Set environment variables that torch reads when it is imported, unless the user has set them."""
    chosen = LARGE_PAGES if "OMP_WAIT_POLICY" in os.environ else LARGE_PAGES | SHORT_WAITS
    for name, value in chosen.items():
        os.environ.setdefault(name, value)


def _run(arguments: Sequence[str]) -> int:
    # Imported only now, so that a signal during the import is handled.
    from impasto.cli import commands, reporting

    _prepare_torch()
    streams.print_anything()
    with reporting.warnings_as_lines():
        try:
            code = commands.run(arguments)
            with streams.writing():
                sys.stdout.flush()
        except BrokenPipeError:
            # The reader of the output has closed it.
            streams.forget(sys.stdout)
            return 128 + _SIGPIPE
        except SystemExit as end:
            # rich, which prints the help, exits this way if the reader has closed the output.
            if isinstance(end.__context__, BrokenPipeError):
                return 128 + _SIGPIPE
            raise
        except Exception as failure:
            return reporting.error(failure, arguments)
    return code
