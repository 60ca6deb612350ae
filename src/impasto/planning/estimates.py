"""Owns the estimate of a task's time and memory, on a machine of known speed."""

from __future__ import annotations

from dataclasses import dataclass

from impasto.backbones import architecture
from impasto.optimizers import GIANT_PAIRS
from impasto.planning.arithmetic import settings_multiply_adds
from impasto.planning.memory import peak_bytes, reach_of
from impasto.planning.speed import MachineSpeed
from impasto.planning.tiles import ScalePlan
from impasto.preconditioning import is_giant
from impasto.pyramid import Scale, pyramid
from impasto.settings import Settings
from impasto.strokes import usual_scale
from impasto.tiling import grid


@dataclass(frozen=True)
class Estimate:
    """The expected cost of a task.

    Attributes:
        seconds: total time; it takes less if a scale ends early because the picture no longer changes.
        peak_bytes: peak memory, see `peak_bytes`.
        scales: the scales that will be painted, coarse to fine.
    """

    seconds: float
    peak_bytes: int
    scales: tuple[Scale, ...]


def estimate(content_size: tuple[int, int], settings: Settings, speed: MachineSpeed, *, styles: int = 1) -> Estimate:
    """The expected cost of painting a photograph with these settings.

    The speed is measured with the embedded VGG-19. For another backbone, the time is scaled by its multiply-adds; it
    may take several times as long, because small products use the machine less efficiently.

    Args:
        content_size: (height, width) of the photograph as read, in pixels.
        settings: the settings. The seconds do not depend on `device` and `precision`: `speed` was measured with them.
        speed: speed of the machine, from `measure`.
        styles: number of paintings.

    Raises:
        SettingsError: a layer does not exist.
    """
    scales = tuple(pyramid(content_size, settings, min_side=architecture(settings.backbone).min_side))
    seconds = speed.setup
    for scale in scales:
        seconds += _seconds(scale, settings, speed, styles)
    return Estimate(seconds, peak_bytes(content_size, settings, styles=styles), scales)


def scale_seconds(plan: ScalePlan, settings: Settings, speed: MachineSpeed, *, styles: int = 1) -> float:
    """The expected time of one size, in tiles or as a whole, in seconds.

    In tiles, each evaluation makes one pass more without a gradient, and computes what is around each tile as well.

    Raises:
        SettingsError: a layer does not exist.
    """
    if plan.side is None:
        return _seconds(plan.scale, settings, speed, styles)
    with_gradient, without = _arithmetic(settings, plan.scale.size)
    seen = sum(tile.around.area for tile in grid(plan.scale.size, plan.side, reach_of(settings)))
    painting = plan.scale.size[0] * plan.scale.size[1] * usual_scale(settings) ** 2
    more = seen / (plan.scale.size[0] * plan.scale.size[1])
    targets = without * (speed.features(seen) + styles * more * speed.features(painting))
    each = with_gradient * speed.evaluation(seen) + without * speed.features(seen)
    return targets + plan.scale.iterations * (each + _step(plan.scale, settings, speed))


def _arithmetic(settings: Settings, size: tuple[int, int]) -> tuple[float, float]:
    """Multiply-adds at a (height, width), with and without gradient, relative to those of the measured speed."""
    with_gradient, without = (
        settings_multiply_adds(settings, size, gradient=gradient)
        / settings_multiply_adds(Settings(), gradient=gradient)
        for gradient in (True, False)
    )
    return with_gradient, without


def _seconds(scale: Scale, settings: Settings, speed: MachineSpeed, styles: int) -> float:
    """The expected time of one size as a whole."""
    with_gradient, without = _arithmetic(settings, scale.size)
    pixels = scale.size[0] * scale.size[1]
    targets = speed.features(pixels) + styles * speed.features(pixels * usual_scale(settings) ** 2)
    return without * targets + scale.iterations * (
        with_gradient * speed.evaluation(pixels) + _step(scale, settings, speed)
    )


def _step(scale: Scale, settings: Settings, speed: MachineSpeed) -> float:
    """The expected time of a step of the optimiser; of giants, L-BFGS remembers fewer."""
    seconds = speed.step(scale.size[0] * scale.size[1])
    if not is_giant(scale.size):
        return seconds
    # Each pair costs four passes over the picture, and the preconditioner about as much as three pairs.
    return seconds * (GIANT_PAIRS + 3) / (Settings().history + 3)
