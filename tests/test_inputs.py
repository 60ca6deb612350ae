"""Inputs: packed once from pictures in any form, and held against the settings."""

import pytest
import torch

from impasto.errors import SettingsError
from impasto.images import Image
from impasto.inputs import Inputs
from impasto.recipes import Fingerprint
from impasto.settings import Settings


def white(height: int, width: int) -> Image:
    return Image(pixels=torch.ones(1, 3, height, width))


def test_pictures_come_in_any_form():
    inputs = Inputs.load("sample:coffee", ["sample:the_scream", torch.rand(3, 40, 50)], init=torch.rand(3, 30, 30))
    assert inputs.content.name == "sample:coffee"
    assert [style.name for style in inputs.styles] == ["sample:the_scream", ""]
    assert inputs.styles[1].size == (40, 50)
    assert inputs.init is not None and inputs.init.size == (30, 30)
    assert not inputs.masked


def test_one_painting_and_one_mask_need_no_lists(photo, painting):
    inputs = Inputs.load(photo(30, 40), painting(32, 32), masks=white(30, 40), content_map=white(15, 20))
    assert len(inputs.styles) == 1 and inputs.masked
    assert inputs.guidance is not None and inputs.guidance.content_map is not None


def test_a_painting_is_needed(photo):
    with pytest.raises(SettingsError, match="style: got no painting"):
        Inputs.load(photo(30, 40), [])


def test_the_recipe_notes_all_of_them(photo, painting):
    mask = white(30, 40)
    inputs = Inputs.load(photo(30, 40), [painting(32, 32), painting(40, 32)], init=painting(20, 20), masks=mask)
    recipe = inputs.recipe(Settings(init="start.png"))
    assert recipe.content == Fingerprint.of(inputs.content)
    assert recipe.styles == tuple(map(Fingerprint.of, inputs.styles))
    assert recipe.init == Fingerprint.of(painting(20, 20))
    assert recipe.masks == (Fingerprint.of(mask),)
    assert inputs.recipe(Settings(init="fast")).init is None


def test_masks_of_another_shape_are_refused(photo, painting):
    inputs = Inputs.load(photo(30, 40), painting(32, 32), masks=white(40, 30))
    with pytest.raises(SettingsError, match="30 × 40 px, which is not the shape of the photograph, 40 × 30"):
        inputs.check(Settings())
    Inputs.load(photo(30, 40), painting(32, 32), masks=white(60, 80)).check(Settings())


def test_a_mask_with_transparency_is_what_it_shows_on_white(photo, painting):
    alpha = torch.zeros(1, 1, 30, 40)
    alpha[..., :20] = 1.0
    black = Image(pixels=torch.zeros(1, 3, 30, 40), alpha=alpha)
    inputs = Inputs.load(photo(30, 40), painting(32, 32), masks=black)
    assert inputs.guidance is not None
    (region,) = inputs.guidance.regions
    assert torch.equal(region.content, 1 - alpha[0, 0])
