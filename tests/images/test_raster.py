"""Orientation and the limits on a picture's size."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
from PIL import ExifTags, ImageOps

from impasto.errors import ImageReadError, ImpastoWarning
from impasto.images import (
    read,
)
from tests.images.drawing import (
    HEIGHT,
    WIDTH,
    deep_scene,
    pixels_of,
    saved,
    scene,
    tiff_file,
)


@pytest.mark.promise("every-kind", "private-metadata")
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF"])
def test_orientation_is_applied_once(kind: str, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    picture = PIL.Image.fromarray(scene())
    options = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}.get(kind, {"quality": 100})
    upright = PIL.Image.fromarray(scene())
    upright.getexif()[ExifTags.Base.Orientation] = orientation
    expected = np.asarray(ImageOps.exif_transpose(upright))
    image = read(saved(picture, kind, exif=exif, **options))
    assert image.size == expected.shape[:2]
    np.testing.assert_allclose(pixels_of(image) * 255, expected, atol=8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_a_deep_tiff(orientation: int) -> None:
    data = tiff_file(deep_scene(), extratags=[(274, 3, 1, orientation, True)])
    upright = PIL.Image.fromarray((deep_scene() >> 8).astype(np.uint8))
    upright.getexif()[ExifTags.Base.Orientation] = orientation
    high_bytes = np.asarray(ImageOps.exif_transpose(upright))
    np.testing.assert_array_equal(np.floor(pixels_of(read(data)) * 65535 / 256 + 1e-6), high_bytes)


@pytest.mark.parametrize("value", [0, 9, 77])
def test_an_unknown_orientation_is_upright(value: int) -> None:
    exif = PIL.Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    assert read(saved(PIL.Image.fromarray(scene()), "JPEG", exif=exif)).size == (HEIGHT, WIDTH)


def test_damaged_exif_costs_only_itself() -> None:
    data = saved(PIL.Image.fromarray(scene()), exif=b"Exif\0\0XX*\0not a TIFF header")
    with pytest.warns(ImpastoWarning, match="EXIF data is damaged"):
        np.testing.assert_allclose(pixels_of(read(data)) * 255, scene(), atol=1e-3)


@pytest.mark.parametrize(
    ("size", "match"),
    [((1, 1), "at least 2"), ((1, 40), "at least 2"), ((40, 1), "at least 2"), ((2, 101), "50"), ((101, 2), "50")],
)
def test_sizes_that_no_network_can_use(size: tuple[int, int], match: str) -> None:
    with pytest.raises(ImageReadError, match=match):
        read(saved(PIL.Image.new("RGB", size)))


@pytest.mark.promise("every-kind")
def test_the_smallest_and_the_longest_that_are_read() -> None:
    assert read(saved(PIL.Image.new("RGB", (2, 2)))).size == (2, 2)
    assert read(saved(PIL.Image.new("RGB", (100, 2)))).size == (2, 100)


def test_max_pixels_is_exact() -> None:
    data = saved(PIL.Image.fromarray(scene()))
    assert read(data, max_pixels=HEIGHT * WIDTH).size == (HEIGHT, WIDTH)
    with pytest.raises(ImageReadError, match=r"megapixels.*max_pixels"):
        read(data, max_pixels=HEIGHT * WIDTH - 1)
