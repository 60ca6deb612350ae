"""Owns child processes: running a program while measuring its time and peak memory, and a function in a new process."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

Answer = TypeVar("Answer")

# The peak memory of a process includes that of its parent at the fork, so a small process starts the program.
_LAUNCHER = """
import json, resource, subprocess, sys, time
begin = time.perf_counter()
code = subprocess.run(sys.argv[2:]).returncode
seconds = time.perf_counter() - begin
with open(sys.argv[1], "w") as file:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    json.dump([code, seconds, used.ru_maxrss, used.ru_utime + used.ru_stime], file)
"""


@dataclass(frozen=True)
class Finished:
    """A program that ended without an error.

    Attributes:
        seconds: wall-clock time.
        peak: peak memory in bytes.
        out: its output.
        processor: processor time of all cores in seconds, which other programs influence little.
    """

    seconds: float
    peak: int
    out: str
    processor: float


def run(command: Sequence[str | Path]) -> Finished:
    """Run a program to its end.

    Raises:
        RuntimeError: it failed; the message has the end of its output.
    """
    with tempfile.TemporaryDirectory() as folder:
        printed, measured = Path(folder) / "printed", Path(folder) / "measured"
        words = [str(word) for word in command]
        with printed.open("w") as out:
            subprocess.run(
                [sys.executable, "-S", "-c", _LAUNCHER, measured, *words],
                stdout=out,
                stderr=out,
                check=True,
            )
        text = printed.read_text(encoding="utf-8", errors="replace")
        code, seconds, kibibytes, processor = json.loads(measured.read_text(encoding="utf-8"))
    if code:
        raise RuntimeError(f"{Path(words[0]).name} ended with {code}: {text[-500:]}")
    return Finished(seconds, kibibytes * 1024, text, processor)


def in_a_process(work: Callable[..., Answer], *arguments: Any, environment: Mapping[str, str] | None = None) -> Answer:
    """Call `work` in a new process, with `environment` added to the environment variables, and return its result."""
    context = multiprocessing.get_context("spawn")
    with mock.patch.dict(os.environ, environment or {}), ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, *arguments).result()
