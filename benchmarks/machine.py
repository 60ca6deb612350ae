"""Owns the description of the machine and the versions with which a row was measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from functools import cache
from pathlib import Path

import impasto


@cache
def machine() -> str:
    """Processor, number of cores and memory; machines with the same description count as the same."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, {platform.system()}"


@cache
def threads() -> int:
    """Number of threads for computing: `OMP_NUM_THREADS`, or one per core."""
    return int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))


@cache
def versions() -> str:
    """Versions of Impasto, torch and Python."""
    torch = importlib.metadata.version("torch")
    return f"Impasto {impasto.__version__}, torch {torch}, Python {platform.python_version()}"


@cache
def commit() -> str | None:
    """The present commit, with a `+` if there are uncommitted changes; None outside a repository."""
    try:
        found = _git("rev-parse", "--short=10", "HEAD")
        changed = _git("status", "--porcelain", "--", "src", "benchmarks", ":!benchmarks/results")
    except (OSError, subprocess.CalledProcessError):
        return None
    return found + "+" * bool(changed)


def _git(*arguments: str) -> str:
    root = Path(__file__).parents[1]
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _processor() -> str:
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    name = re.search(r"^model name\s*:\s*(.+)$", facts, re.MULTILINE)
    flags = re.search(r"^flags\s*:\s*(.+)$", facts, re.MULTILINE)
    known = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flags and flag in flags[1].split()]
    return f"{name[1] if name else platform.machine()} ({', '.join(known)})" if known else platform.machine()
