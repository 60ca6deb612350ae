"""On a GPU everything gives what it gives on a CPU: objective, method, tiles, fast engine, training and export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import impasto
from impasto import devices, planning
from impasto.backbones import VGG19
from impasto.checkpoints import Checkpoint
from impasto.fast import FastModel
from impasto.fast.network import NetworkArchitecture
from impasto.fast.stacks import PictureStack
from impasto.fast.trainable import Model
from impasto.fast.trainer import Trainer
from impasto.fast.training import Training
from impasto.images import Image
from impasto.objective import StyleTarget, evaluate
from impasto.representations import Moments
from impasto.targets import objective_at

pytestmark = pytest.mark.gpu

#: Small, and in two sizes, so that a picture is enlarged on the device.
QUICK: dict[str, Any] = {"size": 128, "coarse_size": 64, "coarse_iterations": 20, "iterations": 20, "tolerance": 0.0}


@pytest.fixture(scope="module")
def device() -> str:
    return devices.available()[0]


@pytest.fixture(scope="module")
def pair(photo, painting) -> tuple[Image, Image]:
    return photo(96, 128), painting(120, 110)


def difference(one: Image, other: Image) -> float:
    """Root mean square of the difference of two pictures, of which 1 is from black to white."""
    return float((one.pixels - other.pixels).square().mean().sqrt())


def losses(pastiche: impasto.Pastiche) -> list[float]:
    return [point.value for point in pastiche.trace]


def test_the_default_picture_is_that_of_the_cpu(pair, device):
    here, there = (impasto.stylize(*pair, device=name, precision="float32", **QUICK) for name in (device, "cpu"))
    assert here.image.pixels.device == torch.device("cpu")
    # The same sums in another order: alike to the last bits at first, and drifting apart as it descends.
    assert losses(here)[0] == pytest.approx(losses(there)[0], rel=1e-3)
    assert losses(here)[-1] == pytest.approx(losses(there)[-1], rel=0.03)
    assert difference(here.image, there.image) < 0.05


def test_auto_takes_the_gpu(pair, device):
    pastiche = impasto.stylize(*pair, size=64, scales=1, iterations=2)
    assert pastiche.settings.device in (device, device.partition(":")[0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="MPS is asked for float32")
def test_half_precision_is_near_full_precision(pair, device):
    half, full = (impasto.stylize(*pair, device=device, precision=name, **QUICK) for name in ("bfloat16", "float32"))
    assert losses(half)[0] == pytest.approx(losses(full)[0], rel=0.02)
    assert losses(half)[-1] == pytest.approx(losses(full)[-1], rel=0.1)
    assert difference(half.image, full.image) < 0.1


def test_a_checkpoint_goes_on_where_it_was_made(pair: tuple[Image, Image], device: str, tmp_path: Path):
    settings = impasto.Settings(**QUICK, device=device, precision="float32")
    steps = list(impasto.stylization(*pair, settings))
    kept = Checkpoint.load(steps[9].checkpoint().save(tmp_path / "painting.checkpoint"))
    *_, last = impasto.stylization(*pair, settings, resume=kept)
    one, other = last.pastiche(), steps[-1].pastiche()
    # Sums on a GPU may be taken in any order, so not to the last bit.
    assert [point.iteration for point in one.trace] == [point.iteration for point in other.trace]
    assert losses(one)[:10] == losses(other)[:10]
    assert losses(one)[-1] == pytest.approx(losses(other)[-1], rel=0.03)
    assert difference(one.image, other.image) < 0.05


def test_value_and_gradient_are_those_of_float64_on_the_cpu(pair, device):
    content, style = pair
    image, here = content.pixels.flip(-1), torch.device(device)
    ours = objective_at(VGG19("relu5_1").to(here), content.pixels.to(here), [style], impasto.Settings())
    (region,) = ours.regions
    exact = replace(
        ours,
        backbone=VGG19("relu5_1").double(),
        content={layer: target.cpu().double() for layer, target in ours.content.items()},
        regions=[
            StyleTarget(
                style={
                    layer: Moments(*(part.cpu().double() for part in (moments.count, moments.sum, moments.outer)))
                    for layer, moments in region.style.items()
                },
                share=region.share,
            )
        ],
    )
    expected, found = evaluate(exact, image.double()), evaluate(ours, image.to(here))
    assert found.value == pytest.approx(expected.value, rel=1e-3)
    error = (found.gradient.cpu().double() - expected.gradient).norm() / expected.gradient.norm()
    # Convolutions of float32 numbers may be computed with 11 significant bits.
    assert error < 5e-3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="MPS does not tell its peak memory")
@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_memory_is_as_forecast(photo, painting, device, precision):
    content, style = photo(768, 1024), painting(768, 1024)
    settings = impasto.Settings(
        size=1024, scales=1, iterations=3, history=2, tolerance=0.0, device=device, precision=precision
    )
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    list(impasto.stylization(content, style, settings))
    peak = torch.cuda.max_memory_allocated(device)
    # The forecast has the memory of the process besides, and must not be too low: it decides whether to paint in tiles.
    forecast = planning.peak_bytes(content.size, settings)
    assert 0.85 * peak < forecast < 1.5 * peak + 2**29, (peak, forecast)


@pytest.mark.parametrize("in_strips", [False, True])
def test_the_fast_engine_paints_what_it_paints_on_the_cpu(pair, device, in_strips):
    content, style = pair
    model = FastModel.load("any")
    condition = model.blended([style], precision="float32")
    here, there = (
        model.paint(content, condition, device=name, precision="float32", in_strips=in_strips)
        for name in (device, "cpu")
    )
    torch.testing.assert_close(here.pixels, there.pixels, rtol=0, atol=0.01)
    assert difference(here, there) < 1e-3


def trainer(pair: tuple[Image, Image], where: str) -> Trainer:
    content, style = pair
    levels = (content.pixels[..., :96, :96] * 255).byte()
    torch.manual_seed(1)
    model = Model(NetworkArchitecture(fine=4, middle=8, coarse=8, blocks=1))
    device = torch.device(where)
    training = Trainer(
        model,
        [style, content],
        PictureStack(levels, device),
        Training(steps=3, side=64, batch=4, identity=0.3),
        device=device,
        precision="float32",
    )
    training.learn_range()
    return training


def test_a_step_of_training_is_that_of_the_cpu(pair, device):
    here, there = (next(trainer(pair, name).run()) for name in (device, "cpu"))
    assert here.terms.keys() == there.terms.keys()
    for name, value in there.terms.items():
        assert here.terms[name] == pytest.approx(value, rel=0.01, abs=1e-5), name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="only CUDA reports where the CPU waits")
@pytest.mark.filterwarnings("ignore:.*synchroniz.*")
def test_a_step_of_training_does_not_wait_for_the_gpu(pair, device):
    steps = trainer(pair, device).run()
    next(steps)
    torch.cuda.set_sync_debug_mode("error")
    try:
        next(steps)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="only CUDA's optimiser skips a step by itself")
def test_a_step_that_is_not_finite_is_not_made(pair, device):
    training = trainer(pair, device)
    with torch.no_grad():
        training.model.network.last.bias.fill_(float("nan"))
    before = training.model.network.first.weight.detach().clone()
    assert next(training.run()).failed
    assert torch.equal(training.model.network.first.weight, before)


def test_a_model_that_was_trained_on_a_gpu_is_exported(pair, device, tmp_path):
    pytest.importorskip("onnxscript")
    from impasto.fast.export import export
    from impasto.fast.onnx import OnnxModel

    training = trainer(pair, device)
    list(training.run())
    average = {name: value.cpu() for name, value in training.average.items()}
    model = training.model.with_weights(average).finished("gpu", (), {})
    export(model, tmp_path / "gpu.onnx")
    content, style = pair
    condition = model.blended([style], precision="float32")
    exported = OnnxModel.load(tmp_path / "gpu.onnx", threads=1).paint(content.pixels.numpy(), condition.numpy())
    expected = model.paint(content, condition, device=device, precision="float32")
    torch.testing.assert_close(torch.from_numpy(exported), expected.pixels, rtol=0, atol=0.02)
