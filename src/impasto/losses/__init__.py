"""Owns the losses: one function per published loss, in the paper's notation; every difference from the paper is stated.

Each function returns a scalar tensor. There are two normalizations: `paper`, as published, and `relative`, which
divides a term by the size of its target. A relative term starts near 1 for any picture, layer and size, so that a
weight means the same everywhere.

Where a docstring names no paper, it refers to Gatys, Ecker & Bethge, "Image Style Transfer Using Convolutional Neural
Networks", CVPR 2016.

| module | owns |
|---|---|
| `content` | content losses, and their table by name |
| `moments` | style losses on sums over positions: Gram matrices, means, standard deviations, covariances |
| `transport` | style losses on distributions: sliced Wasserstein distance, histograms |
| `nearest` | the style loss on nearest neighbours |
| `style` | the interface of style losses, and their table by name |
| `pixels` | losses on pixels: total variation, and the range [0, 1] |
| `terms` | the terms on the image itself, with their weights and targets |
| `normalization` | the normalizations |
| `gradients` | autograd functions that compute their gradient with their value |
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
