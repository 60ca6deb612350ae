"""Giants: few pictures are kept, the rest is the method; and they are resumed to the very same picture."""

from __future__ import annotations

import pytest
import torch

from impasto import preconditioning
from impasto.checkpoints import Checkpoint
from impasto.initialization import enlarged
from impasto.optimizers import GIANT_PAIRS, LBFGS
from impasto.settings import Settings
from tests.conftest import painting_pixels, photo_pixels
from tests.painting import stylization

SETTINGS = Settings(
    size=64,
    coarse_size=40,
    scales=2,
    iterations=12,
    coarse_iterations=3,
    precision="float32",
    device="cpu",
    content_layers={"relu2_2": 1.0},
    style_layers={"relu1_1": 1.0, "relu2_1": 1.0},
)


@pytest.fixture(autouse=True)
def small_giants(monkeypatch):
    """Pictures of more than 40 × 32 px are giants."""
    monkeypatch.setattr(preconditioning, "GIANT_PIXELS", 40 * 32)


def painted(photo, painting, settings=SETTINGS, **more):
    return stylization(photo(48, 64), [painting(48, 64)], settings, **more)


def test_few_pictures_are_kept(photo, painting):
    checkpoints = [progress.checkpoint() for progress in painted(photo, painting)]
    small, giant = checkpoints[2], checkpoints[-1]
    assert [tensor.dtype for tensor in small.optimizer["steps"]] == [torch.float32] * 2
    assert [tensor.dtype for tensor in giant.optimizer["steps"]] == [torch.bfloat16] * GIANT_PAIRS
    assert len(giant.recent) == 1
    assert len(giant.moved) == 10


def test_a_checkpoint_takes_at_most_twelve_bytes_a_pixel_and_picture(photo, painting, tmp_path):
    *_, last = painted(photo, painting)
    size = last.checkpoint().save(tmp_path / "giant.checkpoint").stat().st_size
    # The picture, its gradient and the pairs; text and the state of the generator beside them.
    pictures = 2 + 2 * GIANT_PAIRS
    text = len(last.checkpoint().recipe.to_json()) + 1000 * len(last.checkpoint().trace) + 20_000
    assert size < 12 * 48 * 64 * pictures + text


@pytest.mark.parametrize("after", [2, 5, 14])
def test_giants_are_resumed_to_the_very_same_picture(photo, painting, tmp_path, after):
    steps = painted(photo, painting)
    *_, at = (next(steps) for _ in range(after))
    at.checkpoint().save(tmp_path / "giant.checkpoint")
    *_, expected = steps
    *_, found = painted(photo, painting, resume=Checkpoint.load(tmp_path / "giant.checkpoint"))
    assert torch.equal(found.preview().pixels, expected.preview().pixels)
    assert found.value == expected.value


def test_giants_end_early_too(photo, painting):
    *_, last = painted(photo, painting, SETTINGS.replace(iterations=40, tolerance=255.0))
    assert last.scale == 1
    # Ten steps tell, by the sum of their lengths.
    assert last.iteration == 10


def test_the_loss_falls_nearly_as_far_with_two_steps_remembered(photo, painting, monkeypatch):
    *_, giant = painted(photo, painting)
    monkeypatch.setattr(preconditioning, "GIANT_PIXELS", 10**9)
    *_, small = painted(photo, painting)
    assert giant.value == pytest.approx(small.value, rel=0.1)


def test_giants_are_enlarged_alike(monkeypatch):
    picture, photograph = painting_pixels(30, 40), photo_pixels(48, 64)
    giant = enlarged(picture, photograph, SETTINGS, torch.Generator().manual_seed(0))
    monkeypatch.setattr(preconditioning, "GIANT_PIXELS", 10**9)
    small = enlarged(picture, photograph, SETTINGS, torch.Generator().manual_seed(0))
    torch.testing.assert_close(giant, small, rtol=0, atol=1e-6)


def test_the_memory_of_giants_keeps_the_last_pairs():
    optimizer = LBFGS(20)
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        step = torch.randn(1, 3, 20, 20, generator=generator)
        optimizer.memory.add(step, step * 2)
    last = optimizer.memory.steps[-1]
    optimizer.resize((40, 40))
    assert len(optimizer.memory.steps) == GIANT_PAIRS
    expected = torch.nn.functional.interpolate(last, size=(40, 40), mode="bilinear")
    torch.testing.assert_close(optimizer.memory.steps[-1].float(), expected, rtol=0.01, atol=0.01)
