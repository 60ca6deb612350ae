"""Files cut short or with flipped bytes give a picture or an ImageReadError, and print nothing."""

from __future__ import annotations

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto.errors import ImageReadError, ImpastoWarning
from impasto.images import (
    Image,
    read,
    read_metadata,
)
from tests.images.seeds import SEEDS

GENTLE = settings(max_examples=40, deadline=None)


def survive(data: bytes) -> None:
    """Reading `data` gives a sound Image or an ImageReadError, and warns of nothing but in our own words."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ImpastoWarning)
        for task in (lambda: read(data, max_pixels=1_000_000), lambda: read_metadata(data)):
            try:
                result = task()
            except ImageReadError as error:
                assert str(error).isprintable()
                continue
            if isinstance(result, Image):
                assert bool(torch.isfinite(result.pixels).all())
                assert 0 <= float(result.pixels.min()) <= float(result.pixels.max()) <= 1


@pytest.mark.promise("damaged-pictures")
@pytest.mark.parametrize("kind", SEEDS)
@GENTLE
@given(share=st.floats(0, 1, exclude_max=True))
def test_files_cut_anywhere(kind: str, share: float) -> None:
    survive(SEEDS[kind][: int(share * len(SEEDS[kind]))])


@pytest.mark.promise("damaged-pictures")
@pytest.mark.parametrize("kind", SEEDS)
@GENTLE
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4))
def test_files_with_flipped_bytes(kind: str, flips: list[tuple[float, int]]) -> None:
    data = bytearray(SEEDS[kind])
    for share, mask in flips:
        data[int(share * len(data))] ^= mask
    survive(bytes(data))


@pytest.mark.promise("damaged-pictures")
@pytest.mark.parametrize("kind", SEEDS)
@GENTLE
@given(offset=st.integers(0, 299), mask=st.integers(1, 255))
def test_headers_with_flipped_bytes(kind: str, offset: int, mask: int) -> None:
    data = bytearray(SEEDS[kind])
    data[offset % len(data)] ^= mask
    survive(bytes(data))


@pytest.mark.promise("damaged-pictures")
@GENTLE
@given(data=st.binary(max_size=200), head=st.sampled_from([seed[:24] for seed in SEEDS.values()]))
def test_junk_behind_a_true_beginning(data: bytes, head: bytes) -> None:
    survive(head + data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WebP", "AVIF", "TIFF", "TIFF 16", "TIFF float", "GIF", "BMP"])
def test_half_a_file_is_refused_in_plain_words(kind: str) -> None:
    with pytest.raises(ImageReadError, match="damaged or cut short"):
        read(SEEDS[kind][: len(SEEDS[kind]) // 2])


def test_damage_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    for data in SEEDS.values():
        for cut in (20, 60, len(data) // 2, len(data) - 5):
            survive(data[:cut])
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
