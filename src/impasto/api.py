"""Owns the one-line verbs: pictures in whatever form they come, settings by name, a Pastiche out."""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from impasto import artifacts, devices, method, planning
from impasto.backbones import VGG19, Backbone, architecture
from impasto.checkpoints import Checkpoint
from impasto.errors import ImpastoWarning, SettingsError, SettingsWarning
from impasto.evaluators import WHOLE_IMAGE, Evaluator
from impasto.explanations.explanation import Explanation, explaining
from impasto.explanations.subjects import settings_for as settings_to_explain
from impasto.images import Image, fit
from impasto.inputs import Inputs, each
from impasto.loading import BLANK_PREFIX, LARGEST_SIDE, load
from impasto.losses import ImageTerm
from impasto.messages import counted
from impasto.method import Stylization
from impasto.metrics import Judge, Judgement
from impasto.pastiche import Pastiche
from impasto.presets import DEFAULT, preset
from impasto.pyramid import pyramid
from impasto.recipes import Change
from impasto.settings import OPTIONS, Settings
from impasto.strokes import usual_scale
from impasto.task import Engine, without_effect
from impasto.tiling import TiledEvaluator
from impasto.weighting import layer_weights, shares_of

# Pixels of a picture that fits any machine; for larger ones the memory is asked for.
_SURELY_FITS = 1024**2


def texture(
    style: Any,
    *,
    width: int,
    height: int,
    tile: bool = False,
    preset: str = DEFAULT,
    weights: str | Path | None = None,
    **options: Any,
) -> Pastiche:
    """Paint the texture of a painting, without any content.

    After Gatys, Ecker & Bethge, "Texture Synthesis Using Convolutional Neural Networks", NIPS 2015.

    Args:
        style: the painting, or a list of paintings to blend.
        width, height: in pixels, at least 32 each.
        tile: whether the texture is to continue over its borders, so that copies laid side by side show no seam; its
            sides are then rounded to multiples of 16.
        preset: name of a bundled preset, or the path of a TOML file.
        weights: as for `stylize`.
        **options: fields of `Settings`, which override the preset; not `size` and `content_weight`.

    Raises:
        ImpastoError: as for `stylize`.
    """
    content, settings = texture_settings(settings_for(preset, **options), width=width, height=height, tile=tile)
    return stylize(content, style, weights=weights, **settings.to_mapping())


def texture_settings(settings: Settings, *, width: int, height: int, tile: bool = False) -> tuple[str, Settings]:
    """The name of the content, and the settings, by which `stylize` paints a texture.

    Raises:
        SettingsError: a side is out of range.
    """
    for name, side in (("width", width), ("height", height)):
        if not 32 <= side <= LARGEST_SIDE:
            raise SettingsError(name, f"got {side}; it must be 32 to {LARGEST_SIDE} px")
    if tile:
        width, height = (16 * round(side / 16) for side in (width, height))
    changes: dict[str, Any] = {"size": max(width, height), "content_weight": 0.0, "padding": settings.padding}
    if settings.largest_form == Settings().largest_form:
        # There is no scene whose things those of the painting could replace.
        changes["largest_form"] = 0.0
    if tile:
        changes["padding"] = "wrap"
    if settings.init == "content":
        changes["init"] = "style"
    return f"{BLANK_PREFIX}{width}x{height}", settings.replace(**changes)


def stylize(
    content: Any,
    style: Any,
    *,
    preset: str = DEFAULT,
    init: Any = None,
    masks: Any = (),
    style_masks: Any = (),
    content_map: Any = None,
    weights: str | Path | None = None,
    network: Backbone | None = None,
    evaluator: Evaluator = WHOLE_IMAGE,
    image_terms: Sequence[ImageTerm] = (),
    memory: str | int | None = None,
    tile_size: int | None = None,
    **options: Any,
) -> Pastiche:
    """Paint `content` in the style of `style`.

    Args:
        content: the photograph; anything that `load` takes.
        style: the painting, or a list of paintings to blend.
        preset: name of a bundled preset, or the path of a TOML file.
        init: `content`, `noise`, `style`, `fast`, or a picture to start from.
        masks: of the photograph, one for each region, or one alone: white is inside. See `guidance.Guidance`.
        style_masks: of the painting, as many as `masks`.
        content_map: white where the photograph's shapes are to stay.
        weights: file of the backbone's weights, safetensors or a `.pth` of tensors alone; without one, those that
            torchvision's hub has.
        network: a network of your own, on the device that the settings name. The recipe notes its name, and nobody can
            paint the picture again without it; the same holds for `evaluator` and `image_terms`.
        evaluator: computes targets, values and gradients; see `evaluators.Evaluator`.
        image_terms: further terms of the loss on the image itself; see `losses.ImageTerm`.
        memory: the most memory to use, in bytes or as text, `4GB`; by default, what is free. Pictures that need more
            are painted in tiles, with the same result up to rounding.
        tile_size: side of the tiles, in pixels, at least what the network sees around them, 80 px for the default
            layers; chosen by the memory if None.
        **options: fields of `Settings`, which override the preset: `size=1024, strength=0.7`.

    Raises:
        ImpastoError: a picture, a setting or the device cannot be used; see `errors` for the kinds.
    """
    settings = settings_for(preset, **options)
    steps = stylization(
        content,
        style,
        settings,
        init=init,
        masks=masks,
        style_masks=style_masks,
        content_map=content_map,
        weights=weights,
        network=network,
        evaluator=evaluator,
        image_terms=image_terms,
        memory=memory,
        tile_size=tile_size,
    )
    *_, last = deque(steps, maxlen=1)
    return last.pastiche()


