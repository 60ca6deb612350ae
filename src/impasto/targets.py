"""Owns what a pastiche is to be like at one size: the targets that photograph and paintings set, and their weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from impasto.backbones import Backbone
from impasto.errors import SettingsError
from impasto.evaluators import WHOLE_IMAGE, Evaluator
from impasto.guidance import Guidance, at_layer, inside, resized
from impasto.images import Image, of_area, resize
from impasto.losses import (
    CONTENT_LOSSES,
    STYLE_LOSSES,
    ColorRange,
    Edges,
    ImageTerm,
    StyleLoss,
    TotalVariation,
    laplacian,
)
from impasto.losses.content import POOLINGS
from impasto.losses.style import layers_of
from impasto.objective import Objective, StyleTarget
from impasto.settings import Settings
from impasto.weighting import balance, layer_weights, scaled_to, shares_of, strengths_of, within

# Weight of the term that keeps colours within what can be shown; large enough to matter, too small to be seen.
_RANGE_WEIGHT = 10.0
# Layers with receptive fields of at most this many pixels describe brushwork, and need real pixels; in VGG-19 those up
# to relu3_2.
_BRUSHWORK = 32


def objective_at(
    backbone: Backbone,
    photograph: Tensor,
    styles: Sequence[Image],
    settings: Settings,
    guidance: Guidance | None = None,
    style_scales: Sequence[float] = (),
    *,
    image_terms: Sequence[ImageTerm] = (),
    evaluator: Evaluator = WHOLE_IMAGE,
) -> Objective:
    """What a picture of the photograph's size is to be like: its targets, and the weights.

    Args:
        backbone: the network, as deep as the deepest layer that the settings name.
        photograph: (1, 3, height, width) at the size to be painted at.
        styles: the paintings, of any size; they are looked at with the area of the photograph.
        settings: layers, weights and strength, which shifts the balance between content and style.
        guidance: regions with styles of their own.
        style_scales: the size at which each painting is looked at, relative to the picture; by default as the settings
            say.
        image_terms: further terms on the image, beside those that the settings ask for.
        evaluator: runs the network over the pictures.

    Raises:
        SettingsError: a layer does not exist, there are not as many shares as paintings, or strengths as regions, or
            two terms have one name.
    """
    content_weights, style_weights = layer_weights(settings, backbone.architecture)
    size = _size(photograph)
    # What is drawn at random is drawn once a scale: L-BFGS needs the same loss in every iteration.
    style_loss = STYLE_LOSSES[settings.style_loss]((settings.seed, *size))
    content_loss = CONTENT_LOSSES[settings.content_loss]
    fewest = style_loss.fewest_layers
    terms = style_loss.weights(within(style_weights, settings.largest_form, backbone.architecture, size, fewest=fewest))
    with torch.no_grad():
        features = evaluator.content_features(backbone, photograph, content_weights)
        scales = style_scales or (settings.style_scale,) * len(styles)
        views = [
            _views(style, photograph, scale, settings, list(terms), backbone)
            for style, scale in zip(styles, scales, strict=True)
        ]
        parts = _parts(photograph, len(styles), settings, guidance)
        styled = _styles(parts, backbone, views, settings, style_loss, list(terms), evaluator)
    pixel_weights = _content_weights(parts, photograph, guidance)
    # Where content is weighted by pixel, those weights have the strength in them.
    strength = balance(settings.strength)[0] if pixel_weights is None else 1.0
    content_weight = settings.content_weight * strength
    relative = settings.normalization == "relative"
    edge_weight = content_weight * content_loss.edge_weight
    chosen: list[ImageTerm] = [
        Edges(laplacian(photograph, pooling), pooling, edge_weight, settings.normalization, pixel_weights)
        for pooling in POOLINGS
        if edge_weight
    ]
    if settings.tv_weight:
        chosen.append(TotalVariation(settings.tv_weight))
    if relative:
        chosen.append(ColorRange(_RANGE_WEIGHT))
    return Objective(
        backbone=backbone,
        content={layer: content_loss.target(of_layer) for layer, of_layer in features.items()},
        regions=[_style_target(part, style, backbone) for part, style in zip(parts, styled, strict=True) if style],
        content_masks={}
        if pixel_weights is None
        else {layer: at_layer(pixel_weights, backbone.layers[layer]) for layer in content_weights},
        content_weights=scaled_to(content_weights, content_weight * (content_loss.factor if relative else 1.0)),
        style_weights=scaled_to(terms, settings.style_weight * (style_loss.factor if relative else 1.0)),
        image_terms=_distinct([*chosen, *image_terms]),
        normalization=settings.normalization,
        style_loss=style_loss,
        content_loss=content_loss,
    )


def keeps_background(settings: Settings, guidance: Guidance | None) -> bool:
    """Whether what no mask covers stays as it is; without a mask, nothing is background, and all is painted."""
    return settings.background == "keep" and guidance is not None and bool(guidance.regions)


def painting_at(painting: Image, size: tuple[int, int], scale: float, *, least: int) -> Tensor:
    """The painting with the area of the pastiche, times `scale` on each side, none under `least`."""
    return resize(painting.pixels, of_area(painting.size, scale**2 * size[0] * size[1], least=least))


@dataclass(frozen=True)
class _View:
    """A painting at the size at which some terms of the style loss look at it."""

    painting: Tensor
    terms: Sequence[str]


def _views(
    painting: Image, photograph: Tensor, scale: float, settings: Settings, terms: Sequence[str], backbone: Backbone
) -> list[_View]:
    """A painting as each term looks at it: as large as the picture, times `scale` on each side.

    Where that is larger than the painting itself, `enlarged` forms leaves it as it is for the terms that describe
    brushwork: an enlarged painting has forms, but its brushwork is blurred.
    """
    least = backbone.architecture.min_side
    looked_at = painting_at(painting, _size(photograph), scale, least=least).to(photograph.device)
    # Strokes that are to be larger are enlarged.
    own = painting.height * painting.width * max(1.0, scale**2)
    if settings.enlarged == "all" or looked_at.shape[-2] * looked_at.shape[-1] <= own:
        return [_View(looked_at, terms)]
    fields = {term: max(backbone.layers[layer].receptive_field for layer in layers_of(term)) for term in terms}
    fine = [term for term in terms if fields[term] <= _BRUSHWORK]
    itself = resize(painting.pixels, of_area(painting.size, own, least=least)).to(photograph.device)
    views = [_View(itself, fine), _View(looked_at, [term for term in terms if term not in fine])]
    return [view for view in views if view.terms]


@dataclass(frozen=True)
class _Part:
    """A part of the picture: a region, the background, or the whole.

    Attributes:
        plane: how much each pixel belongs to it; None if all of them do.
        paintings: indices of the paintings whose style it has.
        mask: how much each pixel of those paintings counts; None if all count alike.
        strength: of the style; 0 leaves it as it is.
        styled: whether it has style targets at all.
    """

    plane: Tensor | None
    paintings: Sequence[int]
    mask: Tensor | None
    strength: float
    styled: bool = True


def _parts(photograph: Tensor, paintings: int, settings: Settings, guidance: Guidance | None) -> list[_Part]:
    """The regions and the background, or the whole picture."""
    every = range(paintings)
    if guidance is None:
        return [_Part(None, every, None, settings.strength)]
    strengths = strengths_of(settings, len(guidance.regions))
    covers, background = guidance.cover(_size(photograph))
    parts = []
    for region, cover, strength in zip(guidance.regions, covers, strengths, strict=True):
        which = every if region.painting is None else [region.painting]
        parts.append(_Part(cover.to(photograph.device), which, region.style, strength, styled=strength > 0))
    if float(background.max()) > 0:
        painted = not keeps_background(settings, guidance) and settings.strength > 0
        strength = settings.strength if painted else 0.0
        parts.append(_Part(background.to(photograph.device), every, None, strength, styled=painted))
    return parts


def _styles(
    parts: Sequence[_Part],
    backbone: Backbone,
    paintings: Sequence[Sequence[_View]],
    settings: Settings,
    loss: StyleLoss[Any, Any],
    terms: Sequence[str],
    evaluator: Evaluator,
) -> list[dict[str, Any]]:
    """The style targets of each part, by term: those of its paintings, blended by their shares; of some, none."""
    shares = shares_of(settings, len(paintings))
    wraps = settings.padding == "wrap"
    found: list[list[tuple[float, dict[str, Any]]]] = [[] for _ in parts]
    for index, views in enumerate(paintings):
        having = [number for number, part in enumerate(parts) if part.styled and index in part.paintings]
        if not having:
            continue
        whole: list[dict[str, Any]] = [{} for _ in having]
        for view in views:
            layers = {layer for term in view.terms for layer in layers_of(term)}
            masks = [_inside(parts[number].mask, view.painting, layers, backbone, wraps=wraps) for number in having]
            targets = evaluator.style_targets(backbone, view.painting, loss, view.terms, masks)
            for target, of_view in zip(whole, targets, strict=True):
                target |= of_view
        for number, target in zip(having, whole, strict=True):
            found[number].append((shares[index], target))
    return [
        {term: loss.blended([(share, target[term]) for share, target in several]) for term in terms if several}
        for several in found
    ]


def _inside(
    mask: Tensor | None, painting: Tensor, layers: Iterable[str], backbone: Backbone, *, wraps: bool
) -> dict[str, Tensor]:
    """How much each position of a painting counts in the region of a mask, by layer; none where all count alike.

    Where the picture wraps around, the network sees the painting's lower border above its upper one, too. No painter
    has painted that edge, so the positions that see it do not count: otherwise the tile would show such seams.
    """
    if mask is None and not wraps:
        return {}
    size = _size(painting)
    plane = (torch.ones(size) if mask is None else resized(mask, size)).to(painting.device)
    return {layer: inside(plane, backbone.layers[layer], wraps=wraps) for layer in layers}


def _style_target(part: _Part, style: Mapping[str, Any], backbone: Backbone) -> StyleTarget:
    """The part as the objective has it: its style counts by its share of the picture."""
    if part.plane is None:
        return StyleTarget(style=style, share=balance(part.strength)[1])
    layers = {layer for term in style for layer in layers_of(term)}
    masks = {layer: at_layer(part.plane, backbone.layers[layer]) for layer in layers}
    return StyleTarget(style=style, masks=masks, share=float(part.plane.mean()))


def _content_weights(parts: Sequence[_Part], photograph: Tensor, guidance: Guidance | None) -> Tensor | None:
    """How much each pixel counts for content: by the strength of the part it lies in, and by the content map.

    None where there is but one part: all count alike.
    """
    planes = [part.plane * balance(part.strength)[0] for part in parts if part.plane is not None]
    if not planes or guidance is None:
        return None
    return torch.stack(planes).sum(0) * guidance.content_factor(_size(photograph)).to(photograph.device)


def _distinct(terms: Sequence[ImageTerm]) -> Sequence[ImageTerm]:
    """The terms, if each has a name of its own."""
    names = [term.name for term in terms]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError("image_terms", f"got two terms called {name!r}; give each a name of its own")
    return terms


def _size(image: Tensor) -> tuple[int, int]:
    return image.shape[-2], image.shape[-1]
