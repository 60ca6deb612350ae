"""Owns what a network costs that no table is known of: counted on a small picture, without computing anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from impasto.backbones import architecture

# Side of the picture that is counted on, in pixels: borders are a small part of it, and strides divide it.
_SIDE = 512


@dataclass(frozen=True)
class Count:
    """What the features at some layers cost.

    Attributes:
        multiply_adds: of convolutions and matrix products, for each pixel of the image.
        gradient_multiply_adds: the same with the gradient by the image.
        kept_features: numbers that are kept for the gradient, for each pixel.
        kept_places: places of maxima that are, for each pixel.
        widest: numbers of the layer that has most of them, for each pixel.
        found: numbers of the features asked for, for each pixel, by layer.
        strides: by layer.
        weights: of the network, in all.
    """

    multiply_adds: float
    gradient_multiply_adds: float
    kept_features: float
    kept_places: float
    widest: float
    found: Mapping[str, float]
    strides: Mapping[str, float]
    weights: int


@lru_cache
def count(backbone: str, layers: frozenset[str]) -> Count:
    """What the features at `layers` (canonical names) of a backbone cost.

    Raises:
        SettingsError: there is no such backbone.
    """
    outline = architecture(backbone).meta_network(layers)
    image = torch.empty((1, 3, _SIDE, _SIDE), device="meta", requires_grad=True)
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with FlopCounterMode(display=False) as forward, torch.autograd.graph.saved_tensors_hooks(keep, lambda it: it):
        features = outline.features(image)
    with FlopCounterMode(display=False) as backward:
        torch.autograd.grad(list(features.values()), image, [torch.empty_like(one) for one in features.values()])
    weights = {_memory(one) for one in outline.weights}
    held = list({_memory(one): one for one in kept if _memory(one) not in weights}.values())
    numbers = [one.numel() for one in held if one.is_floating_point()]
    pixels = _SIDE**2
    return Count(
        multiply_adds=forward.get_total_flops() / 2 / pixels,
        gradient_multiply_adds=(forward.get_total_flops() + backward.get_total_flops()) / 2 / pixels,
        kept_features=sum(numbers) / pixels,
        kept_places=sum(one.numel() for one in held if not one.is_floating_point()) / pixels,
        widest=max(numbers, default=0) / pixels,
        found={name: one.numel() / pixels for name, one in features.items()},
        strides={name: _SIDE / one.shape[-1] for name, one in features.items()},
        weights=sum(one.numel() for one in outline.weights),
    )


def _memory(tensor: Tensor) -> int:
    """What tensors have in common that lie in the same memory."""
    return int(tensor.untyped_storage()._cdata)
