"""Owns the reference implementations for the tests, in NumPy and float64, written from the papers.

Images and features are (channels, height, width). Nothing here is fast; nothing here imports `impasto`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Simonyan & Zisserman's mean colour of the training set, blue, green, red, in 0..255.
MEAN_BGR = np.array([103.939, 116.779, 123.68])


# --- The network


def network_input(rgb: Array) -> Array:
    """RGB in [0, 1] converted to the input of VGG-19: BGR in 0..255 minus the mean colour."""
    return rgb[::-1] * 255.0 - MEAN_BGR[:, None, None]


def convolution(image: Array, weight: Array, bias: Array, border: str) -> Array:
    """Cross-correlation with 3 × 3 kernels; padded with `zeros`, or as in `pixel_beyond`."""
    channels, height, width = image.shape
    padded = np.zeros((channels, height + 2, width + 2))
    for row in range(height + 2):
        for column in range(width + 2):
            inside = 1 <= row <= height and 1 <= column <= width
            if inside or border != "zeros":
                y, x = pixel_beyond(row - 1, height, border), pixel_beyond(column - 1, width, border)
                padded[:, row, column] = image[:, y, x]
    out = np.empty((weight.shape[0], height, width))
    for row in range(height):
        for column in range(width):
            window = padded[:, row : row + 3, column : column + 3]
            out[:, row, column] = (weight * window).sum(axis=(1, 2, 3)) + bias
    return out


def pixel_beyond(index: int, length: int, border: str) -> int:
    """Index of the pixel that pads position `index`: the border's (`replicate`) or the mirrored one (`reflect`)."""
    if border == "reflect" and not 0 <= index < length:
        return -index if index < 0 else 2 * (length - 1) - index
    return min(max(index, 0), length - 1)


def relu(features: Array) -> Array:
    """max(x, 0)."""
    return np.where(features > 0, features, 0.0)


