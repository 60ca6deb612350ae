"""Owns the method: how a photograph becomes a painting. Read this first.

Neural style transfer (Gatys, Ecker & Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016)
asks a network that has learned to see for two things: *what* is in the photograph (the features of a deep layer) and
*how* the painting is painted (which features occur together, at five depths). Then it changes the pixels of a third
picture until it has the first and the second. Here that is done coarse to fine: large forms on a small picture,
brushwork on the full one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from impasto import devices
from impasto.backbones import VGG19
from impasto.backbones.vgg import LAYERS, canonical_name
from impasto.errors import SettingsError
from impasto.images import Image, fit, resize
from impasto.objective import Evaluator, Objective, evaluate
from impasto.optimizers import LBFGS, Adam, FrequencyPreconditioner, Optimizer
from impasto.pastiche import Input, Pastiche, Recipe, TracePoint
from impasto.pyramid import pyramid
from impasto.representations import Moments, blend
from impasto.settings import Settings

# Weight of the term that keeps colours within what can be shown; large enough to matter, too small to be seen.
_RANGE_WEIGHT = 10.0
# Iterations over which a picture must have changed visibly for its scale to go on.
_WINDOW = 10


@dataclass(frozen=True)
class Progress:
    """Where the method is, after one iteration.

    Attributes:
        scale, scales: index of the scale (from 0) and how many there are.
        size: (height, width) painted at, in pixels.
        iteration, iterations: index within the scale (from 1) and how many it may take.
        value, terms: the loss of this iteration, in total and by term (weighted).
        work, total_work: pixels times iterations, done and in all; early stops count as done.
    """

    scale: int
    scales: int
    size: tuple[int, int]
    iteration: int
    iterations: int
    value: float
    terms: Mapping[str, float]
    work: int
    total_work: int
    _picture: Tensor
    _final_size: tuple[int, int]
    _recipe: Recipe
    _trace: tuple[TracePoint, ...]

    def preview(self) -> Image:
        """The best picture so far, at the size it is now painted at."""
        return Image(pixels=self._picture.clamp(0, 1).cpu(), name="preview")

    def pastiche(self) -> Pastiche:
        """The best picture so far as a result, at the final size."""
        pixels = resize(self._picture.clamp(0, 1).cpu(), self._final_size)
        return Pastiche(Image(pixels=pixels, name="pastiche"), self._recipe, self._trace)


def stylization(
    content: Image,
    styles: Sequence[Image],
    settings: Settings,
    *,
    init: Image | None = None,
    device: torch.device | None = None,
    evaluator: Evaluator = evaluate,
) -> Iterator[Progress]:
    """Paint `content` in the manner of `styles`: iterate to paint, stop iterating to cancel.

    Args:
        content: the photograph.
        styles: one painting, or several whose statistics are blended in equal parts.
        settings: everything else.
        init: the picture to start from, where `settings.init` is none of `content`, `noise` and `style`.
        device: where to compute; the CPU by default.
        evaluator: computes value and gradient of an objective at an image.

    Returns:
        An iterator of Progress, one after every iteration; the last one's `pastiche()` is the result.

    Raises:
        SettingsError: a layer does not exist; raised at once, before the first iteration.
        OptimizationError: the loss is not finite and cannot be made so; the last Progress holds the best picture.
    """
    content_weights, style_weights = _layers(settings)
    deepest = max({**content_weights, **style_weights}, key=list(LAYERS).index)
    device = device or torch.device("cpu")
    dtype = devices.precision(settings.precision, device)
    backbone = VGG19(deepest, pooling=settings.pooling, padding=settings.padding, dtype=dtype).to(device)
    recipe = Recipe(
        settings=settings,
        content=Input.of(content),
        styles=tuple(map(Input.of, styles)),
        init=Input.of(init) if init else None,
    )
    return _paint(content, styles, init, recipe, backbone, evaluator)


def _paint(
    content: Image,
    styles: Sequence[Image],
    init: Image | None,
    recipe: Recipe,
    backbone: VGG19,
    evaluator: Evaluator,
) -> Iterator[Progress]:
    settings = recipe.settings
    device = next(backbone.parameters()).device
    optimizer: Optimizer = (
        LBFGS(settings.history) if settings.optimizer == "lbfgs" else Adam(settings.learning_rate, settings.averaging)
    )
    final_size = fit(content.size, settings.size)
    scales = pyramid(content.size, settings, min_side=backbone.min_side)
    total_work = sum(scale.work for scale in scales)
    work = 0
    # Drawn on the CPU, so that a seed means the same on every device.
    chance = torch.Generator().manual_seed(settings.seed)
    picture: Tensor | None = None
    trace: list[TracePoint] = []

    for index, scale in enumerate(scales):
        # What to aim for, at this size.
        photograph = resize(content.pixels, scale.size).to(device)
        objective = objective_at(backbone, photograph, styles, settings)

        # Where to start: from the scale before, enlarged.
        if picture is None:
            picture = _start(photograph, styles, init, settings.init, chance)
        else:
            picture = _enlarged(picture, photograph, settings, chance)
            optimizer.resize(scale.size)

        # The descent.
        precondition = FrequencyPreconditioner(scale.size, settings.preconditioning, device=device)
        recent = deque([picture], maxlen=_WINDOW)
        steps = optimizer.descend(
            partial(evaluator, objective), picture, iterations=scale.iterations, precondition=precondition
        )
        for iteration, step in enumerate(steps, start=1):
            picture = step.image
            evaluation = step.evaluation
            trace.append(TracePoint(index, scale.size, iteration, evaluation.value, evaluation.terms))
            yield Progress(
                scale=index,
                scales=len(scales),
                size=scale.size,
                iteration=iteration,
                iterations=scale.iterations,
                value=evaluation.value,
                terms=evaluation.terms,
                work=work + scale.work * iteration // scale.iterations,
                total_work=total_work,
                _picture=picture,
                _final_size=final_size,
                _recipe=recipe,
                _trace=tuple(trace),
            )
            if len(recent) == _WINDOW and _visible_change(recent[0], picture) < settings.tolerance:
                break
            recent.append(picture)
        work += scale.work
        picture = picture.clamp(0, 1)


def objective_at(backbone: VGG19, photograph: Tensor, styles: Sequence[Image], settings: Settings) -> Objective:
    """What a picture of the photograph's size is to be like: its targets, and the weights.

    Args:
        backbone: the network, as deep as the deepest layer that the settings name.
        photograph: (1, 3, height, width) at the size to be painted at.
        styles: the paintings, of any size; they are looked at with the area of the photograph.
        settings: layers, weights and strength, which shifts the balance between content and style.

    Raises:
        SettingsError: a layer does not exist.
    """
    content_weights, style_weights = _layers(settings)
    size = (photograph.shape[-2], photograph.shape[-1])
    with torch.no_grad():
        content = backbone(photograph, content_weights)
        statistics = [
            {layer: Moments.of(features) for layer, features in backbone(painting, style_weights).items()}
            for painting in (_painting_at(style, size, settings.style_scale).to(photograph.device) for style in styles)
        ]
    content_share, style_share = balance(settings.strength)
    return Objective(
        backbone=backbone,
        content=content,
        style={layer: blend((1.0, s[layer]) for s in statistics) for layer in style_weights},
        content_weights=_shared(content_weights, settings.content_weight * content_share),
        style_weights=_shared(style_weights, settings.style_weight * style_share),
        tv_weight=settings.tv_weight,
        range_weight=_RANGE_WEIGHT if settings.normalization == "relative" else 0.0,
        normalization=settings.normalization,
        style_loss=settings.style_loss,
    )


def balance(strength: float) -> tuple[float, float]:
    """Factors on the content and the style weight: (1, 1) at strength ½, no style at 0, hardly any content at 1."""
    if strength == 0:
        return 1.0, 0.0
    return max(((1 - strength) / strength) ** 1.5, 0.01), 1.0


def _layers(settings: Settings) -> tuple[dict[str, float], dict[str, float]]:
    """Weights of the content and of the style layers, by canonical name."""
    content = _canonical(settings.content_layers, "content_layers")
    return content, _canonical(settings.style_layers, "style_layers")


def _canonical(weights: Mapping[str, float], setting: str) -> dict[str, float]:
    """The weights by the layers' canonical names, without those that count nothing."""
    found: dict[str, float] = {}
    for name, weight in weights.items():
        layer = canonical_name(name, setting=setting)
        if layer in found:
            raise SettingsError(setting, f"{name} is {layer}, which is named already; name each layer once")
        found[layer] = weight
    return {layer: weight for layer, weight in found.items() if weight}


