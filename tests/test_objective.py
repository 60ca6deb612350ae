"""The objective: its terms are the weighted losses, and its gradient is that of its value.

Tolerances: values are compared in float64, 1e-9 relative. Gradients are compared with central differences in float64,
step 1e-6: its rounding is about 1e-10 of the value, and 1e-6 of the largest entry is asked for.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from impasto.backbones import VGG19
from impasto.losses import (
    ColorRange,
    TotalVariation,
    content_loss,
    gram_loss,
    range_loss,
    total_variation_loss,
)
from impasto.objective import Evaluation, Objective, StyleTarget, evaluate
from impasto.representations import Moments

CONTENT = {"relu1_2": 0.7, "relu2_2": 1.3}
STYLE = {"relu1_1": 0.5, "relu2_1": 1.0, "relu3_1": 2.0}
NORMALIZATIONS = ["relative", "paper"]


@pytest.fixture(scope="module")
def network() -> VGG19:
    # Shallow: float64 convolutions are slow.
    return VGG19("relu3_1").double()


def drawn(seed: int, side: int = 32) -> Tensor:
    return torch.rand(1, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def image() -> Tensor:
    # A little of it lies outside the range that can be shown.
    return drawn(0) * 1.2 - 0.1


def objective(network: VGG19, **changes) -> Objective:
    content, painting = network(drawn(1), CONTENT), network(drawn(2), STYLE)
    parts: dict[str, Any] = {
        "content": {layer: content[layer] for layer in CONTENT},
        "regions": [StyleTarget(style={layer: Moments.of(painting[layer]) for layer in STYLE})],
        "content_weights": CONTENT,
        "style_weights": STYLE,
    }
    weights = {name: changes.pop(name, weight) for name, weight in (("tv_weight", 3.0), ("range_weight", 10.0))}
    terms: list[Any] = [TotalVariation(weights["tv_weight"]), ColorRange(weights["range_weight"])]
    parts["image_terms"] = [term for term in terms if term.weight]
    return Objective(backbone=network, **(parts | changes))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_the_terms_are_the_weighted_losses(network, normalization):
    it = objective(network, normalization=normalization)
    x = image()
    features = network(x, {**CONTENT, **STYLE})
    expected = {
        f"content {layer}": weight * content_loss(features[layer], it.content[layer], normalization)
        for layer, weight in CONTENT.items()
    }
    expected |= {
        f"style {layer}": weight * gram_loss(Moments.of(features[layer]), it.regions[0].style[layer], normalization)
        for layer, weight in STYLE.items()
    }
    expected |= {"tv": 3.0 * total_variation_loss(x), "range": 10.0 * range_loss(x)}
    found = evaluate(it, x)
    assert list(found.terms) == list(expected)
    for name, term in expected.items():
        assert found.terms[name] == pytest.approx(float(term), rel=1e-9), name
        assert found.terms[name] > 0
    assert found.value == pytest.approx(sum(found.terms.values()), rel=1e-9)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_the_gradient_is_that_of_the_value(network, normalization):
    it, x = objective(network, normalization=normalization), image()
    check_gradient(it, x, [(0, 0, 0, 0), (0, 1, 31, 31), (0, 2, 16, 9), (0, 0, 7, 20), (0, 1, 15, 16), (0, 2, 30, 1)])


def check_gradient(it: Objective, x: Tensor, pixels: list[tuple[int, int, int, int]]) -> None:
    gradient = evaluate(it, x).gradient
    step = 1e-6
    for pixel in pixels:
        values = []
        for sign in (1, -1):
            moved = x.clone()
            moved[pixel] += sign * step
            with torch.no_grad():
                values.append(float(sum(it.terms(moved).values())))
        difference = (values[0] - values[1]) / (2 * step)
        assert float(gradient[pixel]) == pytest.approx(difference, abs=1e-6 * float(gradient.abs().max())), pixel


@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
def test_the_gradient_comes_through_the_whole_network(pooling):
    network = VGG19("relu5_1", pooling=pooling, padding="zeros" if pooling == "max" else "replicate").double()
    with torch.no_grad():
        content, painting = network(drawn(1), ["relu4_2"]), network(drawn(2), ["relu1_1", "relu5_1"])
    it = Objective(
        backbone=network,
        content=content,
        regions=[StyleTarget(style={layer: Moments.of(features) for layer, features in painting.items()})],
        content_weights={"relu4_2": 1.0},
        style_weights={"relu1_1": 1.0, "relu5_1": 1.0},
    )
    check_gradient(it, image(), [(0, 0, 0, 0), (0, 1, 17, 20)])


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_weights_are_factors(network, normalization):
    one = objective(network, normalization=normalization)
    twice = objective(
        network,
        normalization=normalization,
        content_weights={layer: 2 * weight for layer, weight in CONTENT.items()},
        style_weights={layer: 2 * weight for layer, weight in STYLE.items()},
        tv_weight=6.0,
        range_weight=20.0,
    )
    a, b = evaluate(one, image()), evaluate(twice, image())
    assert b.value == pytest.approx(2 * a.value, rel=1e-12)
    torch.testing.assert_close(b.gradient, 2 * a.gradient, rtol=1e-12, atol=0)


def test_a_weight_reaches_its_own_layer_alone(network):
    a = evaluate(objective(network), image()).terms
    b = evaluate(objective(network, style_weights=STYLE | {"relu3_1": 10.0}), image()).terms
    for name in a:
        assert b[name] == pytest.approx(a[name] * (5.0 if name == "style relu3_1" else 1.0), rel=1e-12), name


def test_style_terms_depend_on_moments_only(network):
    # Features in another order of positions have the same Moments: the style terms cannot tell.
    it = objective(network)
    features = network(image(), STYLE)
    shuffled = {}
    for layer, map_ in features.items():
        flat = map_.flatten(2)
        order = torch.randperm(flat.shape[-1], generator=torch.Generator().manual_seed(3))
        shuffled[layer] = flat[..., order].view_as(map_)
    before = it.style_terms([{layer: Moments.of(map_) for layer, map_ in features.items()}])
    after = it.style_terms([{layer: Moments.of(map_) for layer, map_ in shuffled.items()}])
    parts = it.style_terms(
        [{layer: Moments.of(map_[..., :1]) + Moments.of(map_[..., 1:]) for layer, map_ in features.items()}]
    )
    for name in before:
        assert float(after[name]) == pytest.approx(float(before[name]), rel=1e-9)
        assert float(parts[name]) == pytest.approx(float(before[name]), rel=1e-9)


def test_terms_without_weight_are_left_out(network):
    assert evaluate(objective(network, tv_weight=0.0, range_weight=0.0), image()).terms.keys() == {
        *(f"content {layer}" for layer in CONTENT),
        *(f"style {layer}" for layer in STYLE),
    }
    assert objective(network).layers == set(CONTENT) | set(STYLE)


def test_an_evaluation_is_a_snapshot(network):
    x = image().requires_grad_(True)
    found = evaluate(objective(network), x)
    assert not found.image.requires_grad
    assert not found.gradient.requires_grad
    assert found.gradient.is_contiguous()
    assert x.grad is None
    assert torch.equal(found.image, x.detach())


def test_the_gradient_comes_also_where_gradients_are_switched_off(network):
    with torch.no_grad():
        found = evaluate(objective(network), image())
    assert float(found.gradient.abs().max()) > 0


@pytest.mark.parametrize(
    ("value", "entry", "finite"),
    [
        (1.0, 0.0, True),
        (float("nan"), 0.0, False),
        (float("inf"), 0.0, False),
        (float("-inf"), 0.0, False),
        (1.0, float("nan"), False),
        (1.0, float("inf"), False),
        (1.0, float("-inf"), False),
    ],
)
def test_finite(value, entry, finite):
    gradient = torch.zeros(1, 3, 2, 2)
    gradient[0, 1, 1, 0] = entry
    assert Evaluation(image=torch.zeros(1, 3, 2, 2), value=value, terms={}, gradient=gradient).finite is finite


def test_infinities_that_cancel_are_not_finite():
    gradient = torch.zeros(1, 3, 2, 2)
    gradient[0, 0, 0, 0], gradient[0, 0, 0, 1] = float("inf"), float("-inf")
    assert not Evaluation(image=torch.zeros(1, 3, 2, 2), value=1.0, terms={}, gradient=gradient).finite


# --- Regions


def half(layer: str, side: int = 32) -> Tensor:
    """The left half of a layer's positions."""
    size = {"relu1_1": side, "relu1_2": side, "relu2_1": side // 2, "relu2_2": side // 2, "relu3_1": side // 4}[layer]
    where = torch.zeros(size, size, dtype=torch.float64)
    where[:, : size // 2] = 1.0
    return where


def test_regions_everywhere_are_the_whole(network):
    one = objective(network)
    style = one.regions[0].style
    everywhere = {layer: torch.ones_like(half(layer)) for layer in STYLE}
    two = objective(network, regions=[StyleTarget(style=style, masks=everywhere, share=s) for s in (0.25, 0.75)])
    a, b = evaluate(one, image()), evaluate(two, image())
    assert list(a.terms) == list(b.terms)
    assert b.value == pytest.approx(a.value, rel=1e-9)
    torch.testing.assert_close(a.gradient, b.gradient, rtol=1e-6, atol=1e-12)


def test_a_region_sees_its_own_part_alone(network):
    style = objective(network).regions[0].style
    where = {layer: half(layer) for layer in STYLE}
    it = objective(
        network, regions=[StyleTarget(style=style, masks=where)], content={}, tv_weight=0.0, range_weight=0.0
    )
    gradient = evaluate(it, image()).gradient
    # A feature at the region's edge sees up to half its receptive field beyond it: 12 px at relu3_1.
    assert float(gradient[..., :16].abs().max()) > 0
    assert float(gradient[..., 16 + 13 :].abs().max()) == 0.0
    check_gradient(it, image(), [(0, 0, 0, 0), (0, 1, 15, 14)])


def test_content_counts_where_it_is_told(network):
    nowhere = {layer: torch.zeros_like(half(layer)) for layer in CONTENT}
    found = evaluate(objective(network, content_masks=nowhere), image())
    assert found.terms["content relu1_2"] == found.terms["content relu2_2"] == 0.0
    left = objective(
        network,
        content_masks={layer: half(layer) for layer in CONTENT},
        regions=[],
        tv_weight=0.0,
        range_weight=0.0,
    )
    gradient = evaluate(left, image()).gradient
    assert float(gradient[..., :16].abs().max()) > 0
    assert float(gradient[..., 16 + 9 :].abs().max()) == 0.0
    check_gradient(left, image(), [(0, 0, 3, 3), (0, 2, 15, 15)])


class Watched(VGG19):
    """Notes in which order gradients come from the terms and leave for the layers before."""

    def __init__(self, deepest):
        super().__init__(deepest)
        self.came = []

    def iter_features(self, image, layers):
        for layer, features in super().iter_features(image, layers):
            if features.requires_grad:
                features.register_hook(lambda _, layer=layer: self.came.append(("left", layer)))
                seen = features.view_as(features)
                seen.register_hook(lambda _, layer=layer: self.came.append(("came", layer)))
                yield layer, seen
            else:
                yield layer, features


def test_no_term_sends_its_gradient_before_the_network_has_come_back_to_its_layer():
    network = Watched("relu3_1").double()
    evaluate(objective(network), image())
    layers = ["relu3_1", "relu2_2", "relu2_1", "relu1_2", "relu1_1"]
    assert network.came == [(what, layer) for layer in layers for what in ("came", "left")]
