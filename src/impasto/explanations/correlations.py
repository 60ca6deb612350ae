"""Owns what of a Gram matrix can be shown: which feature maps go together, in an order in which that can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from impasto.backbones import Layer
from impasto.representations import Moments

# A map with less than this share of the mean energy answers to nothing in the picture.
_SILENT = 1e-6
# Maps that go together more than this look the same.
_ALIKE = 0.6
# Share of each side that counts as the border.
_BORDER = 0.1
# Of the strongest maps, this many are looked at for two to be examples.
_CANDIDATES = 24


@dataclass(frozen=True)
class Correlations:
    """The Gram matrix of a layer, made to be looked at.

    Attributes:
        layer: whose.
        maps: its feature maps.
        gram: the Gram matrix, per position.
    """

    layer: Layer
    maps: Float[Tensor, "c h w"]
    gram: Float[Tensor, "c c"]

    @classmethod
    def of(cls, layer: Layer, maps: Float[Tensor, "c h w"]) -> Correlations:
        """Those of a layer's feature maps."""
        return cls(layer, maps, Moments.of(maps[None]).gram)

    @cached_property
    def matrix(self) -> Float[Tensor, "c c"]:
        """G_ij / √(G_ii G_jj), the cosine between the maps i and j: 1 for maps that are the same but for a factor.

        Maps differ in strength by orders of magnitude; divided by it, what occurs together shows. It is 0 for a map
        that answers to nothing in the picture.
        """
        energy = self.gram.diagonal()
        scale = torch.where(energy > _SILENT * energy.mean(), energy.clamp_min(1e-30).rsqrt(), 0.0)
        return self.gram * torch.outer(scale, scale)

    @cached_property
    def order(self) -> Int[Tensor, " c"]:
        """The maps in an order in which those that go together stand side by side; silent maps come last.

        That of the leaves when groups of maps are joined, the two that go together most first, by the mean of the
        entries between them (average linkage; Sokal & Michener, "A Statistical Method for Evaluating Systematic
        Relationships", 1958); groups are turned so that the maps that meet are alike.
        """
        heard = self.matrix.diagonal() > 0
        indices, silent = heard.nonzero().flatten(), (~heard).nonzero().flatten()
        leaves = _joined(self.matrix[indices][:, indices].double())
        return torch.cat([indices[leaves], silent])

    @property
    def ordered(self) -> Float[Tensor, "c c"]:
        """The matrix in that order."""
        return self.matrix[self.order][:, self.order]

    @cached_property
    def _by_strength(self) -> list[int]:
        """The maps from the one that varies most over the picture to the one that varies least."""
        # Along the border maps may answer to the border alone, which is no part of the picture.
        rows, columns = (max(1, round(_BORDER * side)) for side in self.maps.shape[1:])
        inside = self.maps[:, rows:-rows, columns:-columns]
        if not inside.numel():
            inside = self.maps
        found: list[int] = inside.flatten(1).std(1, correction=0).argsort(descending=True).tolist()
        return found

    def telling(self, count: int) -> list[int]:
        """The strongest maps that look different from each other, strongest first."""
        varying = self.maps.flatten(1) - self.maps.flatten(1).mean(1, keepdim=True)
        varying = varying / varying.norm(dim=1, keepdim=True).clamp_min(1e-12)
        chosen: list[int] = []
        for index in self._by_strength:
            if len(chosen) < count and all(float(varying[index] @ varying[other]) < _ALIKE for other in chosen):
                chosen.append(index)
        # Where few maps differ, the strongest of the others do.
        return (chosen + [index for index in self._by_strength if index not in chosen])[:count]

    def extremes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Two strong maps that go together most, and two that do least."""
        some = torch.tensor(self._by_strength[:_CANDIDATES])
        among = self.matrix[some][:, some].clone()
        upper = torch.triu_indices(len(some), len(some), offset=1)
        values = among[upper[0], upper[1]]
        most, least = (
            (int(some[upper[0, at]]), int(some[upper[1, at]])) for at in (int(values.argmax()), int(values.argmin()))
        )
        return most, least


def _joined(likeness: Float[Tensor, "n n"]) -> Int[Tensor, " n"]:
    """The order of the leaves, see `Correlations.order`."""
    groups = [[index] for index in range(len(likeness))]
    between = likeness.clone().fill_diagonal_(-torch.inf)
    sizes = torch.ones(len(likeness), dtype=likeness.dtype)
    last = 0
    for _ in range(len(likeness) - 1):
        one, other = divmod(int(between.argmax()), len(likeness))
        first, second = groups[one], groups[other]
        turned = [(a, b) for a in (first, first[::-1]) for b in (second, second[::-1])]
        a, b = max(turned, key=lambda pair: float(likeness[pair[0][-1], pair[1][0]]))
        groups[one] = a + b
        mean = (sizes[one] * between[one] + sizes[other] * between[other]) / (sizes[one] + sizes[other])
        between[one], between[:, one] = mean, mean
        between[one, one] = -torch.inf
        between[other], between[:, other] = -torch.inf, -torch.inf
        sizes[one] += sizes[other]
        last = one
    return torch.tensor(groups[last] if groups else [], dtype=torch.long)
