"""Figures: what is on them, and that they are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from PIL import Image as PilImage

from impasto import plots
from impasto.errors import ImageWriteError
from impasto.images import Image
from impasto.pastiche import Input, Pastiche, Recipe, TracePoint
from impasto.settings import Settings


def plain(color: tuple[float, float, float], size: tuple[int, int] = (40, 60), name: str = "plain.png") -> Image:
    return Image(pixels=torch.tensor(color).view(1, 3, 1, 1).expand(1, 3, *size).clone(), name=name)


def painted(scales: int = 3, iterations: int = 5) -> Pastiche:
    trace = [
        TracePoint(
            scale,
            (40 * (scale + 1), 60 * (scale + 1)),
            iteration,
            3.0 / iteration,
            {"content relu4_2": 1.0 / iteration, "style relu1_1": 2.0 / iteration},
        )
        for scale in range(scales)
        for iteration in range(1, iterations + 1)
    ]
    recipe = Recipe(settings=Settings(), content=Input("a.jpg", "0"), styles=(Input("b.jpg", "1"),))
    return Pastiche(plain((0.0, 0.0, 1.0)), recipe, trace)


def words(figure: object) -> str:
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def test_the_figure_shows_what_went_in_and_how_it_went() -> None:
    figure = plots.figure(plain((1.0, 0.0, 0.0), name="photo.jpg"), [plain((0.0, 1.0, 0.0), name="art.jpg")], painted())
    said = words(figure)
    for word in ("photo", "art", "Total", "relu4_2", "relu1_1", "strength 0.5", "60", "120", "180 px"):
        assert word in said
    assert "?" not in said
    pictures = [axes for axes in figure.axes if axes.images]
    assert len(pictures) == 3
    losses = next(axes for axes in figure.axes if not axes.images and len(axes.lines) > 3)
    assert losses.get_yscale() == "log"


def test_the_pictures_are_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    plots.save_figure(plain((1.0, 0.0, 0.0)), [plain((0.0, 1.0, 0.0))] * 2, painted(1), path)
    with PilImage.open(path) as file:
        colors = {color for count, color in file.convert("RGB").getcolors(1 << 24) if count > 1000}
    assert {(255, 0, 0), (0, 255, 0), (0, 0, 255)} <= colors


def test_a_name_is_no_formula_and_no_command() -> None:
    said = words(plots.figure(plain((1.0, 0.0, 0.0), name="$x_1$\x1b.jpg"), [plain((0.0, 1.0, 0.0))], painted(1)))
    assert "$x_1$" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"figure{suffix}"
    plots.write_figure(plots.grid_figure([("one", plain((0.5, 0.5, 0.5)))], columns=1), path)
    assert path.stat().st_size > 1000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["figure.xyz", "figure", "nowhere/figure.png"])
def test_a_place_that_will_not_do_is_refused_before_and_after(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageWriteError):
        plots.check_figure_path(tmp_path / name)
    with pytest.raises(ImageWriteError):
        plots.write_figure(plots.grid_figure([("one", plain((0.5, 0.5, 0.5)))], columns=1), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "figure.png"
    path.write_bytes(b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    figure = plots.grid_figure([("one", plain((0.5, 0.5, 0.5)))], columns=1)
    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ImageWriteError, match="full"):
        plots.write_figure(figure, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
