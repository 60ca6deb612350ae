"""On a GPU the method paints what it paints on a CPU: in either number type, and from a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import impasto
from impasto import devices
from impasto.checkpoints import Checkpoint
from impasto.images import Image

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
