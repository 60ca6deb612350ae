"""fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.errors import ImageError
from impasto.images import (
    fit,
)


@given(height=st.integers(1, 30_000), width=st.integers(1, 30_000), long_side=st.integers(1, 30_000))
def test_fit_keeps_the_aspect(height: int, width: int, long_side: int) -> None:
    new_height, new_width = fit((height, width), long_side)
    assert max(new_height, new_width) == long_side
    assert min(new_height, new_width) >= 1
    exact = min(height, width) * long_side / max(height, width)
    assert abs(min(new_height, new_width) - max(1.0, exact)) <= 0.5
    assert (new_height >= new_width) == (height >= width) or new_height == new_width


def test_fit_rounds_halves_up() -> None:
    assert fit((3, 4), 2) == (2, 2)
    assert fit((1, 1000), 10) == (1, 10)
    assert fit((480, 640), 256) == (192, 256)
    with pytest.raises(ImageError):
        fit((480, 640), 0)
