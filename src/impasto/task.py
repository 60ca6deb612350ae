"""Owns what is to be painted: the pictures and settings asked for, and what follows from them at each size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from impasto import color, devices
from impasto.backbones import Backbone, architecture
from impasto.errors import SettingsError
from impasto.guidance import Guidance
from impasto.images import Image, fit, resize
from impasto.initialization import enlarged, first_picture
from impasto.objective import Objective
from impasto.pastiche import Fingerprint, Recipe
from impasto.pyramid import Scale, pyramid
from impasto.settings import Settings
from impasto.strokes import stroke_width, style_scales
from impasto.targets import keeps_background, layer_weights, objective_at, shares_of, strengths_of

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

    def recipe(self, settings: Settings) -> Recipe:
        """The note on a painting made from them."""
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
            SettingsError: strokes of the size wished for cannot be had of a painting.
        """
        if not settings.stroke_size:
            return (settings.style_scale,) * len(self.styles)
        return style_scales(self.stroke_widths, self.content.size, settings)

    def check(self, settings: Settings) -> None:
        """Refuse settings that do not go with them.

        Raises:
            SettingsError: a layer does not exist, there are not as many shares as paintings or strengths as regions, or
                strokes of the size wished for cannot be had, or the fast engine's picture is missing.
        """
        if settings.init == "fast" and self.init is None:
            raise SettingsError("init", "got fast without the fast engine's picture; impasto.stylize has it made")
        layer_weights(settings, architecture(settings.backbone))
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


def _check_shape(setting: str, mask: Image, what: str, picture: Image) -> None:
    aspects = [image.size[1] / image.size[0] for image in (mask, picture)]
    if abs(math.log(aspects[0] / aspects[1])) > _STRETCH:
        (height, width), (rows, columns) = mask.size, picture.size
        raise SettingsError(
            setting,
            f"{mask.name or 'it'} is {width} × {height} px, which is not the shape of the {what}, {columns} × {rows}; "
            "any size will do, if the sides are in the same proportion",
        )


@dataclass(frozen=True, eq=False)
class Task:
    """Inputs, and the settings they are to be painted by from now on.

    Args:
        pictures: what goes in.
        settings: those in force.
        device: where to compute.
        first: the settings at the beginning, which decide the sizes to paint at.
        weights: file of the backbone's weights; its own by default.

    Raises:
        SettingsError: as `Inputs.check`, or the weights are another network's.
        AssetError: the backbone's own weights are not here, and cannot be fetched.
    """

    pictures: Inputs
    settings: Settings
    device: torch.device
    first: Settings
    weights: Path | None = None

    def __post_init__(self) -> None:
        self.pictures.check(self.settings)
        # What is wrong with the network is to be known now, and not when painting has begun.
        assert self.backbone

    @property
    def final_size(self) -> tuple[int, int]:
        """(height, width) of the pastiche."""
        return fit(self.pictures.content.size, self.settings.size)

    @cached_property
    def backbone(self) -> Backbone:
        """The network, as deep as is needed."""
        settings = self.settings
        network = architecture(settings.backbone)
        content_weights, style_weights = layer_weights(settings, network)
        dtype = devices.precision(settings.precision, self.device)
        layers = {**content_weights, **style_weights}
        built = network.build(
            layers, pooling=settings.pooling, padding=settings.padding, dtype=dtype, weights=self.weights
        )
        return built.to(self.device)

    @property
    def weights_used(self) -> Fingerprint | None:
        """The note on the backbone's weights, unless they are those inside the package."""
        used = self.backbone.weights_file
        return Fingerprint(used.name, used.sha256) if used else None

    @cached_property
    def scales(self) -> Sequence[Scale]:
        """The sizes to paint at, coarse to fine, and for how long."""
        lengths = {name: getattr(self.settings, name) for name in ("iterations", "coarse_iterations")}
        return pyramid(
            self.pictures.content.size, self.first.replace(**lengths), min_side=self.backbone.architecture.min_side
        )

    def objective(self, size: tuple[int, int]) -> Objective:
        """What a picture of that (height, width) is to be like."""
        return objective_at(
            self.backbone,
            self._photograph(size),
            self._colored[1],
            self.settings,
            self.pictures.guidance,
            self.pictures.style_scales(self.settings),
        )

    def first_picture(self, size: tuple[int, int], generator: torch.Generator) -> Tensor:
        """What to start from."""
        return first_picture(
            self._photograph(size), self._colored[1], self.pictures.init, self.settings.init, generator
        )

    def enlarged(self, picture: Tensor, size: tuple[int, int], generator: torch.Generator) -> Tensor:
        """A picture at another (height, width), with the fine detail that it lacks there."""
        return enlarged(picture, self._photograph(size), self.settings, generator)

    def finished(self, picture: Tensor) -> Tensor:
        """The picture as it is shown: with the colours that it is to have, and the background that is to be kept."""
        picture = self._colored[2](picture)
        guidance = self.pictures.guidance
        if guidance is None or not keeps_background(self.settings, guidance):
            return picture
        size = (picture.shape[-2], picture.shape[-1])
        return torch.lerp(picture, resize(self.pictures.content.pixels, size), guidance.cover(size)[1])

    def _photograph(self, size: tuple[int, int]) -> Tensor:
        return resize(self._colored[0].pixels, size).to(self.device)

    @cached_property
    def _colored(self) -> tuple[Image, Sequence[Image], Callable[[Tensor], Tensor]]:
        """The pictures to paint from, and what brings the photograph's colours back, as `keep_color` says."""
        content, styles, settings = self.pictures.content, self.pictures.styles, self.settings

        def keep(picture: Tensor) -> Tensor:
            return color.keep_colors(picture, content.pixels, settings.keep_color, settings.keep_color_amount)

        if settings.keep_color == "none" or settings.keep_color_when == "after":
            return content, styles, keep
        if settings.keep_color == "luminance":
            # Nothing but lightness is painted; the colours are put back under it.
            grays = [replace(style, pixels=color.gray_like(style.pixels, content.pixels)) for style in styles]
            return replace(content, pixels=color.gray(content.pixels)), grays, keep
        return content, [replace(style, pixels=keep(style.pixels)) for style in styles], lambda picture: picture
