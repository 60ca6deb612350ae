"""TIFF of more than 8 bits, floats, missing packages, camera raw files."""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from impasto.errors import ImageReadError, ImageWriteError, ImpastoWarning
from impasto.images import (
    as_image,
    encode,
    read,
)
from tests.images.drawing import (
    ALPHA,
    deep_scene,
    grey3,
    pixels_of,
    scene,
    shown,
    tiff_file,
)


def deep_tiffs() -> list[tuple[str, bytes, np.ndarray, int]]:
    deep = deep_scene()
    unit = (deep / 65535).astype(np.float32)
    extra = np.dstack([deep, deep_scene(1)])
    grey = deep[..., 0]
    wide = deep.astype(np.uint32) * 65537
    cases = [
        ("RGB", tiff_file(deep), deep / 65535, 16),
        ("big-endian", tiff_file(deep, byteorder=">"), deep / 65535, 16),
        ("BigTIFF", tiff_file(deep, bigtiff=True), deep / 65535, 16),
        ("deflated", tiff_file(deep, compression="zlib", predictor=True), deep / 65535, 16),
        ("planar", tiff_file(deep.transpose(2, 0, 1), planarconfig="separate"), deep / 65535, 16),
        ("extra", tiff_file(extra, extrasamples=["unspecified"]), deep / 65535, 16),
        ("tiled", tiff_file(deep, tile=(16, 16)), deep / 65535, 16),
        ("white is zero", tiff_file(grey, photometric="miniswhite"), grey3(1 - grey / 65535), 16),
        ("grey", tiff_file(grey, photometric="minisblack"), grey3(grey / 65535), 16),
        ("float32", tiff_file(unit), unit, 32),
        ("float64", tiff_file(unit.astype(np.float64)), unit, 32),
        ("float16", tiff_file(unit.astype(np.float16)), unit.astype(np.float16), 16),
        ("float planar", tiff_file(unit.transpose(2, 0, 1), planarconfig="separate"), unit, 32),
        ("uint32", tiff_file(wide), deep / 65535, 32),
        ("8-bit planar extra",
         tiff_file(np.dstack([scene(), ALPHA, ALPHA]).transpose(2, 0, 1), planarconfig="separate",
                   extrasamples=["unspecified", "unspecified"]), scene() / 255, 8),
    ]  # fmt: skip
    if importlib.util.find_spec("imagecodecs"):
        cases.append(("LZW", tiff_file(deep, compression="lzw"), deep / 65535, 16))
        cases.append(("12 bits", tiff_file(deep >> 4, bitspersample=12), (deep >> 4) / 4095, 16))
    return cases


@pytest.mark.parametrize("case", deep_tiffs(), ids=lambda case: case[0])
def test_deep_tiff_keeps_its_precision(case: tuple[str, bytes, np.ndarray, int]) -> None:
    _, data, expected, bits = case
    image = read(data)
    assert (image.format, image.bit_depth) == ("TIFF", bits)
    np.testing.assert_allclose(pixels_of(image), expected, atol=2e-7)


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_deep_tiff_with_transparency(kind: str) -> None:
    color, alpha = deep_scene() / 65535, (ALPHA.astype(float) + 1) / 256
    stored = color * alpha[..., None] if kind == "assocalpha" else color
    samples = np.round(np.dstack([stored, alpha]) * 65535).astype(np.uint16)
    image = read(tiff_file(samples, extrasamples=[kind]))
    np.testing.assert_allclose(shown(image), color * alpha[..., None] + 1 - alpha[..., None], atol=1e-4)


def no_codec(*_: object, **__: object) -> None:
    raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")


def test_without_imagecodecs_a_compressed_deep_tiff_is_read_at_8_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("imagecodecs")
    data = tiff_file(deep_scene(), compression="lzw")
    monkeypatch.setattr(tifffile.TiffPage, "asarray", no_codec)
    with pytest.warns(ImpastoWarning, match=r"read at 8 bits.*pip install imagecodecs"):
        image = read(data)
    np.testing.assert_allclose(pixels_of(image), deep_scene() / 65535, atol=1 / 255)


def test_without_imagecodecs_a_compressed_float_tiff_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("imagecodecs")
    data = tiff_file(scene().astype(np.float32) / 255, compression="lzw")
    monkeypatch.setattr(tifffile.TiffPage, "asarray", no_codec)
    with pytest.raises(ImageReadError, match=r"LZW.*pip install imagecodecs"):
        read(data)


def test_without_tifffile_a_deep_tiff_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiff_file(deep_scene())
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(ImageReadError, match="pip install tifffile"):
        read(data)
    with pytest.raises(ImageWriteError, match="pip install tifffile"):
        encode(as_image(deep_scene()), "TIFF")


def test_float_highlights_are_clipped_with_a_warning() -> None:
    samples = (scene() / 255).astype(np.float32)
    samples[0, 0] = 7.5
    with pytest.warns(ImpastoWarning, match=r" to 7\.5"):
        image = read(tiff_file(samples))
    assert float(image.pixels.max()) == 1.0


@pytest.mark.parametrize(
    ("samples", "match"),
    [
        (np.full((8, 8, 3), np.nan, np.float32), "NaN"),
        (np.full((8, 8, 3), np.inf, np.float32), "NaN or infinity"),
        (np.full((8, 8, 3), 200.0, np.float32), r"go up to 200"),
        (np.zeros((8, 8, 3), np.int16), "unsigned"),
        (np.zeros((8, 8, 3), np.complex64), "unsigned"),
    ],
    ids=["NaN", "inf", "0 to 255", "signed", "complex"],
)
def test_tiff_values_that_are_no_picture(samples: np.ndarray, match: str) -> None:
    with pytest.raises(ImageReadError, match=match):
        read(tiff_file(samples))


def test_a_camera_raw_file_is_not_taken_for_its_thumbnail() -> None:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(scene(), photometric="rgb", subfiletype=1, subifds=1)
        writer.write(deep_scene(), photometric="rgb")
    with pytest.raises(ImageReadError, match="raw file"):
        read(out.getvalue())
    dng = tiff_file(deep_scene(), extratags=[(50706, 1, 4, (1, 4, 0, 0), True)])
    with pytest.raises(ImageReadError, match="raw file"):
        read(dng)


def test_importing_loads_no_tifffile() -> None:
    script = "import sys, impasto.images; sys.exit('tifffile' in sys.modules or 'imagecodecs' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
