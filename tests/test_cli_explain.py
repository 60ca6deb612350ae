"""`impasto explain`: figures from the command line, and what is refused before anything is painted."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from impasto.images import read
from tests.cli_running import finish, make_pictures, run, start

SMALL = ("--size", "48", "--layers", "relu1_1,relu2_1", "--device", "cpu")
QUICK = (*SMALL, "--iterations", "2")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_pictures(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("what", "options"), [("content", QUICK), ("style", QUICK), ("gram", SMALL), ("network", SMALL)]
)
def test_each_draws_its_figure(what, options):
    done = run("explain", what, "photo.png", *options)
    assert (done.code, done.out) == (0, f"photo-{what}.png\n"), done.err
    assert done.err.startswith("impasto: drawn in ")
    assert read(f"photo-{what}.png").width > 1000
    # A name that is chosen replaces nothing.
    assert run("explain", what, "photo.png", *options, "-q").out == f"photo-{what}-2.png\n"


def test_as_json():
    done = run("explain", "content", "photo.png", *QUICK, "-o", "a.svg", "--json")
    found = json.loads(done.out)
    assert (found["figure"], found["what"], found["settings"]["size"]) == ("a.svg", "content", 48)
    assert [(layer["layer"], layer["receptive_field"], layer["stride"]) for layer in found["layers"]] == [
        ("relu1_1", 3, 1),
        ("relu2_1", 10, 2),
    ]
    assert all(layer["psnr"] > 5 for layer in found["layers"])
    assert "<svg" in Path("a.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("contents", "photo.png"), 2, "what: got 'contents'; it must be one of content, style, gram, network"),
        (("content",), 2, "PICTURE is missing"),
        (("content", "photo.png", "--size", "31"), 2, "--size: got 31; it must be 32 to 32768 px"),
        (("content", "photo.png", "--layers", "relu6_1"), 2, "--layers: VGG-19 has no layer 'relu6_1'"),
        (("content", "photo.png", "--layers", "relu1_1,relu1_1"), 2, "--layers: relu1_1 is named twice"),
        (("gram", "photo.png", "--iterations", "3"), 2, "--iterations: it has no effect on gram: nothing is painted"),
        (("content", "none.png"), 1, "none.png"),
        (("content", "text.txt"), 1, "text.txt"),
        (("content", "photo.png", "-o", "there.png"), 1, "there.png: the file exists; add --force"),
        (("content", "photo.png", "-o", "photo.png", "--force"), 1, "photo.png: it is an input, and would be lost"),
        (("content", "photo.png", "-o", "a.gif"), 1, "allowed are .png, .jpg, .jpeg, .pdf, .svg"),
        (("content", "photo.png", "-o", "none/a.png"), 1, "there is no folder"),
    ],
)
def test_what_is_refused(arguments, code, said):
    Path("text.txt").write_text("no picture")
    Path("there.png").write_bytes(b"kept")
    before = sorted(Path().iterdir())
    done = run("explain", *arguments)
    assert done.code == code
    assert said in done.error()
    assert sorted(Path().iterdir()) == before
    assert Path("there.png").read_bytes() == b"kept"


def test_force_replaces():
    Path("there.png").write_bytes(b"old")
    assert run("explain", "network", "photo.png", *SMALL, "-o", "there.png", "--force").code == 0
    assert read("there.png").width > 1000


def test_from_standard_input():
    done = run("explain", "network", "-", *SMALL, stdin=Path("photo.png").read_bytes())
    assert done.out == "stdin-network.png\n"


def test_it_stops_when_told_and_leaves_nothing(folder):
    before = sorted(folder.iterdir())
    process = start("explain", "content", "photo.png", "--size", "64", "--iterations", "1000000", "-o", "a.png")
    time.sleep(5)
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert done.code == 130
    assert "interrupted" in done.err
    assert sorted(folder.iterdir()) == before
