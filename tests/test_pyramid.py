"""The scales: from coarse to fine, with the photograph's aspect ratio, ending at the requested size."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.images import fit
from impasto.pyramid import Scale, pyramid
from impasto.settings import Settings

MIN_SIDE = 32

CONTENTS = st.tuples(st.integers(2, 10_000), st.integers(2, 10_000))
SETTINGS = st.builds(
    Settings,
    size=st.integers(32, 32_768),
    scales=st.integers(0, 20),
    coarse_size=st.integers(32, 4096),
    iterations=st.integers(1, 1000),
    coarse_iterations=st.integers(1, 1000),
)


@given(CONTENTS, SETTINGS)
def test_the_last_scale_is_the_pastiche(content, settings):
    last = pyramid(content, settings, min_side=MIN_SIDE)[-1]
    height, width = fit(content, settings.size)
    assert last.size == (max(height, MIN_SIDE), max(width, MIN_SIDE))
    assert last.iterations == settings.iterations


@given(CONTENTS, SETTINGS)
def test_sizes_and_iterations_go_evenly_from_one_end_to_the_other(content, settings):
    scales = pyramid(content, settings, min_side=MIN_SIDE)
    for earlier, later in pairwise(scales):
        assert earlier.size[0] <= later.size[0]
        assert earlier.size[1] <= later.size[1]
        rise = settings.iterations - settings.coarse_iterations
        assert (later.iterations - earlier.iterations) * rise >= 0
    low, high = sorted((settings.iterations, settings.coarse_iterations))
    assert all(low <= scale.iterations <= high for scale in scales)
    if len(scales) > 1:
        assert scales[0].iterations == settings.coarse_iterations
        height, width = fit(content, min(settings.coarse_size, settings.size))
        assert scales[0].size == (max(height, MIN_SIDE), max(width, MIN_SIDE))


@given(CONTENTS, SETTINGS)
def test_as_many_scales_as_asked_or_about_two_and_a_half_times_the_pixels_each(content, settings):
    scales = pyramid(content, settings, min_side=MIN_SIDE)
    if settings.scales:
        assert len(scales) == settings.scales
    else:
        coarse = min(settings.coarse_size, settings.size)
        factor = (settings.size / coarse) ** (1 / max(1, len(scales) - 1))
        step = math.sqrt(2.52)
        # With less than one step, one scale is as close as two.
        assert factor < step**1.5
        assert len(scales) == 1 or factor > step**0.49


def test_the_schedule_that_was_measured():
    settings = Settings(size=256, coarse_size=64, scales=0, coarse_iterations=35, iterations=15)
    scales = pyramid((300, 400), settings, min_side=MIN_SIDE)
    assert [max(scale.size) for scale in scales] == [64, 102, 161, 256]
    assert [scale.iterations for scale in scales] == [35, 26, 20, 15]
    assert scales[-1] == Scale((192, 256), 15)
    assert scales[-1].work == 192 * 256 * 15


@pytest.mark.parametrize(("size", "count"), [(64, 1), (128, 3), (256, 4), (512, 6), (1024, 7), (2048, 9), (4096, 10)])
def test_half_a_step_counts_as_one(size, count):
    assert len(pyramid((300, 400), Settings(size=size), min_side=MIN_SIDE)) == count


@pytest.mark.parametrize("changes", [{"scales": 1}, {"coarse_size": 4096}, {"coarse_size": 256}])
def test_one_scale_is_the_final_size(changes):
    settings = Settings(size=256, iterations=7, coarse_iterations=90).replace(**changes)
    assert pyramid((200, 100), settings, min_side=MIN_SIDE) == [Scale((256, 128), 7)]


def test_a_photograph_that_is_left_as_it_is_takes_one_scale():
    settings = Settings(size=256, coarse_size=64, scales=5, iterations=7, strength=0, init="content")
    assert pyramid((200, 100), settings, min_side=MIN_SIDE) == [Scale((256, 128), 7)]
    assert len(pyramid((200, 100), settings.replace(init="noise"), min_side=MIN_SIDE)) == 5
    assert len(pyramid((200, 100), settings.replace(strength=0.01), min_side=MIN_SIDE)) == 5


def test_a_narrow_picture_is_stretched_to_what_the_network_can_see():
    scales = pyramid((100, 2000), Settings(size=256, coarse_size=64, scales=3), min_side=MIN_SIDE)
    assert [scale.size for scale in scales] == [(32, 64), (32, 128), (32, 256)]
