"""Tiles: equal to the whole picture, at any size of tile and picture, with every objective that is a sum."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from impasto import tiling
from impasto.backbones import VGG19, Backbone, Layer, architecture
from impasto.errors import ImpastoWarning, SettingsError
from impasto.evaluators import WHOLE_IMAGE, Evaluator
from impasto.guidance import Guidance
from impasto.images import Image
from impasto.losses import ColorRange, Edges, TotalVariation, laplacian
from impasto.objective import Evaluation, Objective, evaluate
from impasto.representations import Moments
from impasto.settings import Settings
from impasto.targets import objective_at
from impasto.tiling import Reach, TiledEvaluator, grid
from impasto.tiling.image_terms import add_term
from impasto.tiling.pooling import pooled_part
from impasto.tiling.sums import Total
from tests import zoo_weights
from tests.conftest import painting_pixels, photo_pixels
from tests.test_evaluators import in_float64

#: Down to relu3_1: strides up to 4, and 12 px around each tile.
SMALL: dict[str, Any] = {
    "precision": "float32",
    "content_layers": "relu2_2,relu3_1",
    "style_layers": "relu1_1=4,relu2_1=2,relu3_1=1",
}


def objective(
    network: Backbone,
    size: tuple[int, int],
    *,
    evaluator: Evaluator = WHOLE_IMAGE,
    guidance: Guidance | None = None,
    paintings: int = 1,
    **settings: Any,
) -> Objective:
    styles = [Image(painting_pixels(70 + 9 * number, 61)) for number in range(paintings)]
    chosen = Settings(**(SMALL | settings))
    return objective_at(network, photo_pixels(*size), styles, chosen, guidance, evaluator=evaluator)


def in_tiles(tested: Objective, image: Tensor, side: int) -> Evaluation:
    return TiledEvaluator(side, whole=0).evaluate(tested, image)


def starting(size: tuple[int, int]) -> Tensor:
    """A picture to evaluate at: noise on the photograph, beyond [0, 1] as well."""
    return photo_pixels(*size) + 0.2 * torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))


def assert_same(found: Evaluation, expected: Evaluation, tolerance: float) -> None:
    assert found.terms.keys() == expected.terms.keys()
    for name, term in expected.terms.items():
        assert found.terms[name] == pytest.approx(term, rel=tolerance, abs=1e-15), name
    assert found.value == pytest.approx(expected.value, rel=tolerance)
    largest = float(expected.gradient.abs().max())
    assert float((found.gradient - expected.gradient).abs().max()) <= tolerance * largest


def both(tested: Objective, size: tuple[int, int], side: int) -> None:
    image = starting(size)
    exact = in_float64(tested)
    assert_same(in_tiles(exact, image.double(), side), evaluate(exact, image.double()), 1e-12)
    assert_same(in_tiles(tested, image, side), evaluate(tested, image), 1e-5)


CASES: dict[str, dict[str, Any]] = {
    "default": {},
    "gram": {"style_loss": "gram"},
    "statistics": {"style_loss": "statistics"},
    "wasserstein": {"style_loss": "wasserstein"},
    "cross_gram": {"style_loss": "cross_gram"},
    "laplacian, tv": {"content_loss": "laplacian", "tv_weight": 3.0},
    "paper": {"normalization": "paper", "style_weight": 100.0, "tv_weight": 1e-3},
    "no style": {"strength": 0.0},
    "no content": {"content_weight": 0.0},
}


@pytest.fixture(scope="module")
def network() -> VGG19:
    return VGG19("relu3_1")


@pytest.mark.parametrize("case", CASES)
def test_tiles_are_the_whole(network, case):
    size = (47, 61)
    tested = objective(network, size, **CASES[case])
    if case == "cross_gram":
        # Its targets are CrossMoments, which `in_float64` does not know.
        assert_same(in_tiles(tested, starting(size), 24), evaluate(tested, starting(size)), 2e-5)
        return
    if case == "wasserstein":
        # Roots of eigenvalues near 0 lose half of the digits.
        exact, image = in_float64(tested), starting(size)
        assert_same(in_tiles(exact, image.double(), 24), evaluate(exact, image.double()), 1e-8)
        return
    both(tested, size, 24)


@pytest.mark.parametrize(("size", "side"), [((33, 32), 16), ((45, 70), 17), ((53, 41), 20), ((40, 71), 39)], ids=str)
def test_of_any_size(network, size, side):
    both(objective(network, size), size, side)


@pytest.mark.parametrize(("padding", "pooling"), [("zeros", "average"), ("reflect", "l2"), ("wrap", "max")])
def test_with_every_padding_and_pooling(padding, pooling):
    size = (32, 48)
    network = VGG19("relu3_1", padding=padding, pooling=pooling)
    both(objective(network, size, padding=padding, pooling=pooling), size, 20)


def test_with_masks_and_several_paintings(network):
    size = (38, 53)
    ramp = torch.linspace(-2, 3, size[1]).clamp(0, 1).expand(1, 3, *size).contiguous()
    guidance = Guidance(content_masks=(Image(ramp), Image(1 - ramp)), content_map=Image(ramp), paintings=2)
    tested = objective(network, size, guidance=guidance, paintings=2, content_loss="laplacian", tv_weight=1.0)
    both(tested, size, 20)


def test_the_whole_default_network():
    # relu5_1: 80 px around each tile, by the arithmetic of its convolutions and poolings.
    # In float32 only, for float64 takes its time.
    deep = VGG19("relu5_1")
    assert Reach.of(deep, ["relu4_2", "relu5_1"]) == Reach(align=16, before=80, after=80)
    tested = objective_at(deep, photo_pixels(161, 100), [Image(painting_pixels(120, 100))], Settings())
    image = starting((161, 100))
    assert_same(in_tiles(tested, image, 80), evaluate(tested, image), 1e-5)


def test_a_smaller_halo_is_not_exact(network):
    """The halo is needed: with 8 px instead of 12, results differ by far more than rounding."""
    size = (32, 48)
    exact = in_float64(objective(network, size))
    image = starting(size).double()

    class Narrow(TiledEvaluator):
        def _tiles(self, backbone, layers, picture):
            return grid(size, 16, Reach(4, 8, 8))

    found, expected = Narrow(16, whole=0).evaluate(exact, image), evaluate(exact, image)
    assert float((found.gradient - expected.gradient).abs().max()) > 1e-9 * float(expected.gradient.abs().max())


@pytest.mark.parametrize(
    ("settings", "paintings"), [({}, 1), ({"style_loss": "cross_gram"}, 1), ({"padding": "wrap"}, 2)], ids=str
)
def test_targets_come_from_tiles(settings, paintings):
    size = (64, 80)
    network = VGG19("relu3_1", padding=settings.get("padding", "replicate"))
    whole = objective(network, size, paintings=paintings, **settings)
    tiled = objective(network, size, paintings=paintings, evaluator=TiledEvaluator(20, whole=0), **settings)
    for layer, target in whole.content.items():
        torch.testing.assert_close(tiled.content[layer], target, rtol=1e-5, atol=1e-5 * float(target.abs().max()))
    image = starting(size)
    assert_same(evaluate(tiled, image), evaluate(whole, image), 1e-4)


ZOO = {
    # Without padding in the first convolution, and with poolings that round sizes up.
    "squeezenet1_1": ("features.3.cat", "features.6.cat"),
    # Strides by convolutions, with sizes rounded up.
    "resnet18": ("layer1", "layer2"),
}


@pytest.mark.parametrize("model", ZOO)
@pytest.mark.parametrize("size", [(99, 117)], ids=str)
def test_networks_of_torchvision(model, size, tmp_path):
    tested = architecture(f"torchvision:{model}")
    layers = {tested.canonical_name(name.removesuffix(".cat")): 1.0 for name in ZOO[model]}
    path = zoo_weights.random_weights(tmp_path, model)
    network = tested.build(layers, weights=path)
    settings: dict[str, Any] = {"content_layers": layers, "style_layers": layers, "backbone": tested.name}
    both(objective(network, size, **settings), size, 64)


def test_a_network_that_sees_everything_is_refused(network):
    class All(Mapping[str, Layer]):
        def __getitem__(self, name):
            return replace(network.layers[name], receptive_field=4096)

        def __iter__(self):
            return iter(network.layers)

        def __len__(self):
            return len(network.layers)

    class Squeezed(VGG19):
        @property
        def layers(self):
            return All()

    tested = objective(Squeezed("relu3_1"), (64, 64))
    with pytest.raises(SettingsError, match="depends on the whole picture, so it cannot be computed in tiles"):
        in_tiles(tested, starting((64, 64)), 32)


@pytest.mark.parametrize(
    ("setting", "value"), [("style_loss", "nearest"), ("style_loss", "histogram"), ("content_loss", "self_similarity")]
)
def test_losses_that_are_no_sums_are_refused(network, setting, value):
    tested = objective(network, (64, 64), **{setting: value})
    with pytest.raises(SettingsError, match="cannot be computed in parts; choose") as error:
        in_tiles(tested, starting((64, 64)), 32)
    assert error.value.setting == setting
    if setting == "style_loss":
        with pytest.raises(SettingsError, match="cannot be computed in tiles"):
            objective(network, (64, 64), evaluator=TiledEvaluator(32, whole=0), **{setting: value})


def test_tiles_smaller_than_the_halo_are_refused(network):
    tested = objective(network, (64, 64))
    with pytest.raises(SettingsError, match="got 8 px, and the network sees up to 12 px around each tile") as error:
        in_tiles(tested, starting((64, 64)), 8)
    assert error.value.setting == "tile_size"


def test_wrapping_pictures_of_other_sides_are_refused():
    network = VGG19("relu3_1", padding="wrap")
    tested = objective(network, (64, 64), padding="wrap")
    with pytest.raises(SettingsError, match="multiples of 4 px"):
        in_tiles(replace(tested, content={}), starting((66, 64)), 20)


def test_the_first_pass_keeps_no_graph(network):
    seen: list[tuple[bool, int]] = []

    class Watched(VGG19):
        def iter_features(self, image, layers):
            for name, features in super().iter_features(image, layers):
                seen.append((features.requires_grad, features.shape[-1]))
                yield name, features

    in_tiles(objective(Watched("relu3_1"), (64, 96)), starting((64, 96)), 32)
    first = [grad for grad, _ in seen[: len(seen) // 2]]
    # The features of the targets come first, then both passes of the same tiles.
    assert not any(first)
    assert seen[-1][0]
    # No tile and its halo is ever wider than 32 + 2 · 12 px.
    of_tiles = [width for grad, width in seen if grad]
    assert max(of_tiles) == 56


def test_pictures_of_one_tile_are_computed_as_a_whole(network):
    tested = objective(network, (64, 96))
    image = starting((64, 96))
    found, expected = TiledEvaluator(96).evaluate(tested, image), evaluate(tested, image)
    assert torch.equal(found.gradient, expected.gradient)
    assert found.terms == expected.terms


# --- Memory that runs out


class Limited(VGG19):
    """Has memory for pictures of at most so many pixels."""

    most = 40 * 40
    error: type[Exception] = RuntimeError

    def iter_features(self, image, layers):
        if image.shape[-2] * image.shape[-1] > self.most:
            raise self.error("not enough memory: you tried to allocate 12345 bytes")
        yield from super().iter_features(image, layers)


def test_smaller_tiles_are_tried_where_memory_runs_out(network):
    size = (48, 128)
    tested = objective(network, size)
    limited = Limited("relu3_1")
    limited.most = 60 * 60
    evaluator = TiledEvaluator(1024)
    with pytest.warns(ImpastoWarning, match="memory ran out at 128 × 48 px; trying tiles of") as told:
        found = evaluator.evaluate(replace(tested, backbone=limited), starting(size))
    assert [str(one.message)[-5:] for one in told] == ["64 px", "32 px"]
    assert_same(found, evaluate(tested, starting(size)), 1e-5)
    assert evaluator.side == 32
    with warnings.catch_warnings():
        # It has learned.
        warnings.simplefilter("error")
        evaluator.evaluate(replace(tested, backbone=limited), starting(size))
    with pytest.warns(ImpastoWarning, match="trying tiles"):
        features = TiledEvaluator(1024).content_features(limited, photo_pixels(*size), ["relu3_1"])
    expected = network(photo_pixels(*size), ["relu3_1"])["relu3_1"]
    torch.testing.assert_close(features["relu3_1"], expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, torch.OutOfMemoryError])
def test_where_no_tile_fits_it_is_said(network, error):
    limited = Limited("relu3_1")
    limited.error = error
    limited.most = 100
    with pytest.warns(ImpastoWarning, match="trying tiles of"), pytest.raises(MemoryError, match="not enough"):
        TiledEvaluator(1024).evaluate(replace(objective(network, (64, 64)), backbone=limited), starting((64, 64)))


def test_other_errors_and_losses_without_tiles_are_not_retried(network):
    limited = Limited("relu3_1")
    tested = objective(network, (64, 64), style_loss="nearest")
    with pytest.raises(RuntimeError, match="not enough memory"):
        TiledEvaluator(1024).evaluate(replace(tested, backbone=limited), starting((64, 64)))

    class Broken(VGG19):
        def iter_features(self, image, layers):
            raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        TiledEvaluator(1024).evaluate(
            replace(objective(network, (64, 64)), backbone=Broken("relu3_1")), starting((64, 64))
        )


# --- The parts


def test_a_grid_covers_every_position_once():
    for size in [(33, 65), (100, 16), (17, 400)]:
        count = torch.zeros(size)
        for tile in grid(size, 48, Reach(16, 32, 16)):
            tile.window.of(count, 1).add_(1)
            assert tile.window.top % 16 == tile.window.left % 16 == 0
            assert tile.around.top in (0, tile.window.top - 32)
            assert tile.around.bottom in (size[0], tile.window.bottom + 16)
        assert bool((count == 1).all())


def test_the_halo_follows_from_each_side_of_the_field():
    # Five pixels before the feature's own two, none after: in multiples of the stride.
    assert Layer("one", 3, 2, 7, before=5).reach == (5, 0)
    # In the middle by default.
    assert Layer("two", 3, 16, 156).reach == (70, 70)


def test_sums_of_a_hundred_million_positions_are_exact():
    """As many positions as 100 megapixels have, in tiles of an odd size, with numbers that float32 cannot add up."""
    rng = np.random.default_rng(0)
    total = Total()
    expected = np.zeros(3)
    each = 250_001.0
    for _ in range(400):
        sums = (each * (0.1 + 0.01 * rng.standard_normal(3))).astype(np.float32)
        expected += sums.astype(np.float64)
        total.add(Moments(torch.tensor(each), torch.from_numpy(sums), torch.from_numpy(np.outer(sums, sums))))
    found = total.value
    assert found.sum.dtype == torch.float32
    assert float(found.count) == np.float32(400 * 250_001.0)
    np.testing.assert_allclose(found.sum.numpy(), expected, rtol=1.2e-7)


def test_statistics_that_cannot_be_added_are_refused():
    with pytest.raises(SettingsError, match="hold a str, which cannot be added over tiles"):
        Total().add((torch.ones(()), "text"))


@pytest.mark.parametrize(("fine", "coarse"), [((79, 32), (39, 16)), ((17, 50), (5, 13))], ids=str)
def test_pooled_parts_are_those_of_the_whole(fine, coarse):
    map_ = torch.randn(1, 4, *fine, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    whole = torch.nn.functional.adaptive_avg_pool2d(map_, coarse)
    rows, columns = range(2, coarse[0]), range(1, coarse[1] - 1)
    part = pooled_part(map_[..., 3:, 2:], (3, 2), fine, (rows, columns), coarse)
    torch.testing.assert_close(part, whole[..., 2:, 1:-1], rtol=1e-14, atol=1e-14)


def test_terms_by_bands_of_rows(monkeypatch):
    monkeypatch.setattr(tiling.image_terms, "_BAND", 120)
    image = starting((31, 40)).double()
    edges = Edges(laplacian(photo_pixels(31, 40), 4).double(), 4, 0.3)
    for term in (ColorRange(10.0), TotalVariation(3.0), edges):
        leaf = image.clone().requires_grad_(True)
        (expected,) = torch.autograd.grad(term(leaf), leaf)
        gradient = torch.zeros_like(image)
        assert add_term(term, image, gradient) == pytest.approx(float(term(image)), rel=1e-13)
        torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-16)


# --- No seams


def seam(picture: Tensor, at: int) -> float:
    """How much rougher a picture is across a column than across the columns around it."""
    steps = (picture[..., 1:] - picture[..., :-1]).abs().mean((0, 1, 2))
    return float(steps[at - 1] / steps[at - 9 : at + 8].median())


def test_no_seam_in_bfloat16():
    """The gradient in bfloat16 differs from that of the whole by rounding, at borders of tiles as elsewhere."""
    network = VGG19("relu3_1", dtype=torch.bfloat16)
    size = (32, 144)
    tested = objective(network, size, precision="bfloat16")
    image = starting(size)
    whole, tiled = evaluate(tested, image), in_tiles(tested, image, 48)
    error = (tiled.gradient - whole.gradient).abs().mean((0, 1, 2))
    near = torch.cat([error[at - 4 : at + 4] for at in (48, 96)]).mean()
    # Not larger at the borders of tiles than elsewhere.
    assert float(near) < 2.0 * float(error.mean()) + 1e-12
    for at in (48, 96):
        assert seam(tiled.gradient, at) < 1.25 * max(1.0, seam(whole.gradient, at))
    assert tiled.value == pytest.approx(whole.value, rel=3e-3)
    assert math.isfinite(tiled.value)
