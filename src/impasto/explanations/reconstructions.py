"""Owns reconstructions: pictures painted from noise until some layers have the same features, and their figure.

What such a picture has in common with the original is what those layers hold; the rest is noise. After figure 1 of
Gatys, Ecker & Bethge (2016), and for content Mahendran & Vedaldi, "Understanding Deep Image Representations by
Inverting Them", CVPR 2015.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from impasto import devices, method
from impasto.backbones import Layer
from impasto.explanations.drawing import BREAK, TITLE, heading_height, put_heading, put_picture, put_title
from impasto.explanations.features import picture_at, responds_to
from impasto.explanations.subjects import DEFAULTS
from impasto.images import Image
from impasto.inputs import Inputs
from impasto.planning.arithmetic import settings_multiply_adds
from impasto.plots.page import GAP, MARGIN, WIDTH, new_figure
from impasto.settings import Settings
from impasto.task import Engine

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 3
# Side of a close-up as a share of the picture's shorter side.
_CLOSE = 0.3

_WORDS = {
    "content": (
        "What each layer knows of a photograph",
        (
            "Each picture began as noise; its pixels were moved until one layer of the network answered to it as to "
            "the photograph.",
            "What came back is what the layer holds. Deep layers know what is where, but not in which shade and "
            "stroke: that is free to be painted.",
            "(px: how far one feature sees. dB: how like the photograph; 6 dB more is half the difference.)",
        ),
    ),
    "style": (
        "What the statistics of each layer know of a painting",
        (
            "Each picture began as noise, and its pixels were moved until the Gram matrices of the first one, two, … "
            "layers were the painting's.",
            "They say which features occur together, and not where: the manner comes back, from grain to brushwork to "
            "large forms, and not the",
            "scene. (px: how far one feature sees. Where that is most of the picture, a little of the scene is "
            "remembered after all.)",
        ),
    ),
}
_CLOSE_UP = "The same detail, close up"


@dataclass(frozen=True)
class Reconstruction:
    """A picture painted from the features of some layers of another.

    Attributes:
        layers: whose features it was painted from.
        image: the picture.
        likeness: how similar its pixels are to the original's: the peak signal-to-noise ratio, in decibels.
    """

    layers: tuple[Layer, ...]
    image: Image
    likeness: float


@dataclass(frozen=True)
class ReconstructionProgress:
    """How far the reconstructions are, after one iteration.

    Attributes:
        scale, scales: index of the reconstruction (from 0) and how many there are.
        size, iteration, iterations, value: as in `impasto.Progress`.
        work, total_work: multiply-adds done, and those of all reconstructions.
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
    """Settings with which the method paints, from noise, a picture with the photograph's features at `layer`."""
    return _from_noise(settings).replace(style_weight=0.0, content_layers={layer.name: 1.0})


def style_settings(settings: Settings, layers: Sequence[Layer]) -> Settings:
    """Settings with which the method paints, from noise, a picture with the painting's Gram matrices at `layers`."""
    weights = {layer.name: 1.0 for layer in layers}
    # The default preconditioning would add large areas of colour that no layer asks for.
    style = {"style_loss": "gram", "style_weight": 10.0, "style_layers": weights}
    return _from_noise(settings).replace(content_weight=0.0, preconditioning=0.5, **style)


def _from_noise(settings: Settings) -> Settings:
    # At one size, as in the paper: structure from a coarser size would not come from the layer.
    one_size = settings.replace(init="noise", scales=1, strength=Settings().strength, tolerance=0.0)
    # A layer is shown whatever it sees.
    return one_size.replace(largest_form=0.0, enlarged="all")


