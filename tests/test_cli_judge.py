"""`impasto judge`: distances and faults of finished pictures, from any program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from impasto import api
from impasto.images import Image, read, write
from tests.cli_running import make_pictures, run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_pictures(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_row_for_each_picture():
    done = run("judge", "photo.png", "painting.png", "photo.png", "painting.png")
    assert done.code == 0
    assert "photo.png shows" not in done.err
    heading, first, second = (line.split() for line in done.out.splitlines())
    assert heading == ["picture", "style", "content", "edges", "faults"]
    assert [first[0], *map(abs, map(float, first[1:4])), first[4]] == ["photo.png", 1.0, 0.0, 0.0, "none"]
    assert second[0] == "painting.png"
    assert float(second[2]) > 0.2


def test_as_json():
    done = run("judge", "photo.png", "painting.png", "other.png", "--json")
    (found,) = json.loads(done.out)["judgements"]
    expected = api.judge("photo.png", "painting.png", "other.png")
    assert found["picture"] == "other.png"
    assert (found["style"], found["content"], found["edges"]) == pytest.approx(
        (expected.style, expected.content, expected.edges)
    )
    assert [fault["kind"] for fault in found["faults"]] == [artifact.kind for artifact in expected.artifacts]


def test_a_blend_is_judged_by_all_of_its_paintings():
    done = run("judge", "photo.png", "painting.png", "photo.png", "--also", "other.png", "--json")
    (found,) = json.loads(done.out)["judgements"]
    assert found["style"] == pytest.approx(api.judge("photo.png", ["painting.png", "other.png"], "photo.png").style)
    done = run("judge", "photo.png", "painting.png", "other.png", "--also", "other.png", "--json")
    (blend,) = json.loads(done.out)["judgements"]
    alone = api.judge("photo.png", "painting.png", "other.png").style
    # Half is the painting's distance, and of the other painting there is none.
    assert blend["style"] == pytest.approx(alone / 2, rel=1e-4)
    assert "missing.png" in run("judge", "photo.png", "painting.png", "other.png", "--also", "missing.png").error()


def test_faults_are_named_and_explained():
    pixels = torch.zeros(1, 3, 64, 64)
    write(Image(pixels=pixels), "black.png")
    done = run("judge", "photo.png", "painting.png", "black.png")
    assert done.code == 0
    assert "dead area" in done.out
    assert "black.png shows a dead area: " in done.err
    assert done.err.count("\n") == 1


def test_what_cannot_be_judged_is_one_line():
    assert run("judge", "photo.png", "painting.png", "missing.png").code == 1
    assert "missing.png" in run("judge", "photo.png", "painting.png", "missing.png").error()
    same = run("judge", "photo.png", "photo.png", "painting.png")
    assert same.notes[0] == "impasto: warning: photo.png is the photograph itself, so the style measure has no meaning"
    assert run("judge", "photo.png", "painting.png").code == 2
    small = Image(pixels=read("photo.png").pixels[..., :20, :20])
    write(small, "small.png")
    small_alone = run("judge", "photo.png", "painting.png", "photo.png", "small.png")
    assert small_alone.code == 1
    assert small_alone.error().startswith("small.png: ")
    assert "too small" in small_alone.error()


def test_standard_input():
    done = run("judge", "photo.png", "painting.png", "-", stdin=Path("other.png").read_bytes())
    assert done.code == 0
    assert done.out.splitlines()[1].startswith("-")