def _shared(weights: Mapping[str, float], total: float) -> dict[str, float]:
    """The weights, scaled so that they add up to `total`: more layers do not mean more of it."""
    whole = sum(weights.values())
    return {layer: total * weight / whole for layer, weight in weights.items()}


def _painting_at(painting: Image, size: tuple[int, int], scale: float) -> Tensor:
    """The painting with the area of the pastiche, times `scale` on each side; its shape is its own."""
    factor = scale * math.sqrt(size[0] * size[1] / (painting.height * painting.width))
    height, width = (max(VGG19.min_side, round(side * factor)) for side in painting.size)
    return resize(painting.pixels, (height, width))


def _start(
    photograph: Tensor, styles: Sequence[Image], init: Image | None, word: str, chance: torch.Generator
) -> Tensor:
    """The first picture, of the photograph's size."""
    size, device = (photograph.shape[-2], photograph.shape[-1]), photograph.device
    if init is not None:
        return resize(init.pixels, size).to(device)
    if word == "content":
        return photograph
    noise = torch.randn(photograph.shape, generator=chance).to(device)
    if word == "noise":
        return (0.5 + 0.1 * noise).clamp(0, 1)
    # Noise with the mean and covariance of the painting's colours.
    colors = torch.cat([_painting_at(style, size, 1.0).flatten(2) for style in styles], dim=-1)[0].to(device)
    mixing = torch.linalg.cholesky(torch.cov(colors) + 1e-5 * torch.eye(3, device=device))
    colored = torch.einsum("ij,njhw->nihw", mixing, noise) + colors.mean(1).view(1, 3, 1, 1)
    return colored.clamp(0, 1)


