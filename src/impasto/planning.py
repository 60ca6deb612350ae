"""Owns what a painting will cost on this machine: arithmetic, seconds and bytes, known before it is begun.

The arithmetic and the memory follow from the network's table of layers. The speed does not follow from anything: it is
measured, with the objective that will be minimised, at a few small sizes, and carried on in a straight line to large
ones.
"""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from impasto.backbones import VGG19
from impasto.backbones.vgg import LAYERS, Layer, canonical_name
from impasto.errors import SettingsError
from impasto.objective import Objective, evaluate
from impasto.optimizers import CurvatureMemory, FrequencyPreconditioner
from impasto.pyramid import Scale, pyramid
from impasto.representations import Moments
from impasto.settings import Settings

T = TypeVar("T")

_FLOAT = 4  # bytes of a float32
_INDEX = 8  # bytes of the place of a maximum, which max pooling keeps for its gradient
_PICTURE = 3 * _FLOAT  # bytes a pixel of a picture
_KERNEL = 9  # taps of a 3×3 convolution

# What Python, torch and Impasto hold before there is a picture: resident memory measured on Linux with the CPU build.
_BASELINE = 360 * 2**20
# Pictures at the size painted at that the method holds besides those counted one by one: where the optimiser stands,
# its gradient, its direction and its next step, and the ten last answers by which a scale may end early.
_PICTURES_IN_HAND = 16

# The benchmark's sizes: long sides of 4:3 pictures, as many of them as its time allows, but at least two for a line.
_SIDES = (64, 128, 192, 256, 384, 512, 768, 1024)
_REPEATS = 3
# What a size takes at least, in evaluations: one to warm up, one to be timed, and as much again for all the rest.
_LEAST_PASSES = 3
_MATRIX_SIDES = (512, 1024, 2048, 4096)


# --- Arithmetic -------------------------------------------------------------------------------------------------------


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
    for layer in _network(layers):
        if layer.name.startswith("conv"):
            total += _KERNEL * before * layer.channels / layer.stride**2
        before = layer.channels
    return total * (2 if gradient else 1)


def gram_multiply_adds(layers: Iterable[str], *, gradient: bool = False) -> float:
    """Multiply-adds of the Gram matrices of the features at `layers`, for each pixel of the image.

    Args:
        layers: names; each counts by itself.
        gradient: count the gradient by the features too: each product twice more, once for either factor.

    Raises:
        SettingsError: a layer does not exist.
    """
    found = (LAYERS[canonical_name(name)] for name in layers)
    return sum(layer.channels**2 / layer.stride**2 for layer in found) * (3 if gradient else 1)


def _network(layers: Iterable[str]) -> list[Layer]:
    """The layers that must be computed for the features at `layers`."""
    names = list(LAYERS)
    places = [names.index(canonical_name(name)) for name in layers]
    if not places:
        raise SettingsError("layers", "got none; name at least one, such as relu4_2")
    return [LAYERS[name] for name in names[: max(places) + 1]]


def _layers_of(settings: Settings) -> tuple[set[str], set[str]]:
    """Names of the content and of the style layers that count."""
    content = {canonical_name(k, setting="content_layers") for k, weight in settings.content_layers.items() if weight}
    style = {canonical_name(k, setting="style_layers") for k, weight in settings.style_layers.items() if weight}
    return content, style


def _arithmetic(settings: Settings, *, gradient: bool) -> float:
    content, style = _layers_of(settings)
    return multiply_adds(content | style, gradient=gradient) + gram_multiply_adds(style, gradient=gradient)


# --- Memory -----------------------------------------------------------------------------------------------------------


