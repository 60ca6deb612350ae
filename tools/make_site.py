"""Builds the documentation site from docs/ into build/site, and fails on any warning, dead link or use of the network.

    python tools/make_site.py

The README is the first page; CONTRIBUTING, CHANGELOG, SECURITY, NOTICE and the tutorial are pages, too. Links to source
files lead to a copy of the file in the site, so that no server for the code is needed. Formulas become MathML, which
browsers draw without a script.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import subprocess
import sys
import typing
from collections.abc import Mapping
from pathlib import Path

import latex2mathml.converter

import check_site
import notebook
from impasto.settings import OPTIONS, Settings

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build"
#: What the site is built from: docs/ with the pages that are made.
SOURCES = BUILD / "site-sources"
SITE = BUILD / "site"

# Where files of the repository stand in the site, beside docs/, which is its root.
_PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "NOTICE": "notice.md",
    "LICENSE": "license.md",
}
_LANGUAGES = {".py": "python", ".toml": "toml", ".yml": "yaml", ".yaml": "yaml"}
_LINK = re.compile(r"(?<=\]\()[^)\s]+(?=\))")
_CODE = re.compile(r"(^```.*?^```[^\n]*$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
_BLOCK_FORMULA = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
_INLINE_FORMULA = re.compile(r"(?<![\w$])\$([^$\n]+)\$(?![\w$])")


def assemble() -> None:
    """Write the sources of the site."""
    shutil.rmtree(SOURCES, ignore_errors=True)
    SOURCES.mkdir(parents=True)
    wanted: set[str] = set()
    for path in sorted((ROOT / "docs").rglob("*")):
        name = path.relative_to(ROOT).as_posix()
        if path.is_dir():
            continue
        if path.suffix == ".md":
            _write(_place(name), _page(path.read_text(encoding="utf-8"), name, wanted))
        elif path.suffix == ".ipynb":
            tutorial = notebook.read(path)
            for cell in notebook.markdown_cells(tutorial):
                cell["source"] = [_page(notebook.source(cell), name, wanted)]
            _write(_place(name), notebook.markdown(tutorial, SOURCES / path.stem))
        else:
            _copy(path, _place(name))
    for name, place in _PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        _write(place, _page(text, name, wanted) if name.endswith(".md") else _listing(name, text))
    _write("reference/settings.md", settings_page())
    for name in sorted(wanted - _PAGES.keys()):
        _write(_place(name), _listing(name, (ROOT / name).read_text(encoding="utf-8")))


def settings_page() -> str:
    """The table of all settings, made from their declarations."""
    lines = [
        "# Settings",
        "",
        "Every field of [`impasto.Settings`](impasto.md#impasto.Settings), in the order of `impasto stylize --help`.",
        "Options of the command have the same names with hyphens: `--style-weight`. Those marked *live*",
        "may change while a picture is being painted.",
    ]
    group = ""
    for name, (kind, option) in OPTIONS.items():
        if option.group != group:
            group = option.group
            lines += ["", f"## {group}", "", "| setting | default | allowed | meaning |", "|---|---|---|---|"]
        words = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()
        allowed = ", ".join(f"`{word}`" for word in words) or " ".join(filter(None, (option.range, option.unit)))
        default = getattr(Settings(), name)
        shown = (
            ", ".join(f"{layer}={weight:g}" for layer, weight in default.items())
            if isinstance(default, Mapping)
            else default
        )
        mark = " *live*" if option.live else ""
        lines.append(f"| `{name}`{mark} | {f'`{shown}`' if shown != () else ''} | {allowed} | {option.meaning} |")
    return "\n".join(lines) + "\n"


def build() -> None:
    """Build the site from its sources.

    Raises:
        SystemExit: there was a warning.
    """
    program = Path(sys.executable).parent / "zensical"
    shutil.rmtree(SITE, ignore_errors=True)
    done = subprocess.run(
        [program, "build", "--strict", "--clean"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    # What reads the docstrings warns without making the build fail.
    warnings = [line for line in done.stdout.splitlines() if line.startswith("griffe:")]
    if done.returncode or warnings:
        print(done.stdout, file=sys.stderr)
        raise SystemExit("the site has warnings, see above")


def _page(text: str, name: str, wanted: set[str]) -> str:
    """A page with links and formulas as the site needs them; adds linked source files to `wanted`."""
    parts = _CODE.split(text)
    for index in range(0, len(parts), 2):
        parts[index] = _INLINE_FORMULA.sub(_formula, _BLOCK_FORMULA.sub(_block_formula, parts[index]))
    # Links may hold code, so they are looked for in the whole page, outside of blocks of code.
    pieces = re.split(r"(^```.*?^```[^\n]*$)", "".join(parts), flags=re.MULTILINE | re.DOTALL)
    for index in range(0, len(pieces), 2):
        pieces[index] = _LINK.sub(lambda match: _link(match[0], name, wanted), pieces[index])
    return "".join(pieces)


def _link(address: str, name: str, wanted: set[str]) -> str:
    """The address in the site of what the page `name` links to; adds a linked source file to `wanted`."""
    target, _, anchor = address.partition("#")
    if "://" in address or not target:
        return address
    file = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    if not (ROOT / file).is_file():
        raise SystemExit(f"{name} links to {address}, and there is no file {file}")
    if not file.startswith("docs/"):
        wanted.add(file)
    place = posixpath.relpath(_place(file), posixpath.dirname(_place(name)) or ".")
    return f"{place}#{anchor}" if anchor else place


def _place(name: str) -> str:
    """Where a file of the repository stands in the site."""
    if name in _PAGES:
        return _PAGES[name]
    if name.startswith("docs/"):
        return name.removeprefix("docs/").removesuffix(".ipynb") + (".md" if name.endswith(".ipynb") else "")
    return f"source/{name}.md"


def _listing(name: str, text: str) -> str:
    """A page that shows a file as it is."""
    return f"# {name}\n\n````{_LANGUAGES.get(Path(name).suffix, 'text')}\n{text.rstrip()}\n````\n"


def _block_formula(match: re.Match[str]) -> str:
    return f"<div>{latex2mathml.converter.convert(match[1].strip(), display='block')}</div>"


def _formula(match: re.Match[str]) -> str:
    formula: str = latex2mathml.converter.convert(match[1])
    return formula


def _write(place: str, text: str) -> None:
    path = SOURCES / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _copy(path: Path, place: str) -> None:
    (SOURCES / place).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, SOURCES / place)


def main() -> int:
    assemble()
    build()
    if found := check_site.problems(SITE):
        print("\n".join(found), file=sys.stderr)
        return 1
    print(SITE / "index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
