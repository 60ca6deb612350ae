"""Owns Inputs: all pictures that a painting is made from, packed once, and which settings go with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from impasto.backbones import Architecture, architecture
from impasto.errors import SettingsError
from impasto.guidance import Guidance
from impasto.images import Image
from impasto.loading import load
from impasto.recipes import Fingerprint, Recipe
from impasto.settings import Settings
from impasto.strokes import stroke_width, style_scales
from impasto.weighting import layer_weights, shares_of, strengths_of

# A mask may be so much longer or shorter than its picture, as a share: sides are rounded to whole pixels.
_STRETCH = 0.03


@dataclass(frozen=True, eq=False)
class Inputs:
    """The pictures that go in.

    Attributes:
        content: the photograph.
        styles: one painting, or several.
        init: the picture to start from, if it is one of its own.
        guidance: regions with styles of their own, and where content counts more.
    """

    content: Image
    styles: Sequence[Image]
    init: Image | None = None
    guidance: Guidance | None = None

    @classmethod
    def load(
        cls,
        content: Any,
        style: Any,
        *,
        init: Any = None,
        masks: Any = (),
        style_masks: Any = (),
        content_map: Any = None,
    ) -> Inputs:
        """Read pictures in any form that `loading.load` takes.

        Args:
            content: the photograph.
            style: the painting, or a list of paintings.
            init: a picture to start from.
            masks: of the photograph, one for each region, or one alone; see `guidance.Guidance`.
            style_masks: of the painting, as many as `masks`.
            content_map: white where the photograph's shapes are to stay.

        Raises:
            ImageReadError: one cannot be read.
            AssetError: no bundled picture has that name.
            SettingsError: there is no painting, or the masks do not fit each other.
        """
        photograph = load(content)
        paintings = tuple(load(one) for one in each(style))
        if not paintings:
            raise SettingsError("style", "got no painting; name at least one")
        masks, style_masks = each(masks), each(style_masks)
        guidance = None
        if masks or style_masks or content_map is not None:
            guidance = Guidance(
                content_masks=tuple(map(load, masks)),
                style_masks=tuple(map(load, style_masks)),
                content_map=None if content_map is None else load(content_map),
                paintings=len(paintings),
            )
        return cls(photograph, paintings, None if init is None else load(init), guidance)

    @property
    def masked(self) -> bool:
        """Whether there are regions."""
        return self.guidance is not None and bool(self.guidance.regions)

    def recipe(self, settings: Settings) -> Recipe:
        """The recipe of a painting made from them."""
        guidance = self.guidance
        return Recipe(
            settings=settings,
            content=Fingerprint.of(self.content),
            styles=tuple(map(Fingerprint.of, self.styles)),
            # What the fast engine made is made again.
            init=Fingerprint.of(self.init) if self.init and settings.init != "fast" else None,
            masks=tuple(map(Fingerprint.of, guidance.content_masks)) if guidance else (),
            style_masks=tuple(map(Fingerprint.of, guidance.style_masks)) if guidance else (),
            content_map=Fingerprint.of(guidance.content_map) if guidance and guidance.content_map else None,
        )

    @cached_property
    def stroke_widths(self) -> tuple[float, ...]:
        """How broad the strokes of each painting are, as a share of its side."""
        return tuple(map(stroke_width, self.styles))

    def style_scales(self, settings: Settings) -> tuple[float, ...]:
        """The size at which each painting is looked at, relative to the picture.

        Raises:
            SettingsError: a painting cannot give strokes of the size asked for.
        """
        if not settings.stroke_size:
            return (settings.style_scale,) * len(self.styles)
        return style_scales(self.stroke_widths, self.content.size, settings)

    def check(self, settings: Settings, network: Architecture | None = None) -> None:
        """Refuse settings that do not go with them.

        Args:
            settings: to be painted by.
            network: whose layers the settings name; the one called `settings.backbone`, if None.

        Raises:
            SettingsError: a layer does not exist, there are not as many shares as paintings or strengths as regions, a
                painting cannot give strokes of the size asked for, a mask has another shape than its picture, or the
                fast engine's picture is missing.
        """
        if settings.init == "fast" and self.init is None:
            raise SettingsError("init", "got fast without the fast engine's picture; impasto.stylize has it made")
        layer_weights(settings, network or architecture(settings.backbone))
        shares_of(settings, len(self.styles))
        strengths_of(settings, len(self.guidance.regions) if self.guidance else 0)
        self.style_scales(settings)
        self._check_shapes()

    def _check_shapes(self) -> None:
        """Refuse masks that would have to be stretched."""
        if self.guidance is None:
            return
        for mask in self.guidance.content_masks:
            _check_shape("mask", mask, "photograph", self.content)
        if self.guidance.content_map is not None:
            _check_shape("content_map", self.guidance.content_map, "photograph", self.content)
        masks = self.guidance.style_masks
        # Several masks of one painting have its shape; a map of several paintings has no one shape.
        styles = list(self.styles) * len(masks) if len(self.styles) == 1 else self.styles
        if len(masks) == len(styles):
            for mask, style in zip(masks, styles, strict=True):
                _check_shape("style_mask", mask, "painting", style)


def each(pictures: Any) -> list[Any]:
    """The pictures of a list, or one picture as a list."""
    several = isinstance(pictures, Sequence) and not isinstance(pictures, str | bytes)
    return list(pictures) if several else [pictures]


def _check_shape(setting: str, mask: Image, what: str, picture: Image) -> None:
    aspects = [image.size[1] / image.size[0] for image in (mask, picture)]
    if abs(math.log(aspects[0] / aspects[1])) > _STRETCH:
        (height, width), (rows, columns) = mask.size, picture.size
        raise SettingsError(
            setting,
            f"{mask.name or 'it'} is {width} × {height} px, which is not the shape of the {what}, {columns} × {rows}; "
            "any size will do, if the sides are in the same proportion",
        )
