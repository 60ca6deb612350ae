"""Owns what is minimised: the weighted losses of an image against its targets, and their gradient.

It knows nothing of optimisers, files or how an image came about. Where the style loss is additive, its style terms
depend on features only through sums, so whoever can add (over tiles, over machines) can evaluate it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.backbones import Backbone
from impasto.losses import (
    GRAM,
    SQUARED_ERROR,
    ContentLoss,
    EdgeTarget,
    Normalization,
    StyleLoss,
    laplacian_loss,
    range_loss,
    total_variation_loss,
)
from impasto.losses.style import layers_of


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


#: Computes an Evaluation of an objective at an image; `evaluate` is the plain one.
Evaluator = Callable[["Objective", Tensor], Evaluation]


@dataclass(frozen=True, kw_only=True)
class StyleTarget:
    """A part of the image and the style it is to have; without `masks`, the whole of it.

    Attributes:
        style: the targets of the style loss, by term: Moments by layer, unless the loss is another than Gatys'.
        masks: how much each position of a layer belongs to the region, 0 to 1, (height, width), by layer; layers that
            are missing belong to it everywhere.
        share: factor on the region's style terms.
    """

    style: Mapping[str, Any]
    masks: Mapping[str, Float[Tensor, "_ _"]] = field(default_factory=dict)
    share: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The total loss α·content + β·style + total variation + range (Gatys et al. 2016, equation 7, and two more).

    Attributes:
        backbone: the network that sees the images.
        content: the targets of the content loss, by layer: features, unless the loss is another than Gatys'.
        regions: the parts of the image and the style of each; without masks there is one, the whole image.
        content_masks: how much each position of a layer counts for content, (height, width), by layer; all count
            alike in layers that are missing.
        content_weights, style_weights: weight of each term, all factors included.
        tv_weight, range_weight: weights of the two terms on the pixels themselves.
        normalization: how losses are divided, see `losses`.
        style_loss: what is seen of the style, and how it is compared.
        content_loss: how content is compared.
        outlines: the photograph's edges, where they are kept beside its features.
        layers: all layers that content and style ask for.
    """

    backbone: Backbone
    content: Mapping[str, Tensor]
    regions: Sequence[StyleTarget]
    content_weights: Mapping[str, float]
    style_weights: Mapping[str, float]
    content_masks: Mapping[str, Float[Tensor, "_ _"]] = field(default_factory=dict)
    tv_weight: float = 0.0
    range_weight: float = 0.0
    normalization: Normalization = "relative"
    style_loss: StyleLoss[Any, Any] = GRAM
    content_loss: ContentLoss = SQUARED_ERROR
    outlines: Sequence[EdgeTarget] = ()
    layers: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        style_layers = {layer for region in self.regions for term in region.style for layer in layers_of(term)}
        object.__setattr__(self, "layers", frozenset(self.content) | style_layers)

    def terms(self, image: Float[Tensor, "1 3 h w"]) -> dict[str, Float[Tensor, ""]]:
        """The weighted loss terms at `image`, by name; their sum is the total loss."""
        features: dict[str, Tensor] = {}
        content: dict[str, Tensor] = {}
        seen: list[dict[str, Any]] = [{} for _ in self.regions]
        # Layer by layer, so that what goes back to a layer need not be held before the gradient has come there.
        for layer, its in self.backbone.iter_features(image, self.layers):
            features[layer] = its
            if layer in self.content:
                content |= self.content_term(layer, its)
            for region, of_region in zip(self.regions, seen, strict=True):
                of_region |= self.statistics(region, layer, features)
        return content | self.style_terms(seen) | self.image_terms(image)

    def content_term(self, layer: str, features: Tensor) -> dict[str, Float[Tensor, ""]]:
        """The content term of the features at a layer."""
        loss = self.content_loss.compare(
            features, self.content[layer], self.normalization, self.content_masks.get(layer)
        )
        return {f"content {layer}": self.content_weights[layer] * loss}

    def statistics(self, region: StyleTarget, layer: str, features: Mapping[str, Tensor]) -> dict[str, Any]:
        """What the style loss sees of a region, by term, as soon as `layer` is there: of the terms it completes."""
        return {
            term: self.style_loss.statistics(term, features, region.masks)
            for term in region.style
            if layer in (its := layers_of(term)) and features.keys() >= set(its)
        }

    def style_terms(self, seen: Sequence[Mapping[str, Any]]) -> dict[str, Float[Tensor, ""]]:
        """Style terms of what is seen of the whole image, region by region; a term's regions are added up."""
        found: dict[str, Tensor] = {}
        for region, its in zip(self.regions, seen, strict=True):
            for term, target in region.style.items():
                loss = self.style_loss.compare(its[term], target, self.normalization)
                weighted = self.style_weights[term] * region.share * loss
                name = f"style {term}"
                found[name] = found[name] + weighted if name in found else weighted
        return found

    def image_terms(self, image: Float[Tensor, "1 3 h w"]) -> dict[str, Float[Tensor, ""]]:
        """Terms on the pixels themselves."""
        found: dict[str, Tensor] = {}
        for edges in self.outlines:
            loss = laplacian_loss(image, edges.target, edges.pooling, self.normalization, edges.pixel_weights)
            found[f"content laplacian {edges.pooling}"] = edges.weight * loss
        if self.tv_weight:
            found["tv"] = self.tv_weight * total_variation_loss(image)
        if self.range_weight:
            found["range"] = self.range_weight * range_loss(image)
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