def settings_for(preset_name: str = DEFAULT, **options: Any) -> Settings:
    """The settings of a preset, overridden by `options`."""
    return preset(preset_name).settings(**options)


def stylization(
    content: Any,
    style: Any,
    settings: Settings | None = None,
    *,
    init: Any = None,
    masks: Any = (),
    style_masks: Any = (),
    content_map: Any = None,
    weights: str | Path | None = None,
    network: Backbone | None = None,
    evaluator: Evaluator = WHOLE_IMAGE,
    image_terms: Sequence[ImageTerm] = (),
    memory: str | int | None = None,
    tile_size: int | None = None,
    changes: Sequence[Change] = (),
    resume: Checkpoint | str | Path | None = None,
) -> Stylization:
    """Paint step by step: yields Progress after every iteration; stop iterating to cancel.

    Pictures are read and settings checked before the first step, when this is called.

    Args:
        content, style, init, masks, style_masks, content_map, weights: as for `stylize`.
        network, evaluator, image_terms, memory, tile_size: as for `stylize`.
        settings: the default preset's, if None.
        changes: of settings, to be made again as a recipe tells of them.
        resume: a checkpoint, or the path of one, of a painting that these pictures and settings began; the first
            Progress is the one that it was taken of.

    Raises:
        ImpastoError: as for `stylize`; CheckpointError if the checkpoint cannot be read, or is of another painting.
    """
    settings = settings_for() if settings is None else settings
    if isinstance(init, str):
        settings, init = settings.replace(init=init), None
    inputs = Inputs.load(content, style, init=init, masks=masks, style_masks=style_masks, content_map=content_map)
    return begin(
        inputs,
        settings,
        weights=weights,
        network=network,
        evaluator=evaluator,
        image_terms=image_terms,
        memory=memory,
        tile_size=tile_size,
        changes=changes,
        resume=resume,
    )


def begin(
    inputs: Inputs,
    settings: Settings,
    *,
    weights: str | Path | None = None,
    network: Backbone | None = None,
    evaluator: Evaluator = WHOLE_IMAGE,
    image_terms: Sequence[ImageTerm] = (),
    memory: str | int | None = None,
    tile_size: int | None = None,
    changes: Sequence[Change] = (),
    resume: Checkpoint | str | Path | None = None,
) -> Stylization:
    """`stylization` of pictures that are read already: settings are made to fit this machine, and checked.

    Args:
        inputs: the pictures; if they have one to start from, it takes the place of `settings.init`.
        settings, weights, network, evaluator, image_terms, memory, tile_size, changes, resume: as for `stylization`.

    Raises:
        ImpastoError: as for `stylization`.
    """
    for name, reason in without_effect(settings, masked=inputs.masked).items():
        warnings.warn(SettingsWarning(name, reason), stacklevel=3)
    settings = resolved(settings)
    if (fault := artifacts.enlarged_painting(fit(inputs.content.size, settings.size), inputs.styles)) is not None:
        warnings.warn(f"{fault.where}; {fault.advice}", ImpastoWarning, stacklevel=3)
    if inputs.init is None and settings.init not in OPTIONS["init"][1].words:
        inputs = replace(inputs, init=load(settings.init))
    if inputs.init is not None:
        settings = settings.replace(init=inputs.init.name or "a picture")
    elif settings.init == "fast":
        inputs = replace(inputs, init=_fast_start(inputs.content, inputs.styles, settings))
    if network is not None:
        settings = settings.replace(backbone=network.architecture.name)
    if isinstance(resume, str | Path):
        resume = Checkpoint.load(resume)
    if resume is not None and resume.recipe.threads != (threads := torch.get_num_threads()):
        before = f"it was painted with {counted(resume.recipe.threads, 'thread')} so far"
        warnings.warn(f"{before}; with {threads}, the last digits may differ", ImpastoWarning, stacklevel=3)
    if evaluator is WHOLE_IMAGE:
        settings, evaluator = _planned(inputs, settings, memory, tile_size, resume)
    elif memory is not None or tile_size is not None:
        raise SettingsError(
            "memory" if tile_size is None else "tile_size", "an evaluator of your own decides how it computes"
        )
    engine = Engine(
        device=torch.device(settings.device),
        weights=None if weights is None else Path(weights),
        backbone=network,
        evaluator=evaluator,
        image_terms=image_terms,
    )
    return method.stylization(inputs, settings, engine, changes=changes, resume=resume)


