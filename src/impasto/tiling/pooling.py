"""Owns the mean of a map over the positions of a coarser one, for a part of it: `adaptive_avg_pool2d` of tiles."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def pooled_part(
    map_: Float[Tensor, "1 c _ _"],
    origin: tuple[int, int],
    size: tuple[int, int],
    positions: tuple[range, range],
    coarser: tuple[int, int],
) -> Float[Tensor, "1 c _ _"]:
    """A part of `adaptive_avg_pool2d(whole map, coarser)`.

    Where one size is no multiple of the other, the squares that are averaged overlap, and lie on no regular grid.

    Args:
        map_: a part of the map; it must hold all that the positions are means of.
        origin: (row, column) of the whole map at which it begins.
        size: (rows, columns) of the whole map.
        positions: rows and columns of the result that are wanted.
        coarser: (rows, columns) of the whole result.
    """
    exact = map_.to(torch.promote_types(map_.dtype, torch.float32))
    down, across = (
        _weights(wanted, fine, coarse, begin, length).to(exact)
        for wanted, fine, coarse, begin, length in zip(
            positions, size, coarser, origin, (map_.shape[-2], map_.shape[-1]), strict=True
        )
    )
    return torch.einsum("ij,nchj->nchi", across, torch.einsum("ij,ncjw->nciw", down, exact)).to(map_.dtype)


def _weights(wanted: range, fine: int, coarse: int, begin: int, length: int) -> Float[Tensor, "_ _"]:
    """Rows of the matrix that averages `fine` positions to `coarse` ones, as `adaptive_avg_pool2d` does."""
    found = torch.zeros((len(wanted), length), dtype=torch.float64)
    for row, position in enumerate(wanted):
        first, last = position * fine // coarse, -(-(position + 1) * fine // coarse)
        found[row, first - begin : last - begin] = 1.0 / (last - first)
    return found
