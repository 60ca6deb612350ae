"""Owns the costs of any network, counted on the meta device, without computing values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from impasto.backbones import architecture

# Side of the image for counting, in pixels: large enough for borders to matter little, and a multiple of the strides.
_SIDE = 512


@dataclass(frozen=True)
class Count:
    """The costs of computing the features at some layers, per pixel of the image.

    Attributes:
        multiply_adds: multiply-adds of convolutions and matrix products.
        gradient_multiply_adds: the same, with the gradient with respect to the image.
        saved_features: features that autograd saves for the backward pass.
        saved_indices: indices of maxima that autograd saves for the backward pass.
        widest: features of the layer that has the most.
        layer_features: features of each requested layer.
        strides: strides of the requested layers, in pixels.
        weights: number of weights of the network, in total.
    """

    multiply_adds: float
    gradient_multiply_adds: float
    saved_features: float
    saved_indices: float
    widest: float
    layer_features: Mapping[str, float]
    strides: Mapping[str, float]
    weights: int


@lru_cache
def count(backbone: str, layers: frozenset[str]) -> Count:
    """The costs of computing the features at `layers` (canonical names) of a backbone.

    Raises:
        SettingsError: there is no such backbone.
    """
    network = architecture(backbone).meta_network(layers)
    image = torch.empty((1, 3, _SIDE, _SIDE), device="meta", requires_grad=True)
    saved: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        saved.append(tensor)
        return tensor

    with FlopCounterMode(display=False) as forward, torch.autograd.graph.saved_tensors_hooks(keep, lambda it: it):
        features = network.features(image)
    with FlopCounterMode(display=False) as backward:
        torch.autograd.grad(list(features.values()), image, [torch.empty_like(one) for one in features.values()])
    weights = {_storage(one) for one in network.weights}
    unique = list({_storage(one): one for one in saved if _storage(one) not in weights}.values())
    numbers = [one.numel() for one in unique if one.is_floating_point()]
    pixels = _SIDE**2
    return Count(
        multiply_adds=forward.get_total_flops() / 2 / pixels,
        gradient_multiply_adds=(forward.get_total_flops() + backward.get_total_flops()) / 2 / pixels,
        saved_features=sum(numbers) / pixels,
        saved_indices=sum(one.numel() for one in unique if not one.is_floating_point()) / pixels,
        widest=max(numbers, default=0) / pixels,
        layer_features={name: one.numel() / pixels for name, one in features.items()},
        strides={name: _SIDE / one.shape[-1] for name, one in features.items()},
        weights=sum(one.numel() for one in network.weights),
    )


def _storage(tensor: Tensor) -> int:
    """Identity of a tensor's storage, which views share."""
    return int(tensor.untyped_storage()._cdata)
