"""`impasto samples`, `presets` and `demo`: what comes with Impasto."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from impasto import assets
from impasto.images import read
from impasto.presets import preset
from impasto.settings import OPTIONS
from tests.cli_running import run

QUICK_PRESET = "iterations = 2\ncoarse_iterations = 2\ncoarse_size = 32\n"


def test_samples_lists_every_sample():
    done = run("samples")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].split() == ["name", "kind", "title", "author", "size", "licence"]
    assert [line.split()[0] for line in lines[1:]] == [sample.name for sample in assets.samples()]
    for line, sample in zip(lines[1:], assets.samples(), strict=True):
        for words in (sample.kind, sample.title, sample.author, f"{sample.width} × {sample.height} px", sample.licence):
            assert words in line


def test_samples_as_json():
    listed = json.loads(run("samples", "--json").out)["samples"]
    assert [one["name"] for one in listed] == [sample.name for sample in assets.samples()]
    for one in listed:
        assert Path(one["path"]).is_file()
        assert one["origin"]


def test_presets_lists_every_preset():
    done = run("presets")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == assets.presets()
    for line, name in zip(lines, assets.presets(), strict=True):
        assert preset(name).description in line


def test_presets_as_json():
    listed = json.loads(run("presets", "--json").out)["presets"]
    assert {one["name"]: one["values"] for one in listed} == {name: preset(name).values for name in assets.presets()}
    one = json.loads(run("presets", "default", "--json").out)
    assert one["settings"] == preset("default").settings().to_mapping()


@pytest.mark.parametrize("name", assets.presets())
def test_a_printed_preset_is_a_file_with_the_same_settings(tmp_path, name):
    file = tmp_path / "mine.toml"
    file.write_text(run("presets", name).out)
    assert preset(str(file)).settings() == preset(name).settings()
    assert preset(str(file)).description == preset(name).description
    assert set(tomllib.loads(file.read_text())) == {"description", *OPTIONS}
    for _, option in OPTIONS.values():
        assert option.meaning in file.read_text()


def test_a_printed_preset_survives_what_people_write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(
        'description = "a \\"quoted\\" \\\\ back\\u0007 \\u007f 🎨"\ninit = "my\\tpicture.png"\n'
        'style_layers = { relu1_1 = 0.1, "relu2_1" = 1e-7 }\n'
    )
    Path("again.toml").write_text(run("presets", "mine.toml").out)
    assert preset("again.toml").settings() == preset("mine.toml").settings()
    assert preset("again.toml").description == preset("mine.toml").description


@pytest.fixture
def quick(tmp_path, monkeypatch) -> tuple[str, ...]:
    """Options that make a quick demo, in an empty folder."""
    (tmp_path / "quick.toml").write_text(QUICK_PRESET)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    return ("--preset", "../quick.toml", "--size", "32")


def test_demo_paints_and_says_where(quick):
    done = run("demo", *quick)
    assert (done.code, done.out) == (0, "demo/pastiche.png\ndemo/figure.png\n")
    assert max(read("demo/pastiche.png").size) == 32
    assert read("demo/pastiche.png").text
    assert max(read("demo/figure.png").size) > 500
    assert sorted(path.name for path in Path("demo").iterdir()) == ["figure.png", "pastiche.png"]
    again = run("demo", *quick, "-q")
    assert (again.code, again.out) == (0, "demo-2/pastiche.png\ndemo-2/figure.png\n")


def test_demo_in_a_folder_of_choice(quick):
    done = run("demo", *quick, "-o", "a/b", "--json")
    assert done.code == 0
    assert json.loads(done.out)["output"] == "a/b/pastiche.png"
    refused = run("demo", *quick, "-o", "a/b")
    assert refused.code == 1
    assert refused.error() == "a/b/pastiche.png: the file exists; add --force to replace it, or choose another name"
    assert run("demo", *quick, "-o", "a/b", "-f").code == 0


def test_demo_where_no_folder_can_be(quick):
    Path("file").touch()
    refused = run("demo", *quick, "-o", "file/folder")
    assert refused.code == 1
    assert refused.error().startswith("file/folder: the folder cannot be made")


def test_samples_stand_for_pictures(quick):
    content, style = (
        next(sample.name for sample in assets.samples() if sample.kind == kind) for kind in ("photo", "painting")
    )
    done = run("stylize", f"sample:{content}", f"sample:{style}", *quick, "-q")
    assert (done.code, done.out) == (0, f"{content}-{style}.png\n")
    again = run("rerun", f"{content}-{style}.png", "-q")
    assert again.code == 0
    assert Path(again.out.rstrip()).read_bytes() == Path(f"{content}-{style}.png").read_bytes()
