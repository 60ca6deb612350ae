"""Owns how much memory a painting takes, from the network's table of layers and what the optimiser remembers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from impasto import devices
from impasto.backbones import VGG19, architecture
from impasto.losses import STYLE_LOSSES
from impasto.optimizers import OPTIMIZERS
from impasto.planning.arithmetic import layers_of, network
from impasto.planning.counting import count
from impasto.pyramid import pyramid
from impasto.settings import Settings
from impasto.strokes import usual_scale

_FLOAT = 4  # bytes of a float32
_INDEX = 8  # bytes of the place of a maximum, by which max pooling finds its gradient
_PICTURE = 3 * _FLOAT  # bytes a pixel of a picture
# What sorting and matching hold at once, for some directions or positions; and the painting's quantiles or vectors.
_IN_CHUNKS = 80 * 2**20
_KERNEL = 9  # taps of a 3×3 convolution

# What Python, torch and Impasto hold before there is a picture: resident memory measured on Linux with the CPU build.
_BASELINE = 400 * 2**20
# What torchvision adds to it.
_TORCHVISION = 60 * 2**20
# Pictures at the size painted at that the method holds besides those counted one by one: where the optimiser stands,
# its gradient, its direction and its next step, and the ten last answers by which a scale may end early.
_PICTURES_IN_HAND = 16


def peak_bytes(content_size: tuple[int, int], settings: Settings, *, styles: int = 1) -> int:
    """The most memory that painting takes, in bytes: of the process on a CPU, of the device on a GPU.

    It is what the process holds anyway, the weights, the pictures, what the optimiser remembers, and the larger of two
    passes: value and gradient of the objective, which keep every feature map up to where they are, or the features
    of a painting, which `style_scale` or `stroke_size` may have made larger. On Linux (CPU, torch 2.13, 256 to 2048 px,
    one scale and several) it was within 15 % of the peak measured; on a GPU, whose libraries take some more to work in,
    it has not been compared. Of other backbones than the embedded VGG-19, what is kept is counted on a small picture:
    with vgg16, squeezenet1_1, resnet50 and convnext_tiny, at 512 px, that came to between 5 % less and 20 % more.

    Args:
        content_size: (height, width) of the photograph as read, in pixels.
        settings: which layers, how large, which optimiser, which precision.
        styles: number of paintings; each is taken to have as many pixels as the photograph.

    Raises:
        SettingsError: a layer does not exist.
        DeviceError: the device does not exist.
    """
    width = devices.precision(settings.precision, devices.resolve(settings.device)).itemsize
    content, style = layers_of(settings)
    cost = (_by_table if settings.backbone == VGG19.architecture.name else _by_count)(content, style, settings, width)
    scales = pyramid(content_size, settings, min_side=architecture(settings.backbone).min_side)
    pixels = max(scale.size[0] * scale.size[1] for scale in scales)
    painting = pixels * usual_scale(settings) ** 2
    remembered = OPTIMIZERS[settings.optimizer].images(settings, sum(scale.iterations for scale in scales))
    held = (
        cost.weights
        + _PICTURE * content_size[0] * content_size[1] * (1 + styles)
        + _PICTURE * (pixels * (1 + _PICTURES_IN_HAND + remembered) + painting * styles)
        + pixels * cost.content
    )
    with_gradient, without = cost.with_gradient, cost.without_gradient
    if STYLE_LOSSES[settings.style_loss]((0,)).keeps_features:
        # Beside every layer's features their gradient, which is found with the value; of one layer at a time both are
        # float32.
        at_once = 2 * _FLOAT * max(cost.style, default=0.0)
        with_gradient += at_once + width * sum(cost.style)
        without += at_once
        held += _IN_CHUNKS
    return round(_BASELINE + held + max(pixels * with_gradient, painting * without))


@dataclass(frozen=True)
class _Cost:
    """Bytes that the network takes: its weights, and for each pixel the content's features and two passes.

    `style` are the numbers in each style layer's features, for each pixel.
    """

    weights: float
    content: float
    style: list[float]
    with_gradient: float
    without_gradient: float


def _by_table(content: set[str], style: set[str], settings: Settings, width: int) -> _Cost:
    """The embedded VGG-19's, from its table of layers."""
    return _Cost(
        weights=_weight_bytes(content | style, width),
        content=sum(_feature_bytes(layer, width) for layer in content),
        style=[_feature_bytes(layer, 1) for layer in style],
        with_gradient=_gradient_pass_bytes(content, style, settings, width),
        without_gradient=_pass_bytes(style, width),
    )


