"""`impasto fast` and `impasto train`, as they are typed."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors import safe_open

import impasto
from impasto import assets
from impasto.cli.batches import _blamed
from impasto.cli.outputs import Output
from impasto.cli.signals import Interruption, Signals
from impasto.cli.train import _board, _one_by_one, _patience_is_idle
from impasto.errors import ImpastoError
from impasto.fast import FastModel
from tests.cli_running import finish, make_pictures, run, start

TRAIN = ("--steps", "2", "--every", "1", "--side", "64", "--batch", "2", "--precision", "float32", "-q")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_pictures(tmp_path)
    (tmp_path / "photos" / "more").mkdir(parents=True)
    for name in ("one.png", "more/two.png"):
        impasto.load("photo.png").save(tmp_path / "photos" / name)
    return tmp_path


def test_a_bundled_style_by_name(place):
    done = run("fast", "photo.png", "starry_night", "-o", "out.png")
    assert done.code == 0
    assert done.out == "out.png\n"
    picture = impasto.load("out.png")
    assert picture.size == (48, 64)
    assert json.loads(picture.text["impasto-fast"])["model"] == "brushes"


def test_any_painting_by_path_and_the_rest_of_the_options(place):
    done = run("fast", "photo.png", "painting.png", "other.png", "--blend", "0.7,0.3", "--strength", "0.6")
    assert done.code == 0
    assert done.out == "photo-painting+other.png\n"
    done = run(
        "fast", "photo.png", "painting.png", "--keep-color", "luminance", "--size", "32", "--json", "-o", "s.jpg"
    )
    record = json.loads(done.out)
    assert (record["width"], record["height"], record["model"]) == (32, 24, "any")


def test_pipes(place):
    process = start("fast", "-", "starry_night", "-o", "-", "-q", stdin=subprocess.PIPE)
    done = finish(process, (place / "photo.png").read_bytes())
    assert done.code == 0, done.err
    assert impasto.load(done.bytes).size == (48, 64)


def test_a_folder_keeps_its_tree_and_goes_on_where_it_was_stopped(place):
    (place / "photos" / "bad.png").write_bytes(b"no picture")
    done = run("fast", "photos", "starry_night", "-o", "painted")
    assert done.code == 1
    assert done.out.splitlines() == [str(Path("painted/more/two.png")), str(Path("painted/one.png"))]
    assert done.err.count("bad.png") == 1
    again = run("fast", "photos", "starry_night", "-o", "painted")
    assert again.out == ""
    assert "2 there already" in again.err
    pattern = run("fast", "photos/*/t*.png", "starry_night", "-o", "matched", "--format", "jpeg")
    assert pattern.code == 0
    assert (place / "matched" / "more" / "two.jpeg").exists()


def test_a_folder_that_is_interrupted_says_how_far_it_got(place, monkeypatch):
    Path("in").mkdir()
    for name in ("one.png", "two.png", "three.png"):
        shutil.copy("photo.png", f"in/{name}")
    real = Output.save

    def save(self, picture, **options):
        if self.path.name == "two.png":
            signal.raise_signal(signal.SIGINT)
        return real(self, picture, **options)

    monkeypatch.setattr(Output, "save", save)
    done = run("fast", "in", "starry_night", "-o", "painted")
    assert (done.code, done.err) == (130, "impasto: interrupted; 2 of 3 pictures exist; the same command continues\n")
    assert sorted(path.name for path in Path("painted").iterdir()) == ["one.png", "three.png"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("fast", "photo.png", "starry_nigth"), 1, "starry_nigth: there is no such file"),
        (("fast", "photo.png", "starry_nigth"), 1, "did you mean starry_night?"),
        (("fast", "photo.png", "Stary Night"), 1, "did you mean starry_night?"),
        (("fast", "photo.png", "starry_night", "paintng"), 1, "`impasto samples` lists them"),
        (("fast", "photo.png", "painting.jpg"), 1, "painting.jpg: there is no such file; check its name and folder"),
        (("fast", "photo.png", "starry_night", "--model", "nothing.safetensors"), 1, "there is no model"),
        (("fast", "photo.png", "painting.png", "--model", "brushes"), 2, "has not learned"),
        (("fast", "photo.png", "starry_night", "--strength", "2"), 2, "0 to 1"),
        (("fast", "photo.png", "starry_night", "--style-size", "3"), 2, "64 to 2048"),
        (("fast", "photos", "starry_night"), 2, "give --out a folder"),
        (("fast", "empty*.png", "starry_night", "-o", "x"), 2, "no picture"),
        (("train", "--content", "photos"), 2, "name a painting"),
        (("train", "--style", "painting.png", "--any", "--content", "photos"), 2, "one of the two"),
        (("train", "--any", "--content", "photos"), 2, "--styles"),
        (("train", "--style", "painting.png", "--styles", ".", "--content", "photos"), 2, "--styles are for --any"),
        (("train", "--style", "painting.png", "--limit", "3", "--content", "photos"), 2, "--limit is of"),
        (("train", "--style", "painting.png", "--content", "photos", "--tensorboard", "photo.png"), 2, "photo.png"),
        (("fast", "photos", "starry_night", "-o", "photos"), 2, "own folder"),
        (("fast", "photos/*.png", "starry_night", "-o", "photos"), 2, "own folder"),
        (("fast", "photos", "starry_night", "-o", "photos/out"), 2, "photos/out lies in photos"),
        (("fast", "photos/**/*.png", "starry_night", "-o", "photos/out"), 2, "outside, such as out"),
        (("fast", ".", "starry_night", "-o", "out"), 2, "outside, such as ../out"),
        (
            ("fast", "photos", "starry_night", "-o", "out.png"),
            2,
            "out.png is named like a picture, and photos holds 2 pictures;",
        ),
        (("train", "--style", "painting.png"), 2, "--content"),
        (("train", "--style", "painting.png", "--content", "nowhere"), 1, "nowhere"),
        (("train", "--style", "painting.png", "--content", "photos", "-o", "m.pth"), 2, ".safetensors"),
        (("train", "--style", "painting.png", "--content", "photos", "--learning-rate", "x"), 2, "0.0008"),
    ],
)
def test_mistakes_are_told_in_a_line(place, arguments, code, words):
    done = run(*arguments)
    assert done.code == code, done.err
    assert words in done.error()


def test_two_pictures_of_one_name_are_refused_before_any_is_painted(place):
    impasto.load("photo.png").save(place / "photos" / "one.jpg")
    done = run("fast", "photos", "starry_night", "-o", "painted", "--format", "png")
    assert done.code == 2
    assert all(name in done.error() for name in ("one.jpg", "one.png"))
    assert not Path("painted").exists()


def test_a_pattern_of_one_folder_may_be_painted_into_a_folder_below(place):
    for said in ("painted 1 picture in", "1 there already"):
        done = run("fast", "photos/*.png", "starry_night", "-o", "photos/out")
        assert done.code == 0
        assert said in done.err
    assert [path.name for path in (place / "photos" / "out").iterdir()] == ["one.png"]


def test_a_folder_for_pictures_may_be_called_like_one_if_it_is_there(place):
    (place / "out.png").mkdir()
    assert run("fast", "photos/*.png", "starry_night", "-o", "out.png").out == f"{Path('out.png/one.png')}\n"


def test_a_warning_of_a_photograph_names_it_once():
    name = Path("hol/1x1.png")
    assert _blamed(name, ImpastoError("hol/1x1.png: too small")) == "hol/1x1.png: too small"
    assert _blamed(name, ImpastoError("out/1x1.png: the disk is full")) == "hol/1x1.png: out/1x1.png: the disk is full"


def test_a_folder_above_the_photographs_takes_their_pictures(place):
    (place / "in").mkdir()
    impasto.load("photo.png").save(place / "in" / "three.png")
    assert run("fast", "in", "starry_night", "-o", ".").out == "three.png\n"


def test_a_picture_in_the_place_of_a_photograph_is_refused_before_any_is_painted(place):
    # Painted into the folder above, in/in/one.png is where the photograph in/one.png lies.
    for folder in ("in", "in/in"):
        (place / folder).mkdir()
        shutil.copy("photo.png", f"{folder}/one.png")
    shutil.copy("photo.png", "in/first.png")
    done = run("fast", "in", "starry_night", "-o", ".")
    assert done.code == 2
    assert "in/in/one.png would be painted as in/one.png, which is a photograph" in done.error()
    assert not Path("first.png").exists()


def test_a_name_like_a_pattern_is_a_file(place):
    Path("photo.png").rename("photo[1].png")
    assert run("fast", "photo[1].png", "starry_night", "-o", "out.png").out == "out.png\n"


def test_what_has_no_effect_is_said(place):
    done = run("fast", "photo.png", "starry_night", "--style-size", "512", "-o", "out.png")
    assert done.code == 0
    assert "--style-size has no effect" in done.err
    assert "--blend" not in done.err
    done = run("fast", "photo.png", "starry_night", "--blend", "1", "--keep-color-amount", "0.5", "-q", "-o", "two.png")
    assert done.err.splitlines() == [
        "impasto: warning: --keep-color-amount has no effect: --keep-color is none",
        "impasto: warning: --blend has no effect: there is one style",
    ]


@pytest.mark.parametrize(
    ("patience", "every", "steps", "idle"),
    [(0, 1, 2, False), (1, 1, 2, True), (1, 1, 3, False), (1, 4, 7, True), (1, 3, 7, False)],
)
def test_patience_has_an_effect_where_there_are_checks_to_wait_for(patience, every, steps, idle):
    assert _patience_is_idle(patience, every, steps) == idle


def test_precision_is_that_of_the_look_too(place):
    line = ("fast", "photo.png", "painting.png", "--precision", "float32", "-o", "out.png")
    assert run(*line).code == 0
    expected = FastModel.load("any").stylize("photo.png", "painting.png", precision="float32")
    assert float((impasto.load("out.png").pixels - expected.pixels).abs().max()) < 0.51 / 255


def test_the_board_is_closed_in_the_end_whatever_happens(tmp_path):
    with pytest.raises(ZeroDivisionError), _board(str(tmp_path / "board")) as board:
        board.add_scalar("loss", 1 / 2, 1)
        _ = 1 / 0
    assert board.file_writer is None
    (written,) = (tmp_path / "board").iterdir()
    assert b"loss" in written.read_bytes()


def test_a_place_that_cannot_be_written_is_told_in_a_line(place):
    # A folder in the checkpoint's place, which root could not write to either.
    Path("mine.training.part").mkdir()
    done = run("train", "--style", "painting.png", "--content", "photos", "-o", "mine.safetensors", *TRAIN)
    assert done.code == 1
    assert "cannot be written to" in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


def test_few_photographs_are_warned_of(place):
    line = ("train", "--style", "painting.png", "--content", "photos", "-o", "mine.safetensors", "--force", *TRAIN)
    assert "2 photographs to learn from" in run(*line).err
    for number in range(18):
        shutil.copy("photo.png", f"photos/{number}.png")
    assert run(*line).err == ""


def test_a_signal_waits_for_the_step_to_be_whole():
    ended = []

    def steps():
        for step in range(3):
            signal.raise_signal(signal.SIGTERM)
            ended.append(step)
            yield step

    with Signals.caught() as signals, pytest.raises(Interruption):
        list(_one_by_one(steps(), signals))
    assert ended == [0]


@pytest.mark.slow
def test_training_that_is_interrupted_keeps_whole_steps_and_goes_on(place):
    line = ("train", "--style", "painting.png", "--content", "photos", "-o", "mine.safetensors", *TRAIN[2:])
    process = start(*line, "--steps", "100000")
    losses = Path("mine-losses.csv")
    while not Path("mine.training").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert done.code == 130, done.err
    reached = int(losses.read_text().splitlines()[-1].partition(",")[0])
    assert f"interrupted at step {reached} of 100000" in done.err
    with safe_open("mine.training", framework="pt") as file:
        assert json.loads(file.metadata()["impasto-training"])["step"] == reached
    # A picture of a step that it has not come to is none of its own, but the losses are.
    later = Path(f"mine-{reached + 1:06}.png")
    shutil.copy("photo.png", later)
    assert f"{later}: the file exists; add --force" in run(*line, "--steps", "100000").err
    later.unlink()
    process = start(*line, "--steps", "100000")
    while not later.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 130


def test_a_style_is_trained_and_used(place):
    done = run("train", "--style", "painting.png", "--content", "photos", "-o", "mine.safetensors", *TRAIN)
    assert done.code == 0, done.err
    assert done.out == "mine.safetensors\n"
    model = FastModel.load("mine.safetensors")
    assert model.styles == ("painting",)
    assert model.card["steps"] == 2
    assert run("fast", "photo.png", "painting", "--model", "mine.safetensors", "-o", "out.png").code == 0
    refused = run("train", "--style", "painting.png", "--content", "photos", "-o", "mine.safetensors", *TRAIN)
    assert "--force" in refused.error()


@pytest.mark.parametrize("name", ["my-losses.csv", "my-000002.png"])
def test_what_lies_beside_the_model_is_replaced_only_by_force(place, name):
    Path(name).write_bytes(b"precious")
    line = ("train", "--style", "painting.png", "--content", "photos", "-o", "my.safetensors", *TRAIN)
    done = run(*line)
    assert done.code == 1
    assert f"{name}: the file exists; add --force" in done.err
    assert Path(name).read_bytes() == b"precious"
    assert sorted(path.name for path in place.glob("my*")) == [name]
    assert run(*line, "--force").code == 0
    assert Path(name).read_bytes() != b"precious"


def test_an_input_of_training_is_never_replaced(place):
    painting = Path("my-000002.png")
    shutil.copy("painting.png", painting)
    before = painting.read_bytes()
    line = ("train", "--content", "photos", *TRAIN, "--force")
    done = run(*line, "--style", "my-000002.png", "-o", "my.safetensors")
    assert "my-000002.png: it is an input" in done.err
    # Nor is a photograph, or the model that is begun with.
    done = run(*line, "--style", "painting.png", "--content", ".", "-o", "my.safetensors")
    assert "my-000002.png: it is an input" in done.err
    done = run("train", "--any", "--styles", ".", *line[1:], "-o", "my.safetensors")
    assert "my-000002.png: it is an input" in done.err
    assert painting.read_bytes() == before
    shutil.copy(assets.path("models/brushes.safetensors"), "base.safetensors")
    done = run(*line, "--style", "painting.png", "--from", "base.safetensors", "-o", "base.safetensors")
    assert "base.safetensors: it is an input" in done.error()
    assert not Path("my.safetensors").exists()


@pytest.mark.slow
def test_any_is_trained(place):
    done = run("train", "--any", "--styles", ".", "--content", "photos", "-o", "all.safetensors", *TRAIN)
    assert done.code == 0, done.err
    assert FastModel.load("all.safetensors").predictor is not None


@pytest.mark.slow
def test_two_processes_learn_what_one_does(place):
    losses = []
    for name, launcher in (("one", ()), ("two", ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"))):
        command = [sys.executable, *launcher, "-m", "impasto"]
        arguments = ["train", "--style", "painting.png", "--content", "photos", "-o", f"{name}.safetensors", *TRAIN]
        arguments += ["--tensorboard", f"{name}-board"]
        subprocess.run(
            [*command, *arguments],
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            timeout=300,
        )
        with Path(f"{name}-losses.csv").open(newline="") as file:
            losses.append([float(row["held-out loss"]) for row in csv.DictReader(file)])
        assert len(list(Path(f"{name}-board").iterdir())) == 1
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
