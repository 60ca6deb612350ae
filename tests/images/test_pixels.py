"""quantize."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from impasto.errors import ImageError
from impasto.images.pixels import quantize


@pytest.mark.parametrize(("bits", "levels"), [(8, 255), (16, 65535)])
def test_quantize_rounds_to_nearest(bits: int, levels: int) -> None:
    values = np.random.default_rng(1).uniform(-0.1, 1.1, (3, 300, 7)).astype(np.float32)
    expected = np.rint(np.clip(values, 0, 1).astype(np.float32) * np.float32(levels)).transpose(1, 2, 0)
    np.testing.assert_array_equal(quantize(torch.from_numpy(values)[None], bits), expected)
    with pytest.raises(ImageError, match="NaN"):
        quantize(torch.full((1, 3, 4, 4), float("nan")))
