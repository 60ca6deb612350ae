"""The losses against their formulas in NumPy, and their gradients.

Tolerance: float64 on both sides, sums of at most a few hundred terms; 1e-11 relative. The relative losses add 1e-12 to
the size of the target, which is within that for targets near 2, as they are drawn here.
"""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from impasto.losses import (
    content_loss,
    gram_loss,
    gram_statistics_loss,
    range_loss,
    statistics_loss,
    total_variation_loss,
    wasserstein_loss,
)
from impasto.representations import Moments
from tests import reference

RELATIVE = 1e-11

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6))
SEEDS = st.integers(0, 2**32 - 1)
NORMALIZATIONS = ["relative", "paper"]
CONTENT = {"relative": reference.content_loss_relative, "paper": reference.content_loss_paper}
OTHERS = {
    (wasserstein_loss, "relative"): reference.wasserstein_loss_relative,
    (wasserstein_loss, "paper"): reference.wasserstein_loss_paper,
    (statistics_loss, "relative"): reference.statistics_loss_relative,
    (statistics_loss, "paper"): reference.statistics_loss_paper,
    (gram_statistics_loss, "relative"): reference.gram_statistics_loss_relative,
    (gram_statistics_loss, "paper"): reference.gram_statistics_loss_paper,
}
GRAM = {"relative": reference.gram_loss_relative, "paper": reference.gram_loss_paper}


def drawn(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(loc=0.5, size=shape)


def drawn_target(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1.0, 3.0, size=shape)


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array)[None]


def moments(array: np.ndarray) -> Moments:
    return Moments.of(tensor(array))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@given(SHAPES, SEEDS)
def test_content_loss_is_its_definition(normalization, shape, seed):
    features, target = drawn(shape, seed), drawn_target(shape, seed + 1)
    expected = CONTENT[normalization](features, target)
    assert float(content_loss(tensor(features), tensor(target), normalization)) == pytest.approx(expected, rel=RELATIVE)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@given(SHAPES, SEEDS)
def test_gram_loss_is_its_definition(normalization, shape, seed):
    features, target = drawn(shape, seed), drawn_target(shape, seed + 1)
    expected = GRAM[normalization](features, target)
    assert float(gram_loss(moments(features), moments(target), normalization)) == pytest.approx(expected, rel=RELATIVE)


@given(st.tuples(st.just(3), st.integers(2, 7), st.integers(2, 7)), SEEDS)
def test_total_variation_is_its_definition(shape, seed):
    image = drawn(shape, seed)
    expected = reference.total_variation(image)
    assert float(total_variation_loss(tensor(image))) == pytest.approx(expected, rel=RELATIVE)


@given(st.tuples(st.just(3), st.integers(1, 7), st.integers(1, 7)), SEEDS)
def test_range_loss_is_its_definition(shape, seed):
    image = drawn(shape, seed)
    expected = reference.out_of_range(image)
    assert float(range_loss(tensor(image))) == pytest.approx(expected, rel=RELATIVE, abs=1e-15)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_no_difference_costs_nothing(normalization):
    same = drawn((3, 4, 4), 0)
    assert float(content_loss(tensor(same), tensor(same), normalization)) == 0.0
    assert float(gram_loss(moments(same), moments(same), normalization)) == 0.0


def test_a_flat_picture_and_a_picture_in_range_cost_nothing():
    assert float(total_variation_loss(torch.full((1, 3, 5, 4), 0.3))) == 0.0
    assert float(range_loss(torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1))) == 0.0


@pytest.mark.parametrize("weight", [0.1, 1.0, 1000.0])
def test_relative_losses_of_nothing_against_something_are_one(weight):
    target, nothing = weight * drawn_target((3, 4, 4), 0), np.zeros((3, 4, 4))
    assert float(content_loss(tensor(nothing), tensor(target))) == pytest.approx(1.0, rel=1e-5)
    assert float(gram_loss(moments(nothing), moments(target))) == pytest.approx(1.0, rel=1e-5)


@given(SEEDS, st.floats(0.1, 1e4))
def test_relative_losses_do_not_depend_on_the_scale_of_the_features(seed, factor):
    features, target = drawn((3, 4, 5), seed), drawn_target((3, 4, 5), seed + 1)
    assert float(content_loss(tensor(factor * features), tensor(factor * target))) == pytest.approx(
        float(content_loss(tensor(features), tensor(target))), rel=1e-6
    )
    assert float(gram_loss(moments(factor * features), moments(factor * target))) == pytest.approx(
        float(gram_loss(moments(features), moments(target))), rel=1e-6
    )


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_gram_loss_does_not_depend_on_the_size_of_the_painting(normalization):
    features, target = drawn((3, 4, 4), 0), drawn((3, 4, 4), 1)
    one, tiled = moments(target), moments(np.tile(target, (1, 3, 2)))
    assert float(gram_loss(moments(features), tiled, normalization)) == pytest.approx(
        float(gram_loss(moments(features), one, normalization)), rel=RELATIVE
    )


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_target_of_zeros_leaves_value_and_gradient_finite(normalization):
    features = tensor(drawn((3, 4, 4), 0)).float().requires_grad_(True)
    zero = torch.zeros(1, 3, 4, 4)
    total = content_loss(features, zero, normalization) + gram_loss(
        Moments.of(features), Moments.of(zero), normalization
    )
    (gradient,) = torch.autograd.grad(total, features)
    assert torch.isfinite(total)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_gradients_of_content_and_gram_loss(normalization):
    features = tensor(drawn((3, 3, 4), 0)).requires_grad_(True)
    target = tensor(drawn((3, 3, 4), 1))
    assert gradcheck(lambda f: content_loss(f, target, normalization), (features,))
    assert gradcheck(lambda f: gram_loss(Moments.of(f), Moments.of(target), normalization), (features,))


def test_gradients_of_the_losses_on_pixels():
    # Normal numbers around ½ lie on both sides of 0 and of 1, none of them within the step of gradcheck.
    image = tensor(drawn((3, 4, 5), 3))
    assert min(float(image.abs().min()), float((image - 1).abs().min())) > 1e-5
    assert gradcheck(total_variation_loss, (image.clone().requires_grad_(True),))
    assert gradcheck(range_loss, (image.clone().requires_grad_(True),))


# --- Losses of means and covariances. Square roots of rounded numbers: 1e-6 relative.


@pytest.mark.parametrize(("loss", "normalization"), OTHERS)
@given(st.tuples(st.integers(1, 5), st.integers(2, 6), st.integers(3, 6)), SEEDS)
def test_other_style_losses_are_their_definitions(loss, normalization, shape, seed):
    features, target = drawn(shape, seed), drawn_target(shape, seed + 1)
    expected = OTHERS[loss, normalization](features, target)
    assert float(loss(moments(features), moments(target), normalization)) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("loss", [wasserstein_loss, statistics_loss, gram_statistics_loss])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_gradients_of_other_style_losses(loss, normalization):
    features = tensor(drawn((3, 3, 4), 0)).requires_grad_(True)
    target = tensor(drawn_target((3, 3, 4), 1))
    assert gradcheck(lambda f: loss(Moments.of(f), Moments.of(target), normalization), (features,), atol=1e-4)


def test_wasserstein_of_a_shift_is_its_length():
    features = drawn((3, 5, 5), 0)
    shift = np.array([1.0, -2.0, 0.5])[:, None, None]
    assert float(wasserstein_loss(moments(features + shift), moments(features), "paper")) == pytest.approx(
        5.25, rel=1e-6
    )
