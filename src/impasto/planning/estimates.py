"""Owns the forecast: what a painting with these settings will cost on a machine of known speed."""

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

    The speed is measured with the embedded VGG-19. Of another backbone only the arithmetic is known; it may take
    several times as long, for it makes less use of the machine where its products are small.

    Args:
        content_size: (height, width) of the photograph as read, in pixels.
        settings: everything else; for the seconds, `device` and `precision` are ignored, for `speed` belongs to them.
        speed: of the machine, from `measure`.
        styles: number of paintings.

    Raises:
        SettingsError: a layer does not exist.
    """
    default = Settings()
    with_gradient = settings_multiply_adds(settings, gradient=True) / settings_multiply_adds(default, gradient=True)
    without = settings_multiply_adds(settings, gradient=False) / settings_multiply_adds(default, gradient=False)
    scales = tuple(pyramid(content_size, settings, min_side=architecture(settings.backbone).min_side))
    seconds = speed.setup
    for scale in scales:
        pixels = scale.size[0] * scale.size[1]
        targets = speed.features(pixels) + styles * speed.features(pixels * usual_scale(settings) ** 2)
        seconds += without * targets
        seconds += scale.iterations * (with_gradient * speed.evaluation(pixels) + speed.step(pixels))
    return Estimate(seconds, peak_bytes(content_size, settings, styles=styles), scales)
