"""`impasto sweep`: combinations in order, a sheet, a table, and going on where it stopped."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from impasto import devices, sweeps
from impasto.errors import SettingsError
from impasto.images import read
from impasto.recipes import Recipe
from impasto.settings import Settings
from tests.cli_running import make_pictures, run

SMALL = ("--size", "48", "--scales", "1", "--iterations", "1", "-q")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_pictures(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(path: str = "sheet.csv") -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- Cells


def test_what_has_commas_is_an_axis_unless_it_is_a_list():
    single, axes = sweeps.axes_of(
        {"strength": "0.3, 0.7", "style_layers": "relu1_1,relu2_1", "blend": "1,2", "size": 64}
    )
    assert single == {"style_layers": "relu1_1,relu2_1", "blend": "1,2", "size": 64}
    assert axes == [sweeps.Axis("strength", ("0.3", "0.7"))]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "got no setting with several values"),
        ({"strength": 0.5}, "got no setting with several values"),
        ({"style_layers": "relu1_1,relu2_1"}, "style_layers: got 'relu1_1,relu2_1', a list that is one value"),
        ({"strength": "0,1", "size": "32,64", "seed": "1,2"}, "strength and size and seed"),
        ({"strength": "0.3,0.3"}, "twice"),
    ],
)
def test_one_or_two_axes(given, said):
    with pytest.raises(SettingsError, match=said):
        sweeps.axes_of(given)


def test_the_first_axis_goes_down_and_the_second_across():
    axes = [sweeps.Axis("content_weight", ("0.1", "1")), sweeps.Axis("pooling", ("max", "average", "l2"))]
    cells = sweeps.cells(Settings(), axes)
    assert sweeps.columns(axes) == 3
    assert [(cell.settings.content_weight, cell.settings.pooling) for cell in cells] == [
        (weight, pooling) for weight in (0.1, 1.0) for pooling in ("max", "average", "l2")
    ]
    assert cells[1].label == "content_weight 0.1, pooling average"
    assert cells[1].stem == "content_weight=0.1,pooling=average"


def test_a_bad_value_is_refused_before_anything_is_painted():
    with pytest.raises(SettingsError, match="strength"):
        sweeps.cells(Settings(), [sweeps.Axis("strength", ("0.5", "2"))])
    done = run("sweep", "photo.png", "painting.png", *SMALL, "--strength", "0.5,high")
    assert done.code == 2
    assert "--strength: got 'high'" in done.error()
    assert not list(Path().glob("*sweep*"))


def test_a_stem_is_a_file_name():
    cell = sweeps.Cell({"init": "../a b/c.png"}, Settings())
    assert "/" not in cell.stem
    assert " " not in cell.stem


# --- The command


def test_a_sheet_a_table_and_pictures():
    arguments = ("--content-weight", "0.1,1", "--style-weight", "1,10,100", "-o", "sheet.png")
    done = run("sweep", "photo.png", "painting.png", *SMALL, *arguments)
    assert (done.code, done.out) == (0, "sheet.png\n")
    assert read("sheet.png").width > 300
    table = rows()
    assert [(row["content_weight"], row["style_weight"]) for row in table] == [
        (content, style) for content in ("0.1", "1") for style in ("1", "10", "100")
    ]
    for row in table:
        path = Path("sheet-pictures") / row["picture"]
        settings = Recipe.of_file(path).settings
        assert settings.content_weight == float(row["content_weight"])
        assert settings.style_weight == float(row["style_weight"])
        assert float(row["loss"]) > 0
        assert 0 <= float(row["style"]) < 2
        assert float(row["seconds"]) >= 0


def test_it_goes_on_where_it_was(folder):
    arguments = ("sweep", "photo.png", "painting.png", *SMALL, "--strength", "0.3,0.5,0.7", "-o", "sheet.png")
    assert run(*arguments).code == 0
    pictures = sorted((folder / "sheet-pictures").iterdir())
    before = {path: path.stat().st_mtime_ns for path in pictures}
    table = rows()
    Path("sheet.png").unlink()
    pictures[1].unlink()
    assert run(*arguments).code == 0
    assert sorted((folder / "sheet-pictures").iterdir()) == pictures
    changed = [path for path in pictures if path.stat().st_mtime_ns != before[path]]
    assert changed == [pictures[1]]
    assert [row["picture"] for row in rows()] == [row["picture"] for row in table]
    # Other settings are other pictures.
    Path("sheet.png").unlink()
    others = run(*arguments, "--seed", "5")
    assert "strength=0.3.png: the file exists; add --force" in others.error()
    assert run(*arguments, "--seed", "5", "--force").code == 0
    assert all(path.stat().st_mtime_ns != before[path] for path in pictures)


def test_as_json():
    axes = ("--seed", "1,2", "--pooling", "max,average")
    line = ("sweep", "photo.png", "painting.png", *SMALL, *axes, "-o", "s.jpg", "--json")
    found = json.loads(run(*line).out)
    assert (found["sheet"], found["table"]) == ("s.jpg", "s.csv")
    assert Path("s.jpg").read_bytes().startswith(b"\xff\xd8\xff")
    assert [(cell["seed"], cell["pooling"]) for cell in found["cells"]] == [
        (seed, pooling) for seed in (1, 2) for pooling in ("max", "average")
    ]
    for cell, row in zip(found["cells"], rows("s.csv"), strict=True):
        assert (cell["picture"], cell["faults"]) == (row["picture"], row["faults"])
        for name in ("seconds", "loss", "style", "content", "edges"):
            assert cell[name] == float(row[name])
    # Read from the table, they are what they were.
    Path("s.jpg").unlink()
    assert json.loads(run(*line).out) == found
    # What is no number there is null.
    text = Path("s.csv").read_text()
    for other in ("inf", "", "high"):
        Path("s.csv").write_text(text.replace(rows("s.csv")[0]["loss"], other, 1))
        Path("s.jpg").unlink()
        assert json.loads(run(*line).out)["cells"][0]["loss"] is None
        Path("s.csv").write_text(text)


def test_nothing_is_lost_by_it():
    Path("there.png").write_bytes(Path("photo.png").read_bytes())
    done = run("sweep", "photo.png", "painting.png", *SMALL, "--seed", "1,2", "-o", "there.png")
    assert "exists; add --force" in done.error()
    done = run("sweep", "photo.png", "painting.png", *SMALL, "--seed", "1,2", "-o", "photo.png", "--force")
    assert "it is an input" in done.error()


@pytest.mark.parametrize("name", ["u.csv", "u-pictures/seed=1.png", "u-pictures/seed=2.png"])
def test_what_lies_beside_the_sheet_is_replaced_only_by_force(name):
    Path("u-pictures").mkdir()
    other = Path(name)
    other.write_bytes(b"precious")
    arguments = ("sweep", "photo.png", "painting.png", *SMALL, "--seed", "1,2", "-o", "u.png")
    done = run(*arguments)
    assert f"{name}: the file exists; add --force" in done.error()
    assert other.read_bytes() == b"precious"
    assert not Path("u.png").exists()
    assert run(*arguments, "--force").code == 0
    assert other.read_bytes() != b"precious"


@pytest.mark.parametrize("name", ["u.csv", "u-pictures/seed=2.png"])
def test_an_input_beside_the_sheet_is_never_replaced(name):
    Path("u-pictures").mkdir()
    photograph = Path(name)
    photograph.write_bytes(Path("photo.png").read_bytes())
    before = photograph.read_bytes()
    for pair in ((name, "painting.png"), ("photo.png", "painting.png", "--init", name)):
        done = run("sweep", *pair, *SMALL, "--seed", "1,2", "-o", "u.png", "--force")
        assert f"{name}: it is an input" in done.error()
        assert photograph.read_bytes() == before


def test_a_table_that_holds_more_than_this_sweep_is_not_its_own():
    arguments = ("sweep", "photo.png", "painting.png", *SMALL, "-o", "u.png", "--seed")
    assert run(*arguments, "1,2").code == 0
    Path("u.png").unlink()
    # Fewer values: the row of the other would be lost.
    assert "u.csv: the file exists" in run(*arguments, "2,3").error()
    table = Path("u.csv").read_text()
    Path("u.csv").write_text(table.replace("faults", "mine"))
    assert "u.csv: the file exists" in run(*arguments, "1,2").error()
    Path("u.csv").write_text(table)
    # More values: the table grows.
    assert run(*arguments, "1,2,3").code == 0
    assert [row["seed"] for row in rows("u.csv")] == ["1", "2", "3"]


def test_a_picture_whose_numbers_are_lost_is_painted_again():
    # As a kill leaves it between a picture and its row.
    arguments = ("sweep", "photo.png", "painting.png", *SMALL, "--seed", "1,2", "-o", "u.png")
    assert run(*arguments).code == 0
    Path("u.png").unlink()
    lines = Path("u.csv").read_text().splitlines(keepends=True)
    for kept in (lines[:-1], []):
        Path("u.csv").write_text("".join(kept))
        if not kept:
            Path("u.csv").unlink()
        assert run(*arguments).code == 0
        assert len(rows("u.csv")) == 2
        Path("u.png").unlink()


@pytest.mark.parametrize(
    ("options", "said", "cell"),
    [
        (("--init", "content,gone.png"), "gone.png: there is no such file", "init gone.png"),
        (("--backbone", "vgg19,torchvision:nothing"), "nothing", "backbone torchvision:nothing"),
        (("--stroke-size", "3,45"), "--stroke-size: ", "--stroke-size 45"),
        (("--device", "cpu,cuda:77"), "cuda:77", "device cuda:77"),
        (("--seed", "1,2", "--region-strength", "0.5"), "got 1 for 0 regions", "seed 1"),
        (("--size", "48,32768"), "the largest that fits is about", "size 32768"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_every_cell_is_checked_before_the_first_is_painted(options, said, cell, monkeypatch):
    monkeypatch.setattr(devices, "memory", lambda device: devices.Memory(total=2**32, available=2**32))
    before = set(Path().iterdir())
    small = ("--scales", "1", "--iterations", "1", "-q")
    done = run("sweep", "photo.png", "painting.png", *small, *options, "-o", "sheet.png")
    assert done.code in (1, 2)
    assert said in done.error()
    assert done.error().endswith(f"this concerns the picture with {cell}; no picture is painted yet")
    assert set(Path().iterdir()) == before


def test_what_is_painted_already_is_not_checked_again(monkeypatch):
    arguments = ("sweep", "photo.png", "painting.png", *SMALL, "--seed", "1,2", "-o", "sheet.png")
    assert run(*arguments).code == 0
    Path("sheet.png").unlink()
    monkeypatch.setattr(devices, "memory", lambda device: devices.Memory(total=1, available=1))
    assert run(*arguments).code == 0


def test_without_an_axis_it_says_how():
    done = run("sweep", "photo.png", "painting.png", *SMALL)
    assert done.code == 2
    assert done.error().endswith("such as --strength 0.3,0.5,0.7")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--content-layers", "relu4_2,relu5_1"),
        ("--style-layers", "relu1_1,relu2_1"),
        ("--blend", "0.3,0.7"),
        ("--region-strength", "0.3,0.7"),
        ("--preset", "quick,default"),
        ("--weights", "a.pth,b.pth"),
    ],
)
def test_what_cannot_be_swept_is_said_of_what_was_typed(option, value):
    done = run("sweep", "photo.png", "painting.png", *SMALL, option, value)
    assert done.code == 2
    assert done.error().startswith(f"{option}: got '{value}', ")
    assert "cannot be swept" in done.error()
    assert done.error().endswith("such as --strength 0.3,0.5,0.7")
    # And help names it.
    assert option in run("sweep", "--help").out.partition("Input")[0]


def test_threads_are_one_number():
    assert "--threads: got 1,2" in run("sweep", "photo.png", "painting.png", *SMALL, "--threads", "1,2").error()
