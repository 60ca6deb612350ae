"""What a convolution sees beyond the border, against NumPy's padding."""

from typing import Any

import numpy as np
import pytest
import torch

from impasto.backbones.borders import bordered

MODES: dict[str, Any] = {"replicate": "edge", "reflect": "reflect", "wrap": "wrap"}


@pytest.mark.parametrize("padding", MODES)
@pytest.mark.parametrize("pixels", [(1, 1), (0, 2), (3, 1)])
def test_borders_are_numpys(padding, pixels):
    x = torch.randn((1, 2, 5, 6), generator=torch.Generator().manual_seed(0))
    down, across = pixels
    around = ((0, 0), (0, 0), (down, down), (across, across))
    expected = np.pad(x.numpy(), around, mode=MODES[padding])
    np.testing.assert_array_equal(bordered(x, padding, pixels).numpy(), expected)


def test_one_pixel_is_the_default_and_channels_lie_together():
    out = bordered(torch.zeros((1, 3, 4, 4)), "replicate")
    assert out.shape == (1, 3, 6, 6)
    assert out.is_contiguous(memory_format=torch.channels_last)


def test_where_there_is_too_little_to_mirror_the_border_is_repeated():
    x = torch.arange(4.0).view(1, 1, 1, 4)
    assert torch.equal(bordered(x, "reflect", (1, 1)), bordered(x, "replicate", (1, 1)))
    assert bordered(x.view(1, 1, 2, 2), "reflect").tolist()[0][0][0] == [3.0, 2.0, 3.0, 2.0]
