"""The content losses other than the squared error of features (for that, see test_losses.py).

Tolerance: float64 on both sides, at most a few hundred terms: 1e-9 relative. TINY adds 1e-12 to sums of distances,
which are small where features are nearly parallel: 1e-6 relative, 1e-8 absolute.
"""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

import impasto
from impasto.losses import (
    CONTENT_LOSSES,
    content_loss,
    laplacian,
    laplacian_loss,
    self_similarity,
    self_similarity_loss,
)
from tests import reference

SHAPES = st.tuples(st.integers(2, 5), st.integers(1, 5), st.integers(2, 5))
SEEDS = st.integers(0, 2**32 - 1)
NORMALIZATIONS = ["relative", "paper"]


def drawn(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(loc=0.5, size=shape)


def tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array)[None]


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@given(SHAPES, SEEDS)
def test_self_similarity_loss_is_its_definition(normalization, shape, seed):
    features, target = drawn(shape, seed), drawn(shape, seed + 1)
    wanted = {"relative": reference.self_similarity_loss_relative, "paper": reference.self_similarity_loss_paper}
    found = float(self_similarity_loss(tensor(features), self_similarity(tensor(target)), normalization))
    assert found == pytest.approx(wanted[normalization](features, target), rel=1e-6, abs=1e-8)


def test_self_similarity_feels_no_change_of_all_features_alike():
    features = tensor(drawn((6, 4, 5), 0))
    rotation = torch.linalg.qr(torch.from_numpy(drawn((6, 6), 1)))[0]
    turned = 3.0 * torch.einsum("ij,njhw->nihw", rotation, features)
    assert float(self_similarity_loss(turned, self_similarity(features))) == pytest.approx(0.0, abs=1e-12)
    assert float(content_loss(turned, features)) > 1.0


def test_many_positions_are_averaged_to_1024():
    features = tensor(drawn((3, 50, 70), 0))
    assert self_similarity(features).shape == (27 * 37, 27 * 37)
    weight = torch.rand(50, 70, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    target = self_similarity(tensor(drawn((3, 50, 70), 1)))
    assert torch.isfinite(self_similarity_loss(features, target, "relative", weight))


@pytest.mark.parametrize("pooling", [2, 4])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@given(st.integers(1, 4), st.integers(1, 4), SEEDS)
def test_laplacian_loss_is_its_definition(pooling, normalization, rows, columns, seed):
    image, target = (drawn((3, rows * pooling, columns * pooling), seed + i) for i in (0, 1))
    wanted = {"relative": reference.laplacian_loss_relative, "paper": reference.laplacian_loss_paper}
    kept = laplacian(tensor(target), pooling)
    np.testing.assert_allclose(kept, reference.laplacian(target, pooling), atol=1e-12)
    found = float(laplacian_loss(tensor(image), kept, pooling, normalization))
    assert found == pytest.approx(wanted[normalization](image, target, pooling), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients(normalization, weighted):
    generator = torch.Generator().manual_seed(5)
    features = tensor(drawn((3, 3, 4), 0)).requires_grad_(True)
    target = self_similarity(tensor(drawn((3, 3, 4), 1)))
    weight = torch.rand(3, 4, dtype=torch.float64, generator=generator) if weighted else None
    assert gradcheck(lambda f: self_similarity_loss(f, target, normalization, weight), (features,))
    image = tensor(drawn((3, 8, 8), 2)).requires_grad_(True)
    kept = laplacian(tensor(drawn((3, 8, 8), 3)), 4)
    weight = torch.rand(8, 8, dtype=torch.float64, generator=generator) if weighted else None
    assert gradcheck(lambda x: laplacian_loss(x, kept, 4, normalization, weight), (image,))


@pytest.mark.parametrize("name", CONTENT_LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_photograph_costs_nothing_and_a_blank_one_is_finite(name, dtype):
    loss = CONTENT_LOSSES[name]
    features = tensor(drawn((5, 6, 6), 0)).relu().to(dtype)
    assert float(loss.compare(features, loss.target(features), "relative", None)) == pytest.approx(0.0, abs=1e-6)
    for blank in (torch.zeros_like(features), torch.full_like(features, 0.5)):
        leaf = features.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss.compare(leaf, loss.target(blank), "relative", None), leaf)
        assert torch.isfinite(gradient).all()
        assert gradient.dtype == dtype
        leaf = blank.clone().requires_grad_(True)
        value = loss.compare(leaf, loss.target(features), "relative", None)
        (gradient,) = torch.autograd.grad(value, leaf)
        assert torch.isfinite(gradient).all()
        assert value.dtype == torch.float32


def test_a_weight_is_a_factor_and_nothing_is_nothing():
    features, image = tensor(drawn((4, 4, 4), 0)), tensor(drawn((3, 16, 16), 1))
    target, kept = self_similarity(tensor(drawn((4, 4, 4), 2))), laplacian(tensor(drawn((3, 16, 16), 3)), 4)
    for weight in (0.0, 3.0):
        similar = self_similarity_loss(features, target, "relative", torch.full((4, 4), weight))
        assert float(similar) == pytest.approx(weight * float(self_similarity_loss(features, target)))
        edges = laplacian_loss(image, kept, 4, "relative", torch.full((16, 16), weight))
        assert float(edges) == pytest.approx(weight * float(laplacian_loss(image, kept, 4)))


@pytest.mark.parametrize("name", CONTENT_LOSSES)
def test_every_content_loss_paints_also_with_masks(name, photo, painting):
    mask = torch.zeros(3, 36, 48)
    mask[:, :, :24] = 1.0
    options = {"size": 48, "scales": 1, "iterations": 5, "content_loss": name}
    plain = impasto.stylize(photo(36, 48), painting(40, 44), **options)
    masked = impasto.stylize(photo(36, 48), painting(40, 44), masks=[mask], region_strength=(0.2,), **options)
    outlines = {"content laplacian 4", "content laplacian 16"} if name == "laplacian" else set()
    for pastiche in (plain, masked):
        assert pastiche.trace[-1].value < pastiche.trace[0].value
        assert {term for term in pastiche.trace[0].terms if term.startswith("content")} == {
            "content relu4_2"
        } | outlines
