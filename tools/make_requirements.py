"""Writes the locked requirements of the container image: exact versions with the hashes of their files.

    python tools/make_requirements.py

It needs uv and the package index, and takes the versions of constraints.txt. `pip install --require-hashes` accepts no
other file than these name, whatever the index answers.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
#: What the image runs, but for torch; torch with its libraries for CUDA; what builds the package.
STUDIO, TORCH, BUILD = (DEPLOY / f"requirements{name}.txt" for name in ("", "-torch", "-build"))
EXTRAS = ("web", "tiff")
PYTHON, PLATFORM = "3.13", "x86_64-manylinux_2_28"

# PyTorch's own build without CUDA needs none of these.
_WITH_TORCH = re.compile(r"(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==")
_HEADER = "# Written by tools/make_requirements.py for Python {python} on x86-64 Linux.\n"


def entries(text: str) -> list[str]:
    """The requirements in a file's text, each with its hashes."""
    return re.findall(r"^[a-z0-9][^\n]*(?:\n +[^\n]*)*", text, flags=re.MULTILINE)


def _compiled(source: Path, *options: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "requirements.txt"
        command = ["uv", "pip", "compile", "--quiet", "--no-config", "--generate-hashes", "--no-header"]
        command += ["--no-annotate", "--python-version", PYTHON, "--python-platform", PLATFORM]
        command += ["--constraint", str(ROOT / "constraints.txt"), *options, str(source), "--output-file", str(out)]
        subprocess.run(command, check=True)
        return entries(out.read_text(encoding="utf-8"))


def _write(path: Path, found: list[str]) -> None:
    text = _HEADER.format(python=PYTHON) + "".join(f"{entry}\n" for entry in found)
    path.write_text(text, encoding="utf-8", newline="\n")


def main() -> int:
    """Write the three files."""
    extras = [option for extra in EXTRAS for option in ("--extra", extra)]
    found = _compiled(ROOT / "pyproject.toml", *extras)
    _write(STUDIO, [entry for entry in found if not _WITH_TORCH.match(entry)])
    _write(TORCH, [entry for entry in found if _WITH_TORCH.match(entry)])
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "build.in"
        source.write_text("\n".join(build), encoding="utf-8")
        _write(BUILD, _compiled(source))
    return 0


if __name__ == "__main__":
    sys.exit(main())