def _enlarged(picture: Tensor, photograph: Tensor, settings: Settings, chance: torch.Generator) -> Tensor:
    """The picture at the photograph's size, with what an enlarged picture lacks: fine detail.

    The photograph's own is laid over it, which is what the photograph has at this size and had not at the one before.
    Otherwise whatever was lost at the coarse scales is lost for good, and on a smooth picture the gradient through the
    network has a faint grid in it, which every step strengthens. Where the photograph is smooth itself, grain breaks
    the grid up: grey noise whose amplitude falls with frequency, as that of pictures does.
    """
    before = (picture.shape[-2], picture.shape[-1])
    size = (photograph.shape[-2], photograph.shape[-1])
    detail = photograph - resize(resize(photograph, before), size)
    noise = torch.randn((1, 1, *size), generator=chance).to(picture.device).expand_as(photograph)
    grain = FrequencyPreconditioner(size, 1.0, device=picture.device)(noise)
    return resize(picture, size) + detail_share(settings) * detail + settings.grain * grain


def detail_share(settings: Settings) -> float:
    """How much of the photograph's detail is laid over an enlarged picture: less as strength goes from ½ to 1.

    None where the photograph is not wanted at all.
    """
    if settings.content_weight == 0:
        return 0.0
    return settings.detail * min(1.0, 2 * (1 - settings.strength))


def _visible_change(before: Tensor, after: Tensor) -> float:
    """Root mean square difference between two pictures, in levels of 255."""
    return 255.0 * float((before - after).square().mean().sqrt())
