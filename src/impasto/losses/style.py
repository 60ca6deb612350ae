"""Owns the interface of style losses, and the table of them by name."""

from __future__ import annotations

import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from impasto.losses.moments import (
    STATISTICS_FACTOR,
    cross_gram_loss,
    gram_loss,
    gram_statistics_loss,
    statistics_loss,
    wasserstein_loss,
)
from impasto.losses.nearest import nearest_neighbor_loss
from impasto.losses.normalization import Normalization
from impasto.losses.transport import histogram_loss, orthonormal_directions, sliced_wasserstein_loss
from impasto.representations import Bank, CrossMoments, Moments, Quantiles, blend, blend_cross, blend_quantiles
from impasto.settings import StyleLossName

Features = Mapping[str, Tensor]
#: Weight of each position, by layer; layers that are missing have equal weights.
Weights = Mapping[str, Tensor]
#: Features, and the weight of each position.
Weighted = tuple[Tensor, Tensor | None]

Statistics = TypeVar("Statistics")
Target = TypeVar("Target")


class StyleLoss(ABC, Generic[Statistics, Target]):
    """A style loss: its target from a painting, and the comparison of a pastiche with it.

    It has a term for each layer, or for each pair of neighbouring layers. A term is named after its layers: `relu1_1`,
    or `relu1_1×relu2_1`.

    Attributes:
        additive: whether the statistics of a picture are the sum of the statistics of its parts, so that they can be
            computed tile by tile. Losses that sort or match features are not additive.
        keeps_features: whether the statistics are the features themselves, which take their memory once more.
        fewest_layers: number of layers that it needs at least.
        factor: multiplies the weight if losses are relative, so that a given strength has a similar effect with every
            loss.
    """

    additive: ClassVar[bool] = True
    keeps_features: ClassVar[bool] = False
    fewest_layers: ClassVar[int] = 1
    factor: float = 1.0

    def weights(self, layers: Mapping[str, float]) -> dict[str, float]:
        """The weights of the terms by name, from the weights of the layers in the order of the network."""
        return dict(layers)

    @abstractmethod
    def statistics(self, term: str, features: Features, weights: Weights) -> Statistics:
        """The statistics of a pastiche for one term; differentiable."""

    @abstractmethod
    def target(self, term: str, features: Features, weights: Weights) -> Target:
        """The target for one term, from the features of a painting."""

    @abstractmethod
    def blended(self, targets: Sequence[tuple[float, Target]]) -> Target:
        """One target from several pairs (share, target)."""

    @abstractmethod
    def compare(self, statistics: Statistics, target: Target, normalization: Normalization) -> Tensor:
        """The loss, a scalar."""


def layers_of(term: str) -> list[str]:
    """Names of the layers that a term depends on."""
    return term.split("×")


@dataclass(frozen=True)
class MomentsLoss(StyleLoss[Moments, Moments]):
    """A loss on the Moments of each layer."""

    function: Callable[[Moments, Moments, Normalization], Tensor]
    factor: float = 1.0

    def statistics(self, term: str, features: Features, weights: Weights) -> Moments:
        return Moments.of(features[term], weights.get(term))

    target = statistics

    def blended(self, targets: Sequence[tuple[float, Moments]]) -> Moments:
        return blend(targets)

    def compare(self, statistics: Moments, target: Moments, normalization: Normalization) -> Tensor:
        return self.function(statistics, target, normalization)


@dataclass(frozen=True)
class CrossGramLoss(StyleLoss[CrossMoments, CrossMoments]):
    """A loss on the CrossMoments of each layer and the next; a pair has the mean weight of its layers."""

    factor: float = 1.0
    fewest_layers = 2

    def weights(self, layers: Mapping[str, float]) -> dict[str, float]:
        names = list(layers)
        return {f"{a}×{b}": (layers[a] + layers[b]) / 2 for a, b in itertools.pairwise(names)}

    def statistics(self, term: str, features: Features, weights: Weights) -> CrossMoments:
        finer, coarser = layers_of(term)
        return CrossMoments.of(features[finer], features[coarser], weights.get(coarser))

    target = statistics

    def blended(self, targets: Sequence[tuple[float, CrossMoments]]) -> CrossMoments:
        return blend_cross(targets)

    def compare(self, statistics: CrossMoments, target: CrossMoments, normalization: Normalization) -> Tensor:
        return cross_gram_loss(statistics, target, normalization)


