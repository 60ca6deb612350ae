"""as_image: arrays, tensors and Pillow pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from PIL import ExifTags

from impasto.errors import ImageReadError, ImpastoWarning
from impasto.images import (
    as_image,
    read,
)
from tests.images.drawing import (
    ALPHA,
    HEIGHT,
    WIDTH,
    deep_scene,
    grey3,
    on_white,
    pixels_of,
    saved,
    scene,
    shown,
)
from tests.images.icc import (
    ADOBE_D50,
    matrix_profile,
)


def test_arrays_and_tensors_become_the_same_image() -> None:
    rgb = scene()
    unit = rgb / 255
    planes = torch.from_numpy(rgb).permute(2, 0, 1)
    for value in (
        rgb,
        unit,
        unit.astype(np.float32),
        rgb.astype(np.uint16) * 257,
        np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)]),
        planes,
        planes[None],
        planes / 255,
        (planes / 255).double()[None],
        (planes / 255).requires_grad_(),
        PIL.Image.fromarray(rgb),
        saved(PIL.Image.fromarray(rgb)),
        io.BytesIO(saved(PIL.Image.fromarray(rgb))),
    ):
        image = as_image(value)
        assert image.pixels.shape == (1, 3, HEIGHT, WIDTH)
        assert not image.pixels.requires_grad
        np.testing.assert_allclose(pixels_of(image), unit, atol=2e-7)


@pytest.mark.parametrize("grey", [scene()[..., 0], scene()[..., 0] / 255, torch.from_numpy(scene()[..., 0].copy())])
def test_two_dimensions_are_grey(grey: object) -> None:
    np.testing.assert_allclose(pixels_of(as_image(grey)), grey3(scene()[..., 0] / 255), atol=2e-7)


def test_an_image_and_a_path_are_as_images_too(tmp_path: Path) -> None:
    image = as_image(scene(), name="mine")
    assert as_image(image) is image
    assert image.name == "mine"
    path = image.save(tmp_path / "a.png")
    assert torch.equal(as_image(path).pixels, image.pixels)
    assert torch.equal(as_image(str(path)).pixels, image.pixels)
    with PIL.Image.open(path) as picture:
        assert as_image(picture).name == "a.png"


def test_the_value_is_neither_shared_nor_changed() -> None:
    for value in (torch.full((1, 3, 8, 8), 0.5), np.full((8, 8, 3), 0.5, np.float32)):
        image = as_image(value)
        value[:] = 0.25
        assert float(image.pixels.min()) == 0.5


def test_an_array_with_alpha_keeps_it() -> None:
    image = as_image(np.dstack([scene(), ALPHA]))
    np.testing.assert_allclose(shown(image) * 255, on_white(scene(), ALPHA), atol=1e-3)


def test_a_pillow_picture_is_treated_as_a_file_is() -> None:
    data = saved(PIL.Image.fromarray(scene()), "JPEG", exif=SEEDS_EXIF, icc_profile=matrix_profile(ADOBE_D50, 2.2))
    picture = PIL.Image.open(io.BytesIO(data))
    assert torch.equal(as_image(picture).pixels, read(data).pixels)
    transparent = as_image(PIL.Image.fromarray(np.dstack([scene(), ALPHA])))
    np.testing.assert_allclose(shown(transparent) * 255, on_white(scene(), ALPHA), atol=1e-3)
    wide = PIL.Image.fromarray(deep_scene(1)[..., 0].astype(np.int32))
    np.testing.assert_allclose(pixels_of(as_image(wide)), grey3(deep_scene(1)[..., 0] / 65535), atol=2e-7)
    with pytest.raises(ImageReadError, match="0 to 65535"):
        as_image(PIL.Image.fromarray(np.full((8, 8), 70_000, np.int32)))
    for mode in ("HSV", "RGBX", "YCbCr", "LAB", "F"):
        assert as_image(PIL.Image.new(mode, (8, 8))).size == (8, 8)
    for mode in ("RGBa", "La", "PA"):
        with pytest.warns(ImpastoWarning, match="transparent everywhere"):
            assert as_image(PIL.Image.new(mode, (8, 8))).size == (8, 8)


SEEDS_EXIF = PIL.Image.Exif()
SEEDS_EXIF[ExifTags.Base.Orientation] = 6


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (np.full((8, 8, 3), np.nan), "NaN"),
        (torch.full((3, 8, 8), float("inf")), "NaN or infinity"),
        (np.full((8, 8, 3), 200.0), r"0, 1\]: divide by 255"),
        (np.full((8, 8, 3), -0.5), r"-0\.5 to -0\.5"),
        (torch.full((3, 8, 8), 1.5), r"1\.5"),
        (np.zeros((8, 8, 3), np.complex64), "complex64"),
        (torch.zeros((3, 8, 8), dtype=torch.complex64), "complex64"),
        (np.zeros((8, 8, 3), np.int64), "int64"),
        (torch.zeros((3, 8, 8), dtype=torch.int64), "int64"),
        (np.zeros((8, 8, 3), bool), "bool"),
        (np.zeros((8, 8, 3), object), "object"),
        (np.zeros((3, 8, 8)), "channels come first"),
        (torch.zeros((8, 8, 3)), "channels come last"),
        (torch.zeros((2, 3, 8, 8)), r"\(2, 3, 8, 8\)"),
        (torch.zeros((4, 8, 8)), r"\(4, 8, 8\)"),
        (np.zeros((8, 8, 2)), r"\(8, 8, 2\)"),
        (np.zeros(8), r"\(8,\)"),
        (np.zeros((0, 8, 3)), "at least 2"),
        (torch.zeros((3, 1, 8)), "at least 2"),
        (torch.zeros((3, 8, 8), device="meta"), "the tensor"),
        (object(), "object"),
        (None, "NoneType"),
        ([[1, 2], [3, 4]], "list"),
        (io.StringIO("x"), "binary"),
        ("no/such/file.png", "no such file"),
    ],
)
def test_values_that_are_no_picture(value: object, match: str) -> None:
    with pytest.raises(ImageReadError, match=match):
        as_image(value)


def test_float_rounding_beyond_the_range_is_clamped() -> None:
    image = as_image(np.full((8, 8, 3), 1.0 + 1e-6))
    assert float(image.pixels.max()) == 1.0
