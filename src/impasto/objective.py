"""Owns what is minimised: the weighted losses of an image against its targets, and their gradient.

It knows nothing of optimisers, files or how an image came about. Its style terms depend on features only through
Moments, so whoever can sum Moments (over tiles, over machines) can evaluate it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.backbones import Backbone
from impasto.losses import (
    STYLE_LOSSES,
    Normalization,
    StyleLoss,
    content_loss,
    range_loss,
    total_variation_loss,
)
from impasto.representations import Moments


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
class Region:
    """A part of the image and the style it is to have; without `where`, the whole of it.

    Attributes:
        style: target Moments by layer.
        where: how much each position of a layer belongs to the region, 0 to 1, (height, width), by layer; layers that
            are missing belong to it everywhere.
        share: factor on the region's style terms.
    """

    style: Mapping[str, Moments]
    where: Mapping[str, Float[Tensor, "_ _"]] = field(default_factory=dict)
    share: float = 1.0

    def moments(self, features: Mapping[str, Tensor]) -> dict[str, Moments]:
        """Moments of the region, by layer, of the features of the whole image."""
        return {layer: Moments.of(features[layer], self.where.get(layer)) for layer in self.style}


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The total loss α·content + β·style + total variation + range (Gatys et al. 2016, equation 7, and two more).

    Attributes:
        backbone: the network that sees the images.
        content: target features by layer.
        regions: the parts of the image and the style of each; without masks there is one, the whole image.
        content_where: how much each position of a layer counts for content, (height, width), by layer; all count
            alike in layers that are missing.
        content_weights, style_weights: weight of each layer's term, all factors included.
        tv_weight, range_weight: weights of the two terms on the pixels themselves.
        normalization: how losses are divided, see `losses`.
        style_loss: name of the loss that compares Moments, see `losses.STYLE_LOSSES`.
        layers: all layers that content and style ask for.
    """

    backbone: Backbone
    content: Mapping[str, Tensor]
    regions: Sequence[Region]
    content_weights: Mapping[str, float]
    style_weights: Mapping[str, float]
    content_where: Mapping[str, Float[Tensor, "_ _"]] = field(default_factory=dict)
    tv_weight: float = 0.0
    range_weight: float = 0.0
    normalization: Normalization = "relative"
    style_loss: StyleLoss = "gram"
    layers: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        style_layers = {layer for region in self.regions for layer in region.style}
        object.__setattr__(self, "layers", frozenset(self.content) | style_layers)

    def terms(self, image: Float[Tensor, "1 3 h w"]) -> dict[str, Float[Tensor, ""]]:
        """The weighted loss terms at `image`, by name; their sum is the total loss."""
        features = self.backbone(image, self.layers)
        found = self.content_terms(features)
        found |= self.style_terms([region.moments(features) for region in self.regions])
        return found | self.image_terms(image)

    def content_terms(self, features: Mapping[str, Tensor]) -> dict[str, Float[Tensor, ""]]:
        """Content terms of the features at their layers: sums over positions, once per layer."""
        return {
            f"content {layer}": self.content_weights[layer]
            * content_loss(features[layer], target, self.normalization, self.content_where.get(layer))
            for layer, target in self.content.items()
        }

    def style_terms(self, moments: Sequence[Mapping[str, Moments]]) -> dict[str, Float[Tensor, ""]]:
        """Style terms of the whole image's Moments, those of each region by layer; a layer's regions are one term."""
        compare = STYLE_LOSSES[self.style_loss]
        found: dict[str, Tensor] = {}
        for region, its in zip(self.regions, moments, strict=True):
            for layer, target in region.style.items():
                term = self.style_weights[layer] * region.share * compare(its[layer], target, self.normalization)
                name = f"style {layer}"
                found[name] = found[name] + term if name in found else term
        return found

    def image_terms(self, image: Float[Tensor, "1 3 h w"]) -> dict[str, Float[Tensor, ""]]:
        """Terms on the pixels themselves."""
        found: dict[str, Tensor] = {}
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
