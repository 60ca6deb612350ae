"""TIFF of more than 8 bits, floats, missing packages, camera raw files."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import struct
import subprocess
import sys
from typing import Any

import numpy as np
import PIL.Image
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
    HEIGHT,
    WIDTH,
    deep_scene,
    grey3,
    pixels_of,
    saved,
    scene,
    shown,
    tiff_file,
)
from tests.images.icc import D50, SRGB_D50


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


def pages(*samples: np.ndarray, reduced: tuple[int, ...] = (), **options: Any) -> bytes:
    """A TIFF of several pages; `reduced` says which of them are smaller versions."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for index, page in enumerate(samples):
            writer.write(page, photometric="rgb", metadata=None, subfiletype=int(index in reduced), **options)
    return out.getvalue()


@pytest.mark.parametrize("deep", [False, True], ids=["8 bits", "16 bits"])
def test_the_largest_page_is_the_picture(deep: bool) -> None:
    large = deep_scene() if deep else scene()
    small = np.ascontiguousarray(large[::3, ::3])
    for data in (pages(small, large, reduced=(0,)), pages(large, small, reduced=(1,))):
        image = read(data)
        assert image.size == (HEIGHT, WIDTH)
        np.testing.assert_allclose(pixels_of(image), large / np.iinfo(large.dtype).max, atol=2e-7)


def test_a_thumbnail_that_does_not_say_so_is_no_picture_either() -> None:
    with pytest.warns(ImpastoWarning, match="only the largest is used"):
        assert read(pages(scene()[::3, ::3], scene())).size == (HEIGHT, WIDTH)


def test_of_pages_of_one_size_the_first_is_the_picture() -> None:
    with pytest.warns(ImpastoWarning, match="only the first is used"):
        image = read(pages(scene(), scene()[::-1]))
    np.testing.assert_allclose(pixels_of(image) * 255, scene(), atol=1e-3)


def test_a_pyramid_with_its_levels_as_pages_or_as_sub_pages() -> None:
    levels = [scene()[::step, ::step] for step in (1, 2, 4)]
    assert read(pages(*levels, reduced=(1, 2), tile=(16, 16))).size == (HEIGHT, WIDTH)
    out = io.BytesIO()
    with tifffile.TiffWriter(out, bigtiff=True) as writer:
        writer.write(levels[0], photometric="rgb", subifds=2, tile=(16, 16))
        for level in levels[1:]:
            writer.write(level, photometric="rgb", subfiletype=1, tile=(16, 16))
    np.testing.assert_allclose(pixels_of(read(out.getvalue())) * 255, scene(), atol=1e-3)
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(levels[2], photometric="rgb", subfiletype=1, subifds=1)
        writer.write(levels[0], photometric="rgb")
    np.testing.assert_allclose(pixels_of(read(out.getvalue())) * 255, scene(), atol=1e-3)


def test_a_mask_is_never_the_picture() -> None:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(scene(), photometric="rgb")
        writer.write(np.zeros((100, 100), bool), photometric="mask", subfiletype=4)
    assert read(out.getvalue()).size == (HEIGHT, WIDTH)


def test_pages_that_go_in_a_circle_end() -> None:
    data = bytearray(pages(scene(), scene()[::-1]))
    first = struct.unpack("<I", data[4:8])[0]
    count = struct.unpack("<H", data[first : first + 2])[0]
    at = first + 2 + 12 * count
    data[at : at + 4] = struct.pack("<I", first)
    assert read(bytes(data)).size == (HEIGHT, WIDTH)


@pytest.mark.parametrize("compression", ["zstd", "lzma", "webp", "jpegxl", "lerc"])
def test_rare_compressions_are_read_with_imagecodecs(compression: str) -> None:
    pytest.importorskip("imagecodecs")
    lossless = {"webp": {"level": -1}}.get(compression, {})
    samples = scene() if compression in ("webp", "jpegxl") else deep_scene()
    image = read(tiff_file(samples, compression=compression, compressionargs=lossless))
    np.testing.assert_allclose(pixels_of(image), samples / np.iinfo(samples.dtype).max, atol=0.03)


