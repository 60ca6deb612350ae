"""Owns what a pastiche is to be like at one size: the targets that photograph and paintings set, and their weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from impasto.backbones import Architecture, Backbone
from impasto.errors import SettingsError
from impasto.guidance import Guidance, at_layer, inside, resized
from impasto.images import Image, of_area, resize
from impasto.losses import CONTENT_LOSSES, STYLE_LOSSES, EdgeTarget, StyleLoss, laplacian
from impasto.losses.content import POOLINGS
from impasto.losses.style import layers_of
from impasto.objective import Objective, StyleTarget
from impasto.settings import Settings, style_balance

# Weight of the term that keeps colours within what can be shown; large enough to matter, too small to be seen.
_RANGE_WEIGHT = 10.0
# Of less, nothing is to be seen, and the weight of content would grow beyond what can be counted with.
_LEAST_PULL = 1e-6


def objective_at(
    backbone: Backbone,
    photograph: Tensor,
    styles: Sequence[Image],
    settings: Settings,
    guidance: Guidance | None = None,
    style_scales: Sequence[float] = (),
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

    Raises:
        SettingsError: a layer does not exist, or there are not as many shares as paintings, or strengths as regions.
    """
    content_weights, style_weights = layer_weights(settings, backbone.architecture)
    # What is drawn at random is drawn once a scale: L-BFGS needs the same loss in every iteration.
    loss = STYLE_LOSSES[settings.style_loss]((settings.seed, *_size(photograph)))
    terms = loss.weights(style_weights)
    with torch.no_grad():
        content = backbone(photograph, content_weights)
        scales = style_scales or (settings.style_scale,) * len(styles)
        least = backbone.architecture.min_side
        size = _size(photograph)
        paintings = [painting_at(style, size, scale, least=least) for style, scale in zip(styles, scales, strict=True)]
        paintings = [painting.to(photograph.device) for painting in paintings]
        parts = _parts(backbone, photograph, paintings, settings, guidance, loss, list(terms))
    kept = CONTENT_LOSSES[settings.content_loss]
    counts = _content_counts(parts, photograph, guidance)
    # Where content counts by place, that has the strength in it.
    content_weight = settings.content_weight * (balance(settings.strength)[0] if counts is None else 1.0)
    relative = settings.normalization == "relative"
    return Objective(
        backbone=backbone,
        content={layer: kept.target(features) for layer, features in content.items()},
        regions=[_region(part, backbone) for part in parts if part.style],
        content_masks={}
        if counts is None
        else {layer: at_layer(counts, backbone.layers[layer]) for layer in content_weights},
        content_weights=_shared(content_weights, content_weight * (kept.factor if relative else 1.0)),
        style_weights=_shared(terms, settings.style_weight * (loss.factor if relative else 1.0)),
        tv_weight=settings.tv_weight,
        range_weight=_RANGE_WEIGHT if relative else 0.0,
        normalization=settings.normalization,
        style_loss=loss,
        content_loss=kept,
        outlines=[
            EdgeTarget(laplacian(photograph, pooling), pooling, content_weight * kept.edge_weight, counts)
            for pooling in POOLINGS
            if content_weight * kept.edge_weight
        ],
    )


@dataclass(frozen=True)
class _Part:
    """A part of the picture: where it is (None: everywhere), its style (empty: none), and how strong that is."""

    plane: Tensor | None
    style: Mapping[str, Any]
    strength: float


def _parts(
    backbone: Backbone,
    photograph: Tensor,
    paintings: Sequence[Tensor],
    settings: Settings,
    guidance: Guidance | None,
    loss: StyleLoss[Any, Any],
    terms: Sequence[str],
) -> list[_Part]:
    """The regions and the background, or the whole picture."""
    size = _size(photograph)
    layers = {layer for term in terms for layer in layers_of(term)}
    shares = shares_of(settings, len(paintings))
    features = [backbone(painting, layers) for painting in paintings]

    def style(which: Sequence[int], mask: Tensor | None) -> dict[str, Any]:
        where = [_inside(mask, paintings[i], layers, backbone, wraps=settings.padding == "wrap") for i in which]
        return {
            term: loss.blended(
                [(shares[i], loss.target(term, features[i], w)) for i, w in zip(which, where, strict=True)]
            )
            for term in terms
        }

    every = range(len(paintings))
    if guidance is None:
        return [_Part(None, style(every, None), settings.strength)]
    strengths = strengths_of(settings, len(guidance.regions))
    covers, background = guidance.cover(size)
    parts = []
    for region, cover, strength in zip(guidance.regions, covers, strengths, strict=True):
        which = every if region.painting is None else [region.painting]
        parts.append(_Part(cover.to(photograph.device), style(which, region.style) if strength else {}, strength))
    if float(background.max()) > 0:
        painted = not keeps_background(settings, guidance) and settings.strength > 0
        rest = style(every, None) if painted else {}
        parts.append(_Part(background.to(photograph.device), rest, settings.strength if painted else 0.0))
    return parts