def pool(features: Array, kind: str) -> Array:
    """One number for every 2 × 2 square; an odd last row or column is left out."""
    channels, height, width = features.shape
    out = np.empty((channels, height // 2, width // 2))
    for row in range(height // 2):
        for column in range(width // 2):
            square = features[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].reshape(channels, 4)
            if kind == "max":
                out[:, row, column] = square.max(axis=1)
            elif kind == "average":
                out[:, row, column] = square.sum(axis=1) / 4
            elif kind == "l2":
                out[:, row, column] = np.sqrt((square**2).sum(axis=1) / 4)
            else:
                raise ValueError(kind)
    return out


# --- Statistics


def vectors(features: Array) -> list[Array]:
    """The feature vector of every position."""
    _, height, width = features.shape
    return [features[:, row, column] for row in range(height) for column in range(width)]


def mean(features: Array) -> Array:
    """Mean feature vector."""
    return np.mean(vectors(features), axis=0)


def gram(features: Array) -> Array:
    """Gram matrix divided by the number of positions: entry (i, j) is the mean of f_i f_j."""
    return np.mean([np.outer(f, f) for f in vectors(features)], axis=0)


def covariance(features: Array) -> Array:
    """Mean of (f − mean)(f − mean)ᵀ."""
    center = mean(features)
    return np.mean([np.outer(f - center, f - center) for f in vectors(features)], axis=0)


def correlation(features: Array) -> Array:
    """Cosine between every two feature maps, over all positions; 0 for a map that is 0 everywhere."""
    maps = features.reshape(len(features), -1)
    out = np.zeros((len(maps), len(maps)))
    for i, one in enumerate(maps):
        for j, other in enumerate(maps):
            size = np.linalg.norm(one) * np.linalg.norm(other)
            out[i, j] = one @ other / size if size else 0.0
    return out


# --- Losses


def content_loss_paper(features: Array, target: Array) -> float:
    """Gatys et al. 2016, equation 1: ½ Σ (F − P)²."""
    return float(np.sum((features - target) ** 2)) / 2


def content_loss_relative(features: Array, target: Array) -> float:
    """Σ (F − P)² / Σ P²."""
    return float(np.sum((features - target) ** 2) / np.sum(target**2))


def self_similarity(features: Array, short: float = 0.01) -> Array:
    """Cosine distances of all positions, each column divided by its sum; lengths as √(‖f‖² + ε²)."""
    F = np.array(vectors(features))
    epsilon = short * np.sqrt(np.mean(np.sum(F**2, axis=1)))
    F = F / np.sqrt(np.sum(F**2, axis=1, keepdims=True) + epsilon**2)
    distances = 1 - F @ F.T
    np.fill_diagonal(distances, 0.0)
    return distances / distances.sum(axis=0, keepdims=True)


def self_similarity_loss_paper(features: Array, target: Array) -> float:
    """Kolkin et al. 2019, equation 8: 1 / n² Σ |D − E|."""
    return float(np.mean(np.abs(self_similarity(features) - self_similarity(target))))


def self_similarity_loss_relative(features: Array, target: Array) -> float:
    """Σ |D − E| / Σ E."""
    E = self_similarity(target)
    return float(np.sum(np.abs(self_similarity(features) - E)) / np.sum(E))


def laplacian(image: Array, pooling: int) -> Array:
    """Li et al. 2017: ∇² of the sum of the channels, averaged over squares of pixels; border pixels are replicated."""
    _, height, width = image.shape
    gray = image.sum(axis=0).reshape(height // pooling, pooling, width // pooling, pooling).mean(axis=(1, 3))
    rows, columns = gray.shape
    out = np.empty_like(gray)
    for r in range(rows):
        for c in range(columns):
            near = [gray[max(r - 1, 0), c], gray[min(r + 1, rows - 1), c], gray[r, max(c - 1, 0)]]
            out[r, c] = 4 * gray[r, c] - sum(near) - gray[r, min(c + 1, columns - 1)]
    return out


def laplacian_loss_paper(image: Array, target: Array, pooling: int) -> float:
    """Σ (D(x) − D(c))²."""
    return float(np.sum((laplacian(image, pooling) - laplacian(target, pooling)) ** 2))


def laplacian_loss_relative(image: Array, target: Array, pooling: int) -> float:
    """The same divided by Σ D(c)², with 0.01² added to its mean."""
    D = laplacian(target, pooling)
    return laplacian_loss_paper(image, target, pooling) / float(np.sum(D**2 + 0.01**2))


def gram_loss_paper(features: Array, target: Array) -> float:
    """Gatys et al. 2016, equations 3 and 4, for pictures of one size: G = F Fᵀ, 1 / (4 N² M²) Σ (G − A)²."""
    channels, positions = features.shape[0], features.shape[1] * features.shape[2]
    F, P = features.reshape(channels, positions), target.reshape(channels, positions)
    return float(np.sum((F @ F.T - P @ P.T) ** 2)) / (4 * channels**2 * positions**2)


def gram_loss_relative(features: Array, target: Array) -> float:
    """‖G − A‖² / ‖A‖² (Frobenius), Gram matrices per position."""
    G, A = gram(features), gram(target)
    return float(np.linalg.norm(G - A) ** 2 / np.linalg.norm(A) ** 2)


def wasserstein_loss_paper(features: Array, target: Array) -> float:
    """‖μ − ν‖² + tr(C + D − 2 (C D)^½): C D has the eigenvalues of D^½ C D^½ (Dowson & Landau 1982)."""
    C, D = covariance(features), covariance(target)
    roots = np.sqrt(np.maximum(np.linalg.eigvals(C @ D).real, 0.0))
    return float(np.sum((mean(features) - mean(target)) ** 2) + np.trace(C + D) - 2 * np.sum(roots))


def wasserstein_loss_relative(features: Array, target: Array) -> float:
    """The same divided by ‖ν‖² + tr D."""
    size = np.sum(mean(target) ** 2) + np.trace(covariance(target))
    return wasserstein_loss_paper(features, target) / float(size)


def statistics_loss_paper(features: Array, target: Array) -> float:
    """‖μ − ν‖² + ‖σ − τ‖² (Huang & Belongie 2017)."""
    deviations = [np.sqrt(np.diag(covariance(f))) for f in (features, target)]
    return float(np.sum((mean(features) - mean(target)) ** 2) + np.sum((deviations[0] - deviations[1]) ** 2))


def statistics_loss_relative(features: Array, target: Array) -> float:
    """The same divided by ‖ν‖² + ‖τ‖²."""
    size = np.sum(mean(target) ** 2) + np.trace(covariance(target))
    return statistics_loss_paper(features, target) / float(size)


def gram_statistics_loss_paper(features: Array, target: Array) -> float:
    """The mean of the paper's losses on Gram matrices and on means and deviations."""
    return 0.5 * (gram_loss_paper(features, target) + statistics_loss_paper(features, target))


def gram_statistics_loss_relative(features: Array, target: Array) -> float:
    """The mean of the relative loss on Gram matrices and three times that on means and deviations."""
    return 0.5 * (gram_loss_relative(features, target) + 3.0 * statistics_loss_relative(features, target))


def cross_gram(finer: Array, coarser: Array) -> Array:
    """Mean of f_i g_j over the finer positions; every coarser feature belongs to a square of them (Yeh et al. 2018)."""
    factor = finer.shape[1] // coarser.shape[1]
    enlarged = coarser.repeat(factor, axis=1).repeat(factor, axis=2)
    return np.mean([np.outer(f, g) for f, g in zip(vectors(finer), vectors(enlarged), strict=True)], axis=0)


def cross_gram_loss_paper(finer: Array, coarser: Array, target: Array, deeper: Array) -> float:
    """1 / (4 N N') Σ (G − A)² between two layers."""
    G, A = cross_gram(finer, coarser), cross_gram(target, deeper)
    return float(np.sum((G - A) ** 2)) / (4 * finer.shape[0] * coarser.shape[0])


def cross_gram_loss_relative(finer: Array, coarser: Array, target: Array, deeper: Array) -> float:
    """‖G − A‖² / ‖A‖² (Frobenius)."""
    G, A = cross_gram(finer, coarser), cross_gram(target, deeper)
    return float(np.linalg.norm(G - A) ** 2 / np.linalg.norm(A) ** 2)


def levels(weights: Array) -> Array:
    """Levels between 0 and 1 of sorted numbers with weights: the middle of each number's share."""
    return (np.cumsum(weights) - weights / 2) / np.sum(weights)


def transport_cost(numbers: Array, targets: Array, weights: Array | None = None) -> float:
    """Mean squared distance between sorted numbers and the quantiles of others at the same levels."""
    order = np.argsort(numbers)
    share = np.ones(len(numbers)) if weights is None else weights[order]
    wanted = np.interp(levels(share), levels(np.ones(len(targets))), np.sort(targets))
    return float(np.average((numbers[order] - wanted) ** 2, weights=share))


def sliced_wasserstein_loss_paper(features: Array, target: Array, directions: Array) -> float:
    """Heitz et al. 2021, equations 6 and 7, with given directions."""
    F, S = np.array(vectors(features)), np.array(vectors(target))
    return float(np.mean([transport_cost(F @ direction, S @ direction) for direction in directions.T]))


def sliced_wasserstein_loss_relative(features: Array, target: Array, directions: Array) -> float:
    """The same divided by the target's mean squares, which orthonormal directions preserve in sum."""
    size = np.mean([np.sum(f**2) for f in vectors(target)])
    return sliced_wasserstein_loss_paper(features, target, directions) * directions.shape[1] / float(size)


def histogram_loss_paper(features: Array, target: Array) -> float:
    """Risser et al. 2017, equation 9: Σ (O − R(O))², the histograms matched without bins."""
    positions = features.shape[1] * features.shape[2]
    return positions * sum(transport_cost(f.ravel(), s.ravel()) for f, s in zip(features, target, strict=True))


def histogram_loss_relative(features: Array, target: Array) -> float:
    """The same divided by the target's sum of squares, both per position."""
    size = np.mean([np.sum(f**2) for f in vectors(target)])
    return histogram_loss_paper(features, target) / (features.shape[1] * features.shape[2]) / float(size)


def nearest_neighbor_loss(features: Array, target: Array, weights: Array | None = None, short: float = 0.01) -> float:
    """Kolkin et al. 2022: mean cosine distance of centred features to the nearest, lengths as √(‖f‖² + ε²)."""
    F, S = np.array(vectors(features)), np.array(vectors(target))
    share = np.ones(len(F)) if weights is None else weights
    F, S = F - np.average(F, axis=0, weights=share), S - S.mean(axis=0)
    epsilon = short * np.sqrt(np.mean(np.sum(S**2, axis=1)))
    costs = [min(1 - f @ s / np.sqrt(f @ f + epsilon**2) / np.linalg.norm(s) for s in S) for f in F]
    return float(np.average(costs, weights=share))


def total_variation(image: Array) -> float:
    """Mean of the squared differences between all pairs of neighbours, down and across."""
    channels, height, width = image.shape
    squares = []
    for channel in range(channels):
        for row in range(height):
            for column in range(width):
                if row + 1 < height:
                    squares.append((image[channel, row + 1, column] - image[channel, row, column]) ** 2)
                if column + 1 < width:
                    squares.append((image[channel, row, column + 1] - image[channel, row, column]) ** 2)
    return float(np.mean(squares))


def out_of_range(image: Array) -> float:
    """Mean squared distance from [0, 1]."""
    return float(np.mean([max(0.0, -value, value - 1.0) ** 2 for value in image.flat]))


def peak_signal_to_noise(image: Array, other: Array) -> float:
    """Decibels: 20 log₁₀ of the greatest value (1) by the root mean square difference."""
    return float(20 * np.log10(1 / np.sqrt(np.mean((image - other) ** 2))))


# --- Optimisers


def cosine_basis(length: int) -> Array:
    """The orthonormal discrete cosine transform (DCT-II): row k is the cosine of frequency k / (2 length)."""
    rows = [[np.cos(np.pi * k * (n + 0.5) / length) for n in range(length)] for k in range(length)]
    basis = np.array(rows) * np.sqrt(2.0 / length)
    basis[0] /= np.sqrt(2.0)
    return basis


def frequency_preconditioner(size: tuple[int, int], power: float) -> Array:
    """1 / frequency^power on the cosine spectrum as a dense, (height·width)² matrix.

    Frequencies are in cycles per pixel and at least 1 / the long side. White noise keeps its energy.
    """
    height, width = size
    response = np.empty(size)
    for k in range(height):
        for m in range(width):
            frequency = np.hypot(k / (2 * height), m / (2 * width))
            response[k, m] = max(frequency, 1 / max(height, width)) ** -power
    response /= np.sqrt(np.mean(response**2))
    basis = np.kron(cosine_basis(height), cosine_basis(width))
    return basis.T @ np.diag(response.ravel()) @ basis


def bfgs_direction(
    gradient: Array, steps: list[Array], changes: list[Array], preconditioner: Array, scaling: float
) -> Array:
    """−H g with the inverse Hessian H built by dense BFGS updates (Nocedal & Wright 2006, equation 6.17).

    H starts as the preconditioner times `scaling` sᵀy / yᵀPy of the last pair (their equation 7.20, preconditioned).
    """
    H = preconditioner.copy()
    if steps:
        s, y = steps[-1], changes[-1]
        H *= scaling * (s @ y) / (y @ preconditioner @ y)
    identity = np.eye(len(gradient))
    for s, y in zip(steps, changes, strict=True):
        rho = 1 / (y @ s)
        H = (identity - rho * np.outer(s, y)) @ H @ (identity - rho * np.outer(y, s)) + rho * np.outer(s, s)
    return -H @ gradient


def adam(
    gradient: Callable[[Array], Array],
    start: Array,
    iterations: int,
    *,
    learning_rate: float,
    averaging: float,
    betas: tuple[float, float],
) -> list[Array]:
    """Averaged iterates of Adam (Kingma & Ba 2015, algorithm 1) on gradients divided by their root mean square.

    The average is the plain mean of the images so far, until the moving average with decay `averaging` is longer.
    """
    x, m, v = start.copy(), np.zeros_like(start), np.zeros_like(start)
    images, average = [x], x
    answers = [average]
    for t in range(1, iterations):
        g = gradient(x)
        g = g / np.sqrt(np.mean(g**2))
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        x = x - learning_rate * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + 1e-8)
        images.append(x)
        plain = np.mean(images, axis=0)
        average = plain if t / (t + 1) <= averaging else averaging * average + (1 - averaging) * x
        answers.append(average)
    return answers


# --- Strokes


def octagon(radius: int) -> list[tuple[int, int]]:
    """The (row, column) offsets of an octagon around a pixel, from alternating crosses and squares, the cross first."""
    steps = {(0, 0)}
    for ring in range(radius):
        near = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if ring % 2 or 0 in (r, c)]
        steps = {(row + r, column + c) for row, column in steps for r, c in near}
    return sorted(steps)


def opening(plane: Array, radius: int) -> Array:
    """Opening of a (height, width) plane by an octagon of that radius; pixels beyond the border are ignored."""

    def extreme(values: Array, choose: Callable[[Array], np.float64]) -> Array:
        height, width = values.shape
        out = np.empty_like(values)
        for row in range(height):
            for column in range(width):
                positions = [(row + r, column + c) for r, c in octagon(radius)]
                inside = [values[r, c] for r, c in positions if 0 <= r < height and 0 <= c < width]
                out[row, column] = choose(np.array(inside))
        return out

    return extreme(extreme(plane, np.min), np.max)


def pattern_spectrum(plane: Array, radii: tuple[int, ...]) -> Array:
    """How much each opening removes beyond the next smaller one, as the mean over pixels."""
    left = [plane.mean(), *(opening(plane, radius).mean() for radius in radii)]
    return np.array([left[i] - left[i + 1] for i in range(len(radii))])