@pytest.fixture
def no_imagecodecs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an installation without the optional package has."""

    def missing(*_: object, **__: object) -> None:
        raise ImportError("No module named 'imagecodecs'")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", missing)


def test_without_imagecodecs_zstd_of_16_bits_is_read_at_8_bits(no_imagecodecs: None) -> None:
    pytest.importorskip("imagecodecs")
    with pytest.warns(ImpastoWarning, match=r"read at 8 bits.*ZSTD.*pip install imagecodecs"):
        image = read(tiff_file(deep_scene(), compression="zstd"))
    np.testing.assert_allclose(pixels_of(image), deep_scene() / 65535, atol=1 / 255)


@pytest.mark.parametrize("compression", ["webp", "jpegxl", "lerc"])
def test_without_imagecodecs_the_true_reason_is_given(
    compression: str, no_imagecodecs: None, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("imagecodecs")
    with pytest.raises(ImageReadError, match=rf"(?i)compression \({compression}.*pip install imagecodecs"):
        read(tiff_file(scene(), compression=compression))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg", "tiff_adobe_deflate", "zstd"])
def test_damage_inside_a_compressed_tiff_prints_nothing(compression: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(saved(PIL.Image.fromarray(scene()), "TIFF", compression=compression))
    data[200:240] = bytes(range(40))
    with contextlib.suppress(ImageReadError):
        read(bytes(data))
    with contextlib.suppress(ImageReadError):
        read(bytes(data[: len(data) // 2]))
    assert capfd.readouterr().err == ""


def lab_of(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* relative to D50 of sRGB in [0, 1], by ICC's matrix."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    ratio = linear @ SRGB_D50.T / np.array(D50)
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack(
        [116 * root[..., 1] - 16, 500 * (root[..., 0] - root[..., 1]), 200 * (root[..., 1] - root[..., 2])], axis=-1
    )


@pytest.mark.parametrize("layout", ["TIFF 6.0", "ICC"])
def test_lab_of_16_bits(layout: str) -> None:
    lightness, *opponents = np.moveaxis(lab_of(scene() / 255), 2, 0)
    if layout == "ICC":
        planes = [np.rint(lightness / 100 * 0xFF00), *(np.rint((plane + 128) * 256) for plane in opponents)]
        samples, photometric = np.stack(planes, axis=-1).astype(np.uint16), "icclab"
    else:
        signed = [np.rint(plane * 256).astype(np.int16).view(np.uint16) for plane in opponents]
        samples = np.stack([np.rint(lightness / 100 * 65535).astype(np.uint16), *signed], axis=-1)
        photometric = "cielab"
    image = read(tiff_file(samples, photometric=photometric))
    assert image.bit_depth == 16
    np.testing.assert_allclose(pixels_of(image) * 255, scene(), atol=0.5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("grey", [False, True], ids=["RGB", "grey"])
def test_premultiplied_tiff(dtype: type, grey: bool) -> None:
    full = np.iinfo(dtype).max
    color = scene()[..., :1] / 255 if grey else scene() / 255
    alpha = np.maximum(ALPHA, 64)[..., None] / 255
    samples = np.rint(np.concatenate([color * alpha, alpha], axis=2) * full).astype(dtype)
    image = read(tiff_file(samples, photometric="minisblack" if grey else "rgb", extrasamples=["assocalpha"]))
    np.testing.assert_allclose(pixels_of(image), np.broadcast_to(color, (HEIGHT, WIDTH, 3)), atol=3.1 / 255)
    assert image.alpha is not None
    np.testing.assert_allclose(image.alpha[0, 0].numpy(), alpha[..., 0], atol=1e-5)


def test_importing_loads_no_tifffile() -> None:
    script = "import sys, impasto.images; sys.exit(bool({'tifffile', 'imagecodecs', 'pi_heif'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
