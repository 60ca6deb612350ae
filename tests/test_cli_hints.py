"""Mistakes of newcomers are answered with what to type instead, before anything is painted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

import impasto
from impasto.cli.outputs import Output
from impasto.images import Image
from tests.cli_running import QUICK, make_pictures, run


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_pictures(tmp_path)
    (tmp_path / "hol").mkdir()
    for number in (1, 2, 3):
        shutil.copy("photo.png", f"hol/IMG_{number}.png")
    return tmp_path


@pytest.mark.parametrize("command", ["stylize", "fast", "sweep", "judge"])
def test_an_address_is_not_fetched(place, command):
    more = ("photo.png",) if command == "judge" else ()
    done = run(
        command,
        "https://example.org/photo.jpg",
        "painting.png",
        *more,
        *(("--seed", "1,2") if command == "sweep" else ()),
    )
    assert done.code == 1
    assert done.error() == (
        "https://example.org/photo.jpg: Impasto fetches nothing from the network; download it, and name the file"
    )


@pytest.mark.parametrize("command", ["stylize", "sweep", "texture"])
def test_a_bundled_picture_without_its_prefix(place, command):
    names = ("starry_night",) if command == "texture" else ("photo.png", "starry_night")
    done = run(command, *names, *(("--seed", "1,2") if command == "sweep" else ()))
    assert done.code == 1
    assert done.error() == ("starry_night: there is no such file; for the bundled picture, type sample:starry_night")


@pytest.mark.parametrize("command", ["stylize", "fast", "sweep"])
def test_an_output_without_its_option(place, command):
    done = run(command, "photo.png", "painting.png", "out.png", *(("--seed", "1,2") if command == "sweep" else ()))
    assert done.code == 1
    assert done.error() == "out.png: there is no such file; to write the result there, type -o out.png"


@pytest.mark.parametrize("command", ["stylize", "fast"])
@pytest.mark.parametrize("names", [("1", "2", "3"), ("1", "2")])
def test_a_pattern_that_the_shell_has_expanded(place, command, names):
    for number in (1, 2, 3):
        if str(number) not in names:
            Path(f"hol/IMG_{number}.png").unlink()
    shutil.copy("photo.png", "hol/other.png")
    photographs = [f"hol/IMG_{number}.png" for number in names]
    for style in ("sample:starry_night", "painting.png"):
        done = run(command, *photographs, style, "-o", "x.png")
        assert done.code == 2
        assert f"impasto {command} 'hol/IMG_*.png' {style} -o painted/" in done.error()
        assert f"got {len(names)} pictures" in done.error()
    Path("hol/other.png").unlink()
    if len(names) == 2:
        return
    assert f"impasto {command} 'hol/*.png' painting.png" in run(command, *photographs, "painting.png").error()


def test_paintings_of_one_folder_are_blended(place):
    some = ("hol/IMG_1.png", "hol/IMG_2.png")
    assert run("fast", "photo.png", *some, "-o", "a.png").code == 0
    assert run("fast", "hol/IMG_3.png", *some, "-o", "b.png").code == 0
    assert run("fast", *some, "hol/IMG_3.png", "-o", "c.png").code == 0
    assert run("fast", *some, "hol/IMG_3.png", "painting.png", "--blend", "1,1,1", "-o", "d.png").code == 0


def test_the_output_may_be_a_folder(place):
    Path("results").mkdir()
    for name in ("results/", "results"):
        done = run("fast", "photo.png", "starry_night", "-o", name)
        assert done.code == 0, done.err
    assert done.out == f"{Path('results/photo-starry_night-2.png')}\n"
    assert (place / "results" / "photo-starry_night.png").exists()
    done = run("stylize", "photo.png", "painting.png", "-o", "nowhere/", *QUICK)
    assert (done.code, done.error().endswith("nowhere; make it first")) == (1, True)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that takes no files, such as Linux' /proc")
@pytest.mark.parametrize("command", ["stylize", "fast"])
def test_a_folder_that_takes_no_files_is_noticed_before_painting(place, command, monkeypatch):
    monkeypatch.setattr(Output, "save", lambda *_, **__: pytest.fail("it was painted"))
    done = run(command, "photo.png", "painting.png", "-o", "/proc/out.png", "--size", "64")
    assert done.code == 1
    assert done.error() == "/proc/out.png: no file can be made in /proc; choose another folder"


def test_a_small_photograph_that_is_enlarged(place):
    done = run("stylize", "photo.png", "painting.png", "-o", "out.png", "--size", "97", *QUICK[2:])
    assert done.code == 0
    assert done.notes[0] == (
        "impasto: the photograph has 64 × 48 px, and is enlarged to 97 × 73; --size 64 keeps its size, and is faster"
    )
    quiet = run("stylize", "photo.png", "painting.png", "-o", "b.png", "--size", "97", "--quiet", *QUICK[2:])
    assert not any("enlarged" in line for line in quiet.notes)
    done = run("stylize", "photo.png", "painting.png", "-o", "c.png", "--size", "96", *QUICK[2:])
    assert not any("enlarged" in line for line in done.notes)


def test_an_object_on_a_blank_ground(place):
    pixels = torch.full((1, 3, 48, 64), 0.97)
    pixels[..., 12:40, 16:50] = torch.rand(3, 28, 34, generator=torch.Generator().manual_seed(1))
    Image(pixels=pixels).save("vase.jpg")
    hint = "--mask FILE --background keep"
    assert hint in run("stylize", "vase.jpg", "painting.png", "-o", "a.png", *QUICK).err
    mask = torch.zeros(1, 3, 48, 64)
    mask[..., 12:40, 16:50] = 1
    Image(pixels=mask).save("mask.png")
    masked = ("--mask", "mask.png", "--background", "keep")
    assert hint not in run("stylize", "vase.jpg", "painting.png", "-o", "b.png", *masked, *QUICK).err
    assert hint not in run("stylize", "photo.png", "painting.png", "-o", "c.png", *QUICK).err
    # A picture of one colour shows no object; a transparent ground stays transparent.
    Image(pixels=torch.full((1, 3, 48, 64), 0.5)).save("blank.png")
    assert hint not in run("stylize", "blank.png", "painting.png", "-o", "d.png", *QUICK).err
    Image(pixels=pixels, alpha=mask[:, :1].clone()).save("cut.png")
    assert hint not in run("stylize", "cut.png", "painting.png", "-o", "e.png", *QUICK).err


@pytest.mark.parametrize("command", ["stylize", "fast", "sweep"])
def test_a_tiny_painting(place, command):
    Image(pixels=torch.rand(1, 3, 4, 4)).save("dot.png")
    options = ("--seed", "1,2", *QUICK) if command == "sweep" else QUICK if command == "stylize" else ()
    done = run(command, "photo.png", "dot.png", "-o", "out.png", *options)
    assert done.code == 0, done.err
    factor = 14 if command == "fast" else 7
    assert f"impasto: warning: dot.png has only 4 × 4 px and is enlarged {factor} times; take a larger" in done.err
    if command == "stylize":
        assert done.err.count("dot.png") == 1
        judged = run("judge", "photo.png", "dot.png", "photo.png", "--json")
        (found,) = json.loads(judged.out)["judgements"]
        assert "enlarged painting" in [fault["kind"] for fault in found["faults"]]


def test_what_is_skipped_in_a_folder_is_named_and_counted(place):
    picture = Path("hol/IMG_1.png").read_bytes()
    for name, data in {
        "without": picture,
        "notes.txt": b"a list",
        "film.mp4": b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
        "._IMG_1.png": b"\0\5\x16\7",
        ".DS_Store": b"\0",
    }.items():
        Path("hol", name).write_bytes(data)
    impasto.load("photo.png").save("hol/photo.jpg")
    Path("hol/photo.jpg").rename("hol/photo.JFIF")
    done = run("fast", "hol", "starry_night", "-o", "painted", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert [Path(path).name for path in report["outputs"]] == [
        "IMG_1.png",
        "IMG_2.png",
        "IMG_3.png",
        "photo.jpg",
        "without.png",
    ]
    assert report["skipped"] == [
        {"file": str(Path("hol/film.mp4")), "reason": "it is a video"},
        {"file": str(Path("hol/notes.txt")), "reason": "it is not a picture that Impasto reads"},
    ]
    lines = done.err.splitlines()
    assert lines[0] == f"impasto: warning: {Path('hol/film.mp4')} is skipped: it is a video"
    assert lines[-1].startswith("impasto: painted 5 pictures in ")
    assert lines[-1].endswith(", 2 skipped")


def test_two_runs_over_one_folder(place, monkeypatch):
    """What the other run has painted meanwhile counts as there already, and nothing is left behind."""
    monkeypatch.setenv("TMPDIR", str(place / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (place / "temporary").mkdir()
    real_check, real_save = Output.check, Output.save

    def check(self):
        if self.path.name == "IMG_1.png":
            shutil.copy("photo.png", self.path)
        real_check(self)

    def save(self, picture, **options):
        if self.path.name == "IMG_2.png":
            shutil.copy("photo.png", self.path)
        return real_save(self, picture, **options)

    monkeypatch.setattr(Output, "check", check)
    monkeypatch.setattr(Output, "save", save)
    done = run("fast", "hol", "starry_night", "-o", "painted")
    assert done.code == 0, done.err
    assert done.out == f"{Path('painted/IMG_3.png')}\n"
    assert done.err.startswith("impasto: painted 1 picture in ")
    assert done.err.endswith(", 2 there already\n")
    assert list((place / "temporary").iterdir()) == []
    for number in (1, 2):
        assert Path(f"painted/IMG_{number}.png").read_bytes() == Path("photo.png").read_bytes()


@pytest.mark.parametrize("content", ["hol", "hol/*.png"])
def test_several_photographs_are_a_batch(place, content):
    Path("hol/notes.txt").write_text("a list")
    done = run("stylize", content, "painting.png", "-o", "painted", "--json", *QUICK)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert [Path(path).name for path in report["outputs"]] == ["IMG_1.png", "IMG_2.png", "IMG_3.png"]
    assert len(report["skipped"]) == (content == "hol")
    # Each is what it would be if it were painted alone, and tells how.
    alone = run("stylize", "hol/IMG_2.png", "painting.png", "-o", "alone.png", *QUICK)
    assert alone.code == 0
    assert torch.equal(impasto.load("painted/IMG_2.png").pixels, impasto.load("alone.png").pixels)
    Path("painted/IMG_1.png").unlink()
    again = run("stylize", content, "painting.png", "-o", "painted", *QUICK)
    assert again.out == f"{Path('painted/IMG_1.png')}\n"
    assert again.err.splitlines()[-1].startswith("impasto: painted 1 picture in ")
    assert "2 there already" in again.err


@pytest.mark.parametrize(
    "option", [("--mask", "photo.png"), ("--checkpoint", "c"), ("--figure", "f.png"), ("--save-every", "1")]
)
def test_options_for_one_photograph_are_refused_for_many(place, option):
    done = run("stylize", "hol", "painting.png", "-o", "painted", *option, *QUICK)
    assert (done.code, done.error()) == (
        2,
        f"{option[0]}: it is for one photograph, and CONTENT stands for many; name one, or leave it out",
    )


def test_the_home_folder_in_a_preset(place, monkeypatch):
    """A shell replaces ~ on the command line, and nobody in a file."""
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("USERPROFILE", str(place))
    Path("mine.toml").write_text('init = "~/other.png"\n')
    done = run("stylize", "photo.png", "painting.png", "-o", "out.png", "--preset", "mine.toml", *QUICK)
    assert done.code == 0, done.err
    assert json.loads(impasto.load("out.png").text["impasto"])["init"]["name"] == "other.png"


def test_a_preset_is_written_to_a_file(place):
    assert run("presets", "quick", "-o", "mine.toml").out == "mine.toml\n"
    assert impasto.preset("mine.toml").settings() == impasto.preset("quick").settings()
    done = run("presets", "quick", "-o", "mine.toml")
    assert (done.code, "exists already" in done.error()) == (2, True)
    assert "must end in .toml" in run("presets", "quick", "-o", "mine.txt").error()
    assert "impasto presets default -o x.toml" in run("presets", "-o", "x.toml").error()
