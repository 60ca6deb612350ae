"""Owns how settings weigh what goes in: content against style, paintings, regions and layers."""

from __future__ import annotations

from collections.abc import Mapping

from impasto.backbones import Architecture
from impasto.backbones.geometry import UNBOUNDED
from impasto.errors import SettingsError
from impasto.messages import counted
from impasto.settings import Settings, style_balance

# Below this share of style, nothing of it can be seen, and the weight of content would grow out of bounds.
_LEAST_BALANCE = 1e-6


def balance(strength: float) -> tuple[float, float]:
    """Factors on the content and the style weight: (1, 1) at strength ½, no style at 0, (0.15, 1) at 1."""
    if strength == 0:
        return 1.0, 0.0
    style = max(style_balance(strength), _LEAST_BALANCE)
    return ((1 - style) / style) ** 1.5, 1.0


def shares_of(settings: Settings, styles: int) -> tuple[float, ...]:
    """The share of each painting.

    Raises:
        SettingsError: there are not as many shares as paintings.
    """
    if settings.blend and len(settings.blend) != styles:
        raise SettingsError(
            "blend", f"got {counted(len(settings.blend), 'share')} for {counted(styles, 'painting')}; give each its own"
        )
    return settings.blend or (1.0,) * styles


def strengths_of(settings: Settings, regions: int) -> tuple[float, ...]:
    """The strength of each region.

    Raises:
        SettingsError: there are not as many strengths as regions.
    """
    strengths = settings.region_strength
    if strengths and len(strengths) != regions:
        raise SettingsError(
            "region_strength", f"got {len(strengths)} for {counted(regions, 'region')}; give each its own"
        )
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


def within(
    style: Mapping[str, float],
    largest_form: float,
    architecture: Architecture,
    size: tuple[int, int],
    *,
    fewest: int = 1,
) -> dict[str, float]:
    """Those style layers that count for a picture of a size: a form that they describe is no larger than allowed.

    A layer describes forms of up to its receptive field. Where that is larger than the picture, the layer's statistics
    describe the painting's whole composition, and so its things and figures instead of its manner.

    Args:
        style: weights of the style layers, by canonical name.
        largest_form: largest receptive field, relative to the short side of the picture; 0 for no limit. Layers that
            depend on the whole picture, whatever its size, cannot be told apart by it, and always count.
        architecture: the network.
        size: (height, width) of the picture, in pixels.
        fewest: number of layers that count in any case: those with the smallest receptive fields.
    """
    if not largest_form:
        return dict(style)
    fields = {name: architecture.layers[name].receptive_field for name in style}
    allowed = {name for name, field in fields.items() if field <= largest_form * min(size) or field >= UNBOUNDED}
    allowed |= set(sorted(style, key=fields.__getitem__)[:fewest])
    return {name: weight for name, weight in style.items() if name in allowed}


def _canonical(weights: Mapping[str, float], setting: str, architecture: Architecture) -> dict[str, float]:
    """The weights by the layers' canonical names, without those that count nothing."""
    found: dict[str, float] = {}
    for name, weight in weights.items():
        layer = architecture.canonical_name(name, setting=setting)
        if layer in found:
            raise SettingsError(setting, f"{name} is {layer}, which is named already; name each layer once")
        found[layer] = weight
    return {layer: found[layer] for layer in architecture.layers if found.get(layer)}


def scaled_to(weights: Mapping[str, float], total: float) -> dict[str, float]:
    """The weights, scaled so that they add up to `total`: more layers do not mean more of it."""
    whole = sum(weights.values())
    return {layer: total * weight / whole for layer, weight in weights.items()}
