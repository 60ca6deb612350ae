"""Owns the arithmetic of a task: the multiply-adds per pixel, from the network's layers."""

from __future__ import annotations

from collections.abc import Iterable

from impasto.backbones import VGG19, Layer, architecture
from impasto.errors import SettingsError
from impasto.planning.counting import count
from impasto.settings import Settings
from impasto.weighting import layer_weights, within

_VGG19 = VGG19.architecture
_KERNEL = 9  # taps of a 3×3 convolution


def multiply_adds(layers: Iterable[str], *, gradient: bool = False) -> float:
    """Multiply-adds of VGG-19's convolutions per pixel of the image, to compute the features at `layers`.

    Args:
        layers: layer names; the deepest determines the result.
        gradient: also count the gradient with respect to the image: once more for each convolution.

    Returns:
        Multiply-adds per pixel; each is two floating-point operations.

    Raises:
        SettingsError: a layer does not exist, or `layers` is empty.
    """
    total = 0.0
    before = 3
    for layer in network(layers):
        if layer.name.startswith("conv"):
            total += _KERNEL * before * layer.channels / layer.stride**2
        before = layer.channels
    return total * (2 if gradient else 1)


def gram_multiply_adds(layers: Iterable[str], *, gradient: bool = False) -> float:
    """Multiply-adds of VGG-19's Gram matrices at `layers`, per pixel of the image.

    Args:
        layers: layer names.
        gradient: also count the gradient with respect to the features: one more product per layer.

    Raises:
        SettingsError: a layer does not exist.
    """
    found = (_VGG19.layers[_VGG19.canonical_name(name)] for name in layers)
    return sum(layer.channels**2 / layer.stride**2 for layer in found) * (2 if gradient else 1)


def network(layers: Iterable[str]) -> list[Layer]:
    """The layers of VGG-19 that must be computed for the features at `layers`."""
    names = list(_VGG19.layers)
    indices = [names.index(_VGG19.canonical_name(name)) for name in layers]
    if not indices:
        raise SettingsError("layers", "got none; name at least one, such as relu4_2")
    return [_VGG19.layers[name] for name in names[: max(indices) + 1]]


def layers_of(settings: Settings, size: tuple[int, int] | None = None) -> tuple[set[str], set[str]]:
    """Names of the content layers and of the style layers that count.

    Args:
        settings: layers with weight 0 do not count.
        size: (height, width) of the picture, by which `largest_form` decides; without it, every layer counts.
    """
    network = architecture(settings.backbone)
    content, style = layer_weights(settings, network)
    if size is not None:
        style = within(style, settings.largest_form, network, size)
    return set(content), set(style)


def settings_multiply_adds(settings: Settings, size: tuple[int, int] | None = None, *, gradient: bool) -> float:
    """Multiply-adds of the objective with these settings, per pixel of the image.

    Args:
        settings: layers, loss and network.
        size: (height, width) of the image, as for `layers_of`.
        gradient: also count the gradient.
    """
    content, style = layers_of(settings, size)
    if settings.backbone != _VGG19.name:
        cost = count(settings.backbone, frozenset(content | style))
        products = [cost.layer_features[name] ** 2 * cost.strides[name] ** 2 for name in style]
        return (cost.gradient_multiply_adds if gradient else cost.multiply_adds) + sum(products) * (
            2 if gradient else 1
        )
    return multiply_adds(content | style, gradient=gradient) + gram_multiply_adds(style, gradient=gradient)
