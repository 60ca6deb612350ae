"""Strides and receptive fields, found on networks for which the formula is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from impasto.backbones.geometry import Field, Map, maps, receptive_fields

#: Kernel, stride, padding and dilation of each layer of a plain network.
NETWORKS = {
    "one convolution": [(3, 1, 1, 1)],
    "no padding": [(5, 1, 0, 1), (3, 1, 0, 1)],
    "strides": [(3, 2, 1, 1), (3, 2, 1, 1), (3, 1, 1, 1)],
    "even kernels": [(2, 2, 0, 1), (4, 1, 1, 1)],
    "dilated": [(3, 1, 2, 2), (3, 1, 4, 4)],
}


def features_of(layers: list[tuple[int, int, int, int]]) -> Callable[[Tensor], dict[str, Tensor]]:
    """All layers of a plain network, on the image's device, by their number."""

    def features(image: Tensor) -> dict[str, Tensor]:
        found, before = {}, image
        for index, (kernel, stride, padding, dilation) in enumerate(layers):
            weight = torch.ones((4, before.shape[1], kernel, kernel), device=image.device)
            before = torch.conv2d(before, weight, None, stride, padding, dilation, 1)
            found[str(index)] = before
        return found

    return features


@pytest.mark.parametrize("name", NETWORKS)
def test_plain_networks_by_the_formula(name):
    layers = NETWORKS[name]
    field, stride, before = 1, 1, 0
    expected: dict[str, tuple[int, Field]] = {}
    for index, (kernel, its, padding, dilation) in enumerate(layers):
        field += (kernel - 1) * dilation * stride
        before += padding * stride
        stride *= its
        expected[str(index)] = (stride, Field(field, before))
    features = features_of(layers)
    strides = {layer: found.stride for layer, found in maps(features).items()}
    fields = receptive_fields(features, strides, height=64)
    assert {layer: (strides[layer], fields[layer]) for layer in strides} == expected


def test_the_channels_are_those_of_the_features():
    assert maps(features_of([(3, 2, 1, 1)])) == {"0": Map(channels=4, stride=2)}


def test_what_is_no_map_of_the_image_is_left_out():
    def features(image: Tensor) -> dict[str, Tensor]:
        some = torch.conv2d(image, torch.ones((4, 3, 3, 3), device=image.device), None, 1, 1, 1, 1)
        return {
            "map": some,
            "pooled to one size": nn.functional.adaptive_avg_pool2d(some, (7, 7)),
            "vector": some.mean((2, 3)),
            "positions as channels": some.flatten(2)[:, None],
        }

    assert list(maps(features)) == ["map"]


def test_what_sees_everything_has_the_longest_strip_for_a_field():
    def features(image: Tensor) -> dict[str, Tensor]:
        some = torch.conv2d(image, torch.ones((4, 3, 3, 3)), None, 1, 1, 1, 1)
        return {"before": some, "squeezed": some * some.mean((2, 3), keepdim=True)}

    assert receptive_fields(features, {"before": 1, "squeezed": 1}, height=32) == {
        "before": Field(3, 1),
        "squeezed": Field(4096, None),
    }
