"""Owns how the tests run the command: within this process for speed, or as a process where that is the point."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.cli import main
from impasto.images import write
from tests.conftest import painting_pixels, photo_pixels

#: Options that paint next to nothing, at one size.
QUICK = ("--size", "32", "--iterations", "2", "--coarse-iterations", "2")

#: Options that would paint for hours, at one small size.
ENDLESS = ("--size", "32", "--iterations", "1000000", "--coarse-iterations", "1000000", "--tolerance", "0")


@dataclass(frozen=True)
class Run:
    """What a run of the command gave."""

    code: int
    bytes: bytes
    err: str

    @property
    def out(self) -> str:
        return self.bytes.decode()

    def error(self) -> str:
        """The message of the one line on stderr that a failure consists of."""
        assert self.bytes == b"", self.out
        assert self.err.startswith("impasto: error: "), self.err
        assert self.err.count("\n") == 1, self.err
        return self.err.removeprefix("impasto: error: ").rstrip("\n")

    @property
    def notes(self) -> list[str]:
        """The lines on stderr but for those on faults, which pictures painted in two iterations do show."""
        return [line for line in self.err.splitlines() if "warning: the picture shows" not in line]


def run(*arguments: str, stdin: bytes = b"") -> Run:
    """Runs `impasto` with the arguments within this process."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        try:
            code = main(arguments)
        finally:
            torch.set_num_threads(threads)
    out.flush()
    return Run(code, out.buffer.getvalue(), err.getvalue())


def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Starts `impasto` as a process of its own, with one thread and its signals as in a terminal."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **options.pop("env", {})}
    limits = options.pop("preexec_fn", None)

    def prepare() -> None:
        # A shell that started the tests in the background has them ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if limits is not None:
            limits()

    streams = {name: options.pop(name, subprocess.PIPE) for name in ("stdout", "stderr")}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "impasto", *arguments],
        env=environment,
        preexec_fn=prepare,
        **streams,
        **options,
    )


def finish(process: subprocess.Popen[bytes], stdin: bytes | None = None) -> Run:
    """Waits for a process."""
    out, err = process.communicate(stdin, timeout=300)
    return Run(process.returncode, out or b"", (err or b"").decode())


def make_pictures(folder: Path) -> None:
    """`photo.png` (64×48), `painting.png` and `other.png` in the folder."""
    write(photo_pixels(48, 64), folder / "photo.png")
    write(painting_pixels(40, 50), folder / "painting.png")
    write(painting_pixels(50, 40).flip(1), folder / "other.png")
