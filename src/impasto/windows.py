"""Owns Window: a rectangle of an image, and which positions of a layer lie in it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Window:
    """A rectangle of an image, in pixels from the top left corner; `bottom` and `right` lie just outside of it.

    Windows cover an image exactly once if they do not overlap and each edge lies on a multiple of the stride of the
    deepest layer, or on the image's border.
    """

    top: int
    left: int
    bottom: int
    right: int

    @property
    def area(self) -> int:
        """Number of its pixels."""
        return (self.bottom - self.top) * (self.right - self.left)

    def of(self, plane: Tensor, stride: int) -> Tensor:
        """The part of a map that lies in the window.

        Args:
            plane: (..., rows, columns), of the whole image.
            stride: distance in pixels between neighbouring positions of the map.
        """
        return plane[..., self.top // stride : self.bottom // stride, self.left // stride : self.right // stride]
