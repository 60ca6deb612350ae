"""The fast engine: the network, strips against the whole, files that are no models, training that resumes."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import impasto
from impasto.backbones import VGG19
from impasto.errors import ImageReadError, ImpastoWarning, ModelError, OptimizationError, SettingsError
from impasto.fast import FastModel, strips
from impasto.fast.dataset import PictureDataset
from impasto.fast.network import (
    COLORS,
    MARGIN,
    Enlarging,
    Network,
    NetworkArchitecture,
    bordered,
    color_of,
    mirrored,
    normalized,
    recolored,
)
from impasto.fast.predictor import STATISTICS, Predictor, style_statistics
from impasto.fast.runs import Run
from impasto.fast.trainable import Model
from impasto.fast.trainer import Trainer
from impasto.fast.training import Training

SMALL = NetworkArchitecture(fine=4, middle=8, coarse=8, blocks=1)


def condition(size: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    found = 0.3 * torch.randn(1, size, generator=generator)
    found[:, -COLORS:] = torch.tensor([0.8, 0.9, 0.1, 0.0, 0.3, 0.1, 0.05])
    return found


@pytest.fixture
def network() -> Network:
    torch.manual_seed(1)
    return Network(SMALL).eval().requires_grad_(False)


@pytest.fixture
def model(network: Network) -> FastModel:
    size = network.architecture.condition_size
    table = {"night": condition(size)[0], "noon": condition(size, 1)[0]}
    return FastModel(name="small", network=network, photo=torch.zeros(size), table=table, card={"steps": 3})


def photo(height: int = 37, width: int = 50, seed: int = 3) -> torch.Tensor:
    coarse = torch.rand(1, 3, 6, 7, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")


def test_instance_normalisation_is_what_numpy_says():
    x = torch.randn(2, 3, 5, 6, dtype=torch.float64)
    scale, shift = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    a = x.numpy()
    mean, variance = a.mean((2, 3), keepdims=True), a.var((2, 3), keepdims=True)
    expected = (a - mean) / np.sqrt(variance + 1e-5) * scale.numpy()[..., None, None] + shift.numpy()[..., None, None]
    np.testing.assert_allclose(normalized(x, scale, shift).numpy(), expected, atol=1e-12)


def test_recolouring_gives_the_paintings_mean_and_deviation_on_opponent_axes():
    photograph, painting = photo().double(), photo(seed=9).double() ** 2
    color = color_of(painting)[None]
    axes = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
    before, after, wanted = (
        axes @ picture[0].flatten(1).numpy() for picture in (photograph, recolored(photograph, color), painting)
    )
    np.testing.assert_allclose(after.mean(1), wanted.mean(1), atol=1e-9)
    # What is added to the photograph's deviation makes the result's less than the painting's, by a known share.
    own = np.sqrt(before.var(1) + 1e-8)
    np.testing.assert_allclose(after.std(1), wanted.std(1, ddof=1) * before.std(1) / (own + 0.03), atol=1e-9)


def test_no_colour_in_the_condition_leaves_colours_alone():
    torch.testing.assert_close(recolored(photo(), torch.zeros(1, COLORS)), photo(), atol=1e-6, rtol=0)


def test_enlarging_is_interpolation_and_a_convolution():
    torch.manual_seed(0)
    enlarging = Enlarging(5, 3).double()
    small = torch.rand(2, 5, 9, 7, dtype=torch.float64)
    large = F.interpolate(small, scale_factor=2.0, mode="bilinear", align_corners=False)
    right = F.conv2d(large, enlarging.weight, enlarging.bias, padding=1)
    # At the border interpolation repeats the last pixel, where the convolution of the small map sees the mirrored one.
    torch.testing.assert_close(F.pixel_shuffle(enlarging(small), 2)[..., 2:-2, 2:-2], right[..., 2:-2, 2:-2])


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (20, 23), (24, 41), (60, 61)])
def test_a_border_is_mirrored_however_small_the_picture(size):
    picture = photo(*size)
    positions = [mirrored(torch.arange(-MARGIN, side + MARGIN + -side % 4), side) for side in size]
    assert torch.equal(bordered(picture), picture.index_select(-2, positions[0]).index_select(-1, positions[1]))


def test_a_mirror_does_not_repeat_the_border():
    assert mirrored(torch.arange(-3, 7), 4).tolist() == [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]
    assert mirrored(torch.arange(-2, 3), 1).tolist() == [0] * 5
    assert all(side % 4 == 0 for side in bordered(photo(17, 22)).shape[-2:])


def test_nothing_tells_the_network_where_the_picture_ends(network):
    network.grain.weight.zero_()
    flat = network(torch.full((1, 3, 41, 70), 0.4), condition(SMALL.condition_size))
    torch.testing.assert_close(flat, flat.mean((-2, -1), keepdim=True).expand_as(flat), atol=1e-4, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_not_woven(seed):
    """The mean over the whole picture of each pixel's value by its place among 4 × 4."""
    torch.manual_seed(seed)
    network = Network(SMALL).eval()
    with torch.no_grad():
        out = network.brushwork(torch.rand(1, 3, 512, 512), condition(SMALL.condition_size, seed))
    pattern = out.unfold(-2, 4, 4).unfold(-2, 4, 4).mean((-4, -3))
    assert pattern.shape == (1, 3, 4, 4)
    # Ten times as much where the four pixels that stand for one are normalised together.
    assert (pattern - pattern.mean((-2, -1), keepdim=True)).abs().max() < 0.003 * out.std()


