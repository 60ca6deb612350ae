"""Owns random warps of a still: small motions of the camera, after which a picture should be painted alike.

A network that paints the frames of a film one by one flickers, because it paints a picture and the same picture moved
by a pixel differently. Trained on one still and its warp, it learns not to (Eilertsen, Mantiuk & Unger, "Single-frame
Regularization for Temporally Stable CNNs", CVPR 2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

# Largest motion along each axis in pixels, turn in radians, and change of size.
_SHIFT, _TURN, _ZOOM = 3, 0.025, 0.02


def margin(side: int) -> int:
    """Width of the border, in pixels, of which a warp may show what lies outside a square of this side."""
    return _SHIFT + math.ceil(side / 2 * (_TURN + _ZOOM)) + 1


def drawn(generators: Sequence[torch.Generator], side: int) -> Float[Tensor, "n 2 3"]:
    """A random motion for each generator, as `warped` takes them, for squares of `side` pixels.

    Half of them move by whole pixels only. These need no interpolation, which would teach the network to paint softly.
    """
    motions = []
    for generator in generators:
        shift = torch.randint(-_SHIFT, _SHIFT + 1, (2,), generator=generator).tolist()
        turn, zoom, whole = (torch.rand(3, generator=generator) * 2 - 1).tolist()
        angle, size = (0.0, 1.0) if whole > 0 else (_TURN * turn, 1.0 + _ZOOM * zoom)
        cosine, sine = size * math.cos(angle), size * math.sin(angle)
        motions.append([[cosine, -sine, 2 * shift[0] / side], [sine, cosine, 2 * shift[1] / side]])
    return torch.tensor(motions).view(-1, 2, 3)


def warped(pictures: Float[Tensor, "n 3 h w"], motions: Float[Tensor, "n 2 3"]) -> Float[Tensor, "n 3 h w"]:
    """The pictures, each moved by its motion; what lies outside is mirrored."""
    grid = F.affine_grid(motions.to(pictures.device, non_blocking=True), list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
