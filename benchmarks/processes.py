"""Owns running a program as a user does, its seconds and the most memory it held; and work in a process of its own."""

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

# A process begins with the memory of the one that starts it, and that counts as its peak; so a small one starts it.
_SCALES = """
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
    """A program that ended well.

    Attributes:
        seconds: from its start to its end, on the clock.
        peak: the most memory it held, in bytes.
        out: what it printed.
        processor: seconds of all cores together, which other programs make little longer.
    """

    seconds: float
    peak: int
    out: str
    processor: float


def run(command: Sequence[str | Path]) -> Finished:
    """Run a program to its end.

    Raises:
        RuntimeError: it failed; the message holds the end of what it printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        printed, weighed = Path(folder) / "printed", Path(folder) / "weighed"
        words = [str(word) for word in command]
        with printed.open("w") as out:
            subprocess.run(
                [sys.executable, "-S", "-c", _SCALES, weighed, *words],
                stdout=out,
                stderr=out,
                check=True,
            )
        text = printed.read_text(encoding="utf-8", errors="replace")
        code, seconds, kibibytes, processor = json.loads(weighed.read_text(encoding="utf-8"))
    if code:
        raise RuntimeError(f"{Path(words[0]).name} ended with {code}: {text[-500:]}")
    return Finished(seconds, kibibytes * 1024, text, processor)


def in_a_process(work: Callable[..., Answer], *arguments: Any, environment: Mapping[str, str] | None = None) -> Answer:
    """What `work` answers in a new process, whose environment has those variables besides ours."""
    context = multiprocessing.get_context("spawn")
    with mock.patch.dict(os.environ, environment or {}), ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, *arguments).result()
