"""Owns what is minimised: the weighted losses of an image against its targets, and their gradient.

It knows nothing of optimisers, files or how an image came about. Where its losses are additive, the total loss depends
on features only through sums over positions (`Sums`): whoever can add, over tiles or over machines, can evaluate it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.backbones import Backbone
from impasto.errors import SettingsError
from impasto.losses import GRAM, SQUARED_ERROR, ContentLoss, ImageTerm, Normalization, StyleLoss
from impasto.losses.style import layers_of
from impasto.windows import Window


@dataclass(frozen=True)
class Evaluation:
    """Value and gradient of an objective at an image.

    Attributes:
        image: where it was evaluated, (1, 3, height, width), RGB; not modified afterwards by anyone.
        value: the total loss.
        terms: the weighted terms that add up to it, by name (`content relu4_2`, `style relu1_1`, `tv`, `range`).
        gradient: derivative of the value by the image, of the image's shape.
    """

    image: Float[Tensor, "1 3 h w"]
    value: float
    terms: Mapping[str, float]
    gradient: Float[Tensor, "1 3 h w"]

    @property
    def finite(self) -> bool:
        """Whether neither the value nor any of the gradient is infinite or not a number."""
        return (
            bool(torch.isfinite(self.gradient.sum())) and abs(self.value) != float("inf") and self.value == self.value
        )


@dataclass(frozen=True, kw_only=True)
class StyleTarget:
    """The style that a region of the image is to have; without `masks`, the region is the whole image.

    Attributes:
        style: the targets of the style loss, by term: Moments by layer, unless the loss is another than Gatys'.
        masks: how much each position of a layer belongs to the region, 0 to 1, (height, width), by layer; layers that
            are missing belong to it everywhere.
        share: factor on the region's style terms.
    """

    style: Mapping[str, Any]
    masks: Mapping[str, Float[Tensor, "_ _"]] = field(default_factory=dict)
    share: float = 1.0


@dataclass(frozen=True)
class Sums:
    """All that the losses need to know of the features of an image, or of a part of it; the sums of parts add up.

    Attributes:
        content: the weighted content terms, by name.
        style: the statistics of each style target's region, by term of the style loss.
    """

    content: Mapping[str, Float[Tensor, ""]]
    style: Sequence[Mapping[str, Any]]

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            {name: term + other.content[name] for name, term in self.content.items()},
            [
                {term: statistics + theirs[term] for term, statistics in ours.items()}
                for ours, theirs in zip(self.style, other.style, strict=True)
            ],
        )


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The total loss α·content + β·style + terms on the image (Gatys et al. 2016, equation 7, and more).

    Attributes:
        backbone: the network that sees the images.
        content: the targets of the content loss, by layer: features, unless the loss is another than Gatys'.
        regions: the regions of the image and the style of each; without masks there is one, the whole image.
        content_masks: how much each position of a layer counts for content, (height, width), by layer; all count
            alike in layers that are missing.
        content_weights, style_weights: weight of each term, all factors included.
        image_terms: terms on the image itself, in the order of the trace.
        normalization: how losses are divided, see `losses`.
        style_loss: which statistics describe a style, and how they are compared.
        content_loss: how content is compared.
        layers: all layers that content and style ask for.
    """

    backbone: Backbone
    content: Mapping[str, Tensor]
    regions: Sequence[StyleTarget]
    content_weights: Mapping[str, float]
    style_weights: Mapping[str, float]
    content_masks: Mapping[str, Float[Tensor, "_ _"]] = field(default_factory=dict)
    image_terms: Sequence[ImageTerm] = ()
    normalization: Normalization = "relative"
    style_loss: StyleLoss[Any, Any] = GRAM
    content_loss: ContentLoss = SQUARED_ERROR
    layers: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        style_layers = {layer for region in self.regions for term in region.style for layer in layers_of(term)}
        object.__setattr__(self, "layers", frozenset(self.content) | style_layers)

    @property
    def additive(self) -> bool:
        """Whether `sums` of parts can be added, so that the objective can be evaluated in parts."""
        return self.style_loss.additive and self.content_loss.additive

    def check_additive(self) -> None:
        """Refuse to be evaluated in parts where the losses are not sums over parts.

        Raises:
            SettingsError: a loss compares the whole image at once; names its setting.
        """
        losses = {"style_loss": self.style_loss.additive, "content_loss": self.content_loss.additive}
        for setting, additive in losses.items():
            if not additive:
                raise SettingsError(
                    setting,
                    "it sorts or matches the features of the whole picture, so it cannot be computed in parts; choose "
                    + ("gram, cross_gram, statistics or wasserstein" if setting == "style_loss" else "squared_error"),
                )

    def terms(self, image: Float[Tensor, "1 3 h w"]) -> dict[str, Float[Tensor, ""]]:
        """The weighted loss terms at `image`, by name; their sum is the total loss."""
        features: dict[str, Tensor] = {}
        content: dict[str, Tensor] = {}
        style: list[dict[str, Any]] = [{} for _ in self.regions]
        # Layer by layer, so that what goes back to a layer need not be held before the gradient has come there.
        for layer, of_layer in self.backbone.iter_features(image, self.layers):
            features[layer] = of_layer
            content |= self._content_term(layer, of_layer)
            for region, statistics in zip(self.regions, style, strict=True):
                statistics |= self.statistics(region, layer, features)
        return self.terms_of(Sums(content, style), image)

    def sums(self, features: Mapping[str, Float[Tensor, "1 _ _ _"]], window: Window | None = None) -> Sums:
        """What the losses need to know of the features of an image, or of a part of it.

        Args:
            features: of all `layers`; where there is a window, only the positions that lie in it.
            window: which part of the image the features are of; the whole, if None.

        Raises:
            SettingsError: there is a window, and the losses are not sums over parts.
        """
        if window is not None:
            self.check_additive()
        content: dict[str, Tensor] = {}
        style: list[dict[str, Any]] = [{} for _ in self.regions]
        known: dict[str, Tensor] = {}
        for layer, of_layer in features.items():
            known[layer] = of_layer
            content |= self._content_term(layer, of_layer, window)
            for region, statistics in zip(self.regions, style, strict=True):
                statistics |= self.statistics(region, layer, known, window)
        return Sums(content, style)

    def terms_of(self, sums: Sums, image: Float[Tensor, "1 3 h w"]) -> dict[str, Float[Tensor, ""]]:
        """The weighted loss terms, by name, from the sums of the whole image."""
        on_image = {term.name: term(image) for term in self.image_terms}
        return dict(sums.content) | self.style_terms(sums.style) | on_image

    def _content_term(self, layer: str, features: Tensor, window: Window | None = None) -> dict[str, Float[Tensor, ""]]:
        """The content term of a layer, if it has one; of a window, its share."""
        if layer not in self.content:
            return {}
        part = None if window is None else partial(window.of, stride=self.backbone.layers[layer].stride)
        mask = self.content_masks.get(layer)
        loss = self.content_loss.compare(features, self.content[layer], self.normalization, mask, part)
        return {f"content {layer}": self.content_weights[layer] * loss}

    def statistics(
        self, region: StyleTarget, layer: str, features: Mapping[str, Tensor], window: Window | None = None
    ) -> dict[str, Any]:
        """The statistics of a region, by term: those of the terms whose last layer is `layer`."""
        masks = region.masks
        if window is not None:
            masks = {name: window.of(mask, self.backbone.layers[name].stride) for name, mask in masks.items()}
        return {
            term: self.style_loss.statistics(term, features, masks)
            for term in region.style
            if layer in (layers := layers_of(term)) and features.keys() >= set(layers)
        }

    def style_terms(self, style: Sequence[Mapping[str, Any]]) -> dict[str, Float[Tensor, ""]]:
        """Style terms from the statistics of each region; the terms of all regions are added up by name."""
        found: dict[str, Tensor] = {}
        for region, statistics in zip(self.regions, style, strict=True):
            for term, target in region.style.items():
                loss = self.style_loss.compare(statistics[term], target, self.normalization)
                weighted = self.style_weights[term] * region.share * loss
                name = f"style {term}"
                found[name] = found[name] + weighted if name in found else weighted
        return found


def evaluate(objective: Objective, image: Float[Tensor, "1 3 h w"]) -> Evaluation:
    """Value and gradient of `objective` at `image`, the whole image at once."""
    leaf = image.detach().requires_grad_(True)
    with torch.enable_grad():
        terms = objective.terms(leaf)
        total = torch.stack(list(terms.values())).sum()
        (gradient,) = torch.autograd.grad(total, leaf)
    return Evaluation(
        image=image.detach(),
        value=float(total.detach()),
        terms={name: float(term.detach()) for name, term in terms.items()},
        gradient=gradient.contiguous(),
    )
