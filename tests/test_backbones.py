"""Backbones by name, and the properties of every architecture."""

import pytest

from impasto.backbones import VGG19, architecture
from impasto.errors import SettingsError
from impasto.settings import Settings
from impasto.weighting import layer_weights


def test_the_embedded_network_is_the_default():
    assert architecture(Settings().backbone) is VGG19.architecture


def test_its_default_layers_are_those_of_the_settings():
    tested = VGG19.architecture
    settings = Settings()
    assert tested.default_content_layers == settings.content_layers
    assert tested.default_style_layers == settings.style_layers
    assert layer_weights(settings, tested) == (settings.content_layers, settings.style_layers)


@pytest.mark.parametrize("name", ["vgg16", "VGG-19", "nothing", "vgg19 "])
def test_a_backbone_that_does_not_exist(name):
    with pytest.raises(SettingsError, match="vgg19") as caught:
        architecture(name)
    assert caught.value.setting == "backbone"
