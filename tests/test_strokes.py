"""The measured stroke width of paintings, and that the pastiche has strokes of the requested size at every size."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import impasto
from impasto import strokes
from impasto.errors import SettingsError
from impasto.images import Image, resize
from impasto.settings import Settings
from impasto.strokes import pattern_spectrum, stroke_size, stroke_width, style_scales
from tests import reference


def stripes(width: float, angle: float, side: int = 512) -> Image:
    """Light and dark stripes; the width is relative to the side."""
    place = (torch.arange(side, dtype=torch.float32) + 0.5) / side
    across = place[None] * math.cos(angle) + place[:, None] * math.sin(angle)
    return Image((0.5 + 0.3 * torch.sign(torch.sin(math.pi * across / width))).expand(1, 3, side, side))


# --- Stroke width of a painting


def test_the_pattern_spectrum_is_its_definition(monkeypatch):
    monkeypatch.setattr(strokes, "_RADII", (1, 2, 3, 5))
    plane = torch.rand((1, 1, 17, 23), generator=torch.Generator().manual_seed(0))
    expected = reference.pattern_spectrum(plane[0, 0].double().numpy(), (1, 2, 3, 5))
    # Sums in float32.
    np.testing.assert_allclose(pattern_spectrum(plane).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 4])
@pytest.mark.parametrize("width", [0.015, 0.03, 0.06])
def test_stripes_are_as_broad_as_they_are(width, angle):
    # Soft edges of a pixel make narrow stripes appear wider, and octagons differ from discs.
    assert stroke_width(stripes(width, angle)) == pytest.approx(width, rel=0.25)


def test_the_file_may_be_larger_or_smaller():
    painting = impasto.load("sample:starry_night")
    smaller = replace(painting, pixels=resize(painting.pixels, (280, 352)))
    assert stroke_width(smaller) == pytest.approx(stroke_width(painting), rel=0.1)


def test_broad_and_fine_paintings():
    widths = [stroke_width(impasto.load(f"sample:{name}")) for name in ("cafe_terrace", "starry_night", "the_scream")]
    assert widths == sorted(widths)
    assert widths[-1] > 1.3 * widths[0]


def test_what_is_blank_has_some_width():
    assert 0 < stroke_width(Image(torch.full((1, 3, 40, 60), 0.5))) < 0.02


# --- Stroke size of a pastiche


def test_the_scale_by_which_strokes_come_out():
    # The long side of a square is the root of its area; that of a panorama is longer.
    assert stroke_size(0.03, (100, 100)) == pytest.approx(3.0)
    assert stroke_size(0.03, (100, 400), scale=2.0) == pytest.approx(3.0)
    assert style_scales((0.03, 0.06), (100, 100), Settings(stroke_size=6)) == pytest.approx((2.0, 1.0))
    assert style_scales((0.03,), (400, 100), Settings(stroke_size=6)) == pytest.approx((4.0,))


def test_what_cannot_be_had():
    with pytest.raises(SettingsError, match=r"own strokes are 3 % of the long side, and can be scaled to 0\.3 to 24"):
        style_scales((0.03,), (100, 100), Settings(stroke_size=30))
    with pytest.raises(
        SettingsError, match=r"style_scale 2 already sets the size of the strokes; give only one of the two"
    ):
        Settings(stroke_size=3, style_scale=2)


def test_strokes_that_cannot_be_had_are_refused_at_once(photo, painting):
    with pytest.raises(SettingsError, match="stroke_size: got 50"):
        impasto.stylization(photo(48, 64), painting(60, 50), Settings(size=64, stroke_size=50, device="cpu"))
    steps = impasto.stylization(photo(48, 64), painting(60, 50), Settings(size=64, device="cpu"))
    with pytest.raises(SettingsError, match="stroke_size: got 50"):
        steps.change(stroke_size=50)
    steps.change(stroke_size=4)
    assert steps.settings.stroke_size == 4
    steps.close()


def test_the_paintings_own_size_is_as_without(photo, painting):
    content, style = photo(48, 64), painting(60, 50)
    own = stroke_size(stroke_width(style), content.size)
    options: dict[str, Any] = {"size": 64, "coarse_size": 48, "coarse_iterations": 3, "iterations": 2, "device": "cpu"}
    plain, wished = (impasto.stylize(content, style, **options, stroke_size=size).image for size in (0.0, own))
    assert torch.equal(plain.pixels, wished.pixels)


@pytest.mark.slow
def test_the_same_look_at_every_size():
    content, style = impasto.load("sample:red_panda"), impasto.load("sample:starry_night")

    def painted(size: int, stroke: float) -> list[torch.Tensor]:
        """The pictures at the end of the first and the last scale, both reduced to the smallest size."""
        ends = {}
        steps = impasto.stylization(
            content,
            style,
            Settings(size=size, stroke_size=stroke, strength=0.9, coarse_iterations=40, iterations=12, device="cpu"),
        )
        for step in steps:
            ends[step.scale] = step.preview().pixels
        return [resize(ends[scale], (64, 64)) for scale in (0, max(ends))]

    def likeness(one: torch.Tensor, other: torch.Tensor) -> float:
        return float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1])

    small, large = painted(96, 3.0), painted(192, 3.0)
    broad = painted(192, 9.0)
    same, wrong = likeness(small[1], large[1]), likeness(small[1], broad[1])
    # The correlation is far lower with strokes of a wrong size.
    assert same > 0.85
    assert 1 - wrong > 2 * (1 - same)
    # The preview of the first scale already shows the strokes of the final picture.
    assert likeness(large[0], large[1]) > likeness(large[0], broad[1])
