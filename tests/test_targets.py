"""Targets of one size: weights by strength, regions, the background that is kept, and terms on the image."""

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from impasto.backbones import VGG19, Architecture, Layer
from impasto.backbones.geometry import UNBOUNDED
from impasto.errors import SettingsError
from impasto.evaluators import Evaluator
from impasto.guidance import Guidance
from impasto.images import Image
from impasto.losses import ColorRange, TotalVariation
from impasto.objective import Objective
from impasto.settings import Settings
from impasto.targets import objective_at
from impasto.weighting import balance, within

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
    found = objective(style_weight=8.0, content_weight=2.0, strength=0.5)
    assert found.style_weights == pytest.approx({"relu1_1": 6.0, "relu2_1": 2.0})
    assert sum(found.content_weights.values()) == pytest.approx(2.0)


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_strength_shifts_the_balance(objective, strength):
    found = objective(strength=strength, content_weight=1.0)
    content, style = balance(strength)
    assert found.content_weights["relu2_2"] == pytest.approx(content)
    assert found.regions[0].share == style


# --- The painting as layers see it


FORMS: dict[str, Any] = {"style_layers": "relu1_1,relu1_2,relu2_1,relu2_2", "style_loss": "gram_statistics"}


def test_a_layer_that_sees_more_than_the_largest_form_does_not_count(objective):
    fields = {name: VGG19.architecture.layers[name].receptive_field for name in ("relu1_1", "relu1_2", "relu2_1")}
    assert list(fields.values()) == [3, 5, 10]
    # The short side is 36 px.
    for largest, counting in ((10.0 / 36, 3), (9.9 / 36, 2), (5.0 / 36, 2), (4.9 / 36, 1)):
        found = objective(**FORMS, largest_form=largest, style_weight=6.0)
        assert list(found.style_weights) == list(fields)[:counting] == list(found.regions[0].style)
        # What remains shares the whole weight of style.
        assert sum(found.style_weights.values()) == pytest.approx(6.0)
        assert found.layers == {*list(fields)[:counting], "relu2_2"}


def test_without_a_largest_form_every_layer_counts(objective):
    every = ["relu1_1", "relu1_2", "relu2_1", "relu2_2"]
    assert list(objective(**FORMS, largest_form=0.0).style_weights) == every
    assert list(objective(**FORMS, largest_form=100.0).style_weights) == every


def test_one_layer_always_counts(objective):
    assert list(objective(**FORMS, largest_form=1e-6).style_weights) == ["relu1_1"]
    coarse = {"style_layers": "relu2_1,relu2_2", "style_loss": "gram"}
    assert list(objective(**coarse, largest_form=1e-6).style_weights) == ["relu2_1"]
    # Gram matrices across layers need two.
    pair = objective(**(FORMS | {"style_loss": "cross_gram"}), largest_form=1e-6)
    assert list(pair.style_weights) == ["relu1_1×relu1_2"]


def test_layers_that_see_the_whole_of_any_picture_count_always():
    seeing = Mock(
        spec=Architecture,
        layers={
            "one": Layer("one", 8, 2, 10),
            "two": Layer("two", 8, 4, 60),
            "three": Layer("three", 8, 8, UNBOUNDED),
        },
    )
    weights = {"one": 1.0, "two": 2.0, "three": 3.0}
    assert within(weights, 0.5, seeing, (100, 200)) == {"one": 1.0, "three": 3.0}
    assert within(weights, 0.6, seeing, (200, 100)) == weights


def looked_at(settings: dict[str, Any], painting: Image, network: VGG19, photo: Make) -> dict[str, tuple[int, int]]:
    """The size of the painting as each term looks at it."""
    found = {}

    class Noting(Evaluator):
        def style_targets(self, backbone, painting, loss, terms, masks):
            found.update(dict.fromkeys(terms, tuple(painting.shape[-2:])))
            return super().style_targets(backbone, painting, loss, terms, masks)

    chosen: dict[str, Any] = {
        "content_layers": "relu2_2",
        "style_layers": "relu1_1,relu4_1",
        "largest_form": 0.0,
    } | settings
    objective_at(network, photo(96, 128).pixels, [painting], Settings(**chosen), evaluator=Noting())
    return found


def test_brushwork_comes_from_the_paintings_own_pixels(painting, photo):
    network = VGG19("relu4_1")
    small, large = painting(48, 48), painting(160, 160)
    of_area = {"relu1_1": (111, 111), "relu4_1": (111, 111)}
    assert looked_at({"enlarged": "all"}, small, network, photo) == of_area
    assert looked_at({"enlarged": "forms"}, small, network, photo) == {"relu1_1": (48, 48), "relu4_1": (111, 111)}
    # A painting that is large enough is looked at by all layers alike.
    assert looked_at({"enlarged": "forms"}, large, network, photo) == of_area
    # Strokes that are to be twice as broad are enlarged twice.
    broad = looked_at({"enlarged": "forms", "style_scale": 2.0}, small, network, photo)
    assert broad == {"relu1_1": (96, 96), "relu4_1": (222, 222)}


def test_terms_keep_their_order_when_looked_at_apart(painting, photo):
    network = VGG19("relu4_1")
    layers: dict[str, Any] = {"content_layers": "relu2_2", "style_layers": "relu1_1,relu2_1,relu4_1", "largest_form": 0}
    small = [painting(48, 48), painting(40, 60)]
    whole, apart = (
        objective_at(network, photo(96, 128).pixels, small, Settings(**layers, enlarged=enlarged))
        for enlarged in ("all", "forms")
    )
    assert list(apart.regions[0].style) == list(whole.regions[0].style) == ["relu1_1", "relu2_1", "relu4_1"]
    assert torch.equal(apart.regions[0].style["relu4_1"].gram, whole.regions[0].style["relu4_1"].gram)
    assert not torch.equal(apart.regions[0].style["relu1_1"].gram, whole.regions[0].style["relu1_1"].gram)


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
    with pytest.raises(SettingsError, match="2 for 1 region;"):
        objective(Guidance(content_masks=(half(True),)), region_strength=(0.1, 0.2))
