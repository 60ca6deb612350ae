"""Owns the networks whose features define content and style: frozen, without classifier, layers by name."""

from impasto.backbones.backbone import Architecture, Backbone, Layer, Padding, Pooling
from impasto.backbones.vgg import VGG19
from impasto.errors import SettingsError

__all__ = ["VGG19", "Architecture", "Backbone", "Layer", "Padding", "Pooling", "architecture"]


def architecture(name: str) -> Architecture:
    """The network of that name.

    Raises:
        SettingsError: there is none.
    """
    if name == VGG19.architecture.name:
        return VGG19.architecture
    raise SettingsError("backbone", f"there is none called {name!r}; there is {VGG19.architecture.name}")
