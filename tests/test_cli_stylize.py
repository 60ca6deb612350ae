"""`impasto stylize` paints, and puts the result where it was asked to, and nowhere else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from impasto import api
from impasto.images import WRITABLE_SUFFIXES, read
from impasto.recipes import Recipe
from tests.cli_running import QUICK, make_pictures, run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_pictures(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new_files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"photo.png", "painting.png", "other.png"}


def test_the_picture_is_the_one_that_the_library_paints(folder):
    done = run("stylize", "photo.png", "painting.png", *QUICK)
    assert (done.code, done.out) == (0, "photo-painting.png\n")
    assert done.err.startswith("impasto: painted 32 × 24 px in ")
    assert done.err.count("\n") == 1
    assert new_files(folder) == {"photo-painting.png"}
    same = api.stylize("photo.png", "painting.png", size=32, iterations=2, coarse_iterations=2)
    same.save("same.png")
    assert Path("same.png").read_bytes() == Path("photo-painting.png").read_bytes()


def test_quiet_says_nothing_but_the_result():
    done = run("stylize", "photo.png", "painting.png", *QUICK, "-q")
    assert (done.code, done.out, done.err) == (0, "photo-painting.png\n", "")


def test_a_chosen_name_gets_a_number_rather_than_replacing_a_file(folder):
    Path("photo-painting.png").write_text("mine")
    Path("photo-painting-2.png").symlink_to("nowhere")
    done = run("stylize", "photo.png", "painting.png", *QUICK, "-q")
    assert done.out == "photo-painting-3.png\n"
    assert Path("photo-painting.png").read_text() == "mine"


def test_a_file_is_replaced_only_by_force():
    Path("out.png").write_text("mine")
    refused = run("stylize", "photo.png", "painting.png", *QUICK, "-o", "out.png")
    assert refused.code == 1
    assert refused.error() == "out.png: the file exists; add --force to replace it, or choose another name"
    assert Path("out.png").read_text() == "mine"
    done = run("stylize", "photo.png", "painting.png", *QUICK, "-q", "-o", "out.png", "--force")
    assert (done.code, done.out) == (0, "out.png\n")
    assert read("out.png").size == (24, 32)


@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
def test_the_suffix_says_the_format(suffix):
    done = run("stylize", "photo.png", "painting.png", *QUICK, "-q", "--no-metadata", "-o", f"out{suffix}")
    assert (done.code, done.err) == (0, "")
    assert read(f"out{suffix}").format == WRITABLE_SUFFIXES[suffix]


def test_format_names_the_chosen_file():
    done = run("stylize", "photo.png", "painting.png", *QUICK, "-q", "--format", "WebP")
    assert done.out == "photo-painting.webp\n"
    assert read("photo-painting.webp").format == "WebP"


@pytest.mark.parametrize("name", ["out", "out.xyz"])
def test_a_format_does_not_name_a_file(name):
    refused = run("stylize", "photo.png", "painting.png", *QUICK, "-o", name, "--format", "png")
    assert refused.code == 2
    assert refused.error() == f"--format: the format follows from the suffix of --out; name the picture {name}.png"


def test_warnings_call_options_as_they_are_typed():
    done = run("stylize", "photo.png", "painting.png", *QUICK, "-q", "--optimizer", "adam", "--history", "5")
    assert done.notes == ["impasto: warning: --history has no effect: it belongs to L-BFGS, and optimizer is adam"]


def test_bit_depth_and_quality_reach_the_file():
    assert run("stylize", "photo.png", "painting.png", *QUICK, "--bit-depth", "16", "-o", "deep.png").code == 0
    assert read("deep.png").bit_depth == 16
    for quality in ("20", "95"):
        assert (
            run("stylize", "photo.png", "painting.png", *QUICK, "--quality", quality, "-o", f"{quality}.jpg").code == 0
        )
    assert Path("20.jpg").stat().st_size < Path("95.jpg").stat().st_size


def test_quality_that_means_nothing_is_said():
    done = run("stylize", "photo.png", "painting.png", *QUICK, "-q", "--quality", "50")
    assert done.code == 0
    assert done.err == "impasto: warning: --quality has no effect on PNG, which is lossless\n"


def test_the_recipe_is_inside_unless_it_is_not_wanted():
    run("stylize", "photo.png", "painting.png", "other.png", *QUICK, "-o", "with.png")
    recipe = Recipe.of_file("with.png")
    assert recipe.content.name == "photo.png"
    assert [style.name for style in recipe.styles] == ["painting.png", "other.png"]
    run("stylize", "photo.png", "painting.png", *QUICK, "--no-metadata", "-o", "without.png")
    assert "impasto" not in read("without.png").text


def test_several_styles_are_blended_and_named():
    done = run("stylize", "photo.png", "painting.png", "other.png", *QUICK, "-q")
    assert done.out == "photo-painting+other.png\n"


def test_options_may_stand_between_pictures():
    done = run("stylize", *QUICK, "photo.png", "-q", "painting.png", "--seed", "1", "other.png")
    assert done.out == "photo-painting+other.png\n"


def test_names_that_look_like_options_follow_two_hyphens():
    Path("-photo.png").write_bytes(Path("photo.png").read_bytes())
    done = run("stylize", *QUICK, "-q", "-o", "out.png", "--", "-photo.png", "painting.png")
    assert (done.code, done.out) == (0, "out.png\n")


def test_long_names_still_make_a_name():
    name = "ä" * 120 + ".png"
    Path(name).write_bytes(Path("photo.png").read_bytes())
    done = run("stylize", name, name, *QUICK, "-q")
    assert done.code == 0
    assert Path(done.out.rstrip()).is_file()


def test_a_name_that_is_no_text_is_printed_as_it_is():
    name = os.fsdecode(b"photo-\xff.png")
    Path(name).write_bytes(Path("photo.png").read_bytes())
    done = run("stylize", name, "painting.png", *QUICK, "-q")
    assert done.code == 0
    assert done.bytes == b"photo-\xff-painting.png\n"


def test_json_holds_everything():
    done = run(
        *("stylize", "photo.png", "painting.png", *QUICK, "--json", "--figure", "figure.svg", "--save-every", "1"),
        *("-o", "out.png", "--threads", "1"),
    )
    assert done.code == 0
    record = json.loads(done.out)
    assert done.out.count("\n") == 1
    assert record["output"] == "out.png"
    assert record["figure"] == "figure.svg"
    assert record["stages"] == ["out-0001.png", "out-0002.png"]
    assert (record["width"], record["height"], record["iterations"]) == (32, 24, 2)
    assert record["loss"] == pytest.approx(sum(record["terms"].values()), rel=1e-4)
    assert record["seconds"] > 0
    assert record["complete"] is True
    assert record["settings"]["size"] == 32
    assert record["recipe"] == json.loads(Recipe.of_file("out.png").to_json())
    assert record["recipe"]["threads"] == 1


def test_the_figure_is_drawn(folder):
    done = run("stylize", "photo.png", "painting.png", *QUICK, "-q", "-o", "out.png", "--figure", "figure.pdf")
    assert (done.code, done.out) == (0, "out.png\nfigure.pdf\n")
    assert Path("figure.pdf").read_bytes().startswith(b"%PDF")
    assert new_files(folder) == {"out.png", "figure.pdf"}


def test_stages_are_saved_beside_the_picture(folder):
    done = run(
        *("stylize", "photo.png", "painting.png", "-q", "-o", "out.jpg", "--save-every", "2"),
        *("--size", "64", "--coarse-size", "32", "--scales", "2", "--iterations", "3", "--coarse-iterations", "3"),
    )
    assert (done.code, done.out) == (0, "out.jpg\n")
    assert new_files(folder) == {"out.jpg", "out-0001.jpg", "out-0002.jpg", "out-0003.jpg"}
    assert [read(f"out-000{number}.jpg").width for number in (1, 2, 3)] == [32, 64, 64]


def test_stages_of_an_earlier_run_are_replaced_only_by_force():
    Path("out-0007.png").write_text("mine")
    arguments = ("stylize", "photo.png", "painting.png", *QUICK, "-o", "out.png", "--save-every", "1")
    refused = run(*arguments)
    assert refused.code == 1
    assert "out-0007.png: this file of an earlier run exists; add --force" in refused.error()
    assert run(*arguments, "--force").code == 0


def test_a_stage_that_cannot_be_written_does_not_end_the_painting(monkeypatch):
    from impasto.cli.outputs import Output
    from impasto.errors import ImageWriteError

    def fail(*_):
        raise ImageWriteError("out-0001.png: the disk is full")

    monkeypatch.setattr(Output, "save_stage", fail)
    done = run("stylize", "photo.png", "painting.png", *QUICK, "-q", "-o", "out.png", "--save-every", "1")
    assert (done.code, done.out) == (0, "out.png\n")
    assert done.err == (
        "impasto: warning: out-0001.png: the disk is full; no more stages are saved, painting continues\n"
    )


def test_a_picture_from_standard_input():
    done = run("stylize", "-", "painting.png", *QUICK, "-q", stdin=Path("photo.png").read_bytes())
    assert (done.code, done.out) == (0, "stdin-painting.png\n")
    run("stylize", "photo.png", "painting.png", *QUICK, "-o", "same.png")
    assert torch.equal(read("stdin-painting.png").pixels, read("same.png").pixels)


@pytest.mark.parametrize(("options", "kind"), [((), "PNG"), (("--format", "jpeg"), "JPEG")])
def test_a_picture_to_standard_output(folder, options, kind):
    done = run("stylize", "photo.png", "painting.png", *QUICK, "-o", "-", *options)
    assert done.code == 0
    assert read(done.bytes).format == kind
    assert done.err.count("\n") == 1
    assert new_files(folder) == set()


def test_the_picture_on_standard_output_is_the_one_in_the_file():
    streamed = run("stylize", "photo.png", "painting.png", *QUICK, "-o", "-")
    run("stylize", "photo.png", "painting.png", *QUICK, "-o", "out.png")
    assert streamed.bytes == Path("out.png").read_bytes()


def test_the_figure_beside_a_picture_on_standard_output_is_not_announced_there(folder):
    done = run("stylize", "photo.png", "painting.png", *QUICK, "-q", "-o", "-", "--figure", "figure.png")
    assert done.code == 0
    assert read(done.bytes).size == (24, 32)
    assert done.bytes.endswith(b"IEND\xaeB`\x82")
    assert new_files(folder) == {"figure.png"}


def test_a_picture_to_start_from():
    done = run("stylize", "photo.png", "painting.png", *QUICK, "--init", "other.png", "-o", "out.png")
    assert done.code == 0
    assert Recipe.of_file("out.png").init.name == "other.png"
    refused = run("stylize", "photo.png", "painting.png", *QUICK, "--init", "other.png", "-o", "other.png", "--force")
    assert refused.code == 1
    assert "other.png: it is an input" in refused.error()


def test_threads_are_used():
    run("stylize", "photo.png", "painting.png", *QUICK, "--threads", "1", "-o", "one.png")
    assert Recipe.of_file("one.png").threads == 1


def test_warnings_are_lines():
    import PIL.Image

    PIL.Image.new("RGBA", (64, 48), (10, 200, 30, 100)).save("clear.png")
    PIL.Image.new("RGB", (64, 48)).save(
        "moving.gif", save_all=True, append_images=[PIL.Image.new("RGB", (64, 48), "red")]
    )
    done = run("stylize", "moving.gif", "painting.png", *QUICK, "-q", "-o", "out.png")
    assert done.code == 0
    assert done.err.startswith("impasto: warning: moving.gif: it is animated")
    assert done.err.count("\n") == 1
