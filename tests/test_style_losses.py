"""The style losses across layers, on distributions and on neighbours; and the properties of all style losses.

Tolerance: float64 on both sides, at most a few hundred terms; 1e-10 relative, or absolute for numbers near 1.
"""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

import impasto
from impasto.errors import SettingsError
from impasto.losses import (
    STYLE_LOSSES,
    cross_gram_loss,
    histogram_loss,
    nearest_neighbor_loss,
    orthonormal_directions,
    sliced_wasserstein_loss,
)
from impasto.losses.style import layers_of
from impasto.representations import Bank, CrossMoments, Quantiles, blend_quantiles
from impasto.settings import Settings
from tests import reference

CLOSE: dict[str, Any] = {"rel": 1e-10, "abs": 1e-10}
SHAPES = st.tuples(st.integers(2, 5), st.integers(1, 6), st.integers(2, 6))
SEEDS = st.integers(0, 2**32 - 1)
NORMALIZATIONS = ["relative", "paper"]
NAMES = list(STYLE_LOSSES)
LAYERS = {"relu1_1": 1.0, "relu2_1": 2.0}


def drawn(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(loc=0.5, size=shape)


def tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array)[None]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- Across layers


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@given(st.integers(1, 3), SEEDS)
def test_cross_gram_loss_is_its_definition(normalization, factor, seed):
    """Averaging the finer features gives the same result as enlarging the coarser ones."""
    parts = [drawn((3, 4 * factor, 3 * factor), seed), drawn((5, 4, 3), seed + 1)]
    parts += [drawn((3, 2 * factor, 6 * factor), seed + 2), drawn((5, 2, 6), seed + 3)]
    wanted = {"relative": reference.cross_gram_loss_relative, "paper": reference.cross_gram_loss_paper}
    seen, target = (CrossMoments.of(tensor(a), tensor(b), None) for a, b in (parts[:2], parts[2:]))
    found = float(cross_gram_loss(seen, target, normalization))
    assert found == pytest.approx(wanted[normalization](*parts), rel=1e-9)


def test_cross_moments_add_up_and_weigh():
    finer, coarser = tensor(drawn((3, 4, 8), 0)), tensor(drawn((4, 2, 4), 1))
    left, right = (
        CrossMoments.of(finer[..., a], coarser[..., b], None)
        for a, b in ((slice(4), slice(2)), (slice(4, 8), slice(2, 4)))
    )
    whole = CrossMoments.of(finer, coarser, None)
    torch.testing.assert_close((left + right).outer, whole.outer)
    assert float((left + right).count) == float(whole.count) == 8.0
    weight = torch.zeros(2, 4)
    weight[:, :2] = 3.0
    torch.testing.assert_close(CrossMoments.of(finer, coarser, weight).gram, left.gram)


def test_gradient_of_cross_gram_loss():
    finer, coarser = tensor(drawn((2, 4, 6), 0)).requires_grad_(True), tensor(drawn((3, 2, 3), 1)).requires_grad_(True)
    target = CrossMoments.of(tensor(drawn((2, 4, 4), 2)), tensor(drawn((3, 2, 2), 3)), None)
    weight = torch.rand(2, 3, generator=generator(), dtype=torch.float64)
    assert gradcheck(lambda f, g: cross_gram_loss(CrossMoments.of(f, g, weight), target), (finer, coarser))


def test_a_pair_weighs_what_its_layers_do_on_average():
    weights = STYLE_LOSSES["cross_gram"]((0,)).weights({"relu1_1": 1.0, "relu3_1": 3.0, "relu4_1": 0.5})
    assert weights == {"relu1_1×relu3_1": 2.0, "relu3_1×relu4_1": 1.75}


def test_one_layer_has_no_pairs():
    with pytest.raises(SettingsError, match="style_layers: style_loss cross_gram compares each layer with the next"):
        Settings(style_loss="cross_gram", style_layers="relu1_1=1,relu2_1=0")  # type: ignore[arg-type]


# --- Distributions


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@given(SHAPES, SHAPES, SEEDS)
def test_sliced_wasserstein_loss_is_its_definition(normalization, shape, other, seed):
    features, target = drawn(shape, seed), drawn((shape[0], *other[1:]), seed + 1)
    directions = orthonormal_directions(shape[0], generator(seed)).double()
    wanted = {
        "relative": reference.sliced_wasserstein_loss_relative,
        "paper": reference.sliced_wasserstein_loss_paper,
    }[normalization](features, target, directions.numpy())
    quantiles = Quantiles.of(tensor(target), None, directions)
    # Directions are float32, and orthonormal within its rounding.
    assert float(sliced_wasserstein_loss(tensor(features), quantiles, normalization)) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@given(SHAPES, SHAPES, SEEDS)
