"""Explanations: reconstructions come from the layers they say, and figures show what NumPy computes."""

from __future__ import annotations

import itertools
import math
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

import impasto
from impasto.backbones import VGG19, Layer, architecture
from impasto.errors import ImageWriteError, SettingsError
from impasto.explanations import features, reconstructions
from impasto.explanations.explanation import explaining
from impasto.explanations.gram import Correlations
from impasto.explanations.receptive_fields import Field, pooled, staircase
from impasto.explanations.subjects import DEFAULTS, SUBJECTS, settings_for
from impasto.images import Image, read
from tests import reference
from tests.conftest import painting_pixels, photo_pixels

LAYERS = VGG19.architecture.layers
PHOTO = Image(pixels=photo_pixels(48, 64), name="photo.png")
PAINTING = Image(pixels=painting_pixels(48, 64), name="painting.png")
SMALL: dict[str, Any] = {"size": 64, "device": "cpu", "precision": "float32"}


def reconstructed(subject: str, image: Image, layers: str, **options: Any) -> list[reconstructions.Reconstruction]:
    settings = settings_for(subject, **{**SMALL, **options})
    chosen = features.layers_for(subject, settings, layers)
    return list(list(reconstructions.reconstruct(subject, image, chosen, settings))[-1].done)


def words(figure: Any) -> str:
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def drawn(figure: Any, label: str) -> np.ndarray:
    """The values of the picture in the axes of that label."""
    return np.asarray(next(axes for axes in figure.axes if axes.get_label() == label).images[0].get_array())


# --- Reconstructions


def test_a_shallow_layer_holds_the_photograph_and_a_deep_one_what_is_where():
    shallow, deep = reconstructed("content", PHOTO, "relu1_1,relu5_2", iterations=25)
    assert shallow.likeness > 22
    assert shallow.likeness > deep.likeness + 10
    assert [one.layers[0].name for one in (shallow, deep)] == ["relu1_1", "relu5_2"]
    assert shallow.image.size == (48, 64)


def test_style_is_painted_from_more_and_more_layers_and_has_no_likeness():
    found = reconstructed("style", PAINTING, "relu1_1,relu2_1", iterations=25)
    assert [[layer.name for layer in one.layers] for one in found] == [["relu1_1"], ["relu1_1", "relu2_1"]]
    settings = settings_for("style", **SMALL)
    target = grams(PAINTING.pixels, settings)
    for one in found:
        ours = grams(one.image.pixels, settings)
        for layer in one.layers:
            assert reference.gram_loss_relative(ours[layer.name], target[layer.name]) < 0.1
        # Nothing says where anything is to be.
        assert one.likeness < 15
    # What a layer asks for is not there before it is asked.
    before, after = (
        reference.gram_loss_relative(grams(one.image.pixels, settings)["relu2_1"], target["relu2_1"]) for one in found
    )
    assert after < 0.5 * before


def grams(pixels: Tensor, settings: impasto.Settings) -> dict[str, np.ndarray]:
    found = features.features_of(pixels, ("relu1_1", "relu2_1"), settings)
    return {layer: maps.double().numpy() for layer, maps in found.items()}


def test_nothing_but_the_layer_takes_part():
    settings, layer = settings_for("content", **SMALL), LAYERS["relu2_2"]
    step = next(iter(reconstructions.reconstruct("content", PHOTO, [layer], settings)))
    plan = reconstructions.content_settings(settings, layer)
    assert (plan.style_weight, plan.init, plan.scales) == (0.0, "noise", 1)
    terms = next(
        impasto.stylization(PHOTO, PAINTING, plan.replace(device="cpu", iterations=1, detail=0.5, coarse_size=64))
    ).terms
    assert set(terms) == {"content relu2_2", "range"}
    assert set(next(impasto.stylization(PHOTO, PAINTING, reconstructions.style_settings(settings, [layer]))).terms) == {
        "style relu2_2",
        "range",
    }
    assert step.scales == 1