@dataclass(frozen=True)
class SlicedWassersteinLoss(StyleLoss[Weighted, Quantiles]):
    """A loss on the distributions of each layer's features along random directions."""

    seed: tuple[int, ...]
    factor: float = 1.0
    additive = False
    keeps_features = True

    def statistics(self, term: str, features: Features, weights: Weights) -> Weighted:
        return features[term], weights.get(term)

    def target(self, term: str, features: Features, weights: Weights) -> Quantiles:
        directions = orthonormal_directions(features[term].shape[1], _generator(self.seed, term))
        return Quantiles.of(features[term], weights.get(term), directions)

    def blended(self, targets: Sequence[tuple[float, Quantiles]]) -> Quantiles:
        return blend_quantiles(targets)

    def compare(self, statistics: Weighted, target: Quantiles, normalization: Normalization) -> Tensor:
        features, weight = statistics
        return sliced_wasserstein_loss(features, target, normalization, weight)


class MomentsAndFeaturesLoss(StyleLoss[tuple[Moments, Weighted], Target]):
    """A loss on the Moments of each layer and on its features themselves."""

    additive = False
    keeps_features = True

    def statistics(self, term: str, features: Features, weights: Weights) -> tuple[Moments, Weighted]:
        weighted = features[term], weights.get(term)
        return Moments.of(*weighted), weighted


@dataclass(frozen=True)
class HistogramLoss(MomentsAndFeaturesLoss[tuple[Moments, Quantiles]]):
    """The mean of the losses on each layer's Gram matrix and on the histograms of its channels."""

    factor: float = 1.0

    def target(self, term: str, features: Features, weights: Weights) -> tuple[Moments, Quantiles]:
        weighted = features[term], weights.get(term)
        return Moments.of(*weighted), Quantiles.of(*weighted)

    def blended(self, targets: Sequence[tuple[float, tuple[Moments, Quantiles]]]) -> tuple[Moments, Quantiles]:
        moments = blend((share, m) for share, (m, _) in targets)
        return moments, blend_quantiles([(share, q) for share, (_, q) in targets])

    def compare(
        self, statistics: tuple[Moments, Weighted], target: tuple[Moments, Quantiles], normalization: Normalization
    ) -> Tensor:
        moments, (features, weight) = statistics
        gram = gram_loss(moments, target[0], normalization)
        return 0.5 * (gram + histogram_loss(features, target[1], normalization, weight))


Banks = list[tuple[float, Bank]]


@dataclass(frozen=True)
class NearestLoss(MomentsAndFeaturesLoss[tuple[Moments, Banks]]):
    """The mean of the nearest-neighbour loss and the loss on each layer's means and standard deviations.

    The cosine of centred features does not depend on their mean, nor on their length: on its own, it leaves pictures
    pale. Kolkin et al. give the finished picture the painting's mean and covariance of colours; here the means and
    deviations of the features are part of the loss instead.
    """

    seed: tuple[int, ...]
    factor: float = 1.0

    def target(self, term: str, features: Features, weights: Weights) -> tuple[Moments, Banks]:
        weighted = features[term], weights.get(term)
        return Moments.of(*weighted), [(1.0, Bank.of(*weighted, _generator(self.seed, term)))]

    def blended(self, targets: Sequence[tuple[float, tuple[Moments, Banks]]]) -> tuple[Moments, Banks]:
        moments = blend((share, m) for share, (m, _) in targets)
        return moments, [(share * part, bank) for share, (_, banks) in targets for part, bank in banks]

    def compare(
        self, statistics: tuple[Moments, Weighted], target: tuple[Moments, Banks], normalization: Normalization
    ) -> Tensor:
        moments, (features, weight) = statistics
        moments_term = statistics_loss(moments, target[0], normalization)
        return 0.5 * (moments_term + nearest_neighbor_loss(features, target[1], weight))


def _generator(seed: tuple[int, ...], term: str) -> torch.Generator:
    """A random generator for one term, the same on every machine."""
    return torch.Generator().manual_seed(random.Random(f"{seed} {term}").getrandbits(63))


#: The loss of Gatys et al.
GRAM = MomentsLoss(gram_loss)

#: Factories of the style losses by name; each takes a seed for its random numbers. Factors were chosen by eye, on
#: pictures of strength ¾.
STYLE_LOSSES: Mapping[StyleLossName, Callable[[tuple[int, ...]], StyleLoss[Any, Any]]] = {
    "gram": lambda seed: GRAM,
    "gram_statistics": lambda seed: MomentsLoss(gram_statistics_loss),
    "cross_gram": lambda seed: CrossGramLoss(),
    "wasserstein": lambda seed: MomentsLoss(wasserstein_loss, factor=0.5),
    "sliced_wasserstein": lambda seed: SlicedWassersteinLoss(seed, factor=3.0),
    "statistics": lambda seed: MomentsLoss(statistics_loss, factor=STATISTICS_FACTOR),
    "histogram": lambda seed: HistogramLoss(),
    "nearest": lambda seed: NearestLoss(seed, factor=0.7),
}
