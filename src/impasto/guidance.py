"""Owns spatial guidance: masks that pair regions of the photograph with regions of the paintings.

After Gatys, Ecker, Bethge, Hertzmann & Shechtman, "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017,
section 4: each region has its own style statistics, in which the positions of a layer are weighted by the mask.
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
from impasto.messages import counted

Plane = Float[Tensor, "_ _"]

# Factor of the content weight where the content map is white.
_MOST_CONTENT = 10.0
# Colours of a map that differ by less than this, in pixel values, are the same; colours of a smaller share of the map
# than the second number are mixed colours at edges.
_NEAR = 0.2
_LEAST_SHARE = 0.004
# Levels per channel for counting the colours of a map.
_LEVELS = 16
# Pixels that differ from one of the colours of a map by less than this are filled with it, and at least this share of a
# map must be filled. It is 0.8 or more in maps with soft edges or saved as JPEG, half or less in photographs and
# paintings.
_SAME = 0.07
_LEAST_FLAT = 0.65
# Eroding a region keeps at least this share of its weight.
_LEAST_INSIDE = 0.25


@dataclass(frozen=True)
class Region:
    """A region of the photograph, with the region of the paintings that gives its style.

    Attributes:
        content: mask of the photograph, 0 to 1, at any size.
        style: mask of the painting, 0 to 1; None for the whole painting.
        painting: index of the painting; None for all paintings, blended.
    """

    content: Plane
    style: Plane | None = None
    painting: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Guidance:
    """All regions of a photograph, from masks: white is inside, black outside, grey a soft edge.

    Region i takes its style from painting i if there are as many paintings as masks, else from all paintings blended;
    with style masks, only from the part that style mask i shows. A mask in colours is a map: each of its colours is a
    region, which takes its style from the region of the same colour in the style map. Everything outside the masks is
    the background.

    Args:
        content_masks: masks of the photograph, of any size; or one map.
        style_masks: masks of the paintings, as many as of the photograph; or one map; or none.
        content_map: where to keep the photograph's shapes: the content weight is ten times higher where it is white.
        paintings: number of paintings.

    Attributes:
        regions: the regions.

    Raises:
        SettingsError: the numbers of masks and paintings do not match, a mask is completely black, the maps have no
            colour in common, or a picture in colours is not a map.
    """

    content_masks: tuple[Image, ...] = ()
    style_masks: tuple[Image, ...] = ()
    content_map: Image | None = None
    paintings: int = 1
    regions: tuple[Region, ...] = field(init=False)

    def __post_init__(self) -> None:
        # A mask with transparency means what it shows on a white ground.
        for name in ("content_masks", "style_masks"):
            object.__setattr__(self, name, tuple(mask.flattened() for mask in getattr(self, name)))
        object.__setattr__(self, "regions", self._regions())
        for number, region in enumerate(self.regions, start=1):
            for setting, plane in (("mask", region.content), ("style_mask", region.style)):
                if plane is not None and float(plane.max()) == 0.0:
                    raise SettingsError(setting, f"number {number} is completely black; make its region white")

    def _regions(self) -> tuple[Region, ...]:
        count = len(self.content_masks)
        if any(map(_colorful, self.content_masks)):
            return _mapped(self.content_masks, self.style_masks)
        if self.style_masks and len(self.style_masks) != count:
            raise SettingsError(
                "style_mask",
                f"got {len(self.style_masks)} for {counted(count, 'mask')} of the photograph; "
                "give one style mask for each mask",
            )
        if self.style_masks and self.paintings not in (1, count):
            raise SettingsError(
                "mask", f"got {count} for {counted(self.paintings, 'painting')}; give one mask for each painting"
            )
        each = 1 < self.paintings == count
        return tuple(
            Region(_gray(mask), _gray(self.style_masks[i]) if self.style_masks else None, i if each else None)
            for i, mask in enumerate(self.content_masks)
        )

    def cover(self, size: tuple[int, int]) -> tuple[list[Plane], Plane]:
        """Weights of each region and of the background at each pixel; they add up to 1."""
        planes = [resized(region.content, size) for region in self.regions]
        whole = torch.stack(planes).sum(0) if planes else torch.zeros(size)
        planes = [plane / whole.clamp_min(1.0) for plane in planes]
        return planes, (1.0 - whole).clamp(0.0, 1.0)

    def content_factor(self, size: tuple[int, int]) -> Plane:
        """Factor of the content weight at each pixel, at least 1."""
        if self.content_map is None:
            return torch.ones(size)
        return 1.0 + (_MOST_CONTENT - 1.0) * resized(_gray(self.content_map.flattened()), size)


def at_layer(plane: Plane, layer: Layer) -> Plane:
    """A mask at the resolution of a layer: the mean over the pixels of each position."""
    height, width = (max(1, side // layer.stride) for side in plane.shape)
    mean: Tensor = F.adaptive_avg_pool2d(plane[None, None], (height, width))[0, 0]
    return mean


def inside(plane: Plane, layer: Layer, *, wraps: bool = False) -> Plane:
    """A mask at the resolution of a layer, eroded to positions whose receptive fields lie inside the region.

    Style statistics are computed with this mask ("inside" guidance in the paper's terms): a feature at the edge of a
    region also depends on the region beside it, by up to half of its receptive field. The mask is eroded by that much,
    or by less if too little of it would remain.

    Args:
        plane: the mask, 0 to 1.
        layer: the layer.
        wraps: whether the network pads from the opposite border; if so, the picture's border is an edge as well.
    """
    whole = at_layer(plane, layer)
    # Eroding by more than the picture's side has no further effect.
    reach = min(layer.receptive_field // (2 * layer.stride), max(whole.shape))
    while reach > 0:
        side = 2 * reach + 1
        # The picture's border is not an edge of the region, unless the picture wraps around.
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
    """Whether a mask has colours and therefore is a map."""
    spread = mask.pixels.amax(1) - mask.pixels.amin(1)
    return float((spread > _NEAR).float().mean()) > _LEAST_SHARE


def _mapped(content: Sequence[Image], style: Sequence[Image]) -> tuple[Region, ...]:
    """The regions of a map of the photograph and a map of the painting, by colour."""
    if len(content) != 1 or len(style) > 1:
        raise SettingsError(
            "mask", f"got {len(content)} masks, one of them in colours; a map in colours must be the only mask"
        )
    colors = _palette("mask", content[0])
    if not style:
        raise SettingsError("mask", "a map in colours needs a map of the painting as well; give it as the style mask")
    wanted = _palette("style_mask", style[0])
    shared = [i for i, color in enumerate(colors) if float((wanted - color).abs().amax(1).min()) < _NEAR]
    if not shared:
        raise SettingsError(
            "style_mask", "the two maps have no colour in common; use the same colour for the same region"
        )
    in_photograph, in_painting = _nearest(content[0], colors), _nearest(style[0], colors[shared])
    return tuple(
        Region((in_photograph == i).float(), (in_painting == number).float()) for number, i in enumerate(shared)
    )


def _palette(setting: str, map_: Image) -> Float[Tensor, "colors 3"]:
    """The colours of a map, the most frequent first; mixed colours at soft edges are left out.

    Raises:
        SettingsError: too little of it is in flat colours, as in a photograph.
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
            f"{map_.name or 'it'} is not a map: only {share:.0%} of it is in flat colours; fill each region with one "
            "colour, or give masks in black and white",
        )
    return torch.stack(found)


def _level_numbers(image: Image) -> Int[Tensor, "_ _"]:
    """The colour of each pixel, quantized to a few levels per channel, as one number."""
    red, green, blue = (image.pixels[0] * (_LEVELS - 1)).round().to(torch.int16)
    numbers: Tensor = (red * _LEVELS + green) * _LEVELS + blue
    return numbers


def _nearest(image: Image, colors: Float[Tensor, "colors 3"]) -> Int[Tensor, "_ _"]:
    """Index of the colour nearest to each pixel; one colour at a time, to limit memory."""
    least = torch.full(image.size, torch.inf)
    nearest = torch.zeros(image.size, dtype=torch.int16)
    for number, color in enumerate(colors):
        distance = (image.pixels[0] - color[:, None, None]).square().sum(0)
        nearest[distance < least] = number
        least = torch.minimum(least, distance)
    return nearest
