"""The quality metrics: where they are 0 and 1, their formulas against NumPy, and the order of pictures.

Tolerances: sorting and interpolation are in float32, on a few thousand values near 1: 1e-4 relative.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

import impasto
from impasto import assets, metrics
from impasto.errors import SettingsError
from impasto.images import Image, read, resize
from impasto.metrics import Judge, content_distance, edge_distance, sliced_wasserstein, style_distance

SIZE = (96, 128)


def sample(name: str, size: tuple[int, int] = SIZE) -> Image:
    whole = read(assets.sample(name).path)
    return replace(whole, pixels=resize(whole.pixels, size))


@pytest.fixture(scope="module")
def photograph() -> Image:
    return sample("neuschwanstein")


@pytest.fixture(scope="module")
def painting() -> Image:
    return sample("starry_night")


@pytest.fixture(scope="module")
def judge(photograph: Image, painting: Image) -> Judge:
    return Judge(photograph, [painting])


def test_the_photograph_is_far_in_style_and_near_in_content(judge: Judge, photograph: Image) -> None:
    judgement = judge.judge(photograph)
    assert judgement.style == pytest.approx(1.0)
    assert judgement.content == pytest.approx(0.0, abs=1e-5)
    assert judgement.edges == pytest.approx(0.0, abs=1e-5)
    assert judgement.artifacts == ()


def test_a_thing_of_the_painting_is_a_fault(judge: Judge, photograph: Image, painting: Image) -> None:
    planted = photograph.pixels.clone()
    # The cypress, elsewhere than in the painting.
    planted[..., 8:80, 70:114] = painting.pixels[..., 24:96, 8:52]
    found = judge.judge(replace(photograph, pixels=planted))
    assert found.things > 0.4
    (thing,) = (artifact for artifact in found.artifacts if artifact.kind == "thing of the painting")
    assert (thing.amount, thing.limit) == (found.things, 0.3)
    assert "largest_form" in str(thing)


def test_colors_and_brushwork_are_no_thing_of_the_painting(judge: Judge, photograph: Image, painting: Image) -> None:
    colors = painting.pixels.mean((2, 3), keepdim=True)
    tinted = replace(photograph, pixels=(0.6 * photograph.pixels + 0.4 * colors).clamp(0, 1))
    strokes = painting.pixels[..., 8:40, 72:104].repeat(1, 1, 3, 4) - colors
    brushed = replace(photograph, pixels=(photograph.pixels + 0.5 * strokes).clamp(0, 1))
    assert judge.judge(photograph).things == 0.0
    assert judge.judge(tinted).things < 0.1
    assert judge.judge(brushed).things < 0.2


def test_a_thing_that_the_photograph_shows_too_is_not_taken(painting: Image) -> None:
    assert Judge(painting, [painting]).judge(painting).things == pytest.approx(0.0, abs=1e-5)


def test_the_painting_is_near_in_style_and_far_in_content(judge: Judge, painting: Image) -> None:
    judgement = judge.judge(painting)
    assert judgement.style == pytest.approx(0.0, abs=1e-5)
    assert 0.7 < judgement.content < 1.2
    assert 0.5 < judgement.edges < 1.2


def test_a_pastiche_lies_between(judge: Judge, photograph: Image, painting: Image) -> None:
    weak, strong = (
        impasto.stylize(
            photograph, painting, size=128, strength=strength, iterations=6, coarse_iterations=10, device="cpu"
        )
        for strength in (0.2, 0.7)
    )
    near, far = judge.judge(weak.image), judge.judge(strong.image)
    assert 0.0 < far.style < near.style < 1.0
    assert 0.0 < near.content < far.content < 1.0
    assert 0.0 < near.edges < far.edges < 1.2


def test_the_same_pictures_give_the_same_numbers(judge: Judge, photograph: Image, painting: Image) -> None:
    picture = Image(pixels=0.5 * photograph.pixels + 0.5 * painting.pixels)
    state = torch.random.get_rng_state()
    assert judge.judge(picture) == Judge(photograph, [painting]).judge(picture)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_picture_of_another_size_is_compared_at_its_own(judge: Judge, photograph: Image) -> None:
    half = Image(pixels=resize(photograph.pixels, (48, 64)))
    judgement = judge.judge(half)
    assert judgement.style == pytest.approx(1.0)
    assert judgement.content == pytest.approx(0.0, abs=1e-5)


def test_several_paintings_count_alike(photograph: Image, painting: Image) -> None:
    other = sample("the_scream")
    picture = Image(pixels=0.5 * photograph.pixels + 0.5 * painting.pixels)
    alone = [Judge(photograph, [one]).judge(picture).style for one in (painting, other)]
    assert Judge(photograph, [painting, other]).judge(picture).style == pytest.approx(sum(alone) / 2)


def test_faults_are_part_of_the_judgement(judge: Judge, photograph: Image) -> None:
    dead = photograph.pixels.clone()
    dead[..., 20:80, 20:100] = 0.0
    assert "dead area" in [artifact.kind for artifact in judge.judge(Image(pixels=dead)).artifacts]


def test_a_picture_that_is_not_finite_has_no_distances(judge: Judge, photograph: Image) -> None:
    broken = photograph.pixels.clone()
    broken[0, 0, 0, 0] = float("nan")
    judgement = judge.judge(Image(pixels=broken))
    assert [artifact.kind for artifact in judgement.artifacts] == ["not a number"]
    assert np.isnan([judgement.style, judgement.content, judgement.edges]).all()


def test_what_cannot_be_judged(judge: Judge, photograph: Image) -> None:
    with pytest.raises(SettingsError, match="too small"):
        judge.judge(Image(pixels=torch.zeros(1, 3, 31, 200)))
    with pytest.raises(SettingsError, match="no painting"):
        Judge(photograph, [])


def test_in_one_line(photograph: Image, painting: Image, judge: Judge) -> None:
    pastiche = impasto.stylize(photograph, painting, size=48, scales=1, iterations=2, device="cpu")
    assert impasto.judge(photograph, painting, pastiche) == judge.judge(pastiche.image)
    assert impasto.judge(photograph, [painting], pastiche.image) == judge.judge(pastiche.image)


# --- The distances


def drawn(seed: int, channels: int = 5, size: tuple[int, int] = (12, 10)) -> Tensor:
    return torch.randn((1, channels, *size), generator=torch.Generator().manual_seed(seed))


def test_sliced_wasserstein_is_the_distance_of_sorted_projections() -> None:
    one, other = drawn(1), 2 * drawn(2) + 1
    axes = torch.randn((5, 64), generator=torch.Generator().manual_seed(0)).numpy()
    axes /= np.linalg.norm(axes, axis=0)
    ordered = [np.sort(f[0].flatten(1).T.numpy() @ axes, axis=0) for f in (one, other)]
    places = np.linspace(0, len(ordered[0]) - 1, 1024)
    quantiles = [np.stack([np.interp(places, np.arange(len(o)), column) for column in o.T], axis=1) for o in ordered]
    expected = np.sqrt(np.mean((quantiles[0] - quantiles[1]) ** 2))
    assert sliced_wasserstein(one, other, directions=64) == pytest.approx(expected, rel=1e-4)


def test_sliced_wasserstein_knows_no_places() -> None:
    features = drawn(3)
    shuffled = features.flatten(2)[..., torch.randperm(120, generator=torch.Generator().manual_seed(1))].view(
        features.shape
    )
    assert sliced_wasserstein(features, shuffled) == pytest.approx(0.0, abs=1e-6)
    # The distance of a shift is its length along the directions: |s| / √channels, on average over directions.
    assert sliced_wasserstein(features, features + 3.0) == pytest.approx(3.0, rel=0.1)


def test_style_distance_averages_shares() -> None:
    near, far, target = ({layer: drawn(seed) for layer in metrics.STYLE_LAYERS} for seed in (4, 5, 6))
    near = {layer: 0.5 * (near[layer] + target[layer]) for layer in near}
    shares = [
        sliced_wasserstein(near[layer], target[layer]) / sliced_wasserstein(far[layer], target[layer])
        for layer in metrics.STYLE_LAYERS
    ]
    assert style_distance(near, far, [target]) == pytest.approx(np.mean(shares))
    assert style_distance(target, target, [target]) == 0.0
    assert style_distance(near, target, [target]) == np.inf


def test_content_distance_is_one_less_the_cosine_of_centred_features() -> None:
    one, other = drawn(7), drawn(8)
    a, b = (f.numpy()[0] - f.numpy()[0].mean((1, 2), keepdims=True) for f in (one, other))
    cosine = (a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0))
    features = (dict.fromkeys(metrics.CONTENT_LAYERS, f) for f in (one, other))
    assert content_distance(*features) == pytest.approx(1 - cosine.mean(), rel=1e-4)


def test_content_distance_ignores_what_style_shifts() -> None:
    features = {layer: drawn(9) for layer in metrics.CONTENT_LAYERS}
    shifted = {layer: 3 * f + 5 for layer, f in features.items()}
    assert content_distance(shifted, features) == pytest.approx(0.0, abs=1e-5)


def test_edges_are_where_they_were(photograph: Image) -> None:
    pixels = photograph.pixels
    assert edge_distance(0.3 + 0.5 * pixels, pixels) == pytest.approx(0.0, abs=1e-4)
    assert edge_distance(pixels.flip(-1), pixels) > 0.5


def test_flat_pictures_are_like_themselves_and_unlike_others(photograph: Image) -> None:
    flat = torch.full_like(photograph.pixels, 0.5)
    assert edge_distance(flat, flat) == edge_distance(flat, 0.5 * flat) == 0.0
    assert edge_distance(flat, photograph.pixels) == pytest.approx(1.0)
    nothing = {layer: torch.zeros(1, 3, 4, 4) for layer in metrics.CONTENT_LAYERS}
    something = {layer: torch.rand(1, 3, 4, 4) for layer in metrics.CONTENT_LAYERS}
    assert content_distance(nothing, nothing) == 0.0
    assert content_distance(nothing, something) == content_distance(something, nothing) == pytest.approx(1.0)
    image = Image(pixels=flat)
    judgement = Judge(image, [photograph]).judge(image)
    assert (judgement.content, judgement.edges, judgement.style) == (0.0, 0.0, pytest.approx(1.0))  # type: ignore[comparison-overlap]


def test_the_layers_are_not_those_of_the_default_objective() -> None:
    settings = impasto.Settings()
    used = {*settings.content_layers, *settings.style_layers}
    assert not used & {*metrics.STYLE_LAYERS, *metrics.CONTENT_LAYERS}
