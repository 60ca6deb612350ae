"""The seams: an evaluator in parts, a term on the image and a network from outside, through the public API."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor

import impasto
from impasto.backbones import VGG19, Backbone
from impasto.errors import SettingsError
from impasto.evaluators import WHOLE_IMAGE, Evaluator
from impasto.images import Image
from impasto.losses import Edges, ImageTerm, StyleLoss
from impasto.losses.style import layers_of
from impasto.objective import Evaluation, Objective, StyleTarget, evaluate
from impasto.representations import Moments
from impasto.windows import Window

SMALL: dict[str, Any] = {
    "size": 80,
    "scales": 1,
    "iterations": 3,
    "device": "cpu",
    "precision": "float32",
    "content_layers": "relu2_2,relu3_1",
    "style_layers": "relu1_1=4,relu2_1=2,relu3_1=1",
}
# Half of the receptive field of relu3_1, rounded up to its stride.
HALO, STRIDE = 16, 4


def halves(height: int, width: int) -> list[tuple[Window, Window]]:
    """The left and the right half of an image, and each with its halo."""
    middle = width // 2 // STRIDE * STRIDE
    return [
        (Window(0, 0, height, middle), Window(0, 0, height, middle + HALO)),
        (Window(0, middle, height, width), Window(0, middle - HALO, height, width)),
    ]


def features_of(backbone: Backbone, image: Tensor, window: Window, around: Window, layers: Iterable[str]) -> Any:
    """Features of the positions in a window, from the part of the image around it."""
    inner = Window(window.top - around.top, window.left - around.left, window.bottom, window.right - around.left)
    part = backbone(around.of(image, 1), layers)
    return {layer: inner.of(map_, backbone.layers[layer].stride) for layer, map_ in part.items()}


class Halves(Evaluator):
    """Two halves with halos, added; it holds itself against the evaluation of the whole, both in float64."""

    def __init__(self) -> None:
        self.compared = 0

    def content_features(self, backbone: Backbone, photograph: Tensor, layers: Iterable[str]) -> Mapping[str, Tensor]:
        wanted = list(layers)
        parts = [features_of(backbone, photograph, *half, wanted) for half in halves(*photograph.shape[-2:])]
        return {layer: torch.cat([part[layer] for part in parts], dim=-1) for layer in wanted}

    def style_targets(
        self,
        backbone: Backbone,
        painting: Tensor,
        loss: StyleLoss[Any, Any],
        terms: Iterable[str],
        masks: Iterable[Mapping[str, Tensor]],
    ) -> list[dict[str, Any]]:
        terms = list(terms)
        layers = {layer for term in terms for layer in layers_of(term)}
        targets = []
        for mask in masks:
            sums: dict[str, Any] = {}
            for window, around in halves(*painting.shape[-2:]):
                features = features_of(backbone, painting, window, around, layers)
                part = {layer: window.of(plane, backbone.layers[layer].stride) for layer, plane in mask.items()}
                for term in terms:
                    found = loss.target(term, features, part)
                    sums[term] = sums[term] + found if term in sums else found
            targets.append(sums)
        return targets

    def evaluate(self, objective: Objective, image: Tensor) -> Evaluation:
        exact, pixels = in_float64(objective), image.double()
        whole, added = evaluate(exact, pixels), self.added(exact, pixels)
        assert added.terms.keys() == whole.terms.keys()
        assert added.value == pytest.approx(whole.value, rel=1e-12)
        for name, term in whole.terms.items():
            assert added.terms[name] == pytest.approx(term, rel=1e-12, abs=1e-15), name
        largest = float(whole.gradient.abs().max())
        assert float((added.gradient - whole.gradient).abs().max()) <= 1e-12 * largest
        self.compared += 1
        return replace(added, image=image, gradient=added.gradient.float())

    def added(self, objective: Objective, image: Tensor) -> Evaluation:
        leaf = image.detach().requires_grad_(True)
        with torch.enable_grad():
            parts = [
                objective.sums(features_of(objective.backbone, leaf, *half, objective.layers), half[0])
                for half in halves(*image.shape[-2:])
            ]
            terms = objective.terms_of(parts[0] + parts[1], leaf)
            total = torch.stack(list(terms.values())).sum()
            (gradient,) = torch.autograd.grad(total, leaf)
        values = {name: float(term.detach()) for name, term in terms.items()}
        return Evaluation(image.detach(), float(total.detach()), values, gradient)


def in_float64(objective: Objective) -> Objective:
    """The same objective, with network and targets in float64."""

    def moments(target: Moments) -> Moments:
        return Moments(target.count.double(), target.sum.double(), target.outer.double())

    def region(target: StyleTarget) -> StyleTarget:
        style = {term: moments(one) for term, one in target.style.items()}
        return replace(target, style=style, masks={layer: mask.double() for layer, mask in target.masks.items()})

    def term(one: ImageTerm) -> ImageTerm:
        if not isinstance(one, Edges):
            return one
        weights = None if one.pixel_weights is None else one.pixel_weights.double()
        return replace(one, target=one.target.double(), pixel_weights=weights)

    return replace(
        objective,
        backbone=copy.deepcopy(objective.backbone).double(),
        content={layer: target.double() for layer, target in objective.content.items()},
        content_masks={layer: mask.double() for layer, mask in objective.content_masks.items()},
        regions=[region(target) for target in objective.regions],
        image_terms=[term(one) for one in objective.image_terms],
    )


def mask(size: tuple[int, int], *, left: bool) -> Image:
    """White on one side, with a soft edge that no half ends at."""
    ramp = torch.linspace(-2, 3, size[1]).clamp(0, 1).expand(1, 3, *size)
    return Image(pixels=1 - ramp if left else ramp)


CASES: dict[str, dict[str, Any]] = {
    "default": {},
    "gram": {"style_loss": "gram"},
    "statistics": {"style_loss": "statistics"},
    "laplacian and tv": {"content_loss": "laplacian", "tv_weight": 3.0},
    "paper": {"normalization": "paper", "style_weight": 100.0, "content_weight": 1.0},
    "odd size": {"size": 79},
}


@pytest.mark.parametrize("name", CASES)
def test_two_halves_are_the_whole(name, photo, painting):
    evaluator = Halves()
    pastiche = impasto.stylize(photo(60, 80), painting(64, 72), evaluator=evaluator, **(SMALL | CASES[name]))
    assert evaluator.compared == len(pastiche.trace) == 3


def test_two_halves_are_the_whole_with_masks_and_several_paintings(photo, painting):
    evaluator = Halves()
    content = photo(60, 80)
    masks = [mask(content.size, left=left) for left in (True, False)]
    impasto.stylize(
        content,
        [painting(64, 72), photo(50, 50)],
        masks=masks,
        content_map=masks[0],
        evaluator=evaluator,
        **(SMALL | {"region_strength": (0.6, 0.8), "content_loss": "laplacian", "tv_weight": 1.0}),
    )
    assert evaluator.compared == 3
    evaluator = Halves()
    blended = SMALL | {"blend": (0.7, 0.3)}
    impasto.stylize(content, [painting(64, 72), photo(50, 50)], evaluator=evaluator, **blended)
    assert evaluator.compared == 3


def test_targets_come_from_the_evaluator(photo, painting):
    settings = SMALL | {"iterations": 1}
    (plain,) = impasto.stylization(photo(60, 80), painting(64, 72), impasto.Settings(**settings))
    (by_halves,) = impasto.stylization(
        photo(60, 80), painting(64, 72), impasto.Settings(**settings), evaluator=Halves()
    )
    for name, term in plain.terms.items():
        assert by_halves.terms[name] == pytest.approx(term, rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize(
    ("setting", "value"), [("style_loss", "nearest"), ("style_loss", "histogram"), ("content_loss", "self_similarity")]
)
def test_losses_that_are_no_sums_are_refused(setting, value, photo, painting):
    with pytest.raises(SettingsError, match="cannot be computed in parts; choose") as error:
        impasto.stylize(photo(60, 80), painting(64, 72), evaluator=Summing(), **(SMALL | {setting: value}))
    assert error.value.setting == setting


class Summing(Halves):
    """Two halves, not compared; targets as usual."""

    content_features = Evaluator.content_features
    style_targets = Evaluator.style_targets

    def evaluate(self, objective: Objective, image: Tensor) -> Evaluation:
        return self.added(objective, image)


# --- terms and networks


@dataclass
class Darkness:
    """Asks for dark pictures."""

    weight: float
    name: str = "darkness"
    sizes: set[tuple[int, ...]] = field(default_factory=set)

    def __call__(self, image: Tensor) -> Tensor:
        self.sizes.add(tuple(image.shape))
        return self.weight * image.square().mean()


def test_a_term_from_outside_is_in_the_trace_and_has_its_effect(photo, painting):
    term = Darkness(500.0)
    assert isinstance(term, ImageTerm)
    settings = SMALL | {"scales": 2, "coarse_size": 48, "iterations": 6}
    plain = impasto.stylize(photo(60, 80), painting(64, 72), **settings)
    dark = impasto.stylize(photo(60, 80), painting(64, 72), image_terms=[term], **settings)
    assert all("darkness" in point.terms for point in dark.trace)
    assert not any("darkness" in point.terms for point in plain.trace)
    assert term.sizes == {(1, 3, 36, 48), (1, 3, 60, 80)}
    assert float(dark.image.pixels.mean()) < 0.8 * float(plain.image.pixels.mean())


def test_two_terms_of_one_name_are_refused(photo, painting):
    with pytest.raises(SettingsError, match="image_terms: got two terms called 'range'"):
        impasto.stylize(photo(60, 80), painting(64, 72), image_terms=[Darkness(1.0, name="range")], **SMALL)


def test_a_network_from_outside(photo, painting):
    network = VGG19("relu3_1", pooling="average")
    own = impasto.stylize(photo(60, 80), painting(64, 72), network=network, **SMALL)
    by_name = impasto.stylize(photo(60, 80), painting(64, 72), **(SMALL | {"pooling": "average"}))
    assert torch.equal(own.image.pixels, by_name.image.pixels)
    assert own.recipe.settings.backbone == "vgg19"


def test_a_network_from_outside_must_be_deep_enough(photo, painting):
    with pytest.raises(SettingsError, match="relu3_1"):
        impasto.stylize(photo(60, 80), painting(64, 72), network=VGG19("relu2_2"), **SMALL)


def test_the_plain_evaluator_is_the_default():
    assert type(WHOLE_IMAGE) is Evaluator
