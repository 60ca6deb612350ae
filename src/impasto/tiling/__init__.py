"""Owns tiles: value and gradient of an objective, tile by tile, equal to those of the whole picture up to rounding.

Style losses that are additive depend on features only through sums over positions. A first pass adds these sums over
all tiles, without a graph for gradients, and gives the derivative of the loss by each sum. A second pass takes the
gradient of each tile's own sums, multiplied by that derivative, and adds it to the tile's pixels and to those around it
that its features depend on. Memory is that of one tile, whatever the size of the picture; a third more arithmetic is
its price.

| module | owns |
|---|---|
| `grid` | where tiles lie, and how far a network sees beyond them |
| `sums` | sums of statistics over tiles, accurate over any number of positions |
| `pooling` | the mean of a map over another layer's positions, of a part of the map |
| `image_terms` | terms on the image itself, by bands of rows |
| `evaluator` | the evaluator in tiles |
"""

from impasto.tiling.evaluator import TiledEvaluator
from impasto.tiling.grid import DEFAULT_SIDE, Reach, Tile, grid

__all__ = ["DEFAULT_SIDE", "Reach", "Tile", "TiledEvaluator", "grid"]
