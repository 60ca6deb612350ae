"""Owns reconstructions: pictures painted from noise until the network knows of them what it knows of another.

What such a picture has in common with the one it was made from is what those layers hold; all else is noise. After
figure 1 of Gatys, Ecker & Bethge (2016), and for content Mahendran & Vedaldi, "Understanding Deep Image Representations
by Inverting Them", CVPR 2015.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from impasto import devices, method
from impasto.backbones import Layer
from impasto.explanations.seeing import picture_at
from impasto.explanations.subjects import DEFAULTS
from impasto.images import Image
from impasto.inputs import Inputs
from impasto.planning.arithmetic import settings_multiply_adds
from impasto.settings import Settings
from impasto.task import Engine


@dataclass(frozen=True)
class Reconstruction:
    """A picture painted from what some layers know of another.

    Attributes:
        layers: that it was painted from.
        image: the picture.
        likeness: how near it is to the other, place by place: the peak signal-to-noise ratio, in decibels.
    """

    layers: tuple[Layer, ...]
    image: Image
    likeness: float


@dataclass(frozen=True)
class Painting:
    """Where the reconstructions are, after one iteration.

    Attributes:
        scale, scales: index of the reconstruction (from 0) and how many there are.
        size, iteration, iterations, value: as in `method.Progress`.
        work, total_work: multiply-adds, done and in all.
        done: the reconstructions that are complete.
    """

    scale: int
    scales: int
    size: tuple[int, int]
    iteration: int
    iterations: int
    value: float
    work: int
    total_work: int
    done: tuple[Reconstruction, ...]


def content_settings(settings: Settings, layer: Layer) -> Settings:
    """The settings by which the method paints from noise what `layer` knows of a photograph, place by place."""
    return _from_noise(settings).replace(style_weight=0.0, content_layers={layer.name: 1.0})


def style_settings(settings: Settings, layers: Sequence[Layer]) -> Settings:
    """The settings by which the method paints from noise what the Gram matrices of `layers` know of a painting."""
    weights = {layer.name: 1.0 for layer in layers}
    # Steps as smooth as a painting's would lay out large areas of colour that no layer has asked for.
    style = {"style_loss": "gram", "style_weight": 10.0, "style_layers": weights}
    return _from_noise(settings).replace(content_weight=0.0, preconditioning=0.5, **style)


def _from_noise(settings: Settings) -> Settings:
    # At one size, as in the paper: what a coarser one had put there would not come from the layer.
    return settings.replace(init="noise", scales=1, strength=Settings().strength, tolerance=0.0)


def reconstruct(
    subject: str, image: Image, layers: Sequence[Layer], settings: Settings, weights: Path | None = None
) -> Iterator[Painting]:
    """Paint a picture from each layer (`content`), or from the first one, two, … of them (`style`).

    Args:
        subject: `content` or `style`.
        image: the photograph, or the painting.
        layers: in the order of the network.
        settings: size, iterations, seed, backbone, pooling, device and precision are used.
        weights: file of the backbone's weights; its own by default.

    Returns:
        An iterator of where the work is, one after every iteration; the last one has all reconstructions.
    """
    whole = picture_at(image, settings)
    original = Image(pixels=whole, name=image.name)
    chosen: list[tuple[Layer, ...]]
    if subject == "content":
        chosen = [(layer,) for layer in layers]
        plans = [content_settings(settings, layer) for layer in layers]
    else:
        chosen = [tuple(layers[: count + 1]) for count in range(len(layers))]
        plans = [style_settings(settings, some) for some in chosen]
    engine = Engine(devices.resolve(settings.device), weights)
    costs = [round(plan.iterations * whole[0, 0].numel() * _cost(plan)) for plan in plans]
    done: list[Reconstruction] = []
    for index, (some, plan) in enumerate(zip(chosen, plans, strict=True)):
        styles = [] if subject == "content" else [original]
        for progress in method.stylization(Inputs(original, styles), plan, engine):
            if progress.iteration == progress.iterations:
                painted = progress.pastiche().image
                done.append(Reconstruction(some, painted, likeness(painted.pixels, whole)))
            yield Painting(
                scale=index,
                scales=len(plans),
                size=progress.size,
                iteration=progress.iteration,
                iterations=progress.iterations,
                value=progress.value,
                work=sum(costs[:index]) + costs[index] * progress.iteration // progress.iterations,
                total_work=sum(costs),
                done=tuple(done),
            )


def _cost(settings: Settings) -> float:
    """What an iteration costs for each pixel; networks whose arithmetic is not known cost the same at every layer."""
    known = settings.backbone == DEFAULTS["backbone"]
    return settings_multiply_adds(settings, gradient=True) if known else 1.0


def likeness(image: Float[Tensor, "1 3 h w"], other: Float[Tensor, "1 3 h w"]) -> float:
    """Peak signal-to-noise ratio in decibels: −10 log₁₀ of the mean squared difference; infinite for the same."""
    return float(-10.0 * torch.log10((image - other).square().mean()))