def peak_bytes(content_size: tuple[int, int], settings: Settings, *, styles: int = 1) -> int:
    """The most memory that painting takes, in bytes: of the process on a CPU, of the device on a GPU.

    It is what the process holds anyway, the weights, the pictures, what the optimiser remembers, and the larger of two
    passes: value and gradient of the objective, which keep every feature map up to the deepest layer, or the features
    of a painting, which `style_scale` may have made larger than the picture. On Linux (CPU, torch 2.13, 256 to 1024 px,
    one scale and several) it was within 8 % of the peak measured; on a GPU, whose libraries take some more to work in,
    it has not been compared.

    Args:
        content_size: (height, width) of the photograph as read, in pixels.
        settings: which layers, how large, which optimiser.
        styles: number of paintings; each is taken to have as many pixels as the photograph.

    Raises:
        SettingsError: a layer does not exist.
    """
    content, style = _layers_of(settings)
    scales = pyramid(content_size, settings, min_side=VGG19.min_side)
    pixels = max(scale.size[0] * scale.size[1] for scale in scales)
    painting = pixels * settings.style_scale**2
    pairs = min(settings.history, sum(scale.iterations for scale in scales)) if settings.optimizer == "lbfgs" else 2
    held = (
        _weight_bytes(content | style)
        + _PICTURE * content_size[0] * content_size[1] * (1 + styles)
        + _PICTURE * (pixels * (1 + _PICTURES_IN_HAND + 2 * pairs) + painting * styles)
        + pixels * sum(map(_feature_bytes, content))
    )
    return round(
        _BASELINE + held + max(pixels * _gradient_pass_bytes(content, style, settings), painting * _pass_bytes(style))
    )


def _feature_bytes(name: str) -> float:
    """Bytes of a layer's features, for each pixel of the image."""
    return LAYERS[name].channels * _FLOAT / LAYERS[name].stride ** 2


def _weight_bytes(layers: Iterable[str]) -> int:
    total = 0
    before = 3
    for layer in _network(layers):
        if layer.name.startswith("conv"):
            total += _FLOAT * layer.channels * (_KERNEL * before + 1)
        before = layer.channels
    return total


def _gradient_pass_bytes(content: set[str], style: set[str], settings: Settings) -> float:
    """Bytes for each pixel at the height of the objective's value and gradient.

    That is when the style terms have sent back their gradients, and the network, which is walked after them, has not
    yet let go of any feature map.
    """
    wanted = content | style
    kept = 2.0 * _PICTURE  # the image less the mean colour, with and without its border
    for layer in _network(wanted):
        size = _feature_bytes(layer.name)
        if layer.name.startswith("conv"):
            kept += size
        elif layer.name.startswith("relu"):
            # The ReLU works in place, unless the features before it are wanted as well.
            kept += size if f"conv{layer.name[4:]}" in wanted else 0
        else:
            kept += size
            if settings.pooling == "max":
                kept += size * _INDEX / _FLOAT
            elif settings.pooling == "l2":
                kept += 4 * size  # the squares, which have four times the positions
    kept += sum(map(_feature_bytes, content))  # differences from the target
    sent_back = [_feature_bytes(name) for name in style]
    # The last Gram matrix sends back one gradient for either factor before they are added.
    return kept + sum(sent_back) + max(sent_back, default=0.0)


def _pass_bytes(wanted: set[str]) -> float:
    """Bytes for each pixel at the height of a pass without gradient: the features found, and a layer's two ends."""
    most = found = 0.0
    before = float(2 * _PICTURE)
    before_is_found = False
    for layer in _network(wanted) if wanted else []:
        size = _feature_bytes(layer.name)
        in_place = layer.name.startswith("relu") and f"conv{layer.name[4:]}" not in wanted
        most = max(most, found + (0 if before_is_found else before) + (0 if in_place else size))
        before_is_found = layer.name in wanted
        found += size if before_is_found else 0
        before = size
    return most


