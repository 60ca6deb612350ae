"""Owns the networks whose features define content and style: frozen, without classifier, layers by name."""

from functools import cache

from impasto.backbones.backbone import Architecture, Backbone, Layer, MetaNetwork, Padding, Pooling, WeightsFile
from impasto.backbones.sharing import forget, shared
from impasto.backbones.vgg import VGG19
from impasto.errors import SettingsError

__all__ = [
    "VGG19",
    "Architecture",
    "Backbone",
    "Layer",
    "MetaNetwork",
    "Padding",
    "Pooling",
    "WeightsFile",
    "architecture",
    "forget",
    "names",
    "shared",
]


def names() -> list[str]:
    """Names of the available networks: the embedded one, and torchvision's if torchvision is installed.

    Some of torchvision's cannot be used, because their features are not maps; `architecture` raises for them.
    """
    from impasto.backbones import torchvision_hub

    try:
        models = torchvision_hub.models()
    except SettingsError:
        return [VGG19.architecture.name]
    known = models.list_models(module=models)
    return [VGG19.architecture.name, *(torchvision_hub.PREFIX + name for name in known)]


@cache
def architecture(name: str) -> Architecture:
    """The architecture of that name: `vgg19`, the embedded one, or `torchvision:NAME`.

    Raises:
        SettingsError: the name is unknown, or torchvision is not installed.
    """
    if name == VGG19.architecture.name:
        return VGG19.architecture
    # Imported here, so that other networks need no torchvision and do not wait for its import.
    from impasto.backbones import torchvision_hub, zoo

    if name.startswith(torchvision_hub.PREFIX):
        return zoo.TorchvisionArchitecture(name.removeprefix(torchvision_hub.PREFIX))
    raise SettingsError(
        "backbone",
        f"there is none called {name!r}; choose {VGG19.architecture.name}, or one of torchvision's, such as "
        f"{torchvision_hub.PREFIX}resnet50",
    )
