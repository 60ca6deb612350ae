"""Uses a machine with a GPU for some minutes: tests, benchmarks, then training until the time is used up.

    python tools/gpu/run.py build/gpu/pack OUT --minutes 9

It runs in the root of a copy of the repository, with the pack that `pack.py` made, and needs nothing but Python and
torch. The results, at most 8 files of at most 16 MiB in OUT, are for `take.py`. It ends by itself before the time is
over, and keeps on if a part fails: the figures say what happened.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import packs

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("tests", "benchmarks", "training")
# Seconds that tests and benchmarks may take at most, and those that are kept for writing the results.
_TESTS, _BENCHMARKS, _KEPT = 100.0, 120.0, 15.0
# Last characters of the output of a part that are kept.
_TAIL = 4000


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts."""
    begin = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path, help="folder of the pack")
    parser.add_argument("out", type=Path, help="folder for the results")
    parser.add_argument("--minutes", type=float, default=9.0, help="time for everything; default 9")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    parser.add_argument("--from", dest="base", default="any", help="model to begin with, or nothing; default any")
    parser.add_argument("--design", default="one-scale", choices=("one-scale", "drafting"), help="with --from nothing")
    parser.add_argument("--device", default="auto", help="default: the best")
    parser.add_argument("--side", type=int, default=192, help="side of the largest crops, in pixels; default 192")
    parser.add_argument("--batch", type=int, default=64, help="crops in a step; default 64")
    parser.add_argument("--steps", type=int, default=10**9, help="steps of training, at most")
    parser.add_argument("--learning-rate", type=float, default=8e-4, help="the highest; default 0.0008")
    parser.add_argument("--sizes", nargs="+", type=int, default=[512, 1024, 2048, 4096], help="benchmarked sizes, px")
    parser.add_argument("--no-compile", action="store_true", help="train without torch.compile")
    chosen = parser.parse_args(arguments)
    deadline = begin + 60 * chosen.minutes - _KEPT
    packs.checked(chosen.pack)
    chosen.out.mkdir(parents=True, exist_ok=True)
    site = _installed(chosen.pack / "wheels")
    sys.path[:0] = [str(ROOT / "src"), str(ROOT), *site]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *site])}

    import results

    figures: dict[str, Any] = {}
    for part in chosen.parts:
        print(f"{part} …", flush=True)
        at = time.monotonic()
        try:
            if part == "tests":
                command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "gpu", "tests/test_gpu.py"]
                figures[part] = _run(command, environment, min(_TESTS, deadline - at))
            elif part == "benchmarks":
                figures[part] = _benchmarks(chosen, environment, min(_BENCHMARKS, deadline - at))
            else:
                figures[part] = _train(chosen, deadline)
        except Exception as error:
            # What the other parts found out must come back, whatever this one ran into.
            figures[part] = {"error": f"{type(error).__name__}: {error}"}
        figures[part]["seconds"] = round(time.monotonic() - at, 1)
        print(f"{part}: {str(figures[part])[-400:]}", flush=True)
        results.write_figures(chosen.out, {"about": _about(), **figures})


def _installed(wheels: Path) -> list[str]:
    """Install the packages of the pack into a folder of their own; returns it, if there are any."""
    files = [str(path) for path in sorted(wheels.glob("*.whl"))] if wheels.is_dir() else []
    if not files:
        return []
    site = tempfile.mkdtemp(prefix="impasto-site-")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
    subprocess.run([*command, "--target", site, *files], check=True)
    return [site]


def _run(command: Sequence[str], environment: dict[str, str], seconds: float) -> dict[str, Any]:
    """Run Python; returns its code and the end of what it said. It is ended after `seconds`."""
    try:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=max(1.0, seconds),
        )
    except subprocess.TimeoutExpired as error:
        return {"code": "out of time", "output": (error.output or b"").decode(errors="replace")[-_TAIL:]}
    return {"code": done.returncode, "output": done.stdout.decode(errors="replace")[-_TAIL:]}


def _benchmarks(chosen: argparse.Namespace, environment: dict[str, str], seconds: float) -> dict[str, Any]:
    """The rows of `benchmarks.gpu`, those that were measured in time."""
    with tempfile.TemporaryDirectory(prefix="impasto-") as folder:
        rows = Path(folder) / "rows.jsonl"
        sizes = [str(size) for size in chosen.sizes]
        command = ["-m", "benchmarks.gpu", "--rows", str(rows), "--device", chosen.device, "--sizes", *sizes]
        done = _run(command, environment, seconds)
        lines = rows.read_text(encoding="utf-8").splitlines() if rows.exists() else []
    return {**done, "rows": [json.loads(line) for line in lines]}


def _train(chosen: argparse.Namespace, deadline: float) -> dict[str, Any]:
    from lessons import Lessons

    from impasto import devices
    from impasto.fast.training import Training

    device = devices.resolve(chosen.device)
    lessons = Lessons(
        pack=chosen.pack,
        out=chosen.out,
        base=chosen.base,
        design=chosen.design,
        training=Training(
            steps=chosen.steps,
            side=chosen.side,
            batch=chosen.batch,
            learning_rate=chosen.learning_rate,
            averaging=0.999,
        ),
        device=device,
        compiled=device.type == "cuda" and not chosen.no_compile,
    )
    return lessons.train(deadline)


def _about() -> dict[str, Any]:
    """The machine and the versions."""
    import torch

    from benchmarks.machine import machine, versions

    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {"card": card, "machine": machine(), "versions": versions()}


if __name__ == "__main__":
    main()
