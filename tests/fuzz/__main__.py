"""Owns the command that fuzzes one target with atheris: `python -m tests.fuzz images --seconds 3600`.

Inputs that reach new code are kept in build/fuzz/TARGET, and the next run begins with them. An input that fails is
written there as crash-…; `python -m tests.fuzz images FILE` runs it alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import atheris

from tests.fuzz.targets import SEEN, TARGETS, run

CORPUS = Path(__file__).parent / "corpus"
BUILD = Path(__file__).parents[2] / "build" / "fuzz"


def main() -> None:
    """Fuzz until the time is over, or something fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("file", nargs="*", help="inputs to run instead of fuzzing")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--found", type=Path, default=None, help="folder of the inputs found")
    chosen = parser.parse_args()
    if chosen.file:
        for file in chosen.file:
            run(chosen.target, Path(file).read_bytes())
        return
    with atheris.instrument_imports(include=SEEN[chosen.target]):
        run(chosen.target, b"")
    found = chosen.found or BUILD / chosen.target
    found.mkdir(parents=True, exist_ok=True)
    options = {
        "max_total_time": chosen.seconds,
        "artifact_prefix": f"{found}/",
        # An input of more than this finds nothing that a smaller one would not.
        "max_len": 1 << 16,
        "timeout": 60,
        "rss_limit_mb": 4096,
        "print_final_stats": 1,
    }
    arguments = [f"-{name}={value}" for name, value in options.items()]
    folders = [str(found), str(CORPUS / chosen.target)]
    atheris.Setup([sys.argv[0], *arguments, *folders], lambda data: run(chosen.target, data))
    atheris.Fuzz()


main()
