"""Builds the source archive and the wheel into dist/, and checks both as a user would meet them. Uploads nothing.

python tools/make_release.py               the working tree must be clean, and the changelog have the version
python tools/make_release.py --rehearsal   the same for a version that is still being worked on
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import check_release

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"


def build() -> list[Path]:
    """The source archive and the wheel, built anew; the wheel is built from the archive."""
    shutil.rmtree(DIST, ignore_errors=True)
    _run(sys.executable, "-m", "build", "--outdir", DIST, ROOT)
    return sorted(DIST.iterdir())


def try_wheel(wheel: Path, version: str) -> None:
    """Install the wheel into a fresh environment, and use it there, away from the repository."""
    with tempfile.TemporaryDirectory(prefix="impasto-release-") as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        _run(programs / "python", "-m", "pip", "install", "--quiet", wheel)
        # Neither this program's path nor its folder may help the installed package.
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        said = subprocess.run(
            [programs / "impasto", "--version"], cwd=folder, env=clean, check=True, capture_output=True, text=True
        ).stdout.split()
        if version not in said:
            raise SystemExit(f"the installed command says version {' '.join(said)}, _version.py has {version}")
        picture = folder / "picture.png"
        small = ("--size", "64", "--scales", "1", "--iterations", "2")
        _run(
            programs / "impasto",
            *("stylize", "sample:coffee", "sample:starry_night", "-o", picture, *small),
            cwd=folder,
            env=clean,
        )
        if not picture.read_bytes().startswith(b"\x89PNG"):
            raise SystemExit("the installed command painted no PNG")


def _run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    print("+", *command, flush=True)
    subprocess.run(command, cwd=cwd, env=env, check=True)


def main(arguments: list[str]) -> int:
    if found := check_release.problems(release="--rehearsal" not in arguments):
        print("\n".join(found), file=sys.stderr)
        return 1
    version = check_release.version()
    files = build()
    wanted = {f"impasto-{version}.tar.gz", f"impasto-{version}-py3-none-any.whl"}
    if {file.name for file in files} != wanted:
        raise SystemExit(f"dist/ has {', '.join(file.name for file in files)}; expected {', '.join(sorted(wanted))}")
    _run(sys.executable, "-m", "twine", "check", "--strict", *files)
    try_wheel(next(file for file in files if file.suffix == ".whl"), version)
    print("\nReady to be published:")
    for file in files:
        print(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