def test_a_flat_sky_gets_texture_and_no_lattice(network):
    network.grain.weight.fill_(0.5)
    with torch.no_grad():
        flat, again = (network(torch.full((1, 3, 256, 256), 0.4), condition(SMALL.condition_size)) for _ in range(2))
    assert torch.equal(flat, again)
    lattice = flat.unfold(-2, 4, 4).unfold(-2, 4, 4).mean((-4, -3))
    assert lattice.std((-2, -1)).max() < 0.1 * flat.std((-2, -1)).min()


def test_noise_hangs_on_its_place_and_repeats(network):
    columns = torch.arange(290)
    whole = network.grain.plane(torch.arange(300), columns)
    assert torch.equal(network.grain.plane(torch.arange(90, 140), columns), whole[:, :, 90:140])
    assert torch.equal(whole[:, :, 128:256, 128:256], network.grain.noise)


def test_noise_is_drawn_for_training(network):
    picture, its = photo(), condition(SMALL.condition_size)
    drawn = [
        network(picture, its, noise=network.noise([torch.Generator().manual_seed(seed)], picture.shape[-2:]))
        for seed in (0, 0, 1)
    ]
    assert torch.equal(drawn[0], drawn[1])
    assert (drawn[0] - drawn[2]).abs().max() > 0.01


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 23), (64, 48)])
def test_any_size_is_painted_at_its_own(network, size):
    out = network(photo(*size), condition(SMALL.condition_size))
    assert out.shape == (1, 3, *size)
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("size", [(16, 16), (43, 70), (537, 18), (20, 530)])
@pytest.mark.parametrize("positions", [300, 1 << 20])
def test_strips_give_what_the_whole_gives(network, size, positions, monkeypatch):
    monkeypatch.setattr(strips, "_POSITIONS", positions)
    whole = network(photo(*size), condition(SMALL.condition_size)).clamp(0, 1)
    torch.testing.assert_close(
        strips.paint(network, photo(*size), condition(SMALL.condition_size)), whole, atol=2e-5, rtol=0
    )


