"""Moments against NumPy in float64.

Tolerance: both sides are float64 sums of at most a few hundred products of numbers near 1: 1e-12, relative and
absolute.
"""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from impasto.representations import Moments, blend
from tests import reference

TOLERANCE: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-12}

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 7), st.integers(1, 7))
SEEDS = st.integers(0, 2**32 - 1)


def drawn(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(loc=0.5, size=shape)


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array)[None]


def assert_same(moments: Moments, other: Moments) -> None:
    for name in ("count", "sum", "outer"):
        torch.testing.assert_close(getattr(moments, name), getattr(other, name), **TOLERANCE)


@given(SHAPES, SEEDS)
def test_mean_gram_and_covariance_are_their_definitions(shape, seed):
    features = drawn(shape, seed)
    moments = Moments.of(tensor(features))
    assert float(moments.count) == shape[1] * shape[2]
    np.testing.assert_allclose(moments.mean, reference.mean(features), **TOLERANCE)
    np.testing.assert_allclose(moments.gram, reference.gram(features), **TOLERANCE)
    np.testing.assert_allclose(moments.covariance, reference.covariance(features), **TOLERANCE)


def test_memory_format_does_not_matter():
    features = tensor(drawn((5, 4, 3), 1))
    assert_same(Moments.of(features), Moments.of(features.contiguous(memory_format=torch.channels_last)))


@given(SHAPES, SEEDS, st.data())
def test_moments_of_parts_add_up_to_those_of_the_whole(shape, seed, data):
    features = tensor(drawn(shape, seed))
    columns = data.draw(st.integers(0, shape[2]))
    halves = Moments.of(features[..., :columns]) + Moments.of(features[..., columns:])
    assert_same(halves, Moments.of(features))


@given(SHAPES, SEEDS)
def test_a_whole_weight_counts_a_position_as_often(shape, seed):
    features = drawn(shape, seed)
    times = np.random.default_rng(seed + 1).integers(0, 4, size=shape[1:])
    repeated = features.reshape(shape[0], -1).repeat(times.ravel(), axis=1)[:, None, :]
    weighted = Moments.of(tensor(features), torch.from_numpy(times).double())
    assert_same(weighted, Moments.of(tensor(repeated)))


def test_weights_may_be_of_another_dtype():
    features, weight = tensor(drawn((3, 4, 4), 0)), torch.rand(4, 4)
    assert_same(Moments.of(features, weight), Moments.of(features, weight.double()))


@given(SEEDS, st.lists(st.floats(0.01, 100), min_size=1, max_size=4))
def test_blend_is_the_weighted_mean_of_what_each_says_of_one_position(seed, weights):
    styles = [drawn((3, 2 + index, 3), seed + index) for index in range(len(weights))]
    blended = blend((weight, Moments.of(tensor(style))) for weight, style in zip(weights, styles, strict=True))
    assert float(blended.count) == 1.0
    np.testing.assert_allclose(
        blended.gram, np.average([reference.gram(s) for s in styles], axis=0, weights=weights), **TOLERANCE
    )
    np.testing.assert_allclose(
        blended.mean, np.average([reference.mean(s) for s in styles], axis=0, weights=weights), **TOLERANCE
    )


def test_blend_does_not_depend_on_the_size_of_a_style():
    small, large = drawn((3, 4, 4), 0), np.tile(drawn((3, 4, 4), 0), (1, 3, 5))
    other = Moments.of(tensor(drawn((3, 2, 2), 9)))
    assert_same(
        blend([(1.0, Moments.of(tensor(small))), (2.0, other)]), blend([(1.0, Moments.of(tensor(large))), (2.0, other)])
    )


@pytest.mark.parametrize("statistic", ["mean", "gram", "covariance"])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients(statistic, weighted):
    weight = torch.rand(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) if weighted else None
    features = tensor(drawn((3, 3, 4), 2)).requires_grad_(True)
    assert gradcheck(lambda f: getattr(Moments.of(f, weight), statistic), (features,))


def test_detached_moments_have_no_graph():
    moments = Moments.of(tensor(drawn((2, 3, 3), 0)).requires_grad_(True))
    assert moments.gram.requires_grad
    detached = moments.detach()
    assert_same(detached, moments)
    assert not (detached.count.requires_grad or detached.sum.requires_grad or detached.outer.requires_grad)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_gradient_of_both_sums_is_that_of_each(dtype):
    directions = tensor(drawn((1, 8, 9), 1))[0, 0]
    gradients = []
    for of in (lambda m: m.sum, lambda m: m.outer, lambda m: torch.cat([m.sum[:, None], m.outer], dim=1)):
        leaf = tensor(drawn((8, 40, 40), 5)).to(dtype).requires_grad_(True)
        value = of(Moments.of(leaf)).double().view(8, -1)
        shown = {1: directions[:, :1], 8: directions[:, 1:], 9: directions}[value.shape[1]]
        (value * shown).sum().backward()
        gradients.append(leaf.grad.double())
    of_sum, of_outer, of_both = gradients
    rounding = 1e-12 if dtype == torch.float64 else 2**-7
    assert float((of_sum + of_outer - of_both).abs().max() / of_both.abs().max()) < rounding
    torch.testing.assert_close(of_sum[0, :, 3, 4], directions[:, 0], rtol=rounding, atol=rounding)


@given(st.tuples(st.integers(1, 6), st.integers(1, 40), st.integers(1, 40)), SEEDS)
def test_half_precision_is_summed_in_float32(shape, seed):
    features = tensor(drawn(shape, seed)).bfloat16()
    moments, exact = Moments.of(features), Moments.of(features.double())
    assert moments.sum.dtype == moments.outer.dtype == moments.count.dtype == torch.float32
    torch.testing.assert_close(moments.sum.double(), exact.sum, rtol=1e-5, atol=1e-4)
    # Sums of 256 products are rounded to 8 bits each: a half of 2⁻⁸ at most, and much less of many.
    scale = exact.outer.diagonal().max()
    assert float((moments.outer.double() - exact.outer).abs().max() / scale) < 2**-8


def test_half_precision_of_many_positions_loses_little():
    features = tensor(drawn((16, 128, 128), 3)).abs().bfloat16()
    moments, exact = Moments.of(features), Moments.of(features.double())
    # A single product in bfloat16 would be off by 1e-3.
    assert float((moments.outer.double() - exact.outer).norm() / exact.outer.norm()) < 3e-4


def test_the_gradient_in_half_precision_points_the_same_way():
    features = tensor(drawn((8, 40, 40), 5))
    directions = torch.randn((8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    gradients = []
    for dtype in (torch.float64, torch.bfloat16):
        leaf = features.to(dtype).detach().clone().requires_grad_(True)
        (Moments.of(leaf).outer * directions).sum().backward()
        gradients.append(leaf.grad.double().flatten())
    assert float(torch.cosine_similarity(*gradients, dim=0)) > 0.9999  # type: ignore[misc,arg-type]
