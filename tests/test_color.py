"""Colours: OkLab against published values, and the properties of colour transfer.

Tolerance: Ottosson gives four digits; round trips are float32.
"""

import numpy as np
import pytest
import torch
from torch import Tensor

from impasto import color
from impasto.images import resize
from tests.conftest import painting_pixels, photo_pixels


def patch(*rgb: float) -> Tensor:
    return torch.tensor(rgb).view(1, 3, 1, 1)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((1.0, 1.0, 1.0), (1.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), (0.6280, 0.2249, 0.1258)),
        ((0.0, 1.0, 0.0), (0.8664, -0.2339, 0.1795)),
        ((0.0, 0.0, 1.0), (0.4520, -0.0324, -0.3115)),
    ],
)
def test_oklab_is_ottossons(rgb, lab):
    assert color.to_oklab(patch(*rgb)).flatten().tolist() == pytest.approx(lab, abs=1e-3)


def test_there_and_back():
    image = photo_pixels(20, 30)
    assert torch.allclose(color.from_oklab(color.to_oklab(image)), image, atol=1e-4)


def colors(image: Tensor) -> np.ndarray:
    return color.to_oklab(image).flatten(2)[0].double().numpy()


# Colours in the middle of the sRGB gamut, so that nothing is clipped.
PHOTO = 0.35 + 0.3 * photo_pixels(40, 50)
PAINTING = 0.35 + 0.3 * painting_pixels(30, 45).flip(1)


def test_covariance_matches_mean_and_covariance():
    matched = colors(color.match_covariance(PAINTING, PHOTO))
    assert matched.mean(1) == pytest.approx(colors(PHOTO).mean(1), abs=2e-3)
    assert np.cov(matched) == pytest.approx(np.cov(colors(PHOTO)), abs=2e-4)
    # Before the transfer they differ.
    assert np.abs(np.cov(colors(PAINTING)) - np.cov(colors(PHOTO))).max() > 1e-3


def test_covariance_leaves_its_own_colours_alone():
    assert torch.allclose(color.match_covariance(PHOTO, PHOTO), PHOTO, atol=1e-3)


def test_histogram_matches_every_channel():
    matched = colors(color.match_histogram(PAINTING, PHOTO))
    places = np.linspace(0, 1, 21)
    for one, other in zip(matched, colors(PHOTO), strict=True):
        assert np.quantile(one, places) == pytest.approx(np.quantile(other, places), abs=0.02)


def test_luminance_takes_colours_from_one_and_lightness_from_the_other():
    small = resize(PHOTO, (30, 45))
    kept = colors(color.keep_luminance(PAINTING, PHOTO))
    assert kept[0] == pytest.approx(colors(PAINTING)[0], abs=1e-3)
    assert kept[1:] == pytest.approx(colors(small)[1:], abs=1e-3)


@pytest.mark.parametrize("mode", ["luminance", "covariance", "histogram"])
def test_amount_goes_from_the_picture_to_the_colours(mode):
    assert torch.equal(color.keep_colors(PAINTING, PHOTO, mode, 0.0), PAINTING)
    whole, half = (color.keep_colors(PAINTING, PHOTO, mode, amount) for amount in (1.0, 0.5))
    assert torch.allclose(half, (PAINTING + whole) / 2, atol=1e-6)
    assert not torch.allclose(whole, PAINTING, atol=0.02)
    assert torch.equal(color.keep_colors(PAINTING, PHOTO, "none"), PAINTING)


@pytest.mark.parametrize("mode", ["luminance", "covariance", "histogram"])
@pytest.mark.parametrize("flat", [0.0, 0.5, 1.0])
def test_pictures_of_one_colour_stay_pictures(mode, flat):
    one = torch.full((1, 3, 8, 9), flat)
    for picture, photograph in ((one, PHOTO), (PHOTO, one), (one, one)):
        kept = color.keep_colors(picture, photograph, mode)
        assert torch.isfinite(kept).all()
        assert 0.0 <= float(kept.min()) <= float(kept.max()) <= 1.0
        assert kept.shape == picture.shape


def test_gray_has_lightness_and_nothing_else():
    lightness, *rest = colors(color.gray(PHOTO))
    assert lightness == pytest.approx(colors(PHOTO)[0], abs=1e-3)
    assert np.abs(rest).max() < 1e-3


def test_gray_like_spreads_lightness_like_the_photographs():
    like = colors(color.gray_like(PAINTING, PHOTO))
    assert like[0].mean() == pytest.approx(colors(PHOTO)[0].mean(), abs=5e-3)
    assert like[0].std() == pytest.approx(colors(PHOTO)[0].std(), rel=0.05)
    assert np.abs(like[1:]).max() < 1e-3
