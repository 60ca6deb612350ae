"""Prints: paper by name or by its sides, and the pixels that fill it."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest
import tifffile

from impasto.errors import SettingsError
from impasto.images import encode, tiff
from impasto.images.prints import Print


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("60x40cm", (400, 600)),
        ("40 x 60 cm", (400, 600)),
        ("8×12in", (203.2, 304.8)),
        ("A4", (210, 297)),
        ("a2", (420, 594)),
    ],
)
def test_paper_by_its_sides_or_by_name(text, sides):
    sheet = Print.of(text)
    assert (sheet.short, sheet.long) == pytest.approx(sides)


@pytest.mark.parametrize("text", ["", "A9", "60x40", "60cm", "0x4cm", "-3x4cm", "900x900m", "wide"])
def test_other_sizes_are_refused(text):
    with pytest.raises(SettingsError, match="print: got"):
        Print.of(text)


def test_the_picture_fits_the_sheet():
    sheet = Print.of("60x40cm")
    # 60 cm at 200 dots an inch, whatever way the photograph lies.
    assert sheet.long_side((3000, 4500), 200) == sheet.long_side((4500, 3000), 200) == round(60 / 2.54 * 200)
    # A square is as wide as the sheet is high; a panorama as long as it is.
    assert sheet.long_side((1000, 1000), 254) == 4000
    assert sheet.long_side((1000, 4000), 254) == 6000
    with pytest.raises(SettingsError, match="dpi: got 5"):
        sheet.long_side((10, 10), 5)


PICTURE = np.random.default_rng(0).random((1, 3, 20, 30), np.float32)


@pytest.mark.parametrize(("format", "depth"), [("png", 8), ("jpeg", 8), ("bmp", 8), ("webp", 8), ("tiff", 8)])
def test_files_note_the_dots_an_inch(format, depth):
    with PIL.Image.open(io.BytesIO(encode(PICTURE, format, bit_depth=depth, dpi=200))) as picture:
        exif = picture.getexif()
        noted = picture.info.get("dpi", (exif.get(0x011A), exif.get(0x011B)))
    assert [float(value) for value in noted] == pytest.approx([200, 200], abs=0.02)


def test_a_deep_png_notes_them_too():
    data = encode(PICTURE, "png", bit_depth=16, dpi=200)
    at = data.index(b"pHYs") + 4
    assert int.from_bytes(data[at : at + 4], "big") == 7874  # a metre
    assert b"pHYs" not in encode(PICTURE, "png", bit_depth=16)


def test_a_large_tiff_is_a_bigtiff_in_tiles(monkeypatch):
    monkeypatch.setattr(tiff, "_LARGE", 1000)
    data = encode(PICTURE, "tiff", bit_depth=16, dpi=300)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert file.is_bigtiff
        assert file.pages.first.is_tiled
        assert file.pages.first.tags.valueof(282) == (300, 1)
        np.testing.assert_array_equal(file.asarray(), np.rint(PICTURE[0].transpose(1, 2, 0) * 65535))
    monkeypatch.undo()
    with tifffile.TiffFile(io.BytesIO(encode(PICTURE, "tiff"))) as file:
        assert not file.is_bigtiff
        assert not file.pages.first.is_tiled
