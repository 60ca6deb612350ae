"""Owns the writing of `src/impasto/assets/manifest.toml`: one `[[file]]` entry for each bundled file.

The tools that generate bundled files call `record`; `impasto.assets` reads the manifest. The text depends only on the
entries, so generating a file again causes no difference in version control.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

ASSETS = Path(__file__).resolve().parent.parent / "src" / "impasto" / "assets"
MANIFEST = ASSETS / "manifest.toml"

Entry = Mapping[str, str | int]
"""One bundled file; `path` is relative to the assets folder, with forward slashes."""

REQUIRED = ("path", "sha256", "bytes", "licence", "author", "title", "origin", "made_by")

_HEADER = """\
# The files that Impasto bundles. Written by the scripts in tools/ and read by impasto.assets: do not edit by hand.
# To make a file again, run its `made_by`.
"""


def digest(path: Path) -> dict[str, str | int]:
    """Return the `sha256` and `bytes` of a file, for its entry."""
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "bytes": path.stat().st_size}


def _toml_string(text: str) -> str:
    """Return `text` as a TOML basic string; raise ValueError for control characters, which no field needs."""
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError(f"control character in a manifest value: {text!r}")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def render(entries: Iterable[Entry]) -> str:
    """Return the manifest's text: entries sorted by path, each with the required keys first."""
    blocks = [_HEADER]
    for entry in sorted(entries, key=lambda entry: str(entry["path"])):
        missing = [key for key in REQUIRED if key not in entry]
        if missing:
            raise ValueError(f"the entry of {entry.get('path')} lacks {', '.join(missing)}")
        lines = ["[[file]]"]
        for key in [*REQUIRED, *sorted(set(entry) - set(REQUIRED))]:
            value = entry[key]
            lines.append(f"{key} = {value if isinstance(value, int) else _toml_string(value)}")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def merged(manifest: Path, entries: Iterable[Entry], folder: str) -> str:
    """Return the text of `manifest` with the entries below `folder` (such as `"samples/"`) replaced by `entries`."""
    new = list(entries)
    foreign = [entry["path"] for entry in new if not str(entry["path"]).startswith(folder)]
    if foreign:
        raise ValueError(f"not in {folder}: {foreign}")
    old = tomllib.loads(manifest.read_text(encoding="utf-8")).get("file", []) if manifest.exists() else []
    return render([entry for entry in old if not entry["path"].startswith(folder)] + new)


def record(manifest: Path, entries: Iterable[Entry], folder: str) -> None:
    """Replace the entries of `folder` in the manifest by `entries`."""
    text = merged(manifest, entries, folder)
    manifest.write_text(text, encoding="utf-8", newline="\n")