# --- Speed ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """Seconds as a function of pixels: `fixed + per_pixel · pixels`, neither negative."""

    fixed: float
    per_pixel: float

    def __call__(self, pixels: float) -> float:
        """Seconds for that many pixels."""
        return self.fixed + self.per_pixel * pixels

    @classmethod
    def through(cls, samples: Mapping[int, float]) -> Line:
        """The line with the least sum of squared *relative* errors through seconds by pixels.

        Raises:
            ValueError: there are fewer than two samples, or one is not positive.
        """
        if len(samples) < 2 or min(*samples, *samples.values()) <= 0:
            raise ValueError(f"a line needs two sizes with positive times; got {dict(samples)}")
        # Divided by its time, every sample should come to 1: a·u + b·v = 1.
        u = [1 / seconds for seconds in samples.values()]
        v = [pixels / seconds for pixels, seconds in samples.items()]
        uu, uv, vv = (sum(x * y for x, y in zip(p, q, strict=True)) for p, q in ((u, u), (u, v), (v, v)))
        determinant = uu * vv - uv * uv
        fixed = (vv * sum(u) - uv * sum(v)) / determinant
        per_pixel = (uu * sum(v) - uv * sum(u)) / determinant
        if fixed < 0 or per_pixel < 0:
            # Noise, or a cache that small pictures fit into: all of it is put down to the pixels.
            fixed, per_pixel = 0.0, sum(v) / vv
        return cls(fixed, per_pixel)


@dataclass(frozen=True)
class MachineSpeed:
    """How fast one device is, by measurement.

    Attributes:
        device: its name, as in `devices.available()`.
        threads: of the CPU, as many as were used.
        setup: seconds to build the network.
        evaluation: seconds of the default objective's value and gradient, by pixels.
        features: seconds of the default layers' features and Moments without gradient, by pixels.
        step: seconds of an optimiser's step with a full memory, by pixels.
        flops: floating-point operations a second of the value and gradient, at the largest size that was measured.
        matrix_flops: floating-point operations a second of a large float32 matrix product: what the device can do.
        samples: seconds of an evaluation, by pixels, that the line was drawn through.
    """

    device: str
    threads: int
    setup: float
    evaluation: Line
    features: Line
    step: Line
    flops: float
    matrix_flops: float
    samples: Mapping[int, float]


