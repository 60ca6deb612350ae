"""Owns masks: which part of the photograph is painted after which part of a painting, and what that means to a layer.

After Gatys, Ecker, Bethge, Hertzmann & Shechtman, "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017,
section 4: each region has its own style statistics, in which a layer's positions count as far as they belong to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from impasto.backbones import Layer
from impasto.errors import SettingsError
from impasto.images import Image, resize

Plane = Float[Tensor, "_ _"]

# How many times more content counts where the content map is white than where it is black.
_MOST_CONTENT = 10.0
# Colours of a map nearer than this, in pixel values, are one; those of a smaller share of it than this are edges.
_NEAR = 0.2
_LEAST_SHARE = 0.004
# Colours of a map are counted in this many levels of each channel.
_LEVELS = 16
# Pixels nearer to a colour of a map than this are filled with it, and at least so large a share of a map is filled. Of
# maps with soft edges or saved as JPEG it is 0.8 and more, of photographs and paintings half and less.
_SAME = 0.07
_LEAST_FLAT = 0.65
# A region whose features all see beyond it keeps at least this share of them.
_LEAST_INSIDE = 0.25


@dataclass(frozen=True)
class Region:
    """A region of the photograph, and what it is painted after.

    Attributes:
        content: how far each pixel belongs to it, 0 to 1, of the photograph's shape at any size.
        style: the same for the painting; None for all of it.
        painting: index of the painting; None for all of them, blended.
    """

    content: Plane
    style: Plane | None = None
    painting: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Guidance:
    """All regions of a photograph, as masks say: white is inside, black outside, grey a soft edge.

    Region i is painted after what style mask i shows of the painting; after painting i, if there are as many paintings
    as masks; else after all of them. A mask in colours is a map: each of its colours is a region, painted after what
    has the same colour in the style map. What no mask covers is the background.

    Args:
        content_masks: of the photograph, of any size, or one map.
        style_masks: of the painting or paintings, as many as masks of the photograph, or one map; or none.
        content_map: where the photograph's shapes are to stay: where it is white, content counts ten times.
        paintings: how many there are.

    Attributes:
        regions: the regions.

    Raises:
        SettingsError: the numbers of masks and paintings do not fit each other, a mask is black all over, the maps
            have no colour in common, or what has colours is no map but a photograph.
    """

    content_masks: tuple[Image, ...] = ()
    style_masks: tuple[Image, ...] = ()
    content_map: Image | None = None
    paintings: int = 1
    regions: tuple[Region, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "regions", self._regions())
        for number, region in enumerate(self.regions, start=1):
            for setting, plane in (("mask", region.content), ("style_mask", region.style)):
                if plane is not None and float(plane.max()) == 0.0:
                    raise SettingsError(setting, f"number {number} is black all over; make its region white")

    def _regions(self) -> tuple[Region, ...]:
        count = len(self.content_masks)
        if any(map(_colorful, self.content_masks)):
            return _mapped(self.content_masks, self.style_masks)
        if self.style_masks and len(self.style_masks) != count:
            raise SettingsError(
                "style_mask", f"got {len(self.style_masks)} for {count} masks of the photograph; give each its own"
            )
        if self.style_masks and self.paintings not in (1, count):
            raise SettingsError("mask", f"got {count} for {self.paintings} paintings; give each painting its own")
        each = 1 < self.paintings == count
        return tuple(
            Region(_gray(mask), _gray(self.style_masks[i]) if self.style_masks else None, i if each else None)
            for i, mask in enumerate(self.content_masks)
        )

    def cover(self, size: tuple[int, int]) -> tuple[list[Plane], Plane]:
        """How far each pixel belongs to each region, and to the background; everywhere they add up to 1."""
        planes = [resized(region.content, size) for region in self.regions]
        whole = torch.stack(planes).sum(0) if planes else torch.zeros(size)
        planes = [plane / whole.clamp_min(1.0) for plane in planes]
        return planes, (1.0 - whole).clamp(0.0, 1.0)

    def content_factor(self, size: tuple[int, int]) -> Plane:
        """How many times content counts at each pixel, at least 1."""
        if self.content_map is None:
            return torch.ones(size)
        return 1.0 + (_MOST_CONTENT - 1.0) * resized(_gray(self.content_map), size)


def at_layer(plane: Plane, layer: Layer) -> Plane:
    """How far each position of a layer belongs to a region: the mean over the pixels that it stands for."""
    height, width = (max(1, side // layer.stride) for side in plane.shape)
    mean: Tensor = F.adaptive_avg_pool2d(plane[None, None], (height, width))[0, 0]
    return mean


def inside(plane: Plane, layer: Layer, *, wraps: bool = False) -> Plane:
    """The same, of positions that do not see beyond the region: what a region's style is measured by.

    A feature at the edge sees half of its receptive field beyond it, and would bring the neighbour's style along. The
    region is shrunk by that much, or by less where not enough of it would be left.

    Args:
        plane: how far each pixel belongs to the region, 0 to 1.
        layer: whose positions are asked for.
        wraps: whether the network sees the opposite border beyond the picture's own, which then is an edge as well.
    """
    whole = at_layer(plane, layer)
    # Beyond the picture there is nothing to see.
    reach = min(layer.receptive_field // (2 * layer.stride), max(whole.shape))
    while reach > 0:
        side = 2 * reach + 1
        # What lies beyond the picture's border does not count as outside, unless it is the opposite border.
        around = F.pad(whole, [reach] * 4, value=0.0 if wraps else torch.inf)
        shrunk: Tensor = -F.max_pool2d(-around[None, None], side, stride=1)[0, 0]
        if float(shrunk.sum()) >= _LEAST_INSIDE * float(whole.sum()):
            return shrunk
        reach //= 2
    return whole


def resized(plane: Plane, size: tuple[int, int]) -> Plane:
    """A mask at another (height, width)."""
    return resize(plane[None, None], size)[0, 0]


def _gray(mask: Image) -> Plane:
    return mask.pixels[0].mean(0)


def _colorful(mask: Image) -> bool:
    """Whether a mask has colours, and so is a map."""
    spread = mask.pixels.amax(1) - mask.pixels.amin(1)
    return float((spread > _NEAR).float().mean()) > _LEAST_SHARE


def _mapped(content: Sequence[Image], style: Sequence[Image]) -> tuple[Region, ...]:
    """Regions by the colours of one map for the photograph and one for the painting."""
    if len(content) != 1 or len(style) > 1:
        raise SettingsError("mask", f"got {len(content)} masks, one in colours; a map in colours has all regions in it")
    colors = _palette("mask", content[0])
    if not style:
        raise SettingsError("mask", "a map in colours needs one of the painting too; give it as the style mask")
    wanted = _palette("style_mask", style[0])
    shared = [i for i, color in enumerate(colors) if float((wanted - color).abs().amax(1).min()) < _NEAR]
    if not shared:
        raise SettingsError("style_mask", "the two maps have no colour in common; paint the same regions alike")
    place, painted = _nearest(content[0], colors), _nearest(style[0], colors[shared])
    return tuple(Region((place == i).float(), (painted == number).float()) for number, i in enumerate(shared))


def _palette(setting: str, map_: Image) -> Float[Tensor, "colors 3"]:
    """The colours of a map, the commonest first; those between two regions, at soft edges, are left out.

    Raises:
        SettingsError: too little of it is in flat colours: it is a photograph, or something else that is no map.
    """
    counts = torch.bincount(_level_numbers(map_).flatten(), minlength=_LEVELS**3)
    found: list[Tensor] = []
    for number in counts.argsort(descending=True).tolist():
        if int(counts[number]) < _LEAST_SHARE * int(counts.sum()):
            break
        levels = (number // _LEVELS**2, number // _LEVELS % _LEVELS, number % _LEVELS)
        color = torch.tensor(levels) / (_LEVELS - 1)
        if all(float((color - other).abs().max()) >= _NEAR for other in found):
            found.append(color)
    flat = torch.zeros(map_.size, dtype=torch.bool)
    for color in found:
        flat |= (map_.pixels[0] - color[:, None, None]).abs().amax(0) < _SAME
    share = float(flat.float().mean())
    if share < _LEAST_FLAT:
        raise SettingsError(
            setting,
            f"{map_.name or 'it'} is no map: only {share:.0%} of it is in flat colours; fill each region with one "
            "colour, or give masks in black and white",
        )
    return torch.stack(found)


def _level_numbers(image: Image) -> Int[Tensor, "_ _"]:
    """The colour of each pixel in a few levels of each channel, as one number."""
    red, green, blue = (image.pixels[0] * (_LEVELS - 1)).round().to(torch.int16)
    numbers: Tensor = (red * _LEVELS + green) * _LEVELS + blue
    return numbers


def _nearest(image: Image, colors: Float[Tensor, "colors 3"]) -> Int[Tensor, "_ _"]:
    """Which of the colours is nearest to each pixel, by number; one colour at a time, for pictures are large."""
    least = torch.full(image.size, torch.inf)
    nearest = torch.zeros(image.size, dtype=torch.int16)
    for number, color in enumerate(colors):
        distance = (image.pixels[0] - color[:, None, None]).square().sum(0)
        nearest[distance < least] = number
        least = torch.minimum(least, distance)
    return nearest
