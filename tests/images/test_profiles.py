"""Embedded ICC profiles are converted to sRGB, or ignored with a warning."""

from __future__ import annotations

import io
import sys

import numpy as np
import PIL.Image
import pytest
from PIL import ImageCms

from impasto.errors import ImpastoWarning
from impasto.images import (
    read,
)
from impasto.images.pixels import quantize
from impasto.images.profiles import srgb_profile
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
    tiff_file,
)
from tests.images.icc import (
    ADOBE_D50,
    adobe_to_srgb,
    cmyk_profile,
    grey_profile,
    matrix_profile,
    srgb_encoded,
)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_a_wide_profile_is_converted(kind: str) -> None:
    # Muted colours: inside sRGB, where every renderer agrees.
    muted = (scene() // 3 + 80).astype(np.uint8)
    options = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}.get(kind, {"quality": 100})
    image = read(saved(PIL.Image.fromarray(muted), kind, icc_profile=matrix_profile(ADOBE_D50, 2.2), **options))
    assert image.icc_converted == "Test profile"
    tolerance = 2 if kind in ("PNG", "TIFF", "WEBP") else 8
    np.testing.assert_allclose(pixels_of(image) * 255, adobe_to_srgb(muted / 255) * 255, atol=tolerance)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_a_profile_of_a_deep_tiff_is_converted_at_its_depth(dtype: str) -> None:
    pytest.importorskip("imagecodecs")
    muted = deep_scene() // 8 + 25000
    samples = muted if dtype == "uint16" else (muted / 65535).astype(np.float32)
    image = read(tiff_file(samples, iccprofile=matrix_profile(ADOBE_D50, 2.2)))
    assert image.icc_converted == "Test profile"
    np.testing.assert_allclose(pixels_of(image), adobe_to_srgb(muted / 65535), atol=1e-3)
    assert len(np.unique(pixels_of(image))) > 512


def test_without_imagecodecs_a_deep_profile_is_converted_at_8_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    muted = deep_scene() // 8 + 25000
    with pytest.warns(ImpastoWarning, match="pip install imagecodecs"):
        image = read(tiff_file(muted, iccprofile=matrix_profile(ADOBE_D50, 2.2)))
    np.testing.assert_allclose(pixels_of(image), adobe_to_srgb(muted / 65535), atol=0.01)


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_grey_profile_is_converted(mode: str) -> None:
    grey = scene()[..., 0]
    picture = PIL.Image.fromarray(grey.astype(np.uint16) * 257 if mode == "I;16" else grey)
    if mode == "LA":
        picture = picture.convert("LA")
    image = read(saved(picture, icc_profile=grey_profile(1.8)))
    assert image.icc_converted == "Test profile"
    np.testing.assert_allclose(pixels_of(image) * 255, 255 * srgb_encoded(grey3(grey / 255) ** 1.8), atol=2)


def test_a_grey_picture_may_have_an_rgb_profile() -> None:
    grey = scene()[..., 0]
    image = read(saved(PIL.Image.fromarray(grey), icc_profile=matrix_profile(ADOBE_D50, 1.8)))
    np.testing.assert_allclose(pixels_of(image) * 255, 255 * srgb_encoded(grey3(grey / 255) ** 1.8), atol=2)


@pytest.mark.parametrize("kind", ["TIFF", "JPEG", "TIFF 16"])
def test_a_cmyk_profile_is_converted(kind: str) -> None:
    ink = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    ink[..., 0], ink[..., 1] = 255, 255
    if kind == "TIFF 16":
        data = tiff_file(ink.astype(np.uint16) * 257, photometric="separated", iccprofile=cmyk_profile())
    else:
        options = {"quality": 100} if kind == "JPEG" else {}
        data = saved(PIL.Image.fromarray(ink, mode="CMYK"), kind, icc_profile=cmyk_profile(), **options)
    image = read(data)
    assert image.icc_converted == "Test profile"
    # Two inks of four: L* = 50, whose luminance is ((50 + 16) / 116)³; black point compensation leaves it in place.
    expected = srgb_encoded(np.array(((50 + 16) / 116) ** 3))
    np.testing.assert_allclose(pixels_of(image), expected, atol=0.02)


def test_transparency_survives_a_profile() -> None:
    rgba = np.dstack([scene() // 3 + 80, ALPHA]).astype(np.uint8)
    image = read(saved(PIL.Image.fromarray(rgba), icc_profile=matrix_profile(ADOBE_D50, 2.2)))
    expected = on_white(adobe_to_srgb(rgba[..., :3] / 255) * 255, ALPHA)
    np.testing.assert_allclose(shown(image) * 255, expected, atol=2)


@pytest.mark.parametrize(
    "profile",
    [srgb_profile(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()],
    ids=["ours", "lcms"],
)
def test_srgb_is_left_as_it_is(profile: bytes) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    image = read(saved(PIL.Image.fromarray(noise), icc_profile=profile))
    assert image.icc_converted is None
    np.testing.assert_array_equal(quantize(image.pixels), noise)


@pytest.mark.parametrize(
    ("profile", "match"),
    [
        (b"not a profile at all", "damaged"),
        (matrix_profile(ADOBE_D50, 2.2)[:200], "damaged"),
        (grey_profile(1.8), "is for GRAY"),
        (cmyk_profile(), "is for CMYK"),
    ],
    ids=["junk", "cut", "grey", "ink"],
)
def test_a_profile_that_does_not_fit_is_ignored_with_a_warning(profile: bytes, match: str) -> None:
    with pytest.warns(ImpastoWarning, match=match):
        image = read(saved(PIL.Image.fromarray(scene()), icc_profile=profile))
    assert image.icc_converted is None
    np.testing.assert_allclose(pixels_of(image) * 255, scene(), atol=1e-3)


def test_the_embedded_profile_is_the_same_every_day() -> None:
    assert srgb_profile()[24:36] == bytes.fromhex("07d000010001000000000000")
    ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