def test_histogram_loss_is_its_definition(normalization, shape, other, seed):
    features, target = drawn(shape, seed), drawn((shape[0], *other[1:]), seed + 1)
    wanted = {"relative": reference.histogram_loss_relative, "paper": reference.histogram_loss_paper}
    found = float(histogram_loss(tensor(features), Quantiles.of(tensor(target)), normalization))
    assert found == pytest.approx(wanted[normalization](features, target), **CLOSE)


@given(SHAPES, SEEDS)
def test_weights_move_the_ranks(shape, seed):
    features, target = drawn(shape, seed), drawn(shape, seed + 1)
    weight = np.random.default_rng(seed).uniform(0.1, 2.0, size=shape[1:])
    target_quantiles = Quantiles.of(tensor(target))
    wanted = sum(
        reference.transport_cost(f.ravel(), s.ravel(), weight.ravel()) for f, s in zip(features, target, strict=True)
    )
    found = float(histogram_loss(tensor(features), target_quantiles, "paper", torch.from_numpy(weight)))
    assert found == pytest.approx(weight.sum() * wanted, **CLOSE)


def test_a_weighted_painting_has_the_quantiles_of_its_weights():
    values, weight = drawn((1, 3, 5), 0), np.random.default_rng(1).uniform(0.1, 2.0, size=(3, 5))
    order = np.argsort(values.ravel())
    wanted = np.interp(reference.levels(np.ones(15)), reference.levels(weight.ravel()[order]), values.ravel()[order])
    found = Quantiles.of(tensor(values), torch.from_numpy(weight)).values[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_many_positions_are_held_by_4096_quantiles():
    features = torch.rand(1, 2, 100, 100, generator=generator(), dtype=torch.float64)
    found = Quantiles.of(features).values
    assert found.shape == (2, 4096)
    wanted = np.interp(
        reference.levels(np.ones(4096)), reference.levels(np.ones(10_000)), np.sort(features[0, 0].ravel())
    )
    np.testing.assert_allclose(found[0], wanted, rtol=1e-12)
    # The loss of the painting itself is the interpolation error of its quantiles, which is small.
    assert float(histogram_loss(features, Quantiles.of(features))) < 1e-8


def test_blended_quantiles_are_averages_whatever_the_sizes():
    one, other = (Quantiles.of(tensor(drawn((2, 3, n), n))) for n in (4, 7))
    blended = blend_quantiles([(1.0, one), (3.0, other)])
    levels = reference.levels(np.ones(21))
    resampled = [np.interp(levels, reference.levels(np.ones(12)), row) for row in one.values.numpy()]
    np.testing.assert_allclose(blended.values, 0.25 * np.array(resampled) + 0.75 * other.values.numpy(), rtol=1e-12)


def test_directions_are_orthonormal_and_drawn_by_the_seed():
    basis = orthonormal_directions(16, generator(3))
    torch.testing.assert_close(basis.T @ basis, torch.eye(16), rtol=0, atol=1e-6)
    assert torch.equal(basis, orthonormal_directions(16, generator(3)))
    assert not torch.equal(basis, orthonormal_directions(16, generator(4)))


def test_sorting_a_few_directions_at_a_time_changes_nothing(monkeypatch):
    features, target = tensor(drawn((7, 5, 6), 0)), tensor(drawn((7, 6, 6), 1))
    directions = orthonormal_directions(7, generator()).double()

    def both() -> list[float]:
        sliced = sliced_wasserstein_loss(features, Quantiles.of(target, None, directions))
        return [float(sliced), float(histogram_loss(features, Quantiles.of(target)))]

    whole = both()
    monkeypatch.setattr("impasto.representations.quantiles._AT_ONCE", 60)
    assert both() == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_of_the_losses_that_sort(normalization, weighted):
    features = tensor(drawn((3, 3, 4), 0)).requires_grad_(True)
    target = tensor(drawn((3, 4, 4), 1))
    weight = torch.rand(3, 4, generator=generator(), dtype=torch.float64).round(decimals=1) if weighted else None
    sliced = Quantiles.of(target, None, orthonormal_directions(3, generator()).double())
    assert gradcheck(lambda f: sliced_wasserstein_loss(f, sliced, normalization, weight), (features,))
    assert gradcheck(lambda f: histogram_loss(f, Quantiles.of(target), normalization, weight), (features,))


# --- Nearest neighbours


@given(SHAPES, SHAPES, SEEDS)
def test_nearest_neighbor_loss_is_its_definition(shape, other, seed):
    features, target = drawn(shape, seed), drawn((shape[0], *other[1:]), seed + 1)
    bank = Bank.of(tensor(target), None, generator())
    if bank.vectors.shape[0] < other[1] * other[2]:
        return  # a choice of them, which the definition knows nothing of
    found = float(nearest_neighbor_loss(tensor(features), [(1.0, bank)]))
    assert found == pytest.approx(reference.nearest_neighbor_loss(features, target), **CLOSE)


@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_of_nearest_neighbor_loss(weighted, monkeypatch):
    monkeypatch.setattr("impasto.losses.nearest._AT_ONCE", 64)  # some positions at a time
    features = tensor(drawn((4, 3, 4), 0)).requires_grad_(True)
    weight = torch.rand(3, 4, generator=generator(), dtype=torch.float64).round(decimals=1) if weighted else None
    banks = [
        (0.3, Bank.of(tensor(drawn((4, 4, 4), 1)), None, generator())),
        (0.7, Bank.of(tensor(drawn((4, 3, 3), 2)), None, generator())),
    ]
    assert gradcheck(lambda f: nearest_neighbor_loss(f, banks, weight), (features,))


def test_weights_of_positions_in_nearest_neighbor_loss():
    features, target = drawn((3, 4, 5), 0), drawn((3, 4, 5), 1)
    weight = np.random.default_rng(2).uniform(0.1, 2.0, size=(4, 5))
    bank = Bank.of(tensor(target), None, generator())
    found = float(nearest_neighbor_loss(tensor(features), [(1.0, bank)], torch.from_numpy(weight)))
    assert found == pytest.approx(reference.nearest_neighbor_loss(features, target, weight.ravel()), **CLOSE)


def test_a_bank_holds_eight_vectors_a_channel_of_what_counts():
    features = tensor(drawn((4, 20, 20), 0))
    weight = torch.zeros(20, 20)
    weight[:, :10] = 1.0
    bank = Bank.of(features, weight, generator())
    assert bank.vectors.shape == (32, 4)
    torch.testing.assert_close(bank.vectors.norm(dim=1), torch.ones(32, dtype=torch.float64))
    # Each vector is one of the left half, centred by its mean.
    half = features[0, :, :, :10].flatten(1).T
    centered = torch.nn.functional.normalize(half - half.mean(0))
    assert float((bank.vectors @ centered.T).amax(1).min()) > 1 - 1e-12
    assert torch.equal(bank.vectors, Bank.of(features, weight, generator()).vectors)
    assert not torch.equal(bank.vectors, Bank.of(features, weight, generator(1)).vectors)


# --- All of them


def sight(name: str, features: dict[str, Tensor], target: dict[str, Tensor], where=None, blend=None) -> list[Tensor]:
    """The loss's terms, of features against a painting's, or against several by their shares."""
    loss = STYLE_LOSSES[name]((0, 4))  # type: ignore[index]
    terms = []
    for term in loss.weights(LAYERS):
        targets = [(share, loss.target(term, other, {})) for share, other in (blend or [(1.0, target)])]
        terms.append(loss.compare(loss.statistics(term, features, where or {}), loss.blended(targets), "relative"))
    return terms


def two_layers(seed: int, dtype: torch.dtype = torch.float64, side: int = 8) -> dict[str, Tensor]:
    """Features like a network's: none is negative, and deeper layers have half the side."""
    return {
        "relu1_1": tensor(drawn((6, side, side), seed)).relu().to(dtype),
        "relu2_1": tensor(drawn((9, side // 2, side // 2), seed + 100)).relu().to(dtype),
    }


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_change_is_nothing(name):
    same = two_layers(0, side=6)  # no more positions than a bank holds
    # The cosine is less than 1 by what `_SHORT` adds to the lengths; the rest is rounding.
    assert max(map(float, sight(name, same, same))) == pytest.approx(0.0, abs=1e-3 if name == "nearest" else 1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_flat_features_and_few_positions_leave_value_and_gradient_finite(name, dtype):
    target = two_layers(1, dtype)
    flat = {layer: torch.full_like(map_[..., :2, :2], 0.5) for layer, map_ in target.items()}
    few = {layer: map_[..., :2, :2] for layer, map_ in two_layers(2, dtype).items()}
    for features in (flat, few):
        leaves = {layer: map_.clone().requires_grad_(True) for layer, map_ in features.items()}
        value = torch.stack(sight(name, leaves, target)).sum()
        assert value.dtype == torch.promote_types(dtype, torch.float32)
        assert torch.isfinite(value)
        for gradient in torch.autograd.grad(value, list(leaves.values())):
            assert torch.isfinite(gradient).all()
            assert gradient.dtype == dtype


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_near(name):
    features, target = two_layers(0, side=16), two_layers(1, side=16)
    exact = [float(term) for term in sight(name, features, target)]
    half = [{layer: map_.bfloat16() for layer, map_ in maps.items()} for maps in (features, target)]
    # Eight significant bits, and sums in float32.
    assert [float(term) for term in sight(name, *half)] == pytest.approx(exact, rel=0.03, abs=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_mask_leaves_out_is_as_if_it_were_not_there(name):
    features, target = two_layers(0), two_layers(1)
    where = {layer: torch.zeros(map_.shape[-2:]) for layer, map_ in features.items()}
    left = {}
    for layer, map_ in features.items():
        half = map_.shape[-1] // 2
        where[layer][:, :half] = 1.0
        left[layer] = map_[..., :half]
    masked = [float(term) for term in sight(name, features, target, where)]
    # Wasserstein distances are square roots of rounded numbers.
    assert masked == pytest.approx([float(term) for term in sight(name, left, target)], rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_blends_lie_between_and_their_ends_are_the_paintings(name):
    features, one, other = two_layers(0), two_layers(1), two_layers(2)
    alone = [float(term) for term in sight(name, features, one)]
    for whole in ([(2.0, one), (0.0, other)], [(0.5, one), (0.5, one)]):
        assert [float(term) for term in sight(name, features, one, blend=whole)] == pytest.approx(alone, rel=1e-9)
    middle = sum(map(float, sight(name, one, one, blend=[(0.5, one), (0.5, other)])))
    assert 0 < middle < sum(map(float, sight(name, one, other)))


@pytest.mark.parametrize("name", NAMES)
def test_a_term_is_called_after_its_layers(name):
    loss = STYLE_LOSSES[name]((0,))
    terms = loss.weights(LAYERS)
    assert {layer for term in terms for layer in layers_of(term)} == set(LAYERS)
    assert sum(terms.values()) > 0


@pytest.mark.parametrize("name", NAMES)
def test_what_is_additive_is_the_sum_of_its_parts(name):
    loss = STYLE_LOSSES[name]((0,))
    assert loss.additive == (name in ("gram", "gram_statistics", "cross_gram", "wasserstein", "statistics"))
    if not loss.additive:
        return
    features, target = two_layers(0), two_layers(1)
    halves = [{layer: map_.chunk(2, dim=-1)[which] for layer, map_ in features.items()} for which in (0, 1)]
    for term in loss.weights(LAYERS):
        parts = loss.statistics(term, halves[0], {}) + loss.statistics(term, halves[1], {})
        kept = loss.target(term, target, {})
        whole = loss.compare(loss.statistics(term, features, {}), kept, "relative")
        assert float(loss.compare(parts, kept, "relative")) == pytest.approx(float(whole), rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_every_style_loss_paints_with_blends_and_masks(name, photo, painting):
    masks = [torch.zeros(3, 36, 48) for _ in range(2)]
    masks[0][:, :16], masks[1][:, 20:] = 1.0, 1.0
    paintings = [painting(40, 44), photo(44, 40)]
    options = {"size": 48, "scales": 1, "iterations": 6, "style_loss": name}
    plain = impasto.stylize(photo(36, 48), paintings, blend=(0.7, 0.3), **options)
    masked = impasto.stylize(photo(36, 48), paintings, masks=masks, **options)
    for pastiche in (plain, masked):
        assert pastiche.trace[-1].value < pastiche.trace[0].value
        assert {term.split()[0] for term in pastiche.trace[0].terms} == {"content", "style", "range"}
    again = impasto.stylize(photo(36, 48), paintings, blend=(0.7, 0.3), **options)
    assert torch.equal(plain.image.pixels, again.image.pixels)


def test_the_seed_decides_what_is_drawn(photo, painting):
    options: dict[str, Any] = {"size": 48, "scales": 1, "iterations": 3, "style_loss": "sliced_wasserstein"}
    one, other = (impasto.stylize(photo(36, 48), painting(40, 44), seed=seed, **options) for seed in (1, 2))
    assert not torch.equal(one.image.pixels, other.image.pixels)