def reconstruct(
    subject: str, image: Image, layers: Sequence[Layer], settings: Settings, weights: Path | None = None
) -> Iterator[ReconstructionProgress]:
    """Paint a picture from each layer (`content`), or from the first one, two, … of them (`style`).

    Args:
        subject: `content` or `style`.
        image: the photograph, or the painting.
        layers: in the order of the network.
        settings: size, iterations, seed, backbone, pooling, device and precision are used.
        weights: file of the backbone's weights; None for its own.

    Returns:
        An iterator that yields the progress after every iteration; the last one has all reconstructions.
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
            yield ReconstructionProgress(
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
    """Multiply-adds of an iteration for each pixel; 1 for networks whose arithmetic is not known."""
    known = settings.backbone == DEFAULTS["backbone"]
    return settings_multiply_adds(settings, gradient=True) if known else 1.0


def likeness(image: Float[Tensor, "1 3 h w"], other: Float[Tensor, "1 3 h w"]) -> float:
    """Peak signal-to-noise ratio in decibels: −10 log₁₀ of the mean squared difference; infinite for equal images."""
    return float(-10.0 * torch.log10((image - other).square().mean()))


def reconstruction_figure(
    subject: str, image: Image, whole: Tensor, reconstructions: Sequence[Reconstruction]
) -> Figure:
    """The original first, then the reconstructions; for content also one detail of each, close up.

    Args:
        subject: `content` or `style`.
        image: the original as given, for its name.
        whole: the original at the size of the reconstructions, (1, 3, height, width).
        reconstructions: in the order of the network.
    """
    title, lines = _WORDS[subject]
    original = "Photograph" if subject == "content" else "Painting"
    panels = [(original, image.name.removeprefix("sample:"), whole)]
    panels += [(*_named(subject, one), one.image.pixels) for one in reconstructions]
    cell = (WIDTH - 2 * MARGIN - GAP * (_COLUMNS - 1)) / _COLUMNS
    row_height = TITLE + cell * whole.shape[-2] / whole.shape[-1]
    rows = [panels[start : start + _COLUMNS] for start in range(0, len(panels), _COLUMNS)]
    total = 2 * MARGIN + heading_height(lines) + len(rows) * (row_height + GAP) - GAP
    close = (WIDTH - 2 * MARGIN - GAP * (len(panels) - 1)) / len(panels)
    if subject == "content":
        total += BREAK + TITLE + close
    fig = new_figure(WIDTH, total)
    top = put_heading(fig, total - MARGIN, title, lines)
    for row in rows:
        for column, (name, beside, pixels) in enumerate(row):
            put_picture(fig, pixels, MARGIN + column * (cell + GAP), top, cell, title=name, beside=beside)
        top -= row_height + GAP
    if subject == "content":
        top += GAP - BREAK
        put_title(fig, MARGIN, top + 0.06, WIDTH, _CLOSE_UP)
        rows_, columns_ = busiest(whole)
        for column, (name, _, pixels) in enumerate(panels):
            detail = pixels[..., rows_, columns_]
            put_picture(fig, detail, MARGIN + column * (close + GAP), top, close, title="", beside=name)
    return fig


def _named(subject: str, one: Reconstruction) -> tuple[str, str]:
    """Title of a reconstruction, and the note beside the title."""
    deepest = one.layers[-1]
    if subject == "content":
        return deepest.name, f"sees {deepest.receptive_field} px; {one.likeness:.0f} dB"
    plus = "+ " if len(one.layers) > 1 else ""
    return f"{plus}{deepest.name}", f"{deepest.receptive_field} px: {responds_to(deepest)}"


def busiest(picture: Tensor) -> tuple[slice, slice]:
    """Rows and columns of the square in which neighbouring pixels differ most, for a close-up."""
    side = max(8, round(_CLOSE * min(picture.shape[-2:])))
    gray = picture.mean(1, keepdim=True)
    change = F.pad(gray.diff(dim=2).abs(), (0, 0, 0, 1)) + F.pad(gray.diff(dim=3).abs(), (0, 1))
    amounts = F.avg_pool2d(change, side, stride=1)[0, 0]
    row, column = divmod(int(torch.argmax(amounts)), amounts.shape[1])
    return slice(row, row + side), slice(column, column + side)
