"""16-bit PNG in and out; damaged PNG entries."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
from PIL import PngImagePlugin

from impasto.errors import ImpastoWarning
from impasto.images import (
    as_image,
    encode,
    read,
)
from tests.images.drawing import (
    HEIGHT,
    WIDTH,
    chunk,
    deep_png,
    deep_scene,
    pixels_of,
    png_file,
    saved,
    scene,
    shown,
)


@pytest.mark.promise("every-kind")
@pytest.mark.parametrize("interlaced", [False, True], ids=["plain", "interlaced"])
@pytest.mark.parametrize(("channels", "color"), [(1, 0), (3, 2), (2, 4), (4, 6)], ids=["grey", "RGB", "LA", "RGBA"])
def test_16_bit_png_keeps_every_bit(channels: int, color: int, interlaced: bool) -> None:
    samples = deep_scene(channels)
    image = read(deep_png(samples, color, interlaced=interlaced))
    assert image.bit_depth == 16
    expected, visible = samples / 65535, np.full((HEIGHT, WIDTH), True)
    if channels in (2, 4):
        assert image.alpha is not None
        np.testing.assert_allclose(image.alpha[0, 0].numpy(), expected[..., -1], atol=2e-7)
        expected, visible = expected[..., :-1], expected[..., -1] > 1 / 255
    expected = np.broadcast_to(expected, (HEIGHT, WIDTH, 3))
    np.testing.assert_allclose(pixels_of(image)[visible], expected[visible], atol=2e-7)


def test_16_bit_png_with_a_transparent_color() -> None:
    samples = deep_scene()
    key = samples[2, 3].astype(">u2").tobytes()
    image = read(deep_png(samples, 2, chunk(b"tRNS", key)))
    expected = samples / 65535
    expected[2, 3] = 1.0
    np.testing.assert_allclose(shown(image), expected, atol=2e-7)


def test_16_bit_grey_png_with_a_transparent_level() -> None:
    samples = deep_scene(1)
    image = read(deep_png(samples, 0, chunk(b"tRNS", samples[2, 3].astype(">u2").tobytes())))
    expected = np.repeat(samples / 65535, 3, axis=2)
    expected[2, 3] = 1.0
    np.testing.assert_allclose(shown(image), expected, atol=2e-7)


def test_a_second_header_changes_nothing() -> None:
    small = png_file(WIDTH, HEIGHT, 8, 2, bytes(HEIGHT * (1 + 3 * WIDTH)))
    large = png_file(60_000, 60_000, 8, 2, b"")
    assert read(small[:33] + large[8:33] + small[33:]).size == (HEIGHT, WIDTH)


def test_16_bit_png_is_what_another_decoder_reads() -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    data = encode(as_image(deep_scene()), "PNG", bit_depth=16)
    np.testing.assert_array_equal(imagecodecs.png_decode(data), deep_scene())


def test_damaged_text_is_left_out_with_a_warning() -> None:
    rows = bytes(HEIGHT * (1 + 3 * WIDTH))
    extra = chunk(b"zTXt", b"a\0\0junk") + chunk(b"tEXt", b"no separator") + chunk(b"tEXt", b"impasto\0{}")
    with pytest.warns(ImpastoWarning, match="damaged"):
        image = read(png_file(WIDTH, HEIGHT, 8, 2, rows, extra))
    assert image.text == {"impasto": "{}"}


def test_an_editors_history_is_no_text_of_ours() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", "x" * 200_000)
    assert read(saved(PIL.Image.fromarray(scene()), pnginfo=info)).text == {}
