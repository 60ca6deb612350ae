"""Owns the estimate of a task's time and memory, on a machine of known speed."""

from __future__ import annotations

from dataclasses import dataclass

from impasto.backbones import architecture
from impasto.planning.arithmetic import settings_multiply_adds
from impasto.planning.memory import peak_bytes
from impasto.planning.speed import MachineSpeed
from impasto.pyramid import Scale, pyramid
from impasto.settings import Settings
from impasto.strokes import usual_scale


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
    measured = {gradient: settings_multiply_adds(Settings(), gradient=gradient) for gradient in (True, False)}
    scales = tuple(pyramid(content_size, settings, min_side=architecture(settings.backbone).min_side))
    seconds = speed.setup
    for scale in scales:
        pixels = scale.size[0] * scale.size[1]
        targets = speed.features(pixels) + styles * speed.features(pixels * usual_scale(settings) ** 2)
        with_gradient, without = (
            settings_multiply_adds(settings, scale.size, gradient=gradient) / measured[gradient]
            for gradient in (True, False)
        )
        seconds += without * targets
        seconds += scale.iterations * (with_gradient * speed.evaluation(pixels) + speed.step(pixels))
    return Estimate(seconds, peak_bytes(content_size, settings, styles=styles), scales)
