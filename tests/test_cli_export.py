"""`impasto export`, and `impasto fast` with what it wrote, as they are typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import impasto
from tests.cli_running import make_pictures, run


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exported: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    make_pictures(tmp_path)
    for suffix in ("safetensors", "onnx"):
        (tmp_path / f"mine.{suffix}").write_bytes((exported / f"small.{suffix}").read_bytes())
    return tmp_path


@pytest.mark.slow
def test_a_model_becomes_a_file_that_says_its_styles(place):
    done = run("export", "mine.safetensors", "--half", "--json", "-f")
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
        ([], 2, "got none; name one: any, brushes"),
        (["any", "brushes"], 2, "got 2; name one"),
        (["any", "--runtime", "ort.tgz"], 2, "it is for --web only; leave it out"),
        (["--web", "page", "--half"], 2, "it has no effect with --web"),
        (["--web", "photo.png"], 1, "this is a file; name a folder"),
        (["--web", "."], 1, "the folder is not empty; add --force"),
        (["mine.safetensors", "mine.safetensors", "--web", "page"], 2, "need different names"),
        (["mine.safetensors", "--web", "page", "--runtime", "none.tgz"], 1, "none.tgz cannot be read (No such file"),
        (["mine.safetensors", "--web", "page", "--runtime", "photo.png"], 1, "photo.png is not the npm package onnxr"),
    ],
)
def test_what_is_refused(place, arguments, code, message):
    (place / "folder.onnx").mkdir()
    (place / "there.onnx").write_bytes(b"precious")
    done = run("export", *arguments)
    assert (done.code, message in done.error()) == (code, True), done.err
    assert Path("there.onnx").read_bytes() == b"precious"


def test_a_page_needs_npm(place, monkeypatch):
    monkeypatch.setenv("PATH", str(place))
    done = run("export", "mine.safetensors", "--web", "page")
    assert (
        done.code,
        "npm is not installed; install Node.js, or pass the npm package" in done.error(),
    ) == (
        1,
        True,
    )
    npm = place / "npm"
    npm.write_text("#!/bin/sh\necho npm error network >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:/bin:/usr/bin")
    done = run("export", "mine.safetensors", "--web", "page")
    assert (done.code, "npm could not fetch onnxruntime-web" in done.error()) == (1, True)
    assert "(npm error network)" in done.err
    assert not Path("page").exists()


#: The command in a process that must not know of torch.
WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from impasto.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_onnx_paints_without_torch_what_torch_paints(place):
    line = ("fast", "photo.png", "night", "--strength", "0.8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_TORCH, *line, "--model", "mine.onnx", "-o", "onnx.png"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "onnx.png\n"), done.stderr
    assert run(*line, "--model", "mine.safetensors", "--precision", "float32", "-o", "torch.png").code == 0
    found, right = impasto.load("onnx.png"), impasto.load("torch.png")
    assert float((found.pixels - right.pixels).abs().max()) < 1.5 / 255
    # The name of the model is that of the file it was exported from.
    assert json.loads(found.text["impasto-fast"]) == json.loads(right.text["impasto-fast"]) | {"model": "small"}


def test_the_rest_of_the_options_by_onnx(place):
    (place / "holiday").mkdir()
    impasto.load("photo.png").save("holiday/one.png")
    impasto.load("photo.png").save("holiday/two.png")
    line = ("fast", "holiday", "night", "noon", "--blend", "0.7,0.3", "--size", "32", "--model", "mine.onnx")
    done = run(*line, "-o", "painted")
    assert done.out == "painted/one.png\npainted/two.png\n"
    assert impasto.load("painted/two.png").size == (24, 32)
    record = json.loads(run("fast", "sample:coffee", "night", "--size", "40", "--model", "mine.onnx", "--json").out)
    assert (record["width"], record["height"], record["model"]) == (40, 27, "small")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("nigth", "--model", "mine.onnx"), 2, "did you mean night?"),
        (("night", "--model", "none.onnx"), 1, "there is no file none.onnx"),
        (("night", "--model", "mine.onnx", "--keep-color", "luminance"), 2, "--engine onnx supports only none"),
        (("night", "--model", "mine.onnx", "--device", "cuda"), 2, "--engine onnx supports only auto"),
        (("night", "--model", "mine.onnx", "--engine", "torch"), 2, "torch cannot read; use --engine onnx"),
        (("night", "--engine", "onnx"), 2, "needs an exported model; `impasto export brushes -o brushes.onnx`"),
    ],
)
def test_what_onnx_refuses(place, options, code, message):
    done = run("fast", "photo.png", *options)
    assert (done.code, message in done.error()) == (code, True), done.err
