"""Owns the measurement of strides and receptive fields, for any network.

Strides follow from the sizes of the features of two images. Receptive fields are measured with NaN: if one column of an
image is NaN, exactly those features that depend on it become NaN, whatever operations the network uses. Neither
measurement needs weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from impasto.backbones.backbone import Features

# Two image sizes of different, non-square shapes; both are multiples of every stride up to 64.
_IMAGES = ((256, 320), (512, 704))
# Lengths, in pixels, of the image strips on which receptive fields are measured; the shortest sufficient one is used.
_STRIPS = (256, 512, 1024, 2048, 4096)
#: Receptive field of a layer that depends on the whole image, whatever its size.
UNBOUNDED = _STRIPS[-1]


@dataclass(frozen=True)
class Map:
    """A layer whose features are maps: its channels, and the distance in pixels between neighbouring features."""

    channels: int
    stride: int


def maps(features: Features) -> dict[str, Map]:
    """Those layers of a network whose features are maps of the image.

    Args:
        features: computes the features of all layers; called with images on the meta device.
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


@dataclass(frozen=True)
class Field:
    """The square of pixels that one feature depends on.

    Attributes:
        side: in pixels.
        before: how many pixels it begins above and left of the first pixel of the feature's own stride; None for a
            layer that depends on the whole image.
    """

    side: int
    before: int | None


def receptive_fields(features: Features, strides: Mapping[str, int], height: int) -> dict[str, Field]:
    """The square that one feature depends on, by layer.

    Args:
        features: computes the features of the layers in `strides`. The weights of convolutions are ignored; all other
            weights must be finite.
        strides: stride by layer.
        height: height of the strips, in pixels; at least the smallest side that the network accepts.

    Returns:
        The receptive fields; `UNBOUNDED` for layers that depend on the whole image, whatever its size.
    """
    open_ended = set(strides)
    length = _STRIPS[0]
    for strip in _STRIPS:
        affected = _affected_columns(features, height, strip, reach=0)
        beyond = {name for name in strides if affected[name][0] or affected[name][-1]}
        if beyond != open_ended:
            open_ended, length = beyond, strip
        if not beyond:
            break
    bounded = [name for name in strides if name not in open_ended]
    # The band of NaN grows by one column on either side. When the first affected feature moves, the band has reached
    # the last column of its field; when the last affected feature moves, the band has reached the first column of its
    # field.
    ends: dict[str, dict[str, tuple[int, int]]] = {name: {} for name in bounded}
    before: dict[str, tuple[int, int]] = {}
    for reach in range(max((strides[name] for name in bounded), default=-1) + 1):
        affected = _affected_columns(features, height, length, reach)
        for name in bounded:
            columns = affected[name].nonzero().flatten()
            first, last = int(columns[0]), int(columns[-1])
            if name in before and first < before[name][0]:
                ends[name].setdefault("right", (first, length // 2 - reach))
            if name in before and last > before[name][1]:
                ends[name].setdefault("left", (last, length // 2 + reach))
            before[name] = (first, last)
    fields = dict.fromkeys(strides, Field(UNBOUNDED, None))
    for name in bounded:
        (first, right), (last, left) = ends[name]["right"], ends[name]["left"]
        side = right - left + 1 + strides[name] * (last - first)
        fields[name] = Field(side, strides[name] * last - left)
    return fields


@torch.no_grad()
def _affected_columns(features: Features, height: int, length: int, reach: int) -> dict[str, Tensor]:
    """Which columns of features depend on a band of the strip: its middle column, and `reach` more on either side."""
    strip = torch.zeros((1, 3, height, length))
    strip[..., length // 2 - reach : length // 2 + reach + 1] = torch.nan
    with _OneChannel():
        return {name: found.isnan().flatten(0, 2).any(0) for name, found in features(strip).items()}


class _OneChannel(TorchFunctionMode):
    """Replaces convolutions and matrix products by sums over all input channels, broadcast to all output channels.

    This takes a thousandth of the time and does not change which features depend on which pixels, except in networks
    whose channel groups are never mixed again.
    """

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is torch.conv2d:
            x, weight, _, stride, padding, dilation, _ = args
            kernel = torch.ones((1, 1, *weight.shape[2:]))
            summed = torch.conv2d(x.sum(1, keepdim=True), kernel, None, stride, padding, dilation)
            return summed.expand(-1, weight.shape[0], -1, -1)
        if func is torch.nn.functional.linear:
            x, weight, _ = args
            return x.sum(-1, keepdim=True).expand(*x.shape[:-1], weight.shape[0])
        return func(*args, **(kwargs or {}))
