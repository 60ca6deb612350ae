"""Owns the estimate of a task's peak memory, from the network's layers and the optimiser's state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from impasto import devices
from impasto.backbones import VGG19, architecture
from impasto.losses import STYLE_LOSSES
from impasto.optimizers import GIANT_PAIRS, OPTIMIZERS
from impasto.planning.arithmetic import layers_of, network
from impasto.planning.counting import count
from impasto.preconditioning import is_giant
from impasto.pyramid import Scale, pyramid
from impasto.settings import Settings
from impasto.strokes import usual_scale
from impasto.tiling import Reach

_FLOAT = 4  # bytes of a float32
_INDEX = 8  # bytes of the index of a maximum in max pooling
_PICTURE = 3 * _FLOAT  # bytes per pixel of a picture
# Bytes that losses which sort or match hold at once for a chunk, and for the painting's quantiles or vectors.
_IN_CHUNKS = 80 * 2**20
_KERNEL = 9  # taps of a 3×3 convolution

# Resident memory of Python, torch and Impasto before any picture is read, measured on Linux with the CPU build.
_BASELINE = 400 * 2**20
# Resident memory that torchvision adds.
_TORCHVISION = 60 * 2**20
# Pictures at the present scale's size that are not counted below: the optimiser's position, gradient, direction and
# next step, and the last ten iterates, which decide whether a scale ends early.
_PICTURES_IN_HAND = 16
# The same without the iterates, and of giants.
_FEW_IN_HAND = 6
_GIANT_IN_HAND = 4
_WINDOW = 10
# A tile's share of the features is copied out of what the network computed around it.
_CUT = 2


def peak_bytes(content_size: tuple[int, int], settings: Settings, *, styles: int = 1) -> int:
    """Peak memory of a task in bytes: of the process on a CPU, of the device on a GPU.

    It is the sum of the process's baseline, the weights, the pictures, the optimiser's state, and the larger of two
    passes: value and gradient of the objective, which save feature maps for the backward pass, or the features of a
    painting, which `style_scale` or `stroke_size` may have enlarged. On Linux (CPU, torch 2.13, 256 to 2048 px, one
    scale and several) the estimate was within 15 % of the measured peak. On a GPU, whose libraries need additional
    memory, it has not been compared. For backbones other than the embedded VGG-19, saved features are counted on the
    meta device: with vgg16, squeezenet1_1, resnet50 and convnext_tiny, at 512 px, the estimate was between 5 % too low
    and 20 % too high.

    Args:
        content_size: (height, width) of the photograph as read, in pixels.
        settings: the settings.
        styles: number of paintings; each is assumed to have as many pixels as the photograph.

    Raises:
        SettingsError: a layer does not exist.
        DeviceError: the device does not exist.
    """
    width, cost = _cost_of(settings)
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
        # These losses compute the gradient of every layer's features with the value; the chunk of one layer at a time
        # is in float32.
        at_once = 2 * _FLOAT * max(cost.style, default=0.0)
        with_gradient += at_once + width * sum(cost.style)
        without += at_once
        held += _IN_CHUNKS
    return round(_BASELINE + held + max(pixels * with_gradient, painting * without))


def scale_bytes(
    content_size: tuple[int, int],
    settings: Settings,
    scale: Scale,
    *,
    styles: int = 1,
    remembered: int = 0,
    side: int | None = None,
) -> int:
    """Peak memory of painting at one size, in tiles or as a whole; in bytes.

    Unlike `peak_bytes`, it takes the larger one of two phases instead of their sum: making the targets and enlarging
    the picture, and then painting.

    Args:
        content_size: (height, width) of the photograph as read, in pixels.
        settings: the settings.
        scale: the size and its iterations.
        styles: number of paintings.
        remembered: iterations of this scale and those before, from which the optimiser remembers some.
        side: of the tiles, in pixels; None for the whole picture at once.
    """
    _, cost = _cost_of(settings)
    height, width = scale.size
    pixels = height * width
    giant = is_giant(scale.size)
    painting = pixels * usual_scale(settings) ** 2
    read = _PICTURE * content_size[0] * content_size[1] * (1 + styles)
    if giant and settings.optimizer == "lbfgs":
        images: float = min(settings.history, GIANT_PAIRS, remembered)  # two in bfloat16
    else:
        images = OPTIMIZERS[settings.optimizer].images(settings, remembered)
    compares = not giant and settings.tolerance > 0 and scale.iterations > _WINDOW
    in_hand = _GIANT_IN_HAND if giant else _FEW_IN_HAND + (_WINDOW if compares else 0)
    with_gradient, without = cost.with_gradient * pixels, cost.without_gradient * painting
    if side is not None:
        reach = reach_of(settings)
        around = side + reach.before + reach.after
        tile = min(height, around) * min(width, around)
        with_gradient = min(with_gradient, (cost.with_gradient + _CUT * cost.content) * tile)
        without = min(without, cost.without_gradient * tile)
    features = cost.content * pixels
    painting_it = _PICTURE * pixels * (in_hand + images) + features + with_gradient
    # The photograph and the paintings at this size, and the picture so far, enlarged by a filter with a copy.
    preparing = _PICTURE * (pixels * (3 + images) + painting * styles) + features + without
    return round(_BASELINE + cost.weights + read + max(painting_it, preparing))


def reach_of(settings: Settings) -> Reach:
    """How tiles of the network that these settings ask for have to lie.

    Raises:
        SettingsError: the network depends on the whole picture.
    """
    content, style = layers_of(settings)
    layers = architecture(settings.backbone).layers
    return Reach.among((layers[name] for name in content | style), settings.backbone, wraps=settings.padding == "wrap")


def _cost_of(settings: Settings) -> tuple[int, _Cost]:
    """Bytes of a feature, and the memory of the network."""
    width = devices.precision(settings.precision, devices.resolve(settings.device)).itemsize
    content, style = layers_of(settings)
    by = _by_table if settings.backbone == VGG19.architecture.name else _by_count
    return width, by(content, style, settings, width)


@dataclass(frozen=True)
class _Cost:
    """Memory of the network.

    Attributes:
        weights: bytes of the weights.
        content: bytes of the content layers' features, per pixel.
        style: number of features of each style layer, per pixel.
        with_gradient, without_gradient: peak bytes of a pass, per pixel.
    """

    weights: float
    content: float
    style: list[float]
    with_gradient: float
    without_gradient: float


def _by_table(content: set[str], style: set[str], settings: Settings, width: int) -> _Cost:
    """Memory of the embedded VGG-19, from its layers."""
    return _Cost(
        weights=_weight_bytes(content | style, width),
        content=sum(_feature_bytes(layer, width) for layer in content),
        style=[_feature_bytes(layer, 1) for layer in style],
        with_gradient=_gradient_pass_bytes(content, style, settings, width),
        without_gradient=_pass_bytes(style, width),
    )


def _by_count(content: set[str], style: set[str], settings: Settings, width: int) -> _Cost:
    """Memory of another network, counted on the meta device."""
    cost = count(settings.backbone, frozenset(content | style))
    image = 2.0 * _PICTURE  # normalised, in two memory formats
    of_content, of_style = (sum(cost.layer_features[name] for name in names) for names in (content, style))
    saved = width * cost.saved_features + _INDEX * cost.saved_indices
    return _Cost(
        # While the weights are loaded, there are two copies of them.
        weights=_TORCHVISION + 2 * _FLOAT * cost.weights,
        content=width * of_content,
        style=[cost.layer_features[layer] for layer in style],
        with_gradient=image + saved + _FLOAT * of_content + width * of_style,
        without_gradient=image + width * (of_style + 2 * cost.widest),
    )


def _feature_bytes(name: str, width: int) -> float:
    """Bytes of a layer's features per pixel of the image; a feature has `width` bytes."""
    return VGG19.architecture.layers[name].channels * width / VGG19.architecture.layers[name].stride ** 2


