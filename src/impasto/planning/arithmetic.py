"""Owns the arithmetic of a painting: how many multiply-adds each pixel takes, from the network's table of layers."""

from __future__ import annotations

from collections.abc import Iterable

from impasto.backbones import VGG19, Layer, architecture
from impasto.errors import SettingsError
from impasto.planning.counting import count
from impasto.settings import Settings
from impasto.weighting import layer_weights

_VGG19 = VGG19.architecture
_KERNEL = 9  # taps of a 3×3 convolution


def multiply_adds(layers: Iterable[str], *, gradient: bool = False) -> float:
    """Multiply-adds of the network's convolutions, for each pixel of the image, to compute the features at `layers`.

    Args:
        layers: names, of which the deepest decides.
        gradient: count the gradient by the image too: each convolution once more. (The frozen weights have none.)

    Returns:
        Multiply-adds a pixel; one is two floating-point operations.

    Raises:
        SettingsError: a layer does not exist, or none is named.
    """
    total = 0.0
    before = 3
    for layer in network(layers):
        if layer.name.startswith("conv"):
            total += _KERNEL * before * layer.channels / layer.stride**2
        before = layer.channels
    return total * (2 if gradient else 1)


def gram_multiply_adds(layers: Iterable[str], *, gradient: bool = False) -> float:
    """Multiply-adds of the Gram matrices of the features at `layers`, for each pixel of the image.

    Args:
        layers: names; each counts by itself.
        gradient: count the gradient by the features too: one more product, for both factors are the same.

    Raises:
        SettingsError: a layer does not exist.
    """
    found = (_VGG19.layers[_VGG19.canonical_name(name)] for name in layers)
    return sum(layer.channels**2 / layer.stride**2 for layer in found) * (2 if gradient else 1)


def network(layers: Iterable[str]) -> list[Layer]:
    """The layers that must be computed for the features at `layers`."""
    names = list(_VGG19.layers)
    places = [names.index(_VGG19.canonical_name(name)) for name in layers]
    if not places:
        raise SettingsError("layers", "got none; name at least one, such as relu4_2")
    return [_VGG19.layers[name] for name in names[: max(places) + 1]]


def layers_of(settings: Settings) -> tuple[set[str], set[str]]:
    """Names of the content and of the style layers that count."""
    content, style = layer_weights(settings, architecture(settings.backbone))
    return set(content), set(style)


def settings_multiply_adds(settings: Settings, *, gradient: bool) -> float:
    content, style = layers_of(settings)
    if settings.backbone != _VGG19.name:
        its = count(settings.backbone, frozenset(content | style))
        products = [its.found[name] ** 2 * its.strides[name] ** 2 for name in style]
        return (its.gradient_multiply_adds if gradient else its.multiply_adds) + sum(products) * (2 if gradient else 1)
    return multiply_adds(content | style, gradient=gradient) + gram_multiply_adds(style, gradient=gradient)
