"""Owns where tiles lie: a grid that covers an image once, aligned to the network's strides, each tile with its halo."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.backbones import Backbone, Layer
from impasto.backbones.geometry import UNBOUNDED
from impasto.errors import SettingsError
from impasto.windows import Window

#: Side of tiles, in pixels, where neither memory nor the user asks for another.
DEFAULT_SIDE = 1024


@dataclass(frozen=True)
class Reach:
    """How the tiles of a network have to lie.

    Attributes:
        align: tiles begin on multiples of this, in pixels: the strides of all layers divide it.
        before, after: pixels around a tile that its features depend on, above and left, and below and right; multiples
            of `align`.
        wraps: whether the network pads from the opposite border.
    """

    align: int
    before: int
    after: int
    wraps: bool = False

    @classmethod
    def of(cls, backbone: Backbone, layers: Iterable[str]) -> Reach:
        """The reach of a network at some layers, from their strides and receptive fields.

        Raises:
            SettingsError: a layer depends on the whole picture, however large, so no tile can do.
        """
        found = [backbone.layers[name] for name in layers]
        return cls.among(found, backbone.architecture.name, wraps=backbone.padding == "wrap")

    @classmethod
    def among(cls, layers: Iterable[Layer], name: str, *, wraps: bool = False) -> Reach:
        """The reach of a network of that name at some layers.

        Raises:
            SettingsError: as `of`.
        """
        found = list(layers)
        for layer in found:
            if layer.receptive_field >= UNBOUNDED:
                raise SettingsError(
                    "backbone",
                    f"each feature of {name} at {layer.name} depends on the whole picture, so it "
                    "cannot be computed in tiles; choose a smaller size, or another backbone, such as vgg19",
                )
        align = math.lcm(1, *(layer.stride for layer in found))
        before, after = (max((layer.reach[end] for layer in found), default=0) for end in (0, 1))
        return cls(align, _up(before, align), _up(after, align), wraps)

    @property
    def halo(self) -> int:
        """The larger of `before` and `after`: no tile may be smaller."""
        return max(self.before, self.after, self.align)

    def side(self, wanted: int) -> int:
        """The side of tiles of at most `wanted` pixels.

        Raises:
            SettingsError: they would be smaller than what the network sees around them.
        """
        if wanted < self.halo:
            raise SettingsError(
                "tile_size",
                f"got {wanted} px, and the network sees up to {self.halo} px around each tile; choose at least "
                f"{self.halo} px",
            )
        return wanted // self.align * self.align


@dataclass(frozen=True)
class Tile:
    """A part of an image.

    Attributes:
        window: the positions that count in this tile. At the lower and right border of the image it reaches beyond
            them, so that layers with rounded-up sizes lose no position.
        around: the pixels that the network sees; beyond the image where opposite borders belong together.
        size: (height, width) of the image.
    """

    window: Window
    around: Window
    size: tuple[int, int]

    @property
    def inner(self) -> Window:
        """The window, from the top left corner of what the network sees."""
        top, left = self.around.top, self.around.left
        return Window(
            self.window.top - top, self.window.left - left, self.window.bottom - top, self.window.right - left
        )

    @property
    def inside(self) -> bool:
        """Whether all pixels that the network sees lie in the image."""
        around = self.around
        return min(around.top, around.left) >= 0 and around.bottom <= self.size[0] and around.right <= self.size[1]

    def crop(self, image: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1 c _ _"]:
        """The pixels that the network sees."""
        if self.inside:
            return self.around.of(image, 1)
        rows, columns = self._indices(image.device)
        return image.index_select(-2, rows).index_select(-1, columns)

    def add(self, image: Float[Tensor, "1 c h w"], part: Float[Tensor, "1 c _ _"]) -> None:
        """Add `part`, of the size of a `crop`, to those pixels of the image, in place."""
        if self.inside:
            self.around.of(image, 1).add_(part)
            return
        rows, columns = self._indices(image.device)
        strip = image.new_zeros((*image.shape[:2], len(rows), image.shape[-1])).index_add_(-1, columns, part)
        image.index_add_(-2, rows, strip)

    def _indices(self, device: torch.device) -> tuple[Tensor, Tensor]:
        around = self.around
        rows = torch.arange(around.top, around.bottom, device=device) % self.size[0]
        columns = torch.arange(around.left, around.right, device=device) % self.size[1]
        return rows, columns


def grid(size: tuple[int, int], side: int, reach: Reach) -> list[Tile]:
    """The tiles of an image, row by row; about equally large.

    Args:
        size: (height, width) of the image, in pixels.
        side: the most that a tile has, in pixels, without what is around it.
        reach: of the network.

    Raises:
        SettingsError: `side` is smaller than what the network sees around a tile.
    """
    side = reach.side(side)
    rows, columns = (list(_spans(length, side, reach)) for length in size)
    return [
        Tile(Window(top, left, bottom, right), Window(first, west, last, east), size)
        for (top, bottom), (first, last) in rows
        for (left, right), (west, east) in columns
    ]


def _spans(length: int, side: int, reach: Reach) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Beginning and end of each tile along one side of the image, and of what the network sees of it."""
    units = -(-length // reach.align)
    count = -(-units * reach.align // side)
    edges = [units * index // count * reach.align for index in range(count + 1)]
    wraps = reach.wraps and length % reach.align == 0
    for number, (begin, end) in enumerate(itertools.pairwise(edges), start=1):
        if wraps:
            # One tile that is the whole length needs nothing around it.
            around = (0, length) if count == 1 else (begin - reach.before, end + reach.after)
            yield (begin, end), around
        else:
            # No feature lies beyond the border but those of layers whose sizes are rounded up.
            last = end + 2 * reach.align if number == count else end
            yield (begin, last), (max(0, begin - reach.before), min(length, end + reach.after))


def _up(length: int, step: int) -> int:
    return -(-length // step) * step
