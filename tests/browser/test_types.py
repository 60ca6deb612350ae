"""The page's JavaScript says its types in comments, and TypeScript finds nothing wrong with them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.browser.conftest import ROOT

HERE = Path(__file__).parent
STATIC = ROOT / "src" / "impasto" / "web" / "static"
EXPORTED = ROOT / "src" / "impasto" / "web" / "export" / "static"
MODULES = sorted([*STATIC.rglob("*.js"), *EXPORTED.glob("*.js")])


def test_types(request: pytest.FixtureRequest) -> None:
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("npm is not there to install TypeScript with")
    folder = request.config.cache.mkdir("typescript")
    compiler = folder / "node_modules" / "typescript" / "bin" / "tsc"
    if not compiler.exists():
        shutil.copy(HERE / "package.json", folder)
        command = [npm, "install", "--silent", "--no-audit", "--no-fund"]
        if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode:
            pytest.skip("npm cannot install TypeScript here")
    done = subprocess.run(["node", compiler, "-p", HERE / "tsconfig.json"], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout


@pytest.mark.parametrize("module", MODULES, ids=lambda path: f"{path.parent.parent.name}/{path.name}")
def test_a_module_says_what_it_owns_and_is_small(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert text.startswith("// Owns ")
    assert text.count("\n") <= 400


def test_nothing_is_fetched_from_elsewhere_and_no_text_becomes_markup() -> None:
    others = [path for place in (STATIC, EXPORTED) for kind in ("css", "html") for path in place.rglob(f"*.{kind}")]
    for path in [*MODULES, *others]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), path


def test_colors_have_names() -> None:
    """Only tokens.css names colours, but for white and black on pictures, which stay as they are in the dark."""
    for name in ("base.css", "layout.css"):
        text = (STATIC / "css" / name).read_text(encoding="utf-8")
        assert not re.search(
            r"#[0-9a-f]{6}\b|rgb\(",
            text.replace("light-dark(#d98e04, #eab54e)", "").replace("light-dark(#c4472f, #ff8a70)", ""),
        ), name
