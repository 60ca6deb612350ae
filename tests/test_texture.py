"""Textures: style without content, of any shape, and without seams where they are tiled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import impasto
from impasto import api
from impasto.backbones.vgg import LAYERS, VGG19
from impasto.errors import SettingsError
from impasto.guidance import inside
from impasto.images import Image, read
from impasto.recipes import Recipe
from impasto.representations import Moments
from impasto.settings import Settings
from impasto.targets import objective_at
from tests.cli_running import make_pictures, run
from tests.conftest import painting_pixels

QUICK: dict[str, Any] = {"coarse_iterations": 6, "iterations": 4, "coarse_size": 32, "device": "cpu"}


@pytest.fixture(scope="module")
def painting() -> Image:
    return Image(pixels=painting_pixels(80, 72), name="painting.png")


def seam(pixels: Tensor, axis: int) -> float:
    """How far the first line is from the last, in steps from line to line."""
    steps = pixels.diff(dim=axis).abs().mean()
    ends = (pixels.narrow(axis, 0, 1) - pixels.narrow(axis, pixels.shape[axis] - 1, 1)).abs().mean()
    return float(ends / steps)


def test_a_texture_is_like_the_painting_and_nothing_else(painting):
    texture = impasto.texture(painting, width=64, height=48, **QUICK)
    assert texture.image.size == (48, 64)
    assert not any(term.startswith("content") for term in texture.trace[-1].terms)
    assert texture.trace[-1].value < 0.5 * texture.trace[0].value
    mean, wanted = texture.image.pixels.mean((2, 3)), painting.pixels.mean((2, 3))
    assert float((mean - wanted).abs().max()) < 0.1


def test_a_tile_continues_over_its_borders(painting):
    plain, tile = (
        impasto.texture(painting, width=96, height=64, tile=tile, **QUICK).image.pixels for tile in (False, True)
    )
    for axis in (2, 3):
        assert seam(tile, axis) < 2.0
        assert seam(tile, axis) < 0.6 * seam(plain, axis)


def test_a_tile_is_measured_by_a_painting_that_does_not_wrap_around():
    """Its lower border is next to its upper one nowhere, so a tile after it must not learn that they are."""
    pixels, layers = painting_pixels(96, 96), {"relu1_1": 1.0, "relu3_1": 1.0}
    settings = Settings(style_layers=layers, content_weight=0.0, padding="wrap")
    wrapping, mirroring = (VGG19("relu3_1", padding=padding) for padding in ("wrap", "reflect"))
    objective = objective_at(wrapping, torch.zeros(1, 3, 96, 96), [Image(pixels=pixels)], settings)
    around, within = wrapping(pixels, layers), mirroring(pixels, layers)
    for layer in layers:
        counted = inside(torch.ones(96, 96), LAYERS[layer], wraps=True)
        expected = Moments.of(within[layer], counted).gram
        torch.testing.assert_close(objective.regions[0].style[layer].gram, expected, rtol=1e-4, atol=1e-2)
        assert float((Moments.of(around[layer]).gram - expected).abs().max()) > 1.0


def test_a_tiles_sides_are_multiples_of_sixteen(painting):
    texture = impasto.texture(painting, width=70, height=60, tile=True, **QUICK)
    assert texture.image.size == (64, 64)
    assert {size for point in texture.trace for size in point.size} <= {32, 48, 64}


def test_another_seed_is_another_texture(painting):
    one, other, again = (
        impasto.texture(painting, width=48, height=48, seed=seed, **QUICK).image.pixels for seed in (1, 2, 1)
    )
    assert torch.equal(one, again)
    assert float((one - other).abs().mean()) > 0.02


@pytest.mark.parametrize(("width", "height", "name"), [(31, 64, "width"), (64, 40000, "height")])
def test_sides_out_of_range(width, height, name):
    with pytest.raises(SettingsError) as caught:
        api.texture_settings(Settings(), width=width, height=height)
    assert caught.value.setting == name


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make_pictures(tmp_path)
    monkeypatch.chdir(tmp_path)
    small = ("--coarse-size", "32", "--iterations", "1", "--coarse-iterations", "1", "-q")
    done = run("texture", "painting.png", "--width", "64", "--height", "48", "--tile", *small)
    assert (done.code, done.out) == (0, "texture-painting.png\n")
    assert read("texture-painting.png").size == (48, 64)
    recipe = Recipe.of_file("texture-painting.png")
    assert recipe.settings.padding == "wrap"
    assert recipe.content.name == "blank:64x48"
    # It can be painted again.
    assert run("rerun", "texture-painting.png", "-q", "-o", "again.png").code == 0
    assert Path("again.png").read_bytes() == Path("texture-painting.png").read_bytes()
    assert (
        "--width: got 5; it must be a whole number, 32 to 32768 px"
        in run("texture", "painting.png", "--width", "5").error()
    )
