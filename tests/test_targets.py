"""Targets of one size: weights by strength, regions, the background that is kept, and terms on the image."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from impasto.backbones import VGG19
from impasto.errors import SettingsError
from impasto.guidance import Guidance
from impasto.images import Image
from impasto.losses import ColorRange, TotalVariation
from impasto.objective import Objective
from impasto.settings import Settings
from impasto.targets import objective_at
from impasto.weighting import balance

Make = Callable[[int, int], Image]

SHALLOW: dict[str, Any] = {"content_layers": "relu2_2", "style_layers": "relu1_1=3,relu2_1=1", "style_loss": "gram"}


@pytest.fixture(scope="module")
def network() -> VGG19:
    return VGG19("relu2_2")


@pytest.fixture
def objective(network: VGG19, photo: Make, painting: Make) -> Callable[..., Objective]:
    def make(guidance: Guidance | None = None, paintings: int = 1, **settings: Any) -> Objective:
        styles = [painting(40, 40 + 8 * index) for index in range(paintings)]
        return objective_at(network, photo(36, 48).pixels, styles, Settings(**(SHALLOW | settings)), guidance)

    return make


def half(left: bool) -> Image:
    pixels = torch.zeros(1, 3, 36, 48)
    pixels[..., :24] = 1.0
    return Image(pixels=pixels if left else 1 - pixels)


def test_layers_share_the_whole_weight(objective):
    found = objective(style_weight=8.0, content_weight=2.0, strength=0.75)
    assert found.style_weights == pytest.approx({"relu1_1": 6.0, "relu2_1": 2.0})
    assert sum(found.content_weights.values()) == pytest.approx(2.0)


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_strength_shifts_the_balance(objective, strength):
    found = objective(strength=strength, content_weight=1.0)
    content, style = balance(strength)
    assert found.content_weights["relu2_2"] == pytest.approx(content)
    assert found.regions[0].share == style


def test_regions_share_the_picture(objective):
    found = objective(Guidance(content_masks=(half(True), half(False)), paintings=2), paintings=2)
    assert [region.share for region in found.regions] == pytest.approx([0.5, 0.5], abs=0.01)
    left, right = (region.masks["relu1_1"] for region in found.regions)
    torch.testing.assert_close(left + right, torch.ones_like(left))
    assert not torch.equal(found.regions[0].style["relu1_1"].gram, found.regions[1].style["relu1_1"].gram)


@pytest.mark.parametrize(("background", "regions"), [("paint", 2), ("keep", 1)])
def test_a_kept_background_has_no_style(objective, background, regions):
    found = objective(Guidance(content_masks=(half(True),)), background=background)
    assert len(found.regions) == regions
    content = found.content_masks["relu2_2"]
    strongest, region = (
        balance(0.0 if background == "keep" else Settings().strength)[0],
        balance(Settings().strength)[0],
    )
    assert float(content[:, -1].mean()) == pytest.approx(strongest)
    assert float(content[:, 0].mean()) == pytest.approx(region)


def test_terms_on_the_image_follow_the_settings(objective):
    names = [term.name for term in objective(tv_weight=2.0, content_loss="laplacian").image_terms]
    assert names == ["content laplacian 4", "content laplacian 16", "tv", "range"]
    assert [type(term) for term in objective(tv_weight=2.0).image_terms] == [TotalVariation, ColorRange]
    assert objective(normalization="paper").image_terms == []


def test_as_many_strengths_as_regions(objective):
    with pytest.raises(SettingsError, match="2 for 1 regions"):
        objective(Guidance(content_masks=(half(True),)), region_strength=(0.1, 0.2))