def test_progress_counts_the_arithmetic_of_each_layer():
    settings = settings_for("content", **SMALL, iterations=2)
    layers = features.layers_for("content", settings)
    steps = list(reconstructions.reconstruct("content", PHOTO, layers, settings))
    assert [(step.scale, step.iteration) for step in steps] == [(index, k) for index in range(5) for k in (1, 2)]
    work = [step.work for step in steps]
    assert work == sorted(work)
    assert work[-1] == steps[0].total_work
    # Most of it is at the end.
    assert work[3] < 0.25 * work[-1]
    assert [len(step.done) for step in steps] == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]


def test_likeness_is_the_peak_signal_to_noise_ratio():
    one, other = photo_pixels(9, 7), painting_pixels(9, 7)
    expected = reference.peak_signal_to_noise(one.double().numpy(), other.double().numpy())
    assert reconstructions.likeness(one, other) == pytest.approx(expected, rel=1e-5)
    assert reconstructions.likeness(one, one) == math.inf


def test_the_same_seed_is_the_same_picture():
    one, again, other = (
        reconstructed("content", PHOTO, "relu1_1", iterations=2, seed=seed)[0].image.pixels for seed in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


# --- Gram matrices


def random_maps(channels: int, seed: int = 0) -> Tensor:
    return torch.rand((channels, 6, 8), generator=torch.Generator().manual_seed(seed))


def correlations(maps: Tensor) -> Correlations:
    return Correlations.of(Layer("relu9_1", len(maps), 1, 3), maps)


def test_the_matrix_is_numpys():
    maps = random_maps(7)
    maps[3] = 0.0
    found = correlations(maps)
    assert np.allclose(found.matrix.numpy(), reference.correlation(maps.double().numpy()), atol=1e-5)
    assert np.allclose(found.gram.numpy(), reference.gram(maps.double().numpy()), atol=1e-5)


def test_maps_that_go_together_stand_side_by_side():
    generator = torch.Generator().manual_seed(3)
    bases = torch.eye(4).repeat_interleave(12, dim=1).reshape(4, 6, 8)
    groups = torch.randint(0, 4, (40,), generator=generator)
    maps = bases[groups] + 0.1 * torch.rand((40, 6, 8), generator=generator)
    maps[5] = 0.0
    found = correlations(maps)
    order = found.order.tolist()
    assert sorted(order) == list(range(40))
    assert order[-1] == 5
    row = groups[order[:-1]].tolist()
    assert sum(a != b for a, b in itertools.pairwise(row)) == 3
    assert torch.equal(found.ordered, found.matrix[order][:, order])


@pytest.mark.parametrize("heard", [0, 1, 2])
def test_few_maps_have_an_order_too(heard):
    maps = torch.zeros(4, 6, 8)
    maps[:heard] = random_maps(4)[:heard]
    assert sorted(correlations(maps).order.tolist()) == [0, 1, 2, 3]


def test_the_maps_shown_are_strong_and_differ_and_do_not_answer_to_the_border_alone():
    maps = 0.01 * random_maps(6)
    maps[1, :, :4] += 1.0
    maps[2] = maps[1] + 0.02
    maps[3, :3] += 0.5
    maps[4, 0] = maps[4, -1] = 50.0
    assert correlations(maps).telling(2) == [1, 3] or correlations(maps).telling(2) == [2, 3]
    assert len(correlations(maps).telling(6)) == 6


def test_the_examples_are_the_pairs_that_go_together_most_and_least():
    maps = random_maps(10)
    maps[2] = 2 * maps[7] + 0.01 * maps[0]
    maps[4, :3], maps[9, 3:] = 0.0, 0.0
    most, least = correlations(maps).extremes()
    assert set(most) == {2, 7}
    assert set(least) == {4, 9}


def test_the_figure_shows_the_matrices_that_numpy_computes():
    explanation = impasto.explain("gram", PAINTING, layers="relu1_1,relu2_1,relu3_1", **SMALL)
    maps_of = features.features_of(PAINTING.pixels, ("relu1_1", "relu2_1", "relu3_1"), settings_for("gram", **SMALL))
    for layer, maps in maps_of.items():
        expected = reference.correlation(maps.double().numpy())
        order = Correlations.of(LAYERS[layer], maps).order.numpy()
        assert np.allclose(drawn(explanation.figure, f"Gram {layer}"), expected[order][:, order], atol=1e-4)
    fact = explanation.facts[1]
    i, j = fact["together"]
    assert fact["correlation"] == pytest.approx(
        reference.correlation(maps_of["relu2_1"].double().numpy())[i, j], abs=1e-4
    )
    assert f"{fact['correlation']:.2f}" in words(explanation.figure)


# --- What a feature sees


@pytest.mark.parametrize("name", ["conv1_1", "conv2_1", "pool2", "conv3_1", "conv4_1"])
def test_a_feature_sees_its_field_and_nothing_else(name):
    layer = LAYERS[name]
    image = torch.rand((1, 3, 128, 128), generator=torch.Generator().manual_seed(1)).requires_grad_(True)
    at = (66, 61)
    features = VGG19(name, pooling="average")(image, [name])[name]
    feature = features[0, :, at[0] // layer.stride, at[1] // layer.stride]
    (gradient,) = torch.autograd.grad(feature.sum(), image)
    seen = gradient[0].abs().sum(0) > 0
    rows, columns = seen.any(1).nonzero().flatten(), seen.any(0).nonzero().flatten()
    field = Field.nearest(layer, at)
    assert (int(rows[0]), int(rows[-1]) + 1) == (field.top, field.top + field.side)
    assert (int(columns[0]), int(columns[-1]) + 1) == (field.left, field.left + field.side)


def test_the_squares_and_the_climb_are_the_table_of_layers():
    explanation = impasto.explain("network", PHOTO, size=64, device="cpu")
    names = list(architecture("vgg19").default_style_layers)
    squares = {
        patch.get_label(): (patch.get_width(), patch.get_height())
        for axes in explanation.figure.axes
        for patch in cast(list[Any], axes.patches)
        if patch.get_label() in names
    }
    assert squares == {name: (LAYERS[name].receptive_field,) * 2 for name in names}
    climb = next(axes for axes in explanation.figure.axes if axes.get_label() == "receptive fields")
    steps = [layer for name, layer in LAYERS.items() if not name.startswith("relu")]
    assert staircase(VGG19.architecture) == steps
    assert np.asarray(climb.lines[0].get_ydata()).tolist() == [step.receptive_field for step in steps]
    assert [(fact["layer"], fact["receptive_field"], fact["stride"]) for fact in explanation.facts] == [
        (name, LAYERS[name].receptive_field, LAYERS[name].stride) for name in names
    ]
    said = words(explanation.figure)
    for name in names:
        assert f"{LAYERS[name].receptive_field} px" in said
        assert f"one every {LAYERS[name].stride} px" in said


def test_a_patch_is_what_lies_in_the_field():
    field = Field(LAYERS["relu2_1"], top=-4, left=58)
    patch = field.patch(PHOTO.pixels)
    assert patch.shape == (1, 3, 10, 10)
    assert torch.equal(patch[..., 4:, :6], PHOTO.pixels[..., :6, 58:64])
    assert bool((patch[..., :4, :] == 1).all())
    assert bool((patch[..., 6:] == 1).all())


@pytest.mark.parametrize("kind", ["max", "average", "l2"])
def test_pooling_is_shown_as_it_is(kind):
    before, after = pooled(PHOTO.pixels, settings_for("network", device="cpu"))
    expected = reference.pool(before.double().numpy()[None], kind)[0]
    assert np.allclose(after[kind].numpy(), expected, rtol=1e-4, atol=1e-3)


# --- Figures


@pytest.mark.parametrize("subject", ["content", "style"])
@pytest.mark.parametrize("size", [(64, 40), (20, 160)])
def test_a_sheet_shows_the_picture_and_what_was_painted(subject, size, tmp_path):
    image = Image(pixels=photo_pixels(*size), name="photo.png")
    explanation = impasto.explain(subject, image, layers="relu1_1,relu2_1", iterations=1, **SMALL)
    said = words(explanation.figure)
    for word in ("photo.png", "relu1_1", "relu2_1"):
        assert word in said
    assert (" dB" in said) == (subject == "content")
    assert read(explanation.save(tmp_path / "a.png", dpi=100)).width == 720
    # Nothing hangs over the edge.
    explanation.figure.canvas.draw()
    for text in explanation.figure.texts:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= explanation.figure.bbox.x1, text.get_text()
        assert box.y0 >= 0 and box.y1 <= explanation.figure.bbox.y1, text.get_text()


@pytest.mark.parametrize("subject", ["gram", "network"])
@pytest.mark.parametrize("layers", ["conv4_2", ",".join(f"relu{b}_{i}" for b in range(1, 5) for i in (1, 2)), "pool3"])
def test_any_layers_can_be_explained(subject, layers, tmp_path):
    explanation = impasto.explain(subject, PAINTING, layers=layers, size=64, device="cpu")
    assert [fact["layer"] for fact in explanation.facts] == layers.split(",")
    explanation.save(tmp_path / "a.png")
    for text in explanation.figure.texts:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= explanation.figure.bbox.x1, text.get_text()


def test_a_figure_is_a_file_or_shown_in_a_notebook(tmp_path):
    explanation = impasto.explain("gram", PHOTO, layers="relu1_1", size=64, device="cpu")
    for suffix, begin in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        assert explanation.save(tmp_path / f"a.{suffix}").read_bytes().startswith(begin)
    assert explanation._repr_png_().startswith(b"\x89PNG")


def test_the_detail_is_where_there_is_most_to_see():
    picture = torch.zeros(1, 3, 60, 80)
    picture[..., 20:30, 50:60] = torch.rand((10, 10), generator=torch.Generator().manual_seed(0))
    rows, columns = reconstructions.busiest(picture)
    assert rows.start <= 20 < 30 <= rows.stop
    assert columns.start <= 50 < 60 <= columns.stop


def test_what_is_iterated_can_be_left():
    steps = explaining("content", PHOTO, settings_for("content", **SMALL, iterations=3))
    first = next(steps)
    assert (first.reconstruction.iteration, first.reconstruction.done) == (1, ())


# --- What cannot be


@pytest.mark.parametrize(
    ("subject", "options", "setting", "said"),
    [
        ("contents", {}, "what", "content, style, gram, network"),
        ("gram", {"iterations": 5}, "iterations", "no effect on gram"),
        ("network", {"pooling": "l2"}, "pooling", "all of them are shown"),
        ("content", {"strength": 1}, "strength", "do not take it"),
        ("content", {"size": 31}, "size", "32 to 32768"),
        ("content", {"layers": "relu1_7"}, "layers", "relu1_7"),
        ("style", {"layers": "relu1_1,block1_conv1"}, "layers", "is named twice"),
        ("gram", {"layers": list(LAYERS)[:9]}, "layers", "room for 8"),
    ],
)
def test_what_cannot_be_explained_is_refused_by_name(subject, options, setting, said):
    with pytest.raises(SettingsError, match=said) as caught:
        impasto.explain(subject, PHOTO, **options)
    assert caught.value.setting == setting


def test_a_figure_goes_only_where_one_can(tmp_path):
    with pytest.raises(ImageWriteError, match="suffix"):
        impasto.explain("network", PHOTO, size=64).save(tmp_path / "a.txt")


def test_every_subject_has_defaults_that_settings_allow():
    for subject in SUBJECTS:
        settings = settings_for(subject)
        assert len(features.layers_for(subject, settings)) == 5
        assert set(DEFAULTS) <= set(settings.to_mapping())
