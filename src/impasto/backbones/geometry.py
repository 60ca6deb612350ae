"""Owns where a network's layers lie on the image: strides and receptive fields, found by trying, whatever the network.

A stride shows in the sizes of the features of two images. A receptive field shows by what is not a number: one column
of NaN in an otherwise empty image makes NaN of every feature that sees it, through whatever operations there are, and
of no other. Neither needs weights, nor to know what a layer does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from impasto.backbones.backbone import Features

# Images of two shapes, neither square nor alike, that every stride up to 64 divides.
_IMAGES = ((256, 320), (512, 704))
# Lengths of the strips that receptive fields are looked for on, in pixels.
_STRIPS = (256, 512, 1024, 2048, 4096)


@dataclass(frozen=True)
class Map:
    """A layer whose features are maps: channels, and the distance in pixels between neighbouring features."""

    channels: int
    stride: int


def maps(features: Features) -> dict[str, Map]:
    """The layers whose features are maps of the image, of all that a network computes.

    Args:
        features: of all layers; called with images on the meta device, which have shapes and no numbers.
    """
    small, large = (features(torch.empty((1, 3, *size), device="meta")) for size in _IMAGES)
    (height, width), (taller, wider) = _IMAGES
    found = {}
    for name, before in small.items():
        after = large[name]
        if not isinstance(before, Tensor) or before.dim() != 4 or before.shape[:2] != after.shape[:2]:
            continue
        down, across = after.shape[2] - before.shape[2], after.shape[3] - before.shape[3]
        if down > 0 and across > 0 and (taller - height) // down == (wider - width) // across:
            found[name] = Map(before.shape[1], (taller - height) // down)
    return found


def receptive_fields(features: Features, strides: Mapping[str, int], height: int) -> dict[str, int]:
    """Side, in pixels, of the square that one feature sees, by layer.

    Args:
        features: of the layers in `strides`; weights of convolutions do not count, all others must be finite.
        strides: by layer.
        height: of the strips looked at, in pixels; what the network can see at least.

    Returns:
        The receptive fields; of layers that see the whole of whatever image, the length of the longest strip.
    """
    open_ended = set(strides)
    length = _STRIPS[0]
    for strip in _STRIPS:
        seen = _seeing(features, height, strip, reach=0)
        beyond = {name for name in strides if seen[name][0] or seen[name][-1]}
        if beyond != open_ended:
            open_ended, length = beyond, strip
        if not beyond:
            break
    bounded = [name for name in strides if name not in open_ended]
    # As the band of NaN grows by a column to either side, the first feature that sees it changes just when the
    # column is the last of that feature's field, and the last feature when it is the first.
    ends: dict[str, dict[str, tuple[int, int]]] = {name: {} for name in bounded}
    before: dict[str, tuple[int, int]] = {}
    for reach in range(max((strides[name] for name in bounded), default=-1) + 1):
        seen = _seeing(features, height, length, reach)
        for name in bounded:
            places = seen[name].nonzero().flatten()
            first, last = int(places[0]), int(places[-1])
            if name in before and first < before[name][0]:
                ends[name].setdefault("right", (first, length // 2 - reach))
            if name in before and last > before[name][1]:
                ends[name].setdefault("left", (last, length // 2 + reach))
            before[name] = (first, last)
    fields = dict.fromkeys(strides, _STRIPS[-1])
    for name in bounded:
        (first, right), (last, left) = ends[name]["right"], ends[name]["left"]
        fields[name] = right - left + 1 + strides[name] * (last - first)
    return fields


@torch.no_grad()
def _seeing(features: Features, height: int, length: int, reach: int) -> dict[str, Tensor]:
    """Which columns of features see a band of the strip: its middle column, and `reach` more on either side."""
    strip = torch.zeros((1, 3, height, length))
    strip[..., length // 2 - reach : length // 2 + reach + 1] = torch.nan
    with _OneChannel():
        return {name: found.isnan().flatten(0, 2).any(0) for name, found in features(strip).items()}


class _OneChannel(TorchFunctionMode):
    """Convolutions and matrix products see the sum of all channels, and give one, which stands for all.

    It makes no difference to who sees what, unless groups do not meet again, and takes a thousandth of the time.
    """

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is torch.conv2d:
            x, weight, _, stride, padding, dilation, _ = args
            kernel = torch.ones((1, 1, *weight.shape[2:]))
            seen = torch.conv2d(x.sum(1, keepdim=True), kernel, None, stride, padding, dilation)
            return seen.expand(-1, weight.shape[0], -1, -1)
        if func is torch.nn.functional.linear:
            x, weight, _ = args
            return x.sum(-1, keepdim=True).expand(*x.shape[:-1], weight.shape[0])
        return func(*args, **(kwargs or {}))
