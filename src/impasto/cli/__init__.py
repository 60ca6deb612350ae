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

import os
import signal
import sys
from collections.abc import Sequence

from impasto.cli import streams
from impasto.cli.signals import BEFORE_PAINTING, INTERRUPTED, Interruption, Signals

#: By which torch asks for memory in large pages, where the system (Linux) has them on request: what is used for the
#: first time is there in fewer steps, and every iteration takes large arrays anew.
LARGE_PAGES = {"THP_MEM_ALLOC_ENABLE": "1"}

#: By which a thread of torch (where it computes with GNU's OpenMP: Linux) that waits for the others soon sleeps instead
#: of spinning, which takes from them the cores that other programs leave. `OMP_WAIT_POLICY` would say it for all.
SHORT_WAITS = {"GOMP_SPINCOUNT": "2000"}

# The commands that paint.
_PAINTING = ("stylize", "rerun", "sweep", "texture", "fast", "demo")

# The number of SIGPIPE, which not every system has.
_SIGPIPE = 13


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command `impasto`.

    Args:
        arguments: of the command line, without the program's name; the process's own if None.

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
        # Every library may be what was interrupted, so this does without.
        print(f"impasto: {words}", file=sys.stderr)
        return interruption.code if isinstance(interruption, Interruption) else 128 + signal.SIGINT


def _prepare_torch() -> None:
    """Say in the environment, which torch reads when it is imported, what the user has not said otherwise."""
    chosen = LARGE_PAGES if "OMP_WAIT_POLICY" in os.environ else LARGE_PAGES | SHORT_WAITS
    for name, value in chosen.items():
        os.environ.setdefault(name, value)


def _run(arguments: Sequence[str]) -> int:
    # Only now, so that a signal that comes meanwhile is handled.
    from impasto.cli import commands, reporting

    _prepare_torch()
    streams.print_anything()
    with reporting.warnings_as_lines():
        try:
            code = commands.run(arguments)
            with streams.writing():
                sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read the output has enough of it.
            streams.forget(sys.stdout)
            return 128 + _SIGPIPE
        except SystemExit as end:
            # How rich, which draws help, ends where nobody reads it any more.
            if isinstance(end.__context__, BrokenPipeError):
                return 128 + _SIGPIPE
            raise
        except Exception as failure:
            return reporting.error(failure, arguments)
    return code
