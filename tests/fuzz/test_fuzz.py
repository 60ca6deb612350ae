"""The fuzz targets: all inputs of the corpus, and half a minute each of new ones. `make fuzz` runs for longer."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS, run

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_the_corpus(name: str) -> None:
    files = sorted((CORPUS / name).iterdir())
    assert files
    for file in files:
        run(name, file.read_bytes())


def test_the_corpus_is_small() -> None:
    assert sum(file.stat().st_size for file in CORPUS.rglob("*") if file.is_file()) < 300_000
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no package for this system: pip install atheris")
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_new_inputs(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", "30", "--found", str(tmp_path)]
    done = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, check=False, timeout=600)
    failed = [path.read_bytes() for path in tmp_path.glob("*-*")]
    assert done.returncode == 0, (failed, done.stderr[-4000:])
