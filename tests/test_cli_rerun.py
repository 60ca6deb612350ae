"""`impasto rerun` paints the same picture again, to the last bit, or says why it cannot."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto import api
from impasto.images import read, write
from impasto.recipes import METADATA_KEY, Recipe
from tests.cli_running import QUICK, make_pictures, run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_pictures(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paint(*options: str, styles: tuple[str, ...] = ("painting.png",), out: str = "out.png") -> None:
    done = run("stylize", "photo.png", *styles, *QUICK, "-q", "-o", out, *options)
    assert (done.code, done.notes) == (0, [])


def same_picture(one: str, other: str) -> bool:
    return torch.equal(read(one).pixels, read(other).pixels)


def rewrite(change: Callable[[dict[str, Any]], object], path: str = "out.png") -> None:
    """Changes the recipe inside a picture."""
    recipe = json.loads(Recipe.of_file(path).to_json())
    change(recipe)
    write(read(path), path, metadata={METADATA_KEY: json.dumps(recipe)})


@pytest.mark.promise("determinism")
@pytest.mark.parametrize(
    "options",
    [
        ("--init", "noise", "--seed", "3"),
        ("--optimizer", "adam", "--style-layers", "relu1_1=1,relu3_1=0.5", "--threads", "1"),
        ("--init", "other.png"),
    ],
    ids=" ".join,
)
def test_the_same_picture_to_the_last_bit(options):
    paint(*options, styles=("painting.png", "other.png"))
    done = run("rerun", "out.png", "-q")
    assert (done.code, done.out, done.notes) == (0, "out-rerun.png\n", [])
    assert Path("out-rerun.png").read_bytes() == Path("out.png").read_bytes()


def test_inputs_are_looked_for_beside_the_picture_and_here(folder, monkeypatch):
    paint()
    (folder / "here").mkdir()
    Path("painting.png").rename("here/painting.png")
    monkeypatch.chdir(folder / "here")
    done = run("rerun", "../out.png", "-q")
    assert (done.code, done.out, done.err) == (0, "out-rerun.png\n", "")
    assert same_picture("out-rerun.png", "../out.png")


def test_inputs_that_moved_can_be_named():
    paint(styles=("painting.png", "other.png"))
    for name in ("photo.png", "painting.png", "other.png"):
        Path(name).rename(f"moved-{name}")
    missing = run("rerun", "out.png")
    assert missing.code == 1
    assert missing.error().startswith("photo.png is not in ")
    assert missing.error().endswith("with --content")
    done = run(
        *("rerun", "out.png", "-q", "--content", "moved-photo.png"),
        *("--style", "moved-painting.png", "--style", "moved-other.png"),
    )
    assert (done.code, done.err) == (0, "")
    assert same_picture("out-rerun.png", "out.png")


def test_another_picture_than_the_recipe_had_is_taken_but_said():
    paint()
    done = run("rerun", "out.png", "-q", "--style", "other.png")
    assert done.code == 0
    assert done.err == ("impasto: warning: other.png is not the picture in the recipe; the result will differ\n")
    run("stylize", "photo.png", "other.png", *QUICK, "-o", "expected.png")
    assert same_picture("out-rerun.png", "expected.png")


def test_an_input_that_changed_is_not_taken_for_the_one_it_was():
    paint()
    Path("painting.png").write_bytes(Path("other.png").read_bytes())
    refused = run("rerun", "out.png")
    assert refused.code == 1
    assert refused.error().startswith("painting.png is not the picture it was")


def test_options_change_the_recipe_and_nothing_else():
    paint("--seed", "5", "--init", "noise")
    done = run("rerun", "out.png", "-q", "--size", "40", "-o", "larger.png", "--json")
    assert done.code == 0
    changed = Recipe.of_file("larger.png").settings
    assert changed == Recipe.of_file("out.png").settings.replace(size=40)
    assert json.loads(done.out)["settings"]["size"] == 40
    assert read("larger.png").width == 40


def test_another_start_replaces_the_picture_started_from():
    paint("--init", "other.png")
    Path("other.png").unlink()
    assert run("rerun", "out.png", "-q", "--init", "content").code == 0
    assert Recipe.of_file("out-rerun.png").init is None


def test_the_number_of_threads_is_the_recipes():
    paint("--threads", "1")
    rewrite(lambda recipe: recipe.update(threads=2))
    run("rerun", "out.png", "-q")
    assert Recipe.of_file("out-rerun.png").threads == 2
    run("rerun", "out.png", "-q", "-o", "one.png", "--threads", "1")
    assert Recipe.of_file("one.png").threads == 1


def test_thousands_of_threads_are_not_started():
    paint()
    rewrite(lambda recipe: recipe.update(threads=4096))
    done = run("rerun", "out.png", "-q")
    assert done.code == 0
    assert "was painted with 4096 threads" in done.err
    assert Recipe.of_file("out-rerun.png").threads < 4096


def test_other_versions_are_said():
    paint()
    rewrite(lambda recipe: recipe["versions"].update(torch="1.0", python="2.7"))
    done = run("rerun", "out.png", "-q")
    assert done.code == 0
    assert done.err.splitlines() == [
        "impasto: warning: the picture was painted with torch 1.0; "
        f"{torch.__version__} is installed: the last digits may differ"
    ]


def test_a_device_that_is_not_here_is_replaced_and_said():
    paint()
    rewrite(lambda recipe: recipe["settings"].update(device="cuda:5"))
    done = run("rerun", "out.png", "-q")
    assert done.code == 0
    assert done.err.startswith(
        "impasto: warning: the picture was painted on cuda:5, which this machine lacks; cpu is used"
    )
    refused = run("rerun", "out.png", "--device", "cuda:5")
    assert refused.code == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("photo.png", "photo.png holds no recipe"),
        ("missing.png", "missing.png: there is no such file"),
    ],
)
def test_pictures_without_a_recipe(name, message):
    refused = run("rerun", name)
    assert refused.code == 1
    assert refused.error().startswith(message)


def spoil_size(recipe):
    recipe["settings"]["size"] = 1e308


def spoil_name(recipe):
    recipe["content"]["name"] = "../../etc/passwd\n\x1b[31m"


def spoil_layers(recipe):
    recipe["settings"]["style_layers"] = {"relu9_9": 1.0}


def spoil_settings(recipe):
    recipe["settings"] = "rm -rf"


@pytest.mark.promise("hostile-settings")
@pytest.mark.parametrize("spoil", [spoil_size, spoil_name, spoil_layers, spoil_settings])
def test_a_hostile_recipe_is_refused_in_one_line(spoil):
    paint()
    rewrite_unchecked = json.loads(read("out.png").text[METADATA_KEY])
    spoil(rewrite_unchecked)
    write(read("out.png"), "out.png", metadata={METADATA_KEY: json.dumps(rewrite_unchecked)})
    before = set(Path.cwd().iterdir())
    refused = run("rerun", "out.png")
    assert refused.code in (1, 2)
    assert refused.error().isprintable()
    assert set(Path.cwd().iterdir()) == before


@pytest.mark.parametrize("name", ["photo.png", "painting.png", "out.png"])
def test_what_it_is_made_from_is_never_replaced(name):
    paint()
    before = Path(name).read_bytes()
    refused = run("rerun", "out.png", "-o", name, "--force")
    assert refused.code == 1
    assert "it is an input" in refused.error()
    assert Path(name).read_bytes() == before


def test_the_kind_of_file_stays():
    paint(out="out.webp")
    assert run("rerun", "out.webp", "-q").out == "out-rerun.webp\n"


def test_a_recipe_of_the_library_is_as_good():
    pastiche = api.stylize(read("photo.png"), "painting.png", size=32, iterations=2, coarse_iterations=2)
    pastiche.save("library.png")
    assert run("rerun", "library.png", "-q").code == 0
    assert same_picture("library.png", "library-rerun.png")


def test_recipe_fields_that_rerun_relies_on():
    """`rerun` finds each input by putting it where the content stands."""
    assert {"content", "styles", "init", "threads"} <= {field.name for field in dataclasses.fields(Recipe)}


def test_what_was_stopped_is_painted_to_the_end_and_said():
    steps = api.stylization("photo.png", "painting.png", api.settings_for("quick", size=64, coarse_size=32, scales=2))
    next(steps)
    progress = next(steps)
    progress.pastiche(stopped=True).save("half.png")
    assert Recipe.of_file("half.png").stopped == 2
    done = run("rerun", "half.png", "-q", "-o", "whole.png")
    assert done.notes == ["impasto: warning: the picture was stopped after 2 iterations; it is painted to the end now"]
    *_, last = steps
    assert same_picture("whole.png", str(last.pastiche().save("last.png")))
    assert Recipe.of_file("whole.png").stopped is None


def test_a_picture_of_the_fast_engine_is_told_from_others():
    assert run("fast", "photo.png", "starry_night", "-q", "-o", "fast.png").code == 0
    assert "painted by the fast engine" in run("rerun", "fast.png").error()


def test_standard_input_has_no_folder_to_look_in():
    assert run("rerun", "-").error().startswith("the inputs are searched beside the picture")


def test_a_folder_is_named_once(folder):
    paint()
    (folder / "photo.png").unlink()
    assert run("rerun", "out.png").error().count(str(folder)) == 1
