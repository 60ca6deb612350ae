"""Windows: those that cover an image cover every layer's map once."""

import pytest
import torch

from impasto.windows import Window


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(64, 96), (61, 91)])
def test_windows_that_cover_an_image_cover_each_map_once(stride, size):
    height, width = size
    cover = torch.zeros(height // stride, width // stride)
    for top, bottom in ((0, 24), (24, height)):
        for left, right in ((0, 48), (48, width)):
            part = Window(top, left, bottom, right).of(cover, stride)
            assert part.numel() > 0
            part += 1
    assert torch.equal(cover, torch.ones_like(cover))


def test_a_window_is_the_same_place_at_every_stride():
    rows = torch.arange(32.0)[:, None].expand(32, 16)
    window = Window(8, 4, 24, 12)
    assert window.of(rows, 1)[:, 0].tolist() == list(range(8, 24))
    assert window.of(rows[::4, ::4], 4)[:, 0].tolist() == [8, 12, 16, 20]
