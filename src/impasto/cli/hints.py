"""Owns hints before painting: what a newcomer would otherwise find out from the finished picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from impasto.images import fit

if TYPE_CHECKING:
    from impasto.images import Image

# From this ratio of lengths on, an enlarged photograph looks soft.
_ENLARGED = 1.5
# Pixels that differ by less from the ground's colour, in any channel, belong to it; JPEG leaves about half of that.
_SAME = 8 / 255
# Share of the border, and of the picture, that a blank ground covers at least; and the most that leaves an object.
_BORDER, _LEAST, _MOST = 0.9, 0.25, 0.98


def before_painting(photograph: Image, size: int, *, masked: bool) -> Iterator[str]:
    """What to think of before a photograph is painted.

    Args:
        photograph: as it was read.
        size: long side of the pastiche, in pixels.
        masked: whether there are masks.
    """
    height, width = fit(photograph.size, size)
    if max(height, width) > _ENLARGED * max(photograph.size):
        yield (
            f"the photograph has {photograph.width} × {photograph.height} px, and is enlarged to {width} × {height}; "
            f"--size {max(photograph.size)} keeps its size, and is faster"
        )
    if not masked and has_blank_ground(photograph):
        yield (
            "the photograph seems to show an object on a blank ground, which is painted too; to keep it blank, give a "
            "mask that is white on the object: --mask FILE --background keep. A transparent ground stays transparent"
        )


def has_blank_ground(photograph: Image) -> bool:
    """Whether a photograph is opaque, and shows an object on a ground of one colour."""
    if photograph.alpha is not None:
        return False
    pixels = photograph.pixels[0]
    border = torch.cat([pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]], dim=1)
    color = border.median(dim=1).values[:, None]
    if float(((border - color).abs().amax(0) < _SAME).double().mean()) < _BORDER:
        return False
    ground = (pixels - color[..., None]).abs().amax(0) < _SAME
    return _LEAST <= float(ground.double().mean()) <= _MOST
