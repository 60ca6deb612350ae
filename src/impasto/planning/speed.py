"""Owns the speed of this machine: the default objective, timed at a few small sizes, and lines fitted to the times."""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from impasto import devices
from impasto.backbones import VGG19
from impasto.losses import STYLE_LOSSES, ColorRange
from impasto.objective import Objective, StyleTarget, evaluate
from impasto.optimizers import CurvatureMemory
from impasto.planning.arithmetic import layers_of, network, settings_multiply_adds
from impasto.preconditioning import FrequencyPreconditioner
from impasto.representations import Moments
from impasto.settings import Settings

T = TypeVar("T")

# Long sides of the 4:3 pictures that are timed, in pixels: as many as the time allows, at least two for a line.
_SIDES = (64, 128, 192, 256, 384, 512, 768, 1024)
_REPEATS = 3
# Least cost of a size, in evaluations: one to warm up, one to be timed, and one for everything else.
_LEAST_PASSES = 3
_MATRIX_SIDES = (512, 1024, 2048, 4096)


@dataclass(frozen=True)
class Line:
    """Seconds as a function of pixels: `fixed + per_pixel · pixels`, neither negative."""

    fixed: float
    per_pixel: float

    def __call__(self, pixels: float) -> float:
        """Seconds for a number of pixels."""
        return self.fixed + self.per_pixel * pixels

    @classmethod
    def through(cls, samples: Mapping[int, float]) -> Line:
        """The line of least squared *relative* error, from seconds by pixels.

        Raises:
            ValueError: there are fewer than two samples, or one is not positive.
        """
        if len(samples) < 2 or min(*samples, *samples.values()) <= 0:
            raise ValueError(f"a line needs two sizes with positive times; got {dict(samples)}")
        # Least squares for a·u + b·v = 1, where every sample is divided by its time.
        u = [1 / seconds for seconds in samples.values()]
        v = [pixels / seconds for pixels, seconds in samples.items()]
        uu, uv, vv = (sum(x * y for x, y in zip(p, q, strict=True)) for p, q in ((u, u), (u, v), (v, v)))
        determinant = uu * vv - uv * uv
        fixed = (vv * sum(u) - uv * sum(v)) / determinant
        per_pixel = (uu * sum(v) - uv * sum(u)) / determinant
        if fixed < 0 or per_pixel < 0:
            # From noise, or because small pictures fit into a cache: fit without the fixed part.
            fixed, per_pixel = 0.0, sum(v) / vv
        return cls(fixed, per_pixel)


@dataclass(frozen=True)
class MachineSpeed:
    """The measured speed of a device.

    Attributes:
        device: name of the device, as in `devices.available()`.
        threads: number of CPU threads that were used.
        setup: seconds to build the network.
        evaluation: seconds for the default objective's value and gradient, by pixels.
        features: seconds for the default layers' features and Moments without gradient, by pixels.
        step: seconds for a step of the optimiser with a full history, by pixels.
        flops: floating-point operations per second of value and gradient, at the largest measured size.
        matrix_flops: floating-point operations per second of a large float32 matrix product, for comparison.
        samples: the measured seconds of an evaluation, by pixels.
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
    precision: str = "auto",
    seconds: float = 5.0,
    sides: Sequence[int] = _SIDES,
) -> MachineSpeed:
    """Measure the speed of `device` with the default objective, at two sizes or at more as time allows.

    torch's global random generator is not used. The fastest of up to three repeats counts, which reduces the influence
    of other processes.

    Args:
        device: the device; the CPU if None.
        threads: number of CPU threads; torch's present number if None. It is restored afterwards.
        precision: precision of the network, as in `Settings`.
        seconds: approximate time limit.
        sides: long sides of the pictures, in pixels, ascending.

    Raises:
        AssetError: the network's weights are missing or damaged.
    """
    begin = time.perf_counter()
    device = device or torch.device("cpu")
    with _threads(threads):
        matrix_flops = max(_matrix_flops(device, side) for side in (_MATRIX_SIDES if device.type != "cpu" else (1024,)))
        settings = Settings()
        content, style = layers_of(settings)
        deepest, dtype = network(content | style)[-1].name, devices.precision(precision, device)
        setup, backbone = _timed(lambda: VGG19(deepest, dtype=dtype).to(device), device)
        evaluations: dict[int, float] = {}
        features: dict[int, float] = {}
        steps: dict[int, float] = {}
        for side in sides:
            pixels = side * (side * 3 // 4)
            elapsed = time.perf_counter() - begin
            # The time of the next size is extrapolated in proportion to its pixels; it must fit the time limit.
            if len(evaluations) >= 2 and elapsed + _LEAST_PASSES * _next(evaluations, pixels) > seconds:
                break
            image = torch.rand((1, 3, side * 3 // 4, side), generator=torch.Generator().manual_seed(side)).to(device)
            objective = _objective(backbone, image, content, style)
            evaluate(objective, image)  # warm-up: allocates memory and selects kernels
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
        flops=2 * settings_multiply_adds(settings, gradient=True) * largest / evaluations[largest],
        matrix_flops=matrix_flops,
        samples=evaluations,
    )


def _objective(backbone: VGG19, image: Tensor, content: set[str], style: set[str]) -> Objective:
    with torch.no_grad():
        features = backbone(image, content | style)
        moments = {layer: Moments.of(features[layer]) for layer in style}
    return Objective(
        backbone=backbone,
        content={layer: features[layer] for layer in content},
        regions=[StyleTarget(style=moments)],
        content_weights=dict.fromkeys(content, 1.0),
        style_weights=dict.fromkeys(style, 1.0),
        style_loss=STYLE_LOSSES[Settings().style_loss]((0,)),
        image_terms=[ColorRange(1.0)],
    )


def _optimizer_step(image: Tensor, settings: Settings) -> Callable[[], object]:
    """A function that takes one step of L-BFGS with a full history."""
    memory = CurvatureMemory(settings.history)
    for _ in range(settings.history):
        memory.add(image, image)
    size = (image.shape[-2], image.shape[-1])
    precondition = FrequencyPreconditioner(size, settings.preconditioning, device=image.device)
    return functools.partial(memory.direction, image, precondition)


def _next(samples: Mapping[int, float], pixels: int) -> float:
    """Expected seconds for that many pixels, in proportion to the largest sample."""
    last = max(samples)
    return samples[last] * pixels / last


def _best(work: Callable[[], object], device: torch.device, deadline: float) -> float:
    """Seconds of the fastest of a few repeats; of fewer once the deadline has passed."""
    best = math.inf
    for _ in range(_REPEATS):
        best = min(best, _timed(work, device)[0])
        if time.perf_counter() > deadline:
            break
    return best


def _timed(work: Callable[[], T], device: torch.device) -> tuple[float, T]:
    """Seconds that `work` took on the device, and its result."""
    begin = time.perf_counter()
    result = work()
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter() - begin, result


def _matrix_flops(device: torch.device, side: int) -> float:
    """Floating-point operations per second of a product of two matrices of that side."""
    matrix = torch.rand((side, side), generator=torch.Generator().manual_seed(side)).to(device)
    matrix @ matrix
    best = min(_timed(lambda: matrix @ matrix, device)[0] for _ in itertools.repeat(None, 2 * _REPEATS))
    return float(2 * side**3 / best)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Set torch's number of threads, unless None, and restore it afterwards."""
    before = torch.get_num_threads()
    try:
        if count is not None:
            torch.set_num_threads(count)
        yield
    finally:
        torch.set_num_threads(before)
