"""Each format and each mode that a file may have; of several frames the first."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
import torch

from impasto.errors import ImpastoWarning
from impasto.images import (
    READABLE_FORMATS,
    read,
)
from tests.images.drawing import (
    ALPHA,
    HEIGHT,
    INDEX,
    PALETTE,
    WIDTH,
    animations,
    deep_scene,
    grey3,
    on_white,
    palette_picture,
    pixels_of,
    saved,
    scene,
    shown,
    tiff_file,
)


@pytest.mark.parametrize(
    ("kind", "tolerance"), [("PNG", 0), ("TIFF", 0), ("BMP", 0), ("JPEG", 6), ("WEBP", 12), ("AVIF", 6)]
)
def test_reads_each_format(kind: str, tolerance: int) -> None:
    data = saved(PIL.Image.fromarray(scene()), kind, quality=95)
    image = read(data, name="a.xyz")
    assert image.pixels.dtype == torch.float32
    assert image.size == (image.height, image.width) == (HEIGHT, WIDTH)
    assert (image.name, image.bit_depth, image.icc_converted) == ("a.xyz", 8, None)
    assert image.format in READABLE_FORMATS
    assert image.format.upper() == kind
    np.testing.assert_allclose(pixels_of(image) * 255, scene(), atol=tolerance + 1e-4)


def opaque_cases() -> list[tuple[str, bytes, np.ndarray, float]]:
    rgb, grey = scene(), scene()[..., 0]
    bits = grey > 100
    full = deep_scene(1)[..., 0]
    return [
        ("1 PNG", saved(PIL.Image.fromarray(bits)), grey3(bits * 255), 0),
        ("1 TIFF", saved(PIL.Image.fromarray(bits), "TIFF", compression="group4"), grey3(bits * 255), 0),
        ("1 BMP", saved(PIL.Image.fromarray(bits), "BMP"), grey3(bits * 255), 0),
        ("L PNG", saved(PIL.Image.fromarray(grey)), grey3(grey), 0),
        ("L JPEG", saved(PIL.Image.fromarray(grey), "JPEG", quality=100), grey3(grey), 2),
        ("L TIFF LZW", saved(PIL.Image.fromarray(grey), "TIFF", compression="tiff_lzw"), grey3(grey), 0),
        ("P PNG", saved(palette_picture()), PALETTE[INDEX], 0),
        ("P BMP", saved(palette_picture(), "BMP"), PALETTE[INDEX], 0),
        ("P GIF", saved(palette_picture(), "GIF"), PALETTE[INDEX], 0),
        ("P TIFF", saved(palette_picture(), "TIFF"), PALETTE[INDEX], 0),
        ("RGB TIFF JPEG", saved(PIL.Image.fromarray(rgb), "TIFF", compression="jpeg", quality=100), rgb, 6),
        ("RGBA opaque", saved(PIL.Image.fromarray(rgb).convert("RGBA")), rgb, 0),
        ("YCbCr TIFF", saved(PIL.Image.fromarray(rgb).convert("YCbCr"), "TIFF"), rgb, 3),
        ("YCbCr JPEG", saved(PIL.Image.fromarray(rgb).convert("YCbCr"), "JPEG", quality=100, subsampling=0), rgb, 5),
        ("LAB TIFF", saved(PIL.Image.fromarray(rgb).convert("LAB"), "TIFF"), rgb, 15),  # LAB is coarse
        ("I;16 PNG", saved(PIL.Image.fromarray(full)), grey3(full / 257), 0),
        ("I;16 TIFF", saved(PIL.Image.fromarray(full), "TIFF"), grey3(full / 257), 0),
        ("I;16B TIFF", tiff_file(full, photometric="minisblack", byteorder=">"), grey3(full / 257), 0),
        ("F TIFF", saved(PIL.Image.fromarray((grey / 255).astype(np.float32)), "TIFF"), grey3(grey), 1e-3),
    ]


@pytest.mark.promise("every-kind")
@pytest.mark.parametrize("case", opaque_cases(), ids=lambda case: case[0])
def test_opaque_modes(case: tuple[str, bytes, np.ndarray, float]) -> None:
    _, data, expected, tolerance = case
    np.testing.assert_allclose(pixels_of(read(data)) * 255, expected, atol=tolerance + 1e-4)


def transparent_cases() -> list[tuple[str, bytes, np.ndarray, float]]:
    rgb, grey = scene(), scene()[..., 0]
    rgba, la = np.dstack([rgb, ALPHA]), np.dstack([grey, ALPHA])
    table = np.array([255, 128, 0, 64])
    only_first = np.where(INDEX == 2, 0, 255)
    key = tuple(int(value) for value in rgb[3, 4])
    return [
        ("RGBA PNG", saved(PIL.Image.fromarray(rgba)), on_white(rgb, ALPHA), 0),
        ("RGBA TIFF", saved(PIL.Image.fromarray(rgba), "TIFF"), on_white(rgb, ALPHA), 0),
        ("RGBA WebP", saved(PIL.Image.fromarray(rgba), "WEBP", lossless=True, exact=True), on_white(rgb, ALPHA), 0),
        ("RGBA AVIF", saved(PIL.Image.fromarray(rgba), "AVIF", quality=100), on_white(rgb, ALPHA), 8),
        ("LA PNG", saved(PIL.Image.fromarray(la)), on_white(grey3(grey), ALPHA), 0),
        ("P key PNG", saved(palette_picture(), transparency=2), on_white(PALETTE[INDEX], only_first), 0),
        ("P key GIF", saved(palette_picture(), "GIF", transparency=2), on_white(PALETTE[INDEX], only_first), 0),
        ("P table", saved(palette_picture(), transparency=bytes(table.tolist())),
         on_white(PALETTE[INDEX], table[INDEX]), 0),
        ("L key", saved(PIL.Image.fromarray(grey), transparency=int(grey[0, 0])),
         on_white(grey3(grey), np.where(grey == grey[0, 0], 0, 255)), 0),
        ("RGB key", saved(PIL.Image.fromarray(rgb), transparency=key),
         on_white(rgb, np.where((rgb == key).all(-1), 0, 255)), 0),
    ]  # fmt: skip


@pytest.mark.promise("every-kind")
@pytest.mark.parametrize("case", transparent_cases(), ids=lambda case: case[0])
def test_transparency_is_kept(case: tuple[str, bytes, np.ndarray, float]) -> None:
    _, data, expected, tolerance = case
    np.testing.assert_allclose(shown(read(data)) * 255, expected, atol=tolerance + 1e-3)


@pytest.mark.promise("every-kind")
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_without_a_profile_is_the_plain_complement(kind: str) -> None:
    ink = np.dstack([scene(), scene()[::-1, :, 0]])
    # A JPEG of this mode is Adobe's inverted kind, which Pillow both writes and reads.
    with pytest.warns(ImpastoWarning, match="CMYK"):
        image = read(saved(PIL.Image.fromarray(ink, mode="CMYK"), kind, **({"quality": 100} if kind == "JPEG" else {})))
    expected = (255 - ink[..., :3].astype(float)) * (255 - ink[..., 3:].astype(float)) / 255
    np.testing.assert_allclose(pixels_of(image) * 255, expected, atol=6 if kind == "JPEG" else 1e-3)


@pytest.mark.promise("every-kind")
@pytest.mark.parametrize("case", animations(), ids=lambda case: case[0])
def test_of_several_frames_the_first_is_used(case: tuple[str, bytes]) -> None:
    kind, data = case
    with pytest.warns(ImpastoWarning, match="first"):
        image = read(data)
    expected = deep_scene() / 257 if kind == "TIFF 16" else grey3(np.asarray(PIL.Image.fromarray(scene()).convert("L")))
    if kind in ("WEBP", "PNG", "AVIF", "TIFF"):
        expected = scene().astype(float)
    np.testing.assert_allclose(pixels_of(image) * 255, expected, atol=6 if kind == "AVIF" else 1e-3)


def test_an_animated_png_whose_still_is_no_frame_gives_the_still() -> None:
    still = PIL.Image.fromarray(scene())
    frame = PIL.Image.fromarray(scene()[::-1].copy())
    data = saved(still, "PNG", save_all=True, append_images=[frame, still], default_image=True)
    with pytest.warns(ImpastoWarning, match="first"):
        np.testing.assert_allclose(pixels_of(read(data)) * 255, scene(), atol=1e-3)