def _by_count(content: set[str], style: set[str], settings: Settings, width: int) -> _Cost:
    """Another network's, by what it keeps of a small picture."""
    its = count(settings.backbone, frozenset(content | style))
    image = 2.0 * _PICTURE  # normalised, in two orders of memory
    of_content, of_style = (sum(its.found[name] for name in names) for names in (content, style))
    kept = width * its.kept_features + _INDEX * its.kept_places
    return _Cost(
        # While they are read from their file, they are there twice.
        weights=_TORCHVISION + 2 * _FLOAT * its.weights,
        content=width * of_content,
        style=[its.found[layer] for layer in style],
        with_gradient=image + kept + _FLOAT * of_content + width * of_style,
        without_gradient=image + width * (of_style + 2 * its.widest),
    )


def _feature_bytes(name: str, width: int) -> float:
    """Bytes of a layer's features, for each pixel of the image; a feature has `width` bytes."""
    return VGG19.architecture.layers[name].channels * width / VGG19.architecture.layers[name].stride ** 2


def _weight_bytes(layers: Iterable[str], width: int) -> int:
    total = 0
    before = 3
    for layer in network(layers):
        if layer.name.startswith("conv"):
            total += width * layer.channels * (_KERNEL * before + 1)
        before = layer.channels
    return total


def _gradient_pass_bytes(content: set[str], style: set[str], settings: Settings, width: int) -> float:
    """Bytes for each pixel at the height of the objective's value and gradient.

    That is on the way back, where what is kept up to a layer meets the gradients on both sides of it: layers beyond it
    have been let go of by then, and what the terms send back comes as the network gets to their layers.
    """
    wanted = content | style
    kept = 2.0 * _PICTURE  # the image less the mean colour, with and without its border
    most, before = kept, float(_PICTURE)
    for layer in network(wanted):
        size = _feature_bytes(layer.name, width)
        gradients = size + before
        if layer.name.startswith("conv"):
            kept += size
        elif layer.name.startswith("relu"):
            # The ReLU works in place, unless the features before it are wanted as well.
            kept += size if f"conv{layer.name[4:]}" in wanted else 0
        else:
            kept += size
            if settings.pooling == "max":
                gradients += size * (1 + _INDEX / width)  # the maxima are found again, and where they were
            elif settings.pooling == "l2":
                kept += 4 * size  # the squares, which have four times the positions
        if layer.name in content:
            kept += _feature_bytes(layer.name, _FLOAT)  # differences from the target
        if layer.name in style:
            gradients += size  # what the Gram matrix sends back, before it is added
        most, before = max(most, kept + gradients), size
    return most


def _pass_bytes(wanted: set[str], width: int) -> float:
    """Bytes for each pixel at the height of a pass without gradient: the features found, and a layer's two ends."""
    most = found = 0.0
    before = float(2 * _PICTURE)
    before_is_found = False
    for layer in network(wanted) if wanted else []:
        size = _feature_bytes(layer.name, width)
        in_place = layer.name.startswith("relu") and f"conv{layer.name[4:]}" not in wanted
        most = max(most, found + (0 if before_is_found else before) + (0 if in_place else size))
        before_is_found = layer.name in wanted
        found += size if before_is_found else 0
        before = size
    return most