def _planned(
    inputs: Inputs, settings: Settings, memory: str | int | None, tile_size: int | None, resume: Checkpoint | None
) -> tuple[Settings, Evaluator]:
    """The evaluator that fits the memory, and the settings, with a shorter `history` where the memory asks for it.

    Raises:
        SettingsError: `memory` or `tile_size` cannot be used.
        DeviceError: the picture does not fit `memory`.
    """
    if memory is None and tile_size is None and settings.size**2 <= _SURELY_FITS:
        return settings, TiledEvaluator(whole=2**62)
    asked = settings
    if resume is not None and not resume.recipe.settings.differences(settings).keys() - {"history"}:
        settings = resume.recipe.settings
    size, styles = inputs.content.size, len(inputs.styles)
    choose = planning.plan if memory is None else planning.checked_plan
    budget = None if memory is None else planning.parse_bytes(memory)
    chosen = choose(size, settings, styles=styles, budget=budget, tile=tile_size)
    if chosen.settings.history != asked.history:
        warnings.warn(
            f"L-BFGS uses {chosen.settings.history} past steps instead of {asked.history}, to fit the memory",
            ImpastoWarning,
            stacklevel=4,
        )
    return chosen.settings, chosen.evaluator()


def resolved(settings: Settings) -> Settings:
    """The settings with the device and the precision that `auto` means on this machine, and the layers of the backbone.

    Raises:
        DeviceError: the device is not here.
        SettingsError: a backbone or layer does not exist.
    """
    device = devices.resolve(settings.device)
    precision = str(devices.precision(settings.precision, device)).removeprefix("torch.")
    if settings.backbone != VGG19.architecture.name:
        content, style = layer_weights(settings, architecture(settings.backbone))
        settings = settings.replace(content_layers=content, style_layers=style)
    return settings.replace(device=str(device), precision=precision)


def _fast_start(photograph: Image, paintings: Sequence[Image], settings: Settings) -> Image:
    """What the fast engine makes of the pictures, at the first size that is painted."""
    # Here, for it takes a while to import and few want it.
    from impasto.fast import FastModel

    height, width = pyramid(photograph.size, settings, min_side=VGG19.architecture.min_side)[0].size
    return FastModel.load().stylize(
        photograph.resized((height, width)),
        paintings,
        blend=shares_of(settings, len(paintings)),
        style_size=max(VGG19.architecture.min_side, round(usual_scale(settings) * math.sqrt(height * width))),
        device=settings.device,
        precision=settings.precision,
    )


def judge(content: Any, style: Any, pastiche: Any) -> Judgement:
    """How good `pastiche` is: near `style` in style, near `content` in content, and which faults it shows.

    For several pastiches of one pair, `metrics.Judge` looks at the pair only once.

    Args:
        content, style, pastiche: anything that `load` takes; `style` may be a list, and `pastiche` a Pastiche.

    Raises:
        ImpastoError: a picture cannot be read, or is too small to be looked at.
    """
    paintings = [load(one) for one in each(style)]
    picture = pastiche.image if isinstance(pastiche, Pastiche) else load(pastiche)
    return Judge(load(content), paintings).judge(picture)


def explain(
    what: str,
    picture: Any,
    *,
    layers: str | Sequence[str] = "",
    weights: str | Path | None = None,
    **options: Any,
) -> Explanation:
    """Draw a figure that explains what a network's layers know of `picture`.

    Args:
        what: `content` or `style`: what of the picture some layers know, painted from noise; `gram`: feature maps and
            Gram matrices; `network`: how far each layer sees, and what pooling keeps.
        picture: the photograph or the painting; anything that `load` takes.
        layers: to explain; those of the paper by default.
        weights: as for `stylize`.
        **options: `size`, `iterations`, `seed`, `backbone`, `pooling`, `device`, `precision`, as in `Settings`.

    Raises:
        ImpastoError: the picture, a setting, a layer or the device cannot be used.
    """
    settings = settings_to_explain(what, **options)
    *_, last = explaining(what, load(picture), settings, layers, weights=None if weights is None else Path(weights))
    return last.explanation()
