"""Owns the method: how a photograph becomes a painting. Read this first.

Neural style transfer (Gatys, Ecker & Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016)
asks a network that has learned to see for two things: *what* is in the photograph (the features of a deep layer) and
*how* the painting is painted (which features occur together, at five depths). Then it changes the pixels of a third
picture until it has the first and the second. Here that is done coarse to fine: large forms on a small picture,
brushwork on the full one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from impasto import color, devices
from impasto.backbones import Backbone, architecture
from impasto.guidance import Guidance
from impasto.images import Image, fit, resize
from impasto.objective import Evaluator, evaluate
from impasto.optimizers import LBFGS, Adam, FrequencyPreconditioner, Optimizer
from impasto.pastiche import Input, Pastiche, Recipe, TracePoint
from impasto.pyramid import pyramid
from impasto.settings import Settings
from impasto.starts import enlarged, first_picture
from impasto.targets import layer_weights, objective_at, shares_of, strengths_of

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
    _finish: Callable[[Tensor], Tensor]
    _final_size: tuple[int, int]
    _recipe: Recipe
    _trace: tuple[TracePoint, ...]

    def preview(self) -> Image:
        """The best picture so far, at the size it is now painted at."""
        return Image(pixels=self._finish(self._picture.clamp(0, 1).cpu()), name="preview")

    def pastiche(self) -> Pastiche:
        """The best picture so far as a result, at the final size."""
        pixels = self._finish(resize(self._picture.clamp(0, 1).cpu(), self._final_size))
        return Pastiche(Image(pixels=pixels, name="pastiche"), self._recipe, self._trace)


def stylization(
    content: Image,
    styles: Sequence[Image],
    settings: Settings,
    *,
    init: Image | None = None,
    guidance: Guidance | None = None,
    device: torch.device | None = None,
    evaluator: Evaluator = evaluate,
) -> Iterator[Progress]:
    """Paint `content` in the manner of `styles`: iterate to paint, stop iterating to cancel.

    Args:
        content: the photograph.
        styles: one painting, or several whose statistics are blended as `settings.blend` says.
        settings: everything else.
        init: the picture to start from, where `settings.init` is none of `content`, `noise` and `style`.
        guidance: regions with styles of their own, and where content counts more.
        device: where to compute; the CPU by default.
        evaluator: computes value and gradient of an objective at an image.

    Returns:
        An iterator of Progress, one after every iteration; the last one's `pastiche()` is the result.

    Raises:
        SettingsError: a layer does not exist, or there are not as many shares as paintings, or strengths as regions;
            raised at once, before the first iteration.
        OptimizationError: the loss is not finite and cannot be made so; the last Progress holds the best picture.
    """
    shares_of(settings, len(styles))
    strengths_of(settings, len(guidance.guides) if guidance else 0)
    network = architecture(settings.backbone)
    content_weights, style_weights = layer_weights(settings, network)
    device = device or torch.device("cpu")
    dtype = devices.precision(settings.precision, device)
    backbone = network.build(
        {**content_weights, **style_weights}, pooling=settings.pooling, padding=settings.padding, dtype=dtype
    ).to(device)
    recipe = Recipe(
        settings=settings,
        content=Input.of(content),
        styles=tuple(map(Input.of, styles)),
        init=Input.of(init) if init else None,
        masks=tuple(map(Input.of, guidance.content_masks)) if guidance else (),
        style_masks=tuple(map(Input.of, guidance.style_masks)) if guidance else (),
        content_map=Input.of(guidance.content_map) if guidance and guidance.content_map else None,
    )
    return _paint(content, styles, init, guidance, recipe, backbone, evaluator)


def _paint(
    content: Image,
    styles: Sequence[Image],
    init: Image | None,
    guidance: Guidance | None,
    recipe: Recipe,
    backbone: Backbone,
    evaluator: Evaluator,
) -> Iterator[Progress]:
    settings = recipe.settings
    device = next(backbone.parameters()).device
    optimizer: Optimizer = (
        LBFGS(settings.history) if settings.optimizer == "lbfgs" else Adam(settings.learning_rate, settings.averaging)
    )
    final_size = fit(content.size, settings.size)
    scales = pyramid(content.size, settings, min_side=backbone.architecture.min_side)
    total_work = sum(scale.work for scale in scales)
    work = 0
    # Drawn on the CPU, so that a seed means the same on every device.
    chance = torch.Generator().manual_seed(settings.seed)
    picture: Tensor | None = None
    trace: list[TracePoint] = []
    original = content.pixels
    content, styles, keep_color = _colored(content, styles, settings)

    def finish(painted: Tensor) -> Tensor:
        painted = keep_color(painted)
        if guidance is None or settings.background == "paint":
            return painted
        size = (painted.shape[-2], painted.shape[-1])
        return torch.lerp(painted, resize(original, size), guidance.cover(size)[1])

    for index, scale in enumerate(scales):
        # What to aim for, at this size.
        photograph = resize(content.pixels, scale.size).to(device)
        objective = objective_at(backbone, photograph, styles, settings, guidance)

        # Where to start: from the scale before, enlarged.
        if picture is None:
            picture = first_picture(photograph, styles, init, settings.init, chance)
        else:
            picture = enlarged(picture, photograph, settings, chance)
            optimizer.resize(scale.size)

        # The descent.
        precondition = FrequencyPreconditioner(
            scale.size, settings.preconditioning, wrap=settings.padding == "wrap", device=device
        )
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
                _finish=finish,
                _final_size=final_size,
                _recipe=recipe,
                _trace=tuple(trace),
            )
            if len(recent) == _WINDOW and _visible_change(recent[0], picture) < settings.tolerance:
                break
            recent.append(picture)
        work += scale.work
        picture = picture.clamp(0, 1)


def _colored(
    content: Image, styles: Sequence[Image], settings: Settings
) -> tuple[Image, Sequence[Image], Callable[[Tensor], Tensor]]:
    """The pictures to paint from, and what brings the photograph's colours back in the end, as `keep_color` says."""
    mode, amount = settings.keep_color, settings.keep_color_amount
    photograph = content.pixels

    def keep(picture: Tensor) -> Tensor:
        return color.kept(picture, photograph, mode, amount)

    if mode == "none" or settings.keep_color_when == "after":
        return content, styles, keep
    if mode == "luminance":
        # Nothing but lightness is painted; the colours are put back under it.
        grays = [replace(style, pixels=color.gray_like(style.pixels, photograph)) for style in styles]
        return replace(content, pixels=color.gray(photograph)), grays, keep
    return content, [replace(style, pixels=keep(style.pixels)) for style in styles], lambda picture: picture


def _visible_change(before: Tensor, after: Tensor) -> float:
    """Root mean square difference between two pictures, in levels of 255."""
    return 255.0 * float((before - after).square().mean().sqrt())