def _weight_bytes(layers: Iterable[str], width: int) -> int:
    """Bytes of the weights that are needed for `layers`."""
    total = 0
    before = 3
    for layer in network(layers):
        if layer.name.startswith("conv"):
            total += width * layer.channels * (_KERNEL * before + 1)
        before = layer.channels
    return total


def _gradient_pass_bytes(content: set[str], style: set[str], settings: Settings, width: int) -> float:
    """Peak bytes per pixel while the objective's value and gradient are computed.

    The peak is in the backward pass, at the layer where the saved features of all layers up to it, plus the gradients
    of its input and output, are largest. Deeper layers have been freed by then, and the gradient of a term is computed
    only when the backward pass reaches its layer.
    """
    wanted = content | style
    saved = 2.0 * _PICTURE  # the image minus the mean colour, with and without padding
    most, before = saved, float(_PICTURE)
    for layer in network(wanted):
        size = _feature_bytes(layer.name, width)
        gradients = size + before
        if layer.name.startswith("conv"):
            saved += size
        elif layer.name.startswith("relu"):
            # The ReLU works in place, unless the features before it are requested as well.
            saved += size if f"conv{layer.name[4:]}" in wanted else 0
        else:
            saved += size
            if settings.pooling == "max":
                gradients += size * (1 + _INDEX / width)  # the maxima and their indices are computed again
            elif settings.pooling == "l2":
                saved += 4 * size  # the squares, at four times the positions
        if layer.name in content:
            saved += _feature_bytes(layer.name, _FLOAT)  # differences from the target
        if layer.name in style:
            gradients += size  # the gradient of the Gram matrix, before it is added
        most, before = max(most, saved + gradients), size
    return most


def _pass_bytes(wanted: set[str], width: int) -> float:
    """Peak bytes per pixel of a pass without gradient: requested features, and input and output of a layer."""
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