def test_a_batch_is_painted_as_its_pictures_are(network):
    pictures = torch.cat([photo(), photo(seed=8)])
    conditions = torch.cat([condition(SMALL.condition_size), condition(SMALL.condition_size, 1)])
    together = network(pictures, conditions)
    for index in range(2):
        alone = network(pictures[index : index + 1], conditions[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone, atol=1e-5, rtol=0)


def test_a_model_survives_its_file(model, tmp_path):
    again = FastModel.load(model.save(tmp_path / "small.safetensors"))
    assert again.styles == ("night", "noon")
    assert again.card == {"steps": 3}
    assert again.name == "small"
    one, other = (m.stylize(photo(), "noon", precision="float32").pixels for m in (model, again))
    # Half precision is kept: 11 significant bits.
    torch.testing.assert_close(one, other, atol=5e-3, rtol=0)


def test_strength_goes_from_the_photograph_to_the_style(model):
    assert torch.equal(model.blended(["night"], strength=0.0), model.photo)
    assert torch.equal(model.blended(["night"]), model.table["night"])
    torch.testing.assert_close(
        model.blended(["night", "noon"], blend=(3, 1)), 0.75 * model.table["night"] + 0.25 * model.table["noon"]
    )


def test_strips_may_take_the_photographs_memory(network, monkeypatch):
    monkeypatch.setattr(strips, "_POSITIONS", 300)
    whole = strips.paint(network, photo(60, 40), condition(SMALL.condition_size))
    given = photo(60, 40)
    assert strips.paint(network, given, condition(SMALL.condition_size), in_place=True) is given
    assert torch.equal(given, whole)


def test_large_pictures_take_strips_and_small_ones_do_not(model, monkeypatch):
    taken = []
    original = strips.paint
    monkeypatch.setattr(strips, "paint", lambda *given, **more: taken.append(1) or original(*given, **more))
    monkeypatch.setattr("impasto.fast.models._STRIPS_FROM", 60 * 60)
    model.stylize(photo(60, 60), "night")
    assert not taken
    model.stylize(photo(60, 61), "night")
    assert taken


@pytest.mark.parametrize(
    ("styles", "options", "words"),
    [
        (["nigth"], {}, "did you mean night"),
        ([], {}, "at least one"),
        (["night"], {"strength": 1.5}, "0 to 1"),
        (["night"], {"blend": (1, 2)}, "2 shares for 1"),
        (["night"], {"blend": (-1,)}, "at least 0"),
    ],
)
def test_wrong_styles_and_shares_say_what_to_do(model, styles, options, words):
    with pytest.raises(SettingsError, match=words):
        model.blended(styles, **options)


@pytest.mark.promise("no-pickles")
def test_what_is_no_model_is_refused_in_words(model, tmp_path):
    good = model.save(tmp_path / "good.safetensors")
    header = {"format": "impasto-fast", "version": "3", "architecture": "{}", "styles": "[]", "card": "{}"}
    files = {
        "pickle.safetensors": pickle.dumps({"network": 1}),
        "short.safetensors": good.read_bytes()[:-1000],
        "empty.safetensors": b"",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ModelError, match=f"{name} cannot be read as a model"):
            FastModel.load(tmp_path / name)
    tensors = {"a": torch.zeros(2)}
    for about, words in (
        ({}, "not those of a fast model"),
        ({**header, "version": "9"}, "has version 9"),
        (header, "is damaged"),
        ({**header, "architecture": json.dumps({"wings": 2})}, "is damaged"),
    ):
        save_file(tensors, tmp_path / "other.safetensors", about)
        with pytest.raises(ModelError, match=words):
            FastModel.load(tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="did you mean any"):
        FastModel.load("anny")


def test_weights_that_are_not_numbers_are_refused(model, tmp_path):
    model.photo[3] = float("nan")
    with pytest.raises(ModelError, match="not finite numbers"):
        FastModel.load(model.save(tmp_path / "nan.safetensors"))


def test_a_predictor_begins_with_the_paintings_colours():
    predictor = Predictor(SMALL.condition_size)
    statistics = torch.rand(4, STATISTICS)
    predictor.fit_range(statistics)
    conditions = predictor(statistics)
    assert torch.equal(conditions[:, -COLORS:], statistics[:, -COLORS:])
    assert not conditions[:, :-COLORS].any()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    (photos / "deeper").mkdir(parents=True)
    for seed, place in enumerate(("a.png", "b.png", "deeper/c.png")):
        impasto.Image(pixels=photo(80, 96, seed)).save(photos / place)
    (photos / "bad.jpg").write_bytes(b"not a picture")
    (photos / "notes.txt").write_text("not even a name for one")
    return photos


def test_pictures_that_cannot_be_read_are_named_and_left_out(folder):
    pictures = PictureDataset([folder])
    assert [path.name for path in pictures.paths] == ["a.png", "b.png", "bad.jpg", "c.png"]
    with pytest.warns(ImpastoWarning, match="bad.jpg is left out"):
        assert pictures[2].name == "c.png"
    assert pictures[2].name == "c.png"


def test_a_folder_without_pictures(tmp_path):
    with pytest.raises(ImageReadError, match="there is no picture in it"):
        PictureDataset([tmp_path])
    (tmp_path / "x.png").write_bytes(b"no picture")
    with pytest.warns(ImpastoWarning), pytest.raises(ImageReadError, match="none can be read"):
        PictureDataset([tmp_path])[0]


def test_crops_are_drawn_by_the_generator_alone(folder):
    (folder / "bad.jpg").unlink()
    one, other = (PictureDataset([folder]).crop(32, torch.Generator().manual_seed(5)) for _ in range(2))
    assert one.shape == (1, 3, 32, 32)
    assert torch.equal(one, other)
    assert not torch.equal(one, PictureDataset([folder]).crop(32, torch.Generator().manual_seed(6)))


def trainer(folder: Path, steps: int = 4, seed: int = 1, **training: Any) -> Trainer:
    torch.manual_seed(seed)
    painting = impasto.Image(pixels=photo(64, 64, 7), name="p")
    contents = PictureDataset([folder / "a.png", folder / "b.png"])
    return Trainer(
        Model(SMALL, styles=1),
        [painting],
        contents,
        Training(steps=steps, side=64, **{"batch": 2, "identity": 0.3, **training}),
        precision="float32",
    )


def run_of(folder: Path, path: Path, **training: Any) -> Run:
    return Run(
        trainer=trainer(folder, **training),
        path=path,
        names=["p"],
        held_out=PictureDataset([folder / "a.png"]),
        every=2,
    )


def test_training_lowers_the_loss(folder):
    losses = [learned.value for learned in trainer(folder, 30, identity=0.0, learning_rate=0.01).run()]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_what_is_judged_lies_anywhere_in_the_crop(folder):
    windows, training = [], trainer(folder)
    for training.step in range(200):
        drawn = training._draw(0)
        windows.append(drawn.window)
    for places in zip(*windows, strict=True):
        assert set(places) == set(range(16))


def test_every_crop_has_noise_of_its_own(folder):
    training = trainer(folder, identity=0.0, steadiness=0.0)
    seen = []
    training.model.network.grain.register_forward_pre_hook(lambda _, given: seen.extend(given[0]))
    steps = training.run()
    next(steps), next(steps)
    assert len({float(plane.sum()) for plane in seen}) == len(seen) == 4


@pytest.mark.parametrize("identity", [0.0, 1.0])
def test_only_the_window_is_judged(folder, identity):
    training = trainer(folder, identity=identity, steadiness=0.0)
    gradients: list[torch.Tensor] = []
    forward = training._parallel.forward

    def watched(*given):
        pastiches = forward(*given)
        pastiches.register_hook(gradients.append)
        return pastiches

    training._parallel.forward = watched  # type: ignore[method-assign]
    next(training.run())
    training.step = 0
    for place, gradient in enumerate(gradients[0]):
        top, left = training._draw(place).window
        side = training.training.side_at(0)
        inside = gradient[:, top : top + side, left : left + side].abs().sum()
        assert inside > 0
        assert gradient.abs().sum() == pytest.approx(float(inside))


def test_what_judges_sees_no_border_and_what_reads_a_style_reads_as_the_model_does(folder):
    training = trainer(folder)
    flat = torch.tensor([0.8, 0.3, 0.5]).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    content = training.styles.objective(0, flat).content["relu4_2"]
    inside = content[..., 3:4, 3:4]
    torch.testing.assert_close(content, inside.expand_as(content), rtol=0, atol=1e-4 * float(content.abs().max()))
    painting = training.styles.paintings[0]
    expected = style_statistics(VGG19("relu4_1"), painting)
    torch.testing.assert_close(training.styles.statistics([0])[0], expected)


def test_training_that_was_stopped_gives_what_it_would_have_given(folder, tmp_path):
    straight = run_of(folder, tmp_path / "straight.safetensors")
    for _ in straight.steps():
        pass
    expected = straight.finish({})
    stopped = run_of(folder, tmp_path / "stopped.safetensors")
    for report in stopped.steps():
        if report.learned.step == 3:
            # Killed one step after the checkpoint.
            break
    # The weights that it began with do not matter any more.
    resumed = run_of(folder, tmp_path / "stopped.safetensors", seed=99)
    assert resumed.resume()
    assert resumed.trainer.step == 2
    for _ in resumed.steps():
        pass
    actual = resumed.finish({})
    for name, value in expected.network.state_dict().items():
        assert torch.equal(value, actual.network.state_dict()[name]), name
    assert torch.equal(expected.table["p"], actual.table["p"])
    assert not resumed.checkpoint.exists()
    for name in ("straight.safetensors", "straight-000004.png", "straight-losses.csv", "straight-losses.png"):
        assert (tmp_path / name).exists()


def test_what_a_training_will_write_is_known_before_it_begins(folder, tmp_path):
    def names(run):
        return [path.relative_to(tmp_path).as_posix() for path in run.outputs()]

    run = run_of(folder, tmp_path / "m.safetensors", steps=5)
    written = names(run)
    assert written == [
        *("m.safetensors", "m-losses.csv", "m-losses.png"),
        *("m-000002.png", "m-000004.png", "m-000005.png"),
    ]
    for report in run.steps():
        if report.learned.step == 3:
            break
    resumed = run_of(folder, tmp_path / "m.safetensors", steps=5)
    assert resumed.resume()
    assert names(resumed) == ["m.safetensors", "m-000004.png", "m-000005.png"]
    list(resumed.steps())
    resumed.finish({})
    assert sorted(path.name for path in tmp_path.glob("m*")) == sorted(written)


def test_losses_after_the_checkpoint_are_forgotten(folder, tmp_path):
    stopped = run_of(folder, tmp_path / "m.safetensors")
    for report in stopped.steps():
        if report.learned.step == 3:
            break
    losses = tmp_path / "m-losses.csv"
    with losses.open("a") as file:
        # What a kill in the middle of a line, or a power cut, leaves.
        file.write("1\n\n\0\0")
    resumed = run_of(folder, tmp_path / "m.safetensors")
    assert resumed.resume()
    assert [line.partition(",")[0] for line in losses.read_text().splitlines()] == ["step", "1", "2"]
    list(resumed.steps())
    assert [line.partition(",")[0] for line in losses.read_text().splitlines()] == ["step", "1", "2", "3", "4"]


def test_losses_that_were_emptied_are_begun_anew(folder, tmp_path):
    run = run_of(folder, tmp_path / "m.safetensors")
    next(run.steps())
    run.save()
    losses = tmp_path / "m-losses.csv"
    losses.write_text("")
    resumed = run_of(folder, tmp_path / "m.safetensors")
    assert resumed.resume()
    list(resumed.steps())
    assert [line.partition(",")[0] for line in losses.read_text().splitlines()] == ["step", "2", "3", "4"]


def test_pixels_and_colours_are_float32_in_training(folder):
    training = trainer(folder, identity=0.0)
    training.dtype = torch.bfloat16
    seen: dict[str, torch.dtype] = {}
    network = training.model.network
    network.down.register_forward_hook(lambda *given: seen.update(features=given[2].dtype))
    network.last.register_forward_hook(lambda *given: seen.update(pixels=given[2].dtype))
    next(training.run())
    assert seen == {"features": torch.bfloat16, "pixels": torch.float32}
    painted = network(photo(64, 64, 1), torch.zeros(1, SMALL.condition_size), dtype=torch.bfloat16)
    assert painted.dtype == torch.float32
    with torch.no_grad():
        network.last.weight.zero_()
        network.last.bias.zero_()
        # Nothing is added and no colour changed: bfloat16 would show in the third digit.
        torch.testing.assert_close(
            network(photo(64, 64, 1), torch.zeros(1, SMALL.condition_size), dtype=torch.bfloat16), photo(64, 64, 1)
        )


def test_a_painting_is_looked_at_in_the_numbers_asked_for():
    model = FastModel.load("any")
    painting = impasto.Image(pixels=photo(64, 64, 7), name="p")
    looks = [model.blended([painting], precision=precision) for precision in ("float32", "bfloat16")]
    assert not torch.equal(*looks)
    torch.testing.assert_close(*looks, rtol=0.2, atol=0.2)


def test_parts_of_a_batch_give_what_the_whole_gives(folder):
    whole, parts = trainer(folder, accumulate=1), trainer(folder, accumulate=2)
    for one, other in zip(whole.run(), parts.run(), strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-4)


def test_a_checkpoint_of_other_settings_is_refused(folder, tmp_path):
    run = run_of(folder, tmp_path / "m.safetensors")
    next(run.steps())
    run.save()
    with pytest.raises(ModelError, match=r"other settings or pictures \(training\)"):
        run_of(folder, tmp_path / "m.safetensors", batch=4).resume()
    another = run_of(folder, tmp_path / "m.safetensors")
    another.base = "brushes"
    with pytest.raises(ModelError, match=r"other settings or pictures \(base\)"):
        another.resume()
    run.checkpoint.write_bytes(b"x")
    with pytest.raises(ModelError, match="cannot be read"):
        run_of(folder, tmp_path / "m.safetensors").resume()


def test_a_step_that_is_not_a_number_is_taken_back(folder):
    training = trainer(folder, 20, identity=0.0)
    before = {name: value.clone() for name, value in training.model.state_dict().items()}
    with torch.no_grad():
        training.model.network.last.bias.fill_(float("nan"))
    steps = training.run()
    with pytest.warns(ImpastoWarning, match="step 1 was skipped: its gradient is not finite"):
        first = next(steps)
    assert first.failed
    with torch.no_grad():
        training.model.network.last.bias.copy_(before["network.last.bias"])
    assert all(torch.equal(value, before[name]) for name, value in training.model.state_dict().items())
    assert not next(steps).failed
    with torch.no_grad():
        training.model.network.last.bias.fill_(float("nan"))
    with pytest.warns(ImpastoWarning) as said, pytest.raises(OptimizationError, match=r"were skipped.*not finite"):
        list(steps)
    assert len(said) == 9


def test_a_loss_that_is_not_a_number_is_taken_back_whatever_its_gradient(folder):
    training = trainer(folder, identity=0.0)
    with torch.no_grad():
        # The loss is beyond float32, and its gradient is not.
        training.model.network.last.bias.fill_(1e8)
    before = training.model.network.first.weight.detach().clone()
    with pytest.warns(ImpastoWarning, match="was skipped: its gradient is not finite"):
        assert next(training.run()).failed
    assert torch.equal(training.model.network.first.weight, before)


def test_a_batch_that_cannot_be_shared(folder):
    with pytest.raises(SettingsError, match="choose a multiple"):
        trainer(folder, batch=3, accumulate=2)


def test_the_rate_rises_and_falls():
    training = Training(steps=100, learning_rate=1.0)
    rates = [training.rate(step) for step in range(100)]
    assert rates[0] == 0.5
    assert max(rates) == 1.0
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] < 0.02
