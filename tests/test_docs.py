"""The commands and the code in README.md and docs/ run: sizes and iterations are made small, nothing else is."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import impasto
from impasto.backbones.vgg import LAYERS
from tests import zoo_weights
from tests.cli_running import run

ROOT = Path(__file__).parent.parent
# What docs/api.md shows needs a studio that runs: see tests/web/test_docs_api.py.
STUDIO = ROOT / "docs" / "api.md"
PAGES = [ROOT / "README.md", *sorted(set((ROOT / "docs").glob("*.md")) - {STUDIO})]
SMALL = "--size 48 --iterations 1 --coarse-iterations 1 --scales 2"
# Those that set the project up are run by CI itself; the doctor has tests of its own, for it takes its time, and so has
# the page that wants npm.
ELSEWHERE = ("make ", "impasto doctor", "python tools/", "impasto export --web")
# Pages whose commands and code take their time.
SLOW = {"export.md"}

# What only a shell understands.
SHELL = set("|&;<>()$`*?[]#~{}!\\")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    return [line for line in lines if line.strip() and not line.startswith(ELSEWHERE)]


def marks(page: Path) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow] if page.name in SLOW else []


def small(command: str) -> str:
    """The command with its size cut down; what it asks for beside that is left alone."""
    command = command.replace(".venv/bin/", "")
    if explaining := re.search(r"\bimpasto explain (\w+)", command):
        painted = explaining[1] in ("content", "style")
        return re.sub(r" --(size|iterations) \d+", "", command) + " --size 48" + (" --iterations 1" if painted else "")
    painting = re.search(r"\bimpasto (stylize|rerun|demo|sweep|texture|batch)\b", command)
    if not painting:
        return command
    command = re.sub(r" --(size|print|memory|iterations|coarse-iterations) \S+", "", command)
    command = re.sub(r" --(width|height) \d+", r" --\1 64", command)
    return command.replace(painting.group(), f"{painting.group()} {SMALL}", 1)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    impasto.load("sample:coffee").resized((40, 60)).save("photo.jpg")
    impasto.load("sample:the_scream").resized((60, 48)).save("painting.jpg")
    zoo_weights.random_weights(tmp_path, "squeezenet1_1")
    photo, painting = (60, 90), (60, 48)
    for name, size, rows in (
        ("sky", photo, slice(0, 30)),
        ("ground", photo, slice(30, 60)),
        ("painted-sky", painting, slice(0, 25)),
    ):
        mask = torch.zeros(3, *size)
        mask[:, rows] = 1.0
        impasto.load(mask).save(f"{name}.png")
    return tmp_path


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=marks(page), id=page.name) for page in PAGES if commands(page)]
)
def test_commands_run_in_the_order_of_the_page(page: Path, workplace: Path) -> None:
    # The README paints out.png in Python, and repaints it by command.
    impasto.stylize("photo.jpg", "painting.jpg", size=48, iterations=1, coarse_iterations=1).save("out.png")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in commands(page):
        line = small(command)
        if "-o out.png" in line and "--force" not in line:
            Path("out.png").unlink(missing_ok=True)
        if line.startswith("impasto ") and not SHELL & set(line):
            # Without the seconds that a new process takes to load torch.
            ended = run(*shlex.split(line)[1:])
            assert ended.code == 0, f"{page.name}: {command}\n{ended.err}"
            continue
        done = subprocess.run(
            line, shell=True, cwd=workplace, env={**os.environ, "PATH": path}, capture_output=True, timeout=300
        )
        assert done.returncode == 0, f"{page.name}: {command}\n{done.stderr.decode()}"


@pytest.mark.parametrize(
    ("page", "code"),
    [
        pytest.param(page, code, id=f"{page.name}-{number}", marks=marks(page))
        for page in PAGES
        for number, code in enumerate(blocks(page, "python"))
    ],
)
def test_python_runs(page: Path, code: str, workplace: Path) -> None:
    code = code.replace("iterations=60", "iterations=1")
    code = re.sub(r"size=\d+", "size=48, coarse_iterations=1", code)
    code = re.sub(r"(width|height)=\d+", r"\1=64", code).replace("tile=True", "tile=True, coarse_iterations=1")
    code = code.replace("settings(seed=1)", "settings(seed=1, size=48, coarse_iterations=1)")
    impasto.stylize("photo.jpg", "painting.jpg", size=48, iterations=1, coarse_iterations=1).save("out.jpg")
    exec(compile(code, page.name, "exec"), {})


def test_links_lead_somewhere() -> None:
    more = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / name for name in more)]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", [*PAGES, STUDIO], ids=lambda page: page.name)
def test_nothing_stands_twice_on_a_page(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for what in ("## .+", "<!-- begin .+"):
        found = re.findall(f"^{what}$", text, re.MULTILINE)
        assert len(found) == len(set(found)), found


def test_every_command_is_documented() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in (*PAGES, STUDIO))
    listed = subprocess.run(
        [sys.executable, "-m", "impasto", "--help"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    names = re.findall(r"^│ ([a-z]+) ", listed, re.MULTILINE)
    assert len(names) >= 6
    for name in names:
        assert re.search(rf"impasto {name}\b", text), f"docs do not mention impasto {name}"


def test_the_notebook_names_are_public() -> None:
    used = {
        name
        for page in PAGES
        for name in re.findall(r"impasto\.([A-Z]\w+|stylize|stylization|preset)\b", page.read_text())
    }
    assert used <= set(impasto.__all__), used - set(impasto.__all__)


def test_the_table_of_layers_is_the_networks() -> None:
    text = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(relu\d_1)` \| (\d+) px \| (\d+) px \|", text, re.MULTILINE)
    assert len(rows) == 5
    for name, field, stride in rows:
        assert (int(field), int(stride)) == (LAYERS[name].receptive_field, LAYERS[name].stride), name
    assert set(re.findall(r"sees (\d+) px across", text)) == {str(LAYERS["relu5_1"].receptive_field)}
