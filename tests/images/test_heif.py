"""HEIC, as phones write it: size, depth, transparency, rotation, text."""

from __future__ import annotations

import io
import sys

import numpy as np
import PIL.Image
import pillow_heif
import pytest
from PIL import ExifTags

from impasto.errors import ImageReadError, ImpastoWarning
from impasto.images import read, read_metadata
from impasto.images.metadata import to_exif
from tests.images.drawing import ALPHA, HEIGHT, METADATA, WIDTH, deep_scene, grey3, on_white, pixels_of, scene, shown
from tests.images.icc import ADOBE_D50, adobe_to_srgb, matrix_profile


def heic(picture: PIL.Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(picture).save(out, **{"quality": -1, "chroma": 444, **options})
    return out.getvalue()


def test_a_heic_picture_is_read() -> None:
    image = read(heic(PIL.Image.fromarray(scene())), name="IMG_0001.HEIC")
    assert (image.format, image.bit_depth, image.size, image.alpha) == ("HEIC", 8, (HEIGHT, WIDTH), None)
    np.testing.assert_allclose(pixels_of(image) * 255, scene(), atol=3)


def test_a_grey_heic_picture() -> None:
    grey = scene()[..., 0]
    np.testing.assert_allclose(pixels_of(read(heic(PIL.Image.fromarray(grey)))) * 255, grey3(grey), atol=2)


def test_a_heic_picture_of_10_bits_keeps_them() -> None:
    samples = deep_scene() // 2 + 16384
    out = io.BytesIO()
    file = pillow_heif.from_bytes("RGB;16", (WIDTH, HEIGHT), samples.tobytes())
    file.save(out, quality=-1, chroma=444, matrix_coefficients=0, full_range_flag=1)
    image = read(out.getvalue())
    assert image.bit_depth == 16
    np.testing.assert_allclose(pixels_of(image), samples / 65535, atol=1 / 1023)


def test_transparency_of_a_heic_picture_is_kept() -> None:
    image = read(heic(PIL.Image.fromarray(np.dstack([scene(), ALPHA]))))
    np.testing.assert_allclose(shown(image) * 255, on_white(scene(), ALPHA), atol=4)


def test_a_profile_of_a_heic_picture_is_converted() -> None:
    muted = (scene() // 3 + 80).astype(np.uint8)
    picture = PIL.Image.fromarray(muted)
    picture.info["icc_profile"] = matrix_profile(ADOBE_D50, 2.2)
    image = read(heic(picture))
    assert image.icc_converted == "Test profile"
    np.testing.assert_allclose(pixels_of(image) * 255, adobe_to_srgb(muted / 255) * 255, atol=4)


def test_a_rotated_heic_picture_is_turned_once() -> None:
    exif = PIL.Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = heic(PIL.Image.fromarray(scene()), exif=exif.tobytes())
    image = read(data)
    assert image.size == (WIDTH, HEIGHT)
    np.testing.assert_allclose(pixels_of(image) * 255, np.rot90(scene(), -1), atol=3)


def test_text_of_a_heic_picture_is_read() -> None:
    data = heic(PIL.Image.fromarray(scene()), exif=to_exif(METADATA))
    assert read_metadata(data) == METADATA
    assert read(data).text == METADATA


def test_of_several_heic_pictures_the_primary_is_read() -> None:
    out = io.BytesIO()
    file = pillow_heif.from_pillow(PIL.Image.fromarray(scene()))
    file.add_from_pillow(PIL.Image.fromarray(scene()[::-1].copy()))
    file.save(out, quality=-1, chroma=444)
    with pytest.warns(ImpastoWarning, match="primary"):
        image = read(out.getvalue())
    np.testing.assert_allclose(pixels_of(image) * 255, scene(), atol=3)


def test_a_heic_picture_that_is_too_large_is_refused_before_decoding() -> None:
    with pytest.raises(ImageReadError, match="megapixels"):
        read(heic(PIL.Image.fromarray(scene())), max_pixels=100)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_heic_picture_that_is_cut_short(share: float) -> None:
    data = heic(PIL.Image.fromarray(scene()))
    with pytest.raises(ImageReadError, match="damaged or cut short"):
        read(data[: int(share * len(data))])


def test_without_pi_heif_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = heic(PIL.Image.fromarray(scene()))
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(ImageReadError, match="pip install pi-heif"):
        read(data)
