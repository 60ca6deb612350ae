"""Owns the loss of a batch of pastiches: the optimise engine's objective, computed for many pictures at once.

The weights, losses and terms are those of an `Objective`; only the sums over positions are computed for the whole batch
in one go. `objective.evaluate` gives the same value and gradient for each picture of the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from impasto.objective import Objective, StyleTarget, Sums
from impasto.representations import Moments

# Rows whose outer products one matrix product adds up. Half-precision products round their result to half precision;
# adding up many short sums in float32 averages most of this rounding out.
_CHUNK = 256

# (Σ f / count, Σ f fᵀ / count) by layer, a row for each picture.
_Means = Mapping[str, tuple[Tensor, Tensor]]


class Criterion:
    """The loss of each pastiche of a batch.

    Args:
        objective: with the weights and losses. Its style loss compares Moments; its targets are not used.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = replace(objective, content={})
        self._share = objective.regions[0].share

    def __call__(
        self,
        pastiches: Float[Tensor, "n 3 h w"],
        photographs: Float[Tensor, "n 3 h w"],
        styles: Sequence[Mapping[str, Moments]],
    ) -> dict[str, Float[Tensor, " n"]]:
        """The weighted loss terms of each pastiche, by the names that an Objective gives them; differentiable.

        Args:
            photographs: what each pastiche shows.
            styles: the Moments of the painting that each pastiche is to be like, by layer.
        """
        judge, content_layers = self.objective.backbone, list(self.objective.content_weights)
        with torch.no_grad():
            content = judge(photographs, content_layers)
        style_layers = list(self.objective.style_weights)
        features = judge(pastiches, {*content_layers, *style_layers})
        means = {layer: _means(features[layer]) for layer in style_layers}
        targets = {
            layer: (
                torch.stack([style[layer].mean for style in styles]),
                torch.stack([style[layer].gram for style in styles]),
            )
            for layer in style_layers
        }
        painted = {layer: features[layer] for layer in content_layers}
        terms: dict[str, Tensor] = torch.vmap(self._of_one)(pastiches, painted, content, means, targets)
        return terms

    def _of_one(
        self,
        pastiche: Tensor,
        features: Mapping[str, Tensor],
        content: Mapping[str, Tensor],
        means: _Means,
        targets: _Means,
    ) -> dict[str, Tensor]:
        """The terms of one pastiche, (3, h, w), from its features, its sums and its targets."""
        plan = self.objective
        terms = {
            f"content {layer}": plan.content_weights[layer]
            * plan.content_loss.compare(features[layer][None], plan.content_loss.target(of[None]), plan.normalization)
            for layer, of in content.items()
        }
        one = replace(plan, regions=[StyleTarget(style=_moments(targets), share=self._share)])
        return one.terms_of(Sums(terms, [_moments(means)]), pastiche[None])


def _moments(means: _Means) -> dict[str, Moments]:
    return {layer: Moments(mean.new_ones(()), mean, gram) for layer, (mean, gram) in means.items()}


def _means(features: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n c"], Float[Tensor, "n c c"]]:
    """Mean feature vector and Gram matrix of each picture, summed in float32."""
    count = features.shape[2] * features.shape[3]
    rows = features.permute(0, 2, 3, 1).flatten(1, 2)
    # Rows of zeros change no sum.
    padded = F.pad(rows, (0, 0, 0, -count % _CHUNK))
    chunks = padded.reshape(len(rows), -1, _CHUNK, rows.shape[2])
    exact = torch.promote_types(features.dtype, torch.float32)
    outer = (chunks.mT @ chunks).sum(1, dtype=exact)
    return rows.sum(1, dtype=exact) / count, outer / count
