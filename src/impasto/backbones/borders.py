"""Owns padding other than with zeros."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.backbones.backbone import Padding

_MODES = {"replicate": "replicate", "reflect": "reflect", "wrap": "circular"}


def bordered(x: Tensor, padding: Padding, pixels: tuple[int, int] = (1, 1)) -> Tensor:
    """Maps (n, c, h, w) padded by `pixels` (vertical, horizontal) on every side, in channels-last order.

    If a map is too small for `reflect`, border pixels are repeated instead.
    """
    down, across = pixels
    mode = _MODES[padding]
    if mode == "reflect" and (x.shape[-2] <= down or x.shape[-1] <= across):
        mode = "replicate"
    return F.pad(x, (across, across, down, down), mode=mode).contiguous(memory_format=torch.channels_last)
