"""Image, and resize against a NumPy reference."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest
import torch

from impasto.errors import ImageError
from impasto.images import (
    Image,
    as_image,
    resize,
)
from tests.images.drawing import (
    HEIGHT,
    WIDTH,
    scene,
)


def cubic_weights(old: int, new: int) -> np.ndarray:
    """Keys' cubic with a = −½, widened by the scale where it shrinks: the rows are new pixels, the columns old ones."""
    scale = old / new
    width = max(scale, 1.0)
    weights = np.zeros((new, old))
    for row in range(new):
        distance = np.abs((np.arange(old) + 0.5) - (row + 0.5) * scale) / width
        near = (1.5 * distance - 2.5) * distance**2 + 1
        far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
        weights[row] = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("size", [(5, 7), (20, 28), (13, 6), (10, 40)])
def test_resize_is_the_antialiased_cubic(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(5).random((3, HEIGHT, WIDTH))
    down, across = cubic_weights(HEIGHT, size[0]), cubic_weights(WIDTH, size[1])
    expected = np.clip(np.einsum("ij,cjk,lk->cil", down, noise, across), 0, 1)
    resized = resize(torch.from_numpy(noise)[None], size)
    np.testing.assert_allclose(resized[0].numpy(), expected, atol=1e-9)
    single = resize(torch.from_numpy(noise)[None].float(), size)
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single[0].numpy(), expected, atol=1e-5)


def test_resize_to_the_same_size_is_the_same_tensor() -> None:
    pixels = torch.rand(1, 3, 9, 12)
    assert resize(pixels, (9, 12)) is pixels
    image = Image(pixels, name="x")
    assert image.resized((4, 5)).size == (4, 5)
    assert image.resized((4, 5)).name == "x"


def test_resize_stays_in_range_and_takes_masks() -> None:
    checkers = (torch.arange(64)[:, None] + torch.arange(64)) % 2
    fine = checkers.float()[None, None]
    shrunk = resize(fine, (8, 8))
    # A filter without antialiasing would pick single squares of the board.
    assert float((shrunk - 0.5).abs().max()) < 0.05
    grown = resize(fine, (100, 100))
    assert 0 <= float(grown.min()) <= float(grown.max()) <= 1


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (2.5, 3)])
def test_resize_refuses_what_is_no_size(size: tuple[int, int]) -> None:
    with pytest.raises((ImageError, TypeError)):
        resize(torch.rand(1, 3, 9, 12), size)


def test_image_checks_its_pixels() -> None:
    for pixels in (torch.zeros(3, 4, 4), torch.zeros(1, 1, 4, 4), torch.zeros(1, 3, 4, 4, dtype=torch.float64)):
        with pytest.raises((ImageError, TypeError)):
            Image(pixels)
    with pytest.raises(ImageError, match="bit_depth"):
        Image(torch.zeros(1, 3, 4, 4), bit_depth=12)


def test_image_shows_itself() -> None:
    image = Image(torch.rand(1, 3, 100, 2000), name="wide.png")
    assert repr(image) == "Image('wide.png', 100 × 2000, no file, 8 bits)"
    with PIL.Image.open(io.BytesIO(image._repr_png_())) as shown:
        assert shown.size == (1024, 51)
    small = as_image(scene())
    with PIL.Image.open(io.BytesIO(small._repr_png_())) as shown:
        assert shown.size == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(np.asarray(small.to_pil()), scene())
