"""Owns the losses: one function per published loss, in the paper's terms, with every departure stated where it departs.

Each returns a scalar tensor. Two normalisations run through them: the *paper's*, and a *relative* one in which a term
is divided by the size of its target, so that it starts near 1 for any picture, layer and size, and a weight means the
same everywhere.

The paper is Gatys, Ecker & Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016, where none
is named.

| module | owns |
|---|---|
| `content` | what holds a pastiche to its photograph |
| `moments` | style as sums over positions: Gram matrices, within layers and across; means, deviations, covariances |
| `transport` | style as distributions: sliced Wasserstein distance, histograms |
| `nearest` | style as the features themselves |
| `style` | the style losses by name |
| `pixels` | total variation, and the range that can be shown |
| `terms` | the terms on the pixels themselves, with their weights and targets |
| `normalization` | how losses are divided |
"""

from impasto.losses.content import (
    CONTENT_LOSSES,
    SQUARED_ERROR,
    ContentLoss,
    content_error,
    content_loss,
    content_loss_of,
    laplacian,
    laplacian_loss,
    self_similarity,
    self_similarity_loss,
)
from impasto.losses.moments import (
    cross_gram_loss,
    gram_loss,
    gram_statistics_loss,
    statistics_loss,
    wasserstein_loss,
)
from impasto.losses.nearest import nearest_neighbor_loss
from impasto.losses.normalization import Normalization
from impasto.losses.pixels import range_loss, total_variation_loss
from impasto.losses.style import GRAM, STYLE_LOSSES, StyleLoss
from impasto.losses.terms import ColorRange, Edges, ImageTerm, TotalVariation
from impasto.losses.transport import histogram_loss, orthonormal_directions, sliced_wasserstein_loss

__all__ = [
    "CONTENT_LOSSES",
    "GRAM",
    "SQUARED_ERROR",
    "STYLE_LOSSES",
    "ColorRange",
    "ContentLoss",
    "Edges",
    "ImageTerm",
    "Normalization",
    "StyleLoss",
    "TotalVariation",
    "content_error",
    "content_loss",
    "content_loss_of",
    "cross_gram_loss",
    "gram_loss",
    "gram_statistics_loss",
    "histogram_loss",
    "laplacian",
    "laplacian_loss",
    "nearest_neighbor_loss",
    "orthonormal_directions",
    "range_loss",
    "self_similarity",
    "self_similarity_loss",
    "sliced_wasserstein_loss",
    "statistics_loss",
    "total_variation_loss",
    "wasserstein_loss",
]
