"""Checks what a release says of itself: version, changelog and citation agree.

python tools/check_release.py            also accepts a version that is still being worked on
python tools/check_release.py --release  demands a dated section of the changelog, and a clean working tree
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def version(root: Path = ROOT) -> str:
    """The version in `_version.py`."""
    return _found(r'^__version__ = "(.+)"$', root / "src" / "impasto" / "_version.py")


def problems(root: Path = ROOT, *, release: bool = False) -> list[str]:
    """Everything that does not agree, a line each; empty if all does."""
    current, found = version(root), []
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", current):
        found.append(f"_version.py: {current!r} is no version X.Y.Z")
    cited = _found(r"^version: (.+)$", root / "CITATION.cff")
    if cited != current:
        found.append(f"CITATION.cff has version {cited}, _version.py {current}")
    sections = re.findall(
        r"^## \[?([^\]\s]+)\]?(?: - (\d{4}-\d{2}-\d{2}))?$",
        (root / "CHANGELOG.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    if not sections or sections[0][0] != "Unreleased":
        found.append("CHANGELOG.md: its first section must be '## Unreleased'")
    dated = [name for name, date in sections if date]
    undated = [name for name, date in sections[1:] if not date]
    found += [f"CHANGELOG.md: '## {name}' needs a date, '## {name} - YYYY-MM-DD'" for name in undated]
    if dated and dated[0] != current and release:
        found.append(f"CHANGELOG.md: its latest release is {dated[0]}, _version.py has {current}")
    if not dated and release:
        found.append(f"CHANGELOG.md: there is no section '## {current} - YYYY-MM-DD'")
    if release and (changed := _git("status", "--porcelain")):
        found.append(f"the working tree has changes that are not committed:\n{changed}")
    return found


def _found(pattern: str, path: Path) -> str:
    match = re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise SystemExit(f"{path}: nothing matches {pattern}")
    return match[1]


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.rstrip()


def main(arguments: list[str]) -> int:
    found = problems(release="--release" in arguments)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
