"""Owns the layers that are explained, and their features of the picture at the size of the explanation."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from impasto import devices
from impasto.backbones import Layer, architecture
from impasto.errors import SettingsError
from impasto.images import Image, fit, resize
from impasto.settings import Settings

# The layers that content is reconstructed from in figure 1 of Gatys et al. (2016); other subjects use the style layers.
_CONTENT_LAYERS = tuple(f"relu{block}_2" for block in range(1, 6))
# With more layers, the pictures would be too small to show anything.
_MOST_LAYERS = 8


def layers_for(subject: str, settings: Settings, names: str | Iterable[str] = "") -> list[Layer]:
    """The layers to explain, in the order of the network; the paper's layers if none is named.

    Args:
        subject: one of `SUBJECTS`.
        settings: whose backbone has the layers.
        names: of layers, in one text with commas or one by one.

    Raises:
        SettingsError: a layer does not exist or is named twice, or there are too many.
    """
    network = architecture(settings.backbone)
    given = [name for name in names.split(",") if name.strip()] if isinstance(names, str) else list(names)
    if not given:
        papers = subject == "content" and all(name in network.layers for name in _CONTENT_LAYERS)
        given = list(_CONTENT_LAYERS if papers else network.default_style_layers)
    found = [network.canonical_name(name, setting="layers") for name in given]
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise SettingsError("layers", f"{twice} is named twice; name each layer once")
    if len(found) > _MOST_LAYERS:
        raise SettingsError("layers", f"got {len(found)}; a figure has room for {_MOST_LAYERS}")
    return [layer for name, layer in network.layers.items() if name in found]


def picture_at(image: Image, settings: Settings) -> Tensor:
    """The picture's pixels, resized to the size of the explanation, (1, 3, height, width)."""
    least = architecture(settings.backbone).min_side
    height, width = fit(image.size, settings.size)
    return resize(image.pixels, (max(height, least), max(width, least)))


def features_of(
    picture: Tensor, layers: Iterable[str], settings: Settings, weights: Path | None = None
) -> dict[str, Tensor]:
    """Features of a picture by layer, each (channels, height, width), float32 on the CPU."""
    names = list(layers)
    device = devices.resolve(settings.device)
    dtype = devices.precision(settings.precision, device)
    network = architecture(settings.backbone)
    backbone = network.build(names, pooling=settings.pooling, dtype=dtype, weights=weights).to(device)
    with torch.no_grad():
        found = backbone(picture.to(device), names)
    return {layer: maps[0].float().cpu() for layer, maps in found.items()}


def responds_to(layer: Layer) -> str:
    """What a layer responds to, in plain words, judged by the side of its receptive field."""
    words = ("edges, single colours", "strokes, corners", "patterns of strokes", "parts of things", "things")
    return words[sum(layer.receptive_field > field for field in (8, 20, 50, 120))]