def measure(
    device: torch.device | None = None,
    threads: int | None = None,
    *,
    seconds: float = 5.0,
    sides: Sequence[int] = _SIDES,
) -> MachineSpeed:
    """Measure how fast `device` evaluates the default objective: at least two sizes, then more while the time lasts.

    Nothing is random but the pixels, and torch's own generator is left alone. The best of up to three repeats counts:
    on a busy machine that is what it could do if left alone.

    Args:
        device: the CPU, if None.
        threads: of the CPU; as many as torch uses now, if None. Put back afterwards.
        seconds: about how long it may take.
        sides: long sides of the pictures, in pixels, ascending.

    Raises:
        AssetError: the network's weights are missing or damaged.
    """
    begin = time.perf_counter()
    device = device or torch.device("cpu")
    with _threads(threads):
        matrix_flops = max(_matrix_flops(device, side) for side in (_MATRIX_SIDES if device.type != "cpu" else (1024,)))
        settings = Settings()
        content, style = _layers_of(settings)
        setup, backbone = _timed(lambda: VGG19(_network(content | style)[-1].name).to(device), device)
        evaluations: dict[int, float] = {}
        features: dict[int, float] = {}
        steps: dict[int, float] = {}
        for side in sides:
            pixels = side * (side * 3 // 4)
            elapsed = time.perf_counter() - begin
            # The next size takes as long as the last one times its pixels; beginning it must not overrun the time.
            if len(evaluations) >= 2 and elapsed + _LEAST_PASSES * _next(evaluations, pixels) > seconds:
                break
            image = torch.rand((1, 3, side * 3 // 4, side), generator=torch.Generator().manual_seed(side)).to(device)
            objective = _objective(backbone, image, content, style)
            evaluate(objective, image)  # warms up: memory is allocated, kernels are chosen
            deadline = begin + seconds
            evaluations[pixels] = _best(functools.partial(evaluate, objective, image), device, deadline)
            features[pixels] = _best(functools.partial(_objective, backbone, image, set(), style), device, deadline)
            steps[pixels] = _best(_optimizer_step(image, settings), device, deadline)
        threads = torch.get_num_threads()
    largest = max(evaluations)
    return MachineSpeed(
        device=str(device),
        threads=threads,
        setup=setup,
        evaluation=Line.through(evaluations),
        features=Line.through(features),
        step=Line.through(steps),
        flops=2 * _arithmetic(settings, gradient=True) * largest / evaluations[largest],
        matrix_flops=matrix_flops,
        samples=evaluations,
    )


@dataclass(frozen=True)
class Estimate:
    """What a painting will cost.

    Attributes:
        seconds: from the settings to the picture; less if a scale ends early because nothing changes any more.
        peak_bytes: the most memory it takes at once, see `peak_bytes`.
        scales: what will be painted, coarse to fine.
    """

    seconds: float
    peak_bytes: int
    scales: tuple[Scale, ...]


def estimate(content_size: tuple[int, int], settings: Settings, speed: MachineSpeed, *, styles: int = 1) -> Estimate:
    """What painting a photograph with these settings will cost.

    Args:
        content_size: (height, width) of the photograph as read, in pixels.
        settings: everything else; `device` is ignored, for `speed` belongs to one.
        speed: of the machine, from `measure`.
        styles: number of paintings.

    Raises:
        SettingsError: a layer does not exist.
    """
    default = Settings()
    with_gradient = _arithmetic(settings, gradient=True) / _arithmetic(default, gradient=True)
    without = _arithmetic(settings, gradient=False) / _arithmetic(default, gradient=False)
    scales = tuple(pyramid(content_size, settings, min_side=VGG19.min_side))
    seconds = speed.setup
    for scale in scales:
        pixels = scale.size[0] * scale.size[1]
        targets = speed.features(pixels) + styles * speed.features(pixels * settings.style_scale**2)
        seconds += without * targets
        seconds += scale.iterations * (with_gradient * speed.evaluation(pixels) + speed.step(pixels))
    return Estimate(seconds, peak_bytes(content_size, settings, styles=styles), scales)


def _objective(backbone: VGG19, image: Tensor, content: set[str], style: set[str]) -> Objective:
    with torch.no_grad():
        features = backbone(image, content | style)
        moments = {layer: Moments.of(features[layer]) for layer in style}
    return Objective(
        backbone=backbone,
        content={layer: features[layer] for layer in content},
        style=moments,
        content_weights=dict.fromkeys(content, 1.0),
        style_weights=dict.fromkeys(style, 1.0),
        range_weight=1.0,
    )


def _optimizer_step(image: Tensor, settings: Settings) -> Callable[[], object]:
    """A step of L-BFGS with a full memory, ready to be timed."""
    memory = CurvatureMemory(settings.history)
    for _ in range(settings.history):
        memory.add(image, image)
    size = (image.shape[-2], image.shape[-1])
    precondition = FrequencyPreconditioner(size, settings.preconditioning, device=image.device)
    return functools.partial(memory.direction, image, precondition)


def _next(samples: Mapping[int, float], pixels: int) -> float:
    last = max(samples)
    return samples[last] * pixels / last


def _best(work: Callable[[], object], device: torch.device, deadline: float) -> float:
    """Seconds of the quickest of a few repeats; of only one, when the time is up."""
    best = math.inf
    for _ in range(_REPEATS):
        best = min(best, _timed(work, device)[0])
        if time.perf_counter() > deadline:
            break
    return best


def _timed(work: Callable[[], T], device: torch.device) -> tuple[float, T]:
    begin = time.perf_counter()
    result = work()
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter() - begin, result


def _matrix_flops(device: torch.device, side: int) -> float:
    matrix = torch.rand((side, side), generator=torch.Generator().manual_seed(side)).to(device)
    matrix @ matrix
    best = min(_timed(lambda: matrix @ matrix, device)[0] for _ in itertools.repeat(None, 2 * _REPEATS))
    return float(2 * side**3 / best)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        if count is not None:
            torch.set_num_threads(count)
        yield
    finally:
        torch.set_num_threads(before)