def keeps_background(settings: Settings, guidance: Guidance | None) -> bool:
    """Whether what no mask covers stays as it is; without a mask, nothing is background, and all is painted."""
    return settings.background == "keep" and guidance is not None and bool(guidance.regions)


def _inside(
    mask: Tensor | None, painting: Tensor, layers: Iterable[str], backbone: Backbone, *, wraps: bool
) -> dict[str, Tensor]:
    """How much each position of a painting counts in the region of a mask, by layer; none where all count alike.

    Where the picture is to wrap around, the network sees the painting's lower border above its upper one, too, as no
    painter has painted them: what sees that does not count, or the tile would have such seams within.
    """
    if mask is None and not wraps:
        return {}
    size = _size(painting)
    plane = (torch.ones(size) if mask is None else resized(mask, size)).to(painting.device)
    return {layer: inside(plane, backbone.layers[layer], wraps=wraps) for layer in layers}


def _region(part: _Part, backbone: Backbone) -> StyleTarget:
    """The part as the objective has it: its style counts by its share of the picture."""
    if part.plane is None:
        return StyleTarget(style=part.style, share=balance(part.strength)[1])
    layers = {layer for term in part.style for layer in layers_of(term)}
    where = {layer: at_layer(part.plane, backbone.layers[layer]) for layer in layers}
    return StyleTarget(style=part.style, masks=where, share=float(part.plane.mean()))


def _content_counts(parts: Sequence[_Part], photograph: Tensor, guidance: Guidance | None) -> Tensor | None:
    """How much each pixel counts for content: by the strength of the part it lies in, and by the content map.

    None where there is but one part: all count alike.
    """
    planes = [part.plane * balance(part.strength)[0] for part in parts if part.plane is not None]
    if not planes or guidance is None:
        return None
    return torch.stack(planes).sum(0) * guidance.content_factor(_size(photograph)).to(photograph.device)


def _size(image: Tensor) -> tuple[int, int]:
    return image.shape[-2], image.shape[-1]


def balance(strength: float) -> tuple[float, float]:
    """Factors on the content and the style weight: (1, 1) at strength ¾, no style at 0, hardly any content at 1."""
    if strength == 0:
        return 1.0, 0.0
    pulled = max(style_balance(strength), _LEAST_PULL)
    return max(((1 - pulled) / pulled) ** 1.5, 0.01), 1.0


def shares_of(settings: Settings, styles: int) -> tuple[float, ...]:
    """The share of each painting.

    Raises:
        SettingsError: there are not as many shares as paintings.
    """
    if settings.blend and len(settings.blend) != styles:
        raise SettingsError("blend", f"got {len(settings.blend)} shares for {styles} paintings; give each its own")
    return settings.blend or (1.0,) * styles


def strengths_of(settings: Settings, regions: int) -> tuple[float, ...]:
    """The strength of each region.

    Raises:
        SettingsError: there are not as many strengths as regions.
    """
    strengths = settings.region_strength
    if strengths and len(strengths) != regions:
        raise SettingsError("region_strength", f"got {len(strengths)} for {regions} regions; give each its own")
    return strengths or (settings.strength,) * regions


def layer_weights(settings: Settings, architecture: Architecture) -> tuple[dict[str, float], dict[str, float]]:
    """Weights of the content and of the style layers that count, by canonical name; none of a loss without weight.

    Layers that are as by default stand for the network's own default, which has other names elsewhere than in VGG-19.

    Raises:
        SettingsError: a layer does not exist, or is named twice.
    """
    default = Settings()
    content, style = settings.content_layers, settings.style_layers
    if content == default.content_layers:
        content = architecture.default_content_layers
    if style == default.style_layers:
        style = architecture.default_style_layers
    elif style == dict.fromkeys(default.style_layers, 1.0):
        # The same layers, all alike, as the paper has them.
        style = dict.fromkeys(architecture.default_style_layers, 1.0)
    content = _canonical(content, "content_layers", architecture)
    style = _canonical(style, "style_layers", architecture)
    return (content if settings.content_weight else {}), (style if settings.style_weight else {})


def _canonical(weights: Mapping[str, float], setting: str, architecture: Architecture) -> dict[str, float]:
    """The weights by the layers' canonical names, without those that count nothing."""
    found: dict[str, float] = {}
    for name, weight in weights.items():
        layer = architecture.canonical_name(name, setting=setting)
        if layer in found:
            raise SettingsError(setting, f"{name} is {layer}, which is named already; name each layer once")
        found[layer] = weight
    return {layer: found[layer] for layer in architecture.layers if found.get(layer)}


def _shared(weights: Mapping[str, float], total: float) -> dict[str, float]:
    """The weights, scaled so that they add up to `total`: more layers do not mean more of it."""
    whole = sum(weights.values())
    return {layer: total * weight / whole for layer, weight in weights.items()}


def painting_at(painting: Image, size: tuple[int, int], scale: float, *, least: int) -> Tensor:
    """The painting with the area of the pastiche, times `scale` on each side, none under `least`."""
    return resize(painting.pixels, of_area(painting.size, scale**2 * size[0] * size[1], least=least))
