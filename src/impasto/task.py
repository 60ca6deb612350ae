"""Owns the task of one painting: inputs, settings and network, and what follows from them at each size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from impasto import backbones, color, devices, optimizers
from impasto.backbones import Architecture, Backbone, architecture
from impasto.evaluators import WHOLE_IMAGE, Evaluator
from impasto.images import Image, fit, resize
from impasto.initialization import enlarged, first_picture
from impasto.inputs import Inputs
from impasto.losses import ImageTerm
from impasto.objective import Objective
from impasto.pyramid import Scale, pyramid
from impasto.recipes import Fingerprint
from impasto.settings import Settings
from impasto.targets import keeps_background, objective_at
from impasto.weighting import layer_weights


@dataclass(frozen=True)
class Engine:
    """What computes.

    Attributes:
        device: where.
        weights: file of the backbone's weights; its own by default.
        backbone: a network of the caller's own, in place of the one that the settings name.
        evaluator: runs networks over pictures, and computes value and gradient.
        image_terms: further terms of the loss, beside those that the settings ask for.
    """

    device: torch.device = torch.device("cpu")
    weights: Path | None = None
    backbone: Backbone | None = None
    evaluator: Evaluator = WHOLE_IMAGE
    image_terms: Sequence[ImageTerm] = ()

    def architecture(self, settings: Settings) -> Architecture:
        """The network without its weights.

        Raises:
            SettingsError: there is none of the name that the settings have.
        """
        return self.backbone.architecture if self.backbone else architecture(settings.backbone)

    def network(self, settings: Settings) -> Backbone:
        """The network, as deep as the settings need it.

        Raises:
            SettingsError: there is no such network, it has no such layer, or the weights are another network's.
            AssetError: the network's own weights are not here, and cannot be fetched.
        """
        chosen = self.architecture(settings)
        content, style = layer_weights(settings, chosen)
        if self.backbone is not None:
            return self.backbone
        return backbones.shared(
            chosen,
            {**content, **style},
            pooling=settings.pooling,
            padding=settings.padding,
            dtype=devices.precision(settings.precision, self.device),
            device=self.device,
            weights=self.weights,
        )


@dataclass(frozen=True, eq=False)
class Task:
    """Inputs, and the settings they are to be painted by from now on.

    Attributes:
        inputs: the pictures that go in.
        settings: those in force.
        first: the settings at the beginning, which decide the sizes to paint at.
        engine: what computes.
        backbone: the network, as deep as the settings need it.
    """

    inputs: Inputs
    settings: Settings
    first: Settings
    engine: Engine
    backbone: Backbone

    @classmethod
    def of(cls, inputs: Inputs, settings: Settings, engine: Engine, *, first: Settings | None = None) -> Task:
        """The task, checked.

        Args:
            inputs: the pictures that go in.
            settings: those in force.
            engine: what computes.
            first: the settings at the beginning; the same, if None.

        Raises:
            SettingsError: as `Inputs.check` and `Engine.network`.
            AssetError: as `Engine.network`.
        """
        inputs.check(settings, engine.architecture(settings))
        return cls(inputs, settings, first or settings, engine, engine.network(settings))

    def changed(self, settings: Settings) -> Task:
        """The same task with other settings in force; the network stays where they need the same layers."""
        return replace(self, settings=settings, backbone=self.engine.network(settings))

    @property
    def final_size(self) -> tuple[int, int]:
        """(height, width) of the pastiche."""
        return fit(self.inputs.content.size, self.settings.size)

    @property
    def weights_used(self) -> Fingerprint | None:
        """The note on the backbone's weights, unless they are those inside the package."""
        used = self.backbone.weights_file
        return Fingerprint(used.name, used.sha256) if used else None

    @cached_property
    def scales(self) -> Sequence[Scale]:
        """The sizes to paint at, coarse to fine, and for how long."""
        lengths = {name: getattr(self.settings, name) for name in ("iterations", "coarse_iterations")}
        least = self.backbone.architecture.min_side
        return pyramid(self.inputs.content.size, self.first.replace(**lengths), min_side=least)

    def objective(self, size: tuple[int, int]) -> Objective:
        """What a picture of that (height, width) is to be like."""
        return objective_at(
            self.backbone,
            self._photograph(size),
            self._colored[1],
            self.settings,
            self.inputs.guidance,
            self.inputs.style_scales(self.settings),
            image_terms=self.engine.image_terms,
            evaluator=self.engine.evaluator,
        )

    def first_picture(self, size: tuple[int, int], generator: torch.Generator) -> Tensor:
        """What to start from."""
        photograph, init = self._photograph(size), self.settings.init
        return first_picture(photograph, self._colored[1], self.inputs.init, init, generator)

    def enlarged(self, picture: Tensor, size: tuple[int, int], generator: torch.Generator) -> Tensor:
        """A picture at another (height, width), with the fine detail that it lacks there."""
        return enlarged(picture, self._photograph(size), self.settings, generator)

    def finished(self, picture: Tensor) -> Tensor:
        """The picture as it is shown: with the colours that it is to have, and the background that is to be kept."""
        picture = self._colored[2](picture)
        guidance = self.inputs.guidance
        if guidance is None or not keeps_background(self.settings, guidance):
            return picture
        size = (picture.shape[-2], picture.shape[-1])
        return torch.lerp(picture, resize(self.inputs.content.pixels, size), guidance.cover(size)[1])

    def _photograph(self, size: tuple[int, int]) -> Tensor:
        return resize(self._colored[0].pixels, size).to(self.engine.device)

    @cached_property
    def _colored(self) -> tuple[Image, Sequence[Image], Callable[[Tensor], Tensor]]:
        """The pictures to paint from, and what brings the photograph's colours back, as `keep_color` says."""
        content, styles, settings = self.inputs.content, self.inputs.styles, self.settings

        def keep(picture: Tensor) -> Tensor:
            return color.keep_colors(picture, content.pixels, settings.keep_color, settings.keep_color_amount)

        if settings.keep_color == "none" or settings.keep_color_when == "after":
            return content, styles, keep
        if settings.keep_color == "luminance":
            # Nothing but lightness is painted; the colours are put back under it.
            grays = [replace(style, pixels=color.gray_like(style.pixels, content.pixels)) for style in styles]
            return replace(content, pixels=color.gray(content.pixels)), grays, keep
        return content, [replace(style, pixels=keep(style.pixels)) for style in styles], lambda picture: picture


def without_effect(settings: Settings, *, masked: bool) -> dict[str, str]:
    """The settings that differ from their defaults but change nothing in a painting, with the reason.

    Args:
        settings: of the painting.
        masked: whether there are regions.

    Raises:
        SettingsError: there is no such backbone.
    """
    return (
        settings.without_effect(masked=masked)
        | optimizers.without_effect(settings)
        | architecture(settings.backbone).without_effect(settings.pooling, settings.padding)
    )
