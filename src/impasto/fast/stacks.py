"""Owns a stack of decoded photographs in the memory of a device, and the cutting of crops there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor


class PictureStack:
    """Photographs of one size, decoded once; crops are cut on their device, a batch at a time.

    Args:
        levels: the photographs in 8 bits; side is at least that of the largest crop.
        device: where they are kept; by default, where they are.
    """

    def __init__(self, levels: UInt8[Tensor, "count 3 side side"], device: torch.device | None = None) -> None:
        self.levels = levels.to(device)

    def __len__(self) -> int:
        return len(self.levels)

    def crops(self, side: int, generators: Sequence[torch.Generator]) -> Float[Tensor, "n 3 side side"]:
        """A random square for each generator; picture, position, size and mirroring are drawn at random.

        Squares have between `side` pixels and all, and are reduced to `side` by bilinear interpolation.

        Args:
            side: of the result, in pixels.
            generators: on the CPU.
        """
        whole = self.levels.shape[-1]
        chosen, motions = [], []
        for generator in generators:
            index, mirror = (int(torch.randint(high, (), generator=generator)) for high in (len(self), 2))
            zoom, down, across = torch.rand(3, generator=generator).tolist()
            square = whole - zoom * max(0, whole - side)
            share = square / whole
            # The square's centre lies so that the square lies inside the picture, whose sides run from -1 to 1.
            motions.append([[-share if mirror else share, 0.0, (1 - share) * (2 * across - 1)]])
            motions[-1].append([0.0, share, (1 - share) * (2 * down - 1)])
            chosen.append(index)
        device = self.levels.device
        # Without waiting for what the device still has to do.
        indices, placed = (torch.tensor(each).to(device, non_blocking=True) for each in (chosen, motions))
        pictures = self.levels[indices].float() / 255
        grid = F.affine_grid(placed, [len(chosen), 3, side, side], align_corners=False)
        return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)
