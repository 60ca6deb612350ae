"""`--checkpoint`: a painting that is killed again and again becomes the same picture, and no file is lost for it."""

from __future__ import annotations

import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from impasto import api
from impasto.checkpoints import Checkpoint
from impasto.images import read
from impasto.loading import load
from impasto.recipes import Recipe
from tests.cli_running import ENDLESS, QUICK, finish, make_pictures, run, start

SMALL = ("--size", "48", "--coarse-size", "32", "--iterations", "6", "--coarse-iterations", "5", "--tolerance", "0")
KEPT = ("--checkpoint", "kept", "--checkpoint-every", "0")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_pictures(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written() -> int:
    """When the checkpoint was written; 0 if there is none."""
    try:
        return Path("kept").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def kill_and_go_on(command: tuple[str, ...], kills: int, chance: random.Random) -> int:
    """Runs a command again and again, killed at random moments, until it ends; how often it was killed."""
    for killed in range(kills + 1):
        process = start(*command)
        # The first time at the first checkpoint, or a quick machine is done before it is killed at all.
        left, before = chance.randint(1, 3) if killed else 1, written()
        while process.poll() is None and left and killed < kills:
            now = written()
            left -= now not in (0, before)
            before = now
            time.sleep(0.001)
        if process.poll() is None and killed < kills:
            # At any moment, also in the midst of writing.
            time.sleep(chance.uniform(0, 0.05))
            process.kill()
        ended = finish(process)
        # It may be killed when all is done but to say so.
        if ended.code == 0 or Path("out.png").exists():
            return killed
        assert ended.code == -signal.SIGKILL, ended.err
    raise AssertionError("it did not end")


MANNERS = [
    ("--init", "noise", "--seed", "9", "--mask", "mask.png", "--region-strength", "0.8", "--keep-color", "luminance"),
    ("--optimizer", "adam"),
    (),
]


@pytest.mark.promise("resumption")
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX's")
@pytest.mark.parametrize(
    "manner",
    [
        pytest.param(MANNERS[0], id="noise, mask and colours"),
        pytest.param(MANNERS[1], id="adam", marks=pytest.mark.slow),
        pytest.param(MANNERS[2], id="lbfgs", marks=pytest.mark.slow),
    ],
)
def test_killed_at_random_it_becomes_the_same_picture(manner):
    half = read("photo.png").pixels.clone()
    half[..., :32], half[..., 32:] = 1.0, 0.0
    load(half[0]).save("mask.png")
    command = ("stylize", "photo.png", "painting.png", *SMALL, *manner, "-q")
    assert finish(start(*command, "-o", "whole.png")).code == 0
    killed = kill_and_go_on((*command, "-o", "out.png", *KEPT), 3, random.Random(str(manner)))
    assert killed >= 1
    assert Path("out.png").read_bytes() == Path("whole.png").read_bytes()


@pytest.mark.promise("resumption")
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX's")
@pytest.mark.parametrize("seed", range(10))
def test_killed_at_random_often(seed):
    manner = MANNERS[1 + seed % 2]
    command = ("stylize", "photo.png", "painting.png", *SMALL, *manner, "-q", "--seed", str(seed), "--init", "noise")
    assert finish(start(*command, "-o", "whole.png")).code == 0
    kill_and_go_on((*command, "-o", "out.png", *KEPT), 8, random.Random(seed))
    assert Path("out.png").read_bytes() == Path("whole.png").read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_ctrl_c_keeps_the_picture_and_where_it_stands():
    command = ("stylize", "photo.png", "painting.png", *ENDLESS, "-o", "out.png", "--checkpoint", "kept")
    process = start(*command, "--save-every", "1")
    while not Path("out-0002.png").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.code == 130
    assert ended.err.endswith("the best picture so far is saved in out.png, and the checkpoint in kept\n")
    assert len(Checkpoint.load("kept").trace) >= 2


def stop_in_the_middle(**settings: Any) -> None:
    chosen = api.settings_for(size=32, iterations=2, coarse_iterations=2, **settings)
    next(api.stylization("photo.png", "painting.png", chosen)).checkpoint().save("kept")


def test_it_says_that_it_goes_on():
    stop_in_the_middle()
    done = run("stylize", "photo.png", "painting.png", *QUICK, "-o", "out.png", "--checkpoint", "kept")
    assert done.code == 0
    assert done.notes[0] == "impasto: continuing from kept, after 1 iteration"
    assert not Path("kept").exists()


@pytest.mark.parametrize("wrong", ["settings", "photo", "damaged", "no checkpoint"])
def test_what_cannot_be_gone_on_from_is_replaced_only_with_consent(wrong):
    stop_in_the_middle(**({"strength": 0.9} if wrong == "settings" else {}))
    said = {
        "settings": "kept: it was begun with other settings: strength was 0.9",
        "photo": "kept: it is of another painting: its content differ",
        "damaged": "kept: this is no checkpoint, or a damaged one",
        "no checkpoint": "kept: this is no checkpoint, or a damaged one",
    }[wrong]
    if wrong == "damaged":
        Path("kept").write_bytes(Path("kept").read_bytes()[:-9])
    if wrong == "no checkpoint":
        Path("kept").write_text("my diary")
    before = Path("kept").read_bytes()
    content = "other.png" if wrong == "photo" else "photo.png"
    command = ("stylize", content, "painting.png", *QUICK, "-o", "out.png", "--checkpoint", "kept")
    refused = run(*command)
    assert (refused.code, refused.error()) == (1, f"{said}; add --force to start over and replace it")
    assert Path("kept").read_bytes() == before
    done = run(*command, "--force", "-q")
    assert (done.code, done.notes) == (0, [f"impasto: warning: {said}; painting starts over"])
    assert not Path("kept").exists()


@pytest.mark.parametrize("name", ["photo.png", "out.png", "./painting.png"])
def test_inputs_and_outputs_are_no_place_for_it(name):
    before = read("photo.png").sha256
    done = run("stylize", "photo.png", "painting.png", *QUICK, "-o", "out.png", "--checkpoint", name, "--force")
    assert done.code == 1
    assert "this file is an input or an output; choose another name for the checkpoint" in done.error()
    assert read("photo.png").sha256 == before


def test_a_folder_that_is_not_there_is_told_at_once():
    done = run("stylize", "photo.png", "painting.png", *QUICK, "--checkpoint", "no/kept")
    assert (done.code, done.error()) == (1, "no/kept: there is no folder no; make it first")


def test_a_checkpoint_that_cannot_be_written_does_not_stop_the_painting(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("impasto.checkpoints.save_file", full)
    done = run("stylize", "photo.png", "painting.png", *QUICK, "-q", "-o", "out.png", *KEPT)
    assert done.code == 0
    assert done.notes == [
        f"impasto: warning: kept: the disk is full ({Path.cwd()}); make room, or choose another folder. An existing "
        "file was not changed; no more checkpoints are written, painting continues"
    ]


def test_what_was_changed_on_the_way_is_done_again():
    settings = api.settings_for(size=32, iterations=4, coarse_iterations=2)
    steps = api.stylization("photo.png", "painting.png", settings)
    next(steps)
    steps.change(strength=0.9, keep_color="luminance")
    *_, progress = steps
    progress.pastiche().save("out.png")
    done = run("rerun", "out.png", "-q", "-o", "again.png")
    assert (done.code, done.notes) == (0, [])
    assert Path("again.png").read_bytes() == Path("out.png").read_bytes()
    # An option is meant for the whole of the picture.
    assert run("rerun", "out.png", "-q", "-o", "calm.png", "--strength", "0.2").code == 0
    recipe = Recipe.of_file("calm.png")
    assert recipe.settings.strength == recipe.last_settings.strength == 0.2
    assert recipe.last_settings.keep_color == "luminance"
