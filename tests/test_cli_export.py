"""`impasto export`, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli_running import make_pictures, run


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exported: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    make_pictures(tmp_path)
    (tmp_path / "mine.safetensors").write_bytes((exported / "small.safetensors").read_bytes())
    return tmp_path


@pytest.mark.slow
def test_a_model_becomes_a_file_that_says_its_styles(place):
    done = run("export", "mine.safetensors", "--half", "--json")
    assert done.code == 0, done.err
    record = json.loads(done.out)
    assert record["outputs"] == ["mine.onnx"]
    assert record["bytes"] == [Path("mine.onnx").stat().st_size]
    assert record["styles"] == ["night", "noon"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["mine.safetensors", "-o", "mine.txt"], 2, "the name must end in .onnx"),
        (["mine.safetensors", "-o", "none/mine.onnx"], 1, "there is no folder none"),
        (["mine.safetensors", "-o", "folder.onnx"], 1, "this is a folder"),
        (["mine.safetensors", "-o", "there.onnx"], 1, "the file exists; add --force"),
        (["mine.safetensors", "--half", "--int8"], 2, "give only one of them"),
        (["brushs"], 1, "did you mean brushes?"),
        (["photo.png"], 1, "photo.png cannot be read as a model"),
    ],
)
def test_what_is_refused(place, arguments, code, message):
    (place / "folder.onnx").mkdir()
    (place / "there.onnx").write_bytes(b"precious")
    done = run("export", *arguments)
    assert (done.code, message in done.error()) == (code, True), done.err
    assert Path("there.onnx").read_bytes() == b"precious"
