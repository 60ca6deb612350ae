"""Owns who computes an objective: on the whole image at once, or in parts.

An evaluator computes everything that runs the network over a whole picture: the targets, from the photograph and the
paintings, and then value and gradient, in every iteration. The method takes it as a parameter, so that tiles and
machines plug in here and nothing above knows of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor

from impasto.backbones import Backbone
from impasto.losses import StyleLoss
from impasto.losses.style import layers_of
from impasto.objective import Evaluation, Objective, evaluate


class Evaluator:
    """Computes targets, values and gradients on the whole image at once; others override its three methods."""

    def evaluate(self, objective: Objective, image: Float[Tensor, "1 3 h w"]) -> Evaluation:
        """Value and gradient of `objective` at `image`."""
        return evaluate(objective, image)

    def content_features(
        self, backbone: Backbone, photograph: Float[Tensor, "1 3 h w"], layers: Iterable[str]
    ) -> Mapping[str, Float[Tensor, "1 _ _ _"]]:
        """The photograph's features at `layers`, by layer. It runs without gradients."""
        features: Mapping[str, Tensor] = backbone(photograph, layers)
        return features

    def style_targets(
        self,
        backbone: Backbone,
        painting: Float[Tensor, "1 3 h w"],
        loss: StyleLoss[Any, Any],
        terms: Iterable[str],
        masks: Iterable[Mapping[str, Float[Tensor, "_ _"]]],
    ) -> list[dict[str, Any]]:
        """What `loss` keeps of a painting, once for each region of it. It runs without gradients.

        Args:
            backbone: as deep as the terms need it.
            painting: at the size it is looked at.
            loss: if it is additive, its targets of a painting are the sums of those of the painting's parts.
            terms: of the loss.
            masks: for each region, how much each position counts, by layer; all alike in layers that are missing.

        Returns:
            For each region the targets by term.
        """
        terms = list(terms)
        features = backbone(painting, {layer for term in terms for layer in layers_of(term)})
        return [{term: loss.target(term, features, mask) for term in terms} for mask in masks]


#: The plain one.
WHOLE_IMAGE = Evaluator()
