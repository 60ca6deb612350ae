"""Pictures in and out: every mode, format, orientation and profile; damaged and hostile files; the atomic write."""

from __future__ import annotations

import errno
import functools
import hashlib
import importlib.util
import io
import json
import os
import resource
import signal
import stat
import struct
import subprocess
import sys
import textwrap
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, ImageCms, ImageOps, PngImagePlugin

from impasto.errors import ImageError, ImageReadError, ImageWriteError, ImpastoWarning, SettingsError
from impasto.images import (
    READABLE_FORMATS,
    WRITABLE_SUFFIXES,
    Image,
    as_image,
    check_output,
    encode,
    fit,
    read,
    read_metadata,
    resize,
    write,
)
from impasto.images.pixels import quantize
from impasto.images.profiles import srgb_profile

HEIGHT, WIDTH = 30, 42
METADATA = {"impasto": json.dumps({"style": "Käse «été»", "steps": 3}), "Software": "Impasto 0.1.0"}
WRITABLE = tuple(dict.fromkeys(WRITABLE_SUFFIXES.values()))


def scene(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A smooth, muted, asymmetric uint8 picture: lossy formats come close, and every orientation differs."""
    y, x = np.mgrid[0:height, 0:width] / (max(height, width) - 1)
    return np.stack([40 + 150 * x, 60 + 120 * y, 220 - 80 * x - 80 * y], axis=-1).astype(np.uint8)


def deep_scene(channels: int = 3) -> np.ndarray:
    """16-bit noise: no two bytes of a sample may be mixed up unnoticed."""
    return np.random.default_rng(7).integers(0, 65536, (HEIGHT, WIDTH, channels)).astype(np.uint16)


def saved(picture: PIL.Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def pixels_of(image: Image) -> np.ndarray:
    """(height, width, 3) float64 in [0, 1]."""
    return image.pixels[0].permute(1, 2, 0).double().numpy()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_file(
    width: int, height: int, depth: int, color: int, rows: bytes, extra: bytes = b"", interlace: int = 0
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def deep_png(samples: np.ndarray, color: int, extra: bytes = b"", interlaced: bool = False) -> bytes:
    """A 16-bit PNG written by the specification: filter 0, and Adam7's seven passes where interlaced."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b""
    for top, left, down, across in passes if interlaced else [(0, 0, 1, 1)]:
        part = samples[top::down, left::across].astype(">u2")
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    return png_file(samples.shape[1], samples.shape[0], 16, color, rows, extra, int(interlaced))


def tiff_file(samples: np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, samples, **{"photometric": "rgb", "metadata": None, **options})
    return out.getvalue()


# --- reading: formats and modes ---------------------------------------------------------------------------------------


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


def test_sources_give_the_same_image(tmp_path: Path) -> None:
    data = saved(PIL.Image.fromarray(scene()))
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    with path.open("rb") as file:
        images = [read(path), read(str(path)), read(data), read(bytearray(data)), read(io.BytesIO(data)), read(file)]
    for image in images:
        assert torch.equal(image.pixels, images[0].pixels)
        assert image.sha256 == hashlib.sha256(data).hexdigest()
    assert [image.name for image in images] == ["photo.png", "photo.png", "", "", "", "photo.png"]
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb") as sink:
        sink.write(data)
    with os.fdopen(read_end, "rb") as pipe:
        assert torch.equal(read(pipe).pixels, images[0].pixels)


def test_reads_a_named_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe.png"
    os.mkfifo(path)
    data = saved(PIL.Image.fromarray(scene()))
    writer = threading.Thread(target=path.write_bytes, args=(data,))
    writer.start()
    assert read(path).size == (HEIGHT, WIDTH)
    writer.join()


def palette_picture() -> PIL.Image.Image:
    picture = PIL.Image.fromarray((np.arange(HEIGHT * WIDTH, dtype=np.uint8) % 4).reshape(HEIGHT, WIDTH), mode="P")
    picture.putpalette([250, 0, 0, 0, 240, 0, 0, 0, 230, 9, 9, 9])
    return picture


PALETTE = np.array([[250, 0, 0], [0, 240, 0], [0, 0, 230], [9, 9, 9]])
INDEX = (np.arange(HEIGHT * WIDTH) % 4).reshape(HEIGHT, WIDTH)
ALPHA = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) * 255 // (HEIGHT * WIDTH - 1)).astype(np.uint8)


def on_white(color: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255
    return color * share + 255 * (1 - share)


def grey3(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=2).astype(float)


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


@pytest.mark.parametrize("case", transparent_cases(), ids=lambda case: case[0])
def test_transparency_goes_onto_white(case: tuple[str, bytes, np.ndarray, float]) -> None:
    _, data, expected, tolerance = case
    with pytest.warns(ImpastoWarning, match="white"):
        image = read(data)
    np.testing.assert_allclose(pixels_of(image) * 255, expected, atol=tolerance + 1e-3)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_without_a_profile_is_the_plain_complement(kind: str) -> None:
    ink = np.dstack([scene(), scene()[::-1, :, 0]])
    # A JPEG of this mode is Adobe's inverted kind, which Pillow both writes and reads.
    with pytest.warns(ImpastoWarning, match="CMYK"):
        image = read(saved(PIL.Image.fromarray(ink, mode="CMYK"), kind, **({"quality": 100} if kind == "JPEG" else {})))
    expected = (255 - ink[..., :3].astype(float)) * (255 - ink[..., 3:].astype(float)) / 255
    np.testing.assert_allclose(pixels_of(image) * 255, expected, atol=6 if kind == "JPEG" else 1e-3)


def animations() -> list[tuple[str, bytes]]:
    frames = [PIL.Image.fromarray(scene()), PIL.Image.fromarray(scene()[::-1].copy())]
    several: dict[str, Any] = {"save_all": True, "append_images": frames[1:]}
    grey = [frame.convert("L") for frame in frames]
    return [
        ("GIF", saved(grey[0], "GIF", save_all=True, append_images=grey[1:])),
        ("WEBP", saved(frames[0], "WEBP", lossless=True, **several)),
        ("PNG", saved(frames[0], "PNG", **several)),
        ("AVIF", saved(frames[0], "AVIF", quality=100, **several)),
        ("TIFF", saved(frames[0], "TIFF", **several)),
        ("TIFF 16", tiff_file(np.stack([deep_scene(), deep_scene()[::-1]]))),
    ]


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


# --- reading: orientation ---------------------------------------------------------------------------------------------


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


# --- reading: colour profiles -----------------------------------------------------------------------------------------

# The primaries of sRGB and of Adobe RGB (1998), adapted to D50 as ICC demands; columns are red, green, blue.
SRGB_D50 = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
ADOBE_D50 = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
D50 = (0.9642, 1.0, 0.8249)


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def icc_profile(space: bytes, device: bytes, tags: dict[bytes, bytes], pcs: bytes = b"XYZ ") -> bytes:
    """An ICC profile of version 2 with a description, a white point and `tags`."""
    name = b"Test profile\0"
    description = b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(4 + 4 + 2 + 1 + 67)
    tags = {
        b"desc": description,
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + fixed(*D50),
        **tags,
    }
    table, body = b"", b""
    offset = 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        data += bytes(-len(data) % 4)
        table += tag + struct.pack(">II", offset + len(body), len(data))
        body += data
    header = bytes(4) + b"test" + bytes.fromhex("02400000") + device + space + pcs + bytes(12) + b"acsp" + bytes(28)
    header += fixed(*D50) + bytes(48)
    assert len(header) == 128
    profile = header + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(profile)) + profile[4:]


def gamma_curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def matrix_profile(primaries: np.ndarray, gamma: float) -> bytes:
    tags = {}
    for letter, column in zip((b"r", b"g", b"b"), primaries.T, strict=True):
        tags[letter + b"XYZ"] = b"XYZ " + bytes(4) + fixed(*column)
        tags[letter + b"TRC"] = gamma_curve(gamma)
    return icc_profile(b"RGB ", b"mntr", tags)


def grey_profile(gamma: float) -> bytes:
    return icc_profile(b"GRAY", b"mntr", {b"kTRC": gamma_curve(gamma)})


def cmyk_profile() -> bytes:
    """Ink to Lab by a table of the 16 corners: lightness falls with every ink, and all is grey."""
    corners = [(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    clut = b"".join(bytes([round(255 * (1 - sum(corner) / 4)), 128, 128]) for corner in corners)
    identity = bytes(range(256))
    table = (
        b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + identity * 4 + clut + identity * 3
    )
    return icc_profile(b"CMYK", b"prtr", {b"A2B0": table}, pcs=b"Lab ")


def srgb_encoded(linear: np.ndarray) -> np.ndarray:
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def adobe_to_srgb(values: np.ndarray, gamma: float = 2.2) -> np.ndarray:
    return srgb_encoded((values**gamma) @ ADOBE_D50.T @ np.linalg.inv(SRGB_D50).T)


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
    with pytest.warns(ImpastoWarning, match="white"):
        image = read(saved(PIL.Image.fromarray(rgba), icc_profile=matrix_profile(ADOBE_D50, 2.2)))
    expected = on_white(adobe_to_srgb(rgba[..., :3] / 255) * 255, ALPHA)
    np.testing.assert_allclose(pixels_of(image) * 255, expected, atol=2)


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


# --- reading: depth ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interlaced", [False, True], ids=["plain", "interlaced"])
@pytest.mark.parametrize(("channels", "color"), [(1, 0), (3, 2), (2, 4), (4, 6)], ids=["grey", "RGB", "LA", "RGBA"])
def test_16_bit_png_keeps_every_bit(channels: int, color: int, interlaced: bool) -> None:
    samples = deep_scene(channels)
    if channels in (2, 4):
        with pytest.warns(ImpastoWarning, match="white"):
            image = read(deep_png(samples, color, interlaced=interlaced))
        share = samples[..., -1:] / 65535
        expected = samples[..., :-1] / 65535 * share + 1 - share
    else:
        image = read(deep_png(samples, color, interlaced=interlaced))
        expected = samples / 65535
    assert image.bit_depth == 16
    np.testing.assert_allclose(pixels_of(image), np.broadcast_to(expected, (HEIGHT, WIDTH, 3)), atol=2e-7)


def test_16_bit_png_with_a_transparent_color() -> None:
    samples = deep_scene()
    key = samples[2, 3].astype(">u2").tobytes()
    with pytest.warns(ImpastoWarning, match="white"):
        image = read(deep_png(samples, 2, chunk(b"tRNS", key)))
    expected = samples / 65535
    expected[2, 3] = 1.0
    np.testing.assert_allclose(pixels_of(image), expected, atol=2e-7)


def test_16_bit_grey_png_with_a_transparent_level() -> None:
    samples = deep_scene(1)
    with pytest.warns(ImpastoWarning, match="white"):
        image = read(deep_png(samples, 0, chunk(b"tRNS", samples[2, 3].astype(">u2").tobytes())))
    expected = np.repeat(samples / 65535, 3, axis=2)
    expected[2, 3] = 1.0
    np.testing.assert_allclose(pixels_of(image), expected, atol=2e-7)


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
    with pytest.warns(ImpastoWarning, match="white"):
        image = read(tiff_file(samples, extrasamples=[kind]))
    np.testing.assert_allclose(pixels_of(image), color * alpha[..., None] + 1 - alpha[..., None], atol=1e-4)


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


# --- reading: refusals ------------------------------------------------------------------------------------------------

DISGUISED = {
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "EPS"),
    "EPS with preview": (b"\xc5\xd0\xd3\xc6" + bytes(30), "EPS"),
    "PSD": (b"8BPS\0\1" + bytes(60), "Photoshop"),
    "PDF": (b"%PDF-1.7\n", "PDF"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"></svg>', "SVG"),
    "XML": (b'\xef\xbb\xbf\n <?XML version="1.0"?><svg/>', "XML"),
    "HTML": (b"<!doctype html><title>x</title>", "web page"),
    "HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
    "MP4": (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", "video"),
    "JPEG XL": (b"\xff\x0a" + bytes(20), "JPEG XL"),
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    "EXR": (b"\x76\x2f\x31\x01" + bytes(20), "OpenEXR"),
    "ICO": (b"\0\0\1\0\1\0", "icon"),
    "PPM": (b"P6 2 2 255 " + bytes(12), "PPM"),
    "ZIP": (b"PK\3\4" + bytes(30), "ZIP"),
    "raw Canon": (b"II*\0\x10\0\0\0CR\2\0" + bytes(30), "raw"),
    "raw Fuji": (b"FUJIFILMCCD-RAW 0201", "raw"),
    "text": (b"I am a letter, and no picture", "not a picture"),
    "zeros": (bytes(100), "not a picture"),
}


@pytest.mark.parametrize("kind", DISGUISED)
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_other_formats_in_disguise_are_refused(kind: str, suffix: str, tmp_path: Path) -> None:
    data, match = DISGUISED[kind]
    path = tmp_path / f"photo{suffix}"
    path.write_bytes(data)
    with pytest.raises(ImageReadError, match=match) as caught:
        read(path)
    message = str(caught.value)
    assert "PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF" in message or "raw" in message
    assert message.startswith(str(path))
    assert "\n" not in message


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(saved(PIL.Image.fromarray(scene()), "JPEG"))
    assert read(path).format == "JPEG"


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


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match="no such file"):
        read(tmp_path / "missing.png")
    with pytest.raises(ImageReadError, match="no such file"):
        read(tmp_path / "missing" / "deeper.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(ImageReadError, match="no such file"):
        read(tmp_path / "dangling.png")
    with pytest.raises(ImageReadError, match="folder"):
        read(tmp_path)
    with pytest.raises(ImageReadError, match="device"):
        read("/dev/zero")
    with pytest.raises(ImageReadError, match="could not be opened"):
        read("nul\0byte.png")
    with pytest.raises(ImageReadError, match="could not be opened"):
        read("n" * 5000)
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageReadError, match="empty"):
        read(tmp_path / "empty.png")
    with pytest.raises(ImageReadError, match="empty"):
        read(b"")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(saved(PIL.Image.fromarray(scene())))
    path.chmod(0)
    with pytest.raises(ImageReadError, match="permission"):
        read(path)


def test_permission_is_named_even_when_root_runs_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("io.open", refuse)
    with pytest.raises(ImageReadError, match="permission"):
        read("secret.png")


def test_sources_of_the_wrong_kind() -> None:
    with pytest.raises(ImageReadError, match="binary mode"):
        read(io.StringIO("text"))  # type: ignore[arg-type]
    for wrong in (None, 3, object()):
        with pytest.raises((ImageReadError, TypeError)):
            read(wrong)  # type: ignore[arg-type]
    closed = io.BytesIO(b"x")
    closed.close()
    with pytest.raises(ImageReadError, match="could not be read"):
        read(closed)
    with pytest.raises(ImageReadError, match="max_pixels"):
        read(b"x", max_pixels=0)


@pytest.mark.parametrize(
    ("size", "match"),
    [((1, 1), "at least 2"), ((1, 40), "at least 2"), ((40, 1), "at least 2"), ((2, 101), "50"), ((101, 2), "50")],
)
def test_sizes_that_no_network_can_use(size: tuple[int, int], match: str) -> None:
    with pytest.raises(ImageReadError, match=match):
        read(saved(PIL.Image.new("RGB", size)))


def test_the_smallest_and_the_longest_that_are_read() -> None:
    assert read(saved(PIL.Image.new("RGB", (2, 2)))).size == (2, 2)
    assert read(saved(PIL.Image.new("RGB", (100, 2)))).size == (2, 100)


def test_max_pixels_is_exact() -> None:
    data = saved(PIL.Image.fromarray(scene()))
    assert read(data, max_pixels=HEIGHT * WIDTH).size == (HEIGHT, WIDTH)
    with pytest.raises(ImageReadError, match=r"megapixels.*max_pixels"):
        read(data, max_pixels=HEIGHT * WIDTH - 1)


def test_messages_show_no_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31mred\nline\u202e.png"
    path.write_bytes(b"not a picture")
    with pytest.raises(ImageReadError) as caught:
        read(path)
    assert str(caught.value).isprintable()
    path.write_bytes(saved(PIL.Image.fromarray(scene())))
    assert read(path).name.isprintable()
    assert read(saved(PIL.Image.fromarray(scene())), name="up\r\nload.png").name == "up??load.png"


# --- reading: bombs ---------------------------------------------------------------------------------------------------


@functools.cache
def deflated_zeros(megabytes: int) -> bytes:
    deflate = zlib.compressobj(9)
    return b"".join(deflate.compress(bytes(1 << 20)) for _ in range(megabytes)) + deflate.flush()


def avif_claiming(width: int, height: int) -> bytes:
    data = saved(PIL.Image.fromarray(scene()), "AVIF")
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


@functools.cache
def pixel_bombs() -> dict[str, bytes]:
    side = 60000
    frame = struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\2\2\x44\1\0;"
    jpeg = bytearray(saved(PIL.Image.fromarray(scene()), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", side, side)
    # A canvas as large as WebP goes, with frames as small as they were: nothing about it is invalid.
    animation = dict(animations())["WEBP"]
    bmp = bytearray(saved(PIL.Image.fromarray(scene()), "BMP"))
    bmp[18:26] = struct.pack("<ii", side, side)
    tiff = bytearray(saved(PIL.Image.fromarray(scene()), "TIFF"))
    deep = bytearray(tiff_file(deep_scene()))
    for data in (tiff, deep):
        for tag in (256, 257):
            entry = next(
                at for at in range(len(data) - 12) if data[at : at + 2] == struct.pack("<H", tag) and data[at + 4] == 1
            )
            data[entry + 2 : entry + 4] = struct.pack("<H", 4)
            data[entry + 8 : entry + 12] = struct.pack("<I", side)
    return {
        "PNG": png_file(side, side, 8, 6, deflated_zeros(64)),
        "GIF": b"GIF89a" + struct.pack("<HHBBB", 4, 4, 0, 0, 0) + b"!\xf9\4\x08\0\0\0\0," + frame,
        "GIF screen": b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"," + bytes(9) + b"\2\2\x44\1\0;",
        "WebP": animation[:24] + (16383).to_bytes(3, "little") * 2 + animation[30:],
        "WebP lossless": b"RIFF\x1e\0\0\0WEBPVP8L\x0a\0\0\0\x2f" + struct.pack("<I", 0x0FFFFFFF) + bytes(9),
        "WebP lossy": b"RIFF\x1e\0\0\0WEBPVP8 \x0a\0\0\0\x30\1\0\x9d\1\x2a\xff\x3f\xff\x3f",
        "JPEG": bytes(jpeg),
        "BMP": bytes(bmp),
        "TIFF": bytes(tiff),
        "TIFF 16": bytes(deep),
        "AVIF": avif_claiming(15000, 15000),  # from 16384² on it is libavif that refuses
    }


@functools.cache
def packed_bombs() -> dict[str, bytes]:
    rows = bytes(HEIGHT * (1 + 3 * WIDTH))
    zeros = deflated_zeros(200)
    return {
        "zTXt": png_file(WIDTH, HEIGHT, 8, 2, rows, chunk(b"zTXt", b"impasto\0\0" + zeros)),
        "iTXt": png_file(WIDTH, HEIGHT, 8, 2, rows, chunk(b"iTXt", b"impasto\0\1\0\0\0" + zeros)),
        "tEXt": png_file(WIDTH, HEIGHT, 8, 2, rows, chunk(b"tEXt", b"impasto\0" + b"a" * 300_000)),
        "many": png_file(
            WIDTH, HEIGHT, 8, 2, rows, b"".join(chunk(b"tEXt", b"k%d\0" % i + b"a" * 60_000) for i in range(40))
        ),
        "iCCP": png_file(WIDTH, HEIGHT, 8, 2, rows, chunk(b"iCCP", b"x\0\0" + zeros)),
        "eXIf": png_file(WIDTH, HEIGHT, 8, 2, rows, chunk(b"eXIf", b"MM\0*\0\0\0\x08" + bytes(3 << 20))),
    }


@pytest.mark.parametrize("kind", pixel_bombs())
def test_pixel_bombs_are_refused_by_their_header(kind: str) -> None:
    with pytest.raises(ImageReadError, match="megapixels"):
        read(pixel_bombs()[kind])


def test_a_second_header_changes_nothing() -> None:
    small = png_file(WIDTH, HEIGHT, 8, 2, bytes(HEIGHT * (1 + 3 * WIDTH)))
    large = png_file(60_000, 60_000, 8, 2, b"")
    assert read(small[:33] + large[8:33] + small[33:]).size == (HEIGHT, WIDTH)


@pytest.mark.parametrize("kind", packed_bombs())
def test_text_profile_and_exif_bombs_are_ignored_with_a_warning(kind: str) -> None:
    with pytest.warns(ImpastoWarning, match="longer than"):
        image = read(packed_bombs()[kind])
    assert image.size == (HEIGHT, WIDTH)
    assert sum(map(len, image.text.values())) <= 1 << 20
    if kind in ("zTXt", "iTXt", "tEXt", "many"):
        with pytest.warns(ImpastoWarning, match="longer than"):
            assert sum(map(len, read_metadata(packed_bombs()[kind]).values())) <= 1 << 20


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the memory")
def test_bombs_take_little_memory(tmp_path: Path) -> None:
    for index, data in enumerate([*pixel_bombs().values(), *packed_bombs().values()]):
        (tmp_path / f"{index}").write_bytes(data)
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.write(b"\x89PNG\r\n\x1a\n")
        sparse.truncate(1 << 40)
    script = """
        import sys, warnings
        from pathlib import Path
        from impasto.errors import ImageReadError, ImpastoWarning
        from impasto.images import as_image, encode, read
        import numpy, tifffile

        def peaks():
            # Resident and virtual, in KB, of this process alone: getrusage would begin at its parent's.
            status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
            return [int(status[key].split()[0]) for key in ("VmHWM", "VmPeak")]

        warnings.simplefilter("ignore", ImpastoWarning)
        for kind in ("PNG", "TIFF", "WEBP", "AVIF"):  # whatever these load once is not the bombs'
            read(encode(as_image(numpy.zeros((8, 8, 3), numpy.uint8)), kind))
        before = peaks()
        for path in sorted(Path(sys.argv[1]).iterdir()):
            try:
                read(path)
            except ImageReadError:
                pass
        print(*(after - was for after, was in zip(peaks(), before)))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script), str(tmp_path)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    resident, virtual = map(int, done.stdout.split())
    assert resident < 64 * 1024
    assert virtual < 1024 * 1024
    assert done.stderr == ""


def test_reading_a_stream_without_end_stops() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1, /) -> bytes:
            self.given += size
            return bytes(size)

    endless = Endless()
    with pytest.raises(ImageReadError, match="longer than"):
        read(endless, max_pixels=1000)
    assert endless.given < 70 << 20


def test_a_million_frames_are_not_counted() -> None:
    first = PIL.Image.fromarray(scene()).convert("L")
    data = saved(first, "GIF")[:-1]
    frame = data[data.index(b",") :]
    with pytest.warns(ImpastoWarning, match="first frame"):
        image = read(data + frame * 20_000 + b";")
    np.testing.assert_allclose(pixels_of(image) * 255, grey3(np.asarray(first)), atol=1e-3)


def test_pillows_own_limit_and_warnings_do_not_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    for kind in ("PNG", "TIFF", "GIF", "WEBP", "JPEG"):
        assert read(saved(PIL.Image.fromarray(scene()).convert("RGB"), kind)).size == (HEIGHT, WIDTH)
    assert PIL.Image.MAX_IMAGE_PIXELS == 10


def test_running_out_of_memory_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("impasto.images.reading.decode", exhausted)
    with pytest.raises(ImageReadError, match="not enough memory"):
        read(saved(PIL.Image.fromarray(scene())))


# --- reading: damage --------------------------------------------------------------------------------------------------


def seeds() -> dict[str, bytes]:
    picture = PIL.Image.fromarray(scene())
    exif = PIL.Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\0\0\0" + json.dumps(METADATA).encode()
    rich: dict[str, Any] = {"exif": exif, "icc_profile": matrix_profile(ADOBE_D50, 2.2)}
    info = PngImagePlugin.PngInfo()
    info.add_text("impasto", METADATA["impasto"], zip=True)
    rgba = PIL.Image.fromarray(np.dstack([scene(), ALPHA]))
    several: dict[str, Any] = {"save_all": True, "append_images": [picture]}
    return {
        "PNG": saved(picture, pnginfo=info, **rich),
        "PNG palette": saved(palette_picture(), transparency=b"\x80\0"),
        "PNG 16": deep_png(deep_scene(), 2),
        "APNG": saved(picture, **several),
        "JPEG": saved(picture, "JPEG", **rich),
        "JPEG progressive": saved(picture, "JPEG", progressive=True),
        "JPEG CMYK": saved(picture.convert("CMYK"), "JPEG", icc_profile=cmyk_profile()),
        "WebP": saved(picture, "WEBP", **rich),
        "WebP lossless": saved(rgba, "WEBP", lossless=True),
        "WebP animated": saved(picture, "WEBP", **several),
        "AVIF": saved(picture, "AVIF", **rich),
        "GIF": saved(palette_picture(), "GIF", transparency=1),
        "BMP": saved(picture, "BMP"),
        "TIFF": saved(picture, "TIFF", **rich),
        "TIFF LZW": saved(picture, "TIFF", compression="tiff_lzw"),
        "TIFF JPEG": saved(picture, "TIFF", compression="jpeg"),
        "TIFF 16": tiff_file(deep_scene(), compression="zlib", iccprofile=matrix_profile(ADOBE_D50, 2.2)),
        "TIFF float": tiff_file((scene() / 255).astype(np.float32), tile=(16, 16)),
    }


SEEDS = seeds()
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


@pytest.mark.parametrize("kind", SEEDS)
@GENTLE
@given(share=st.floats(0, 1, exclude_max=True))
def test_files_cut_anywhere(kind: str, share: float) -> None:
    survive(SEEDS[kind][: int(share * len(SEEDS[kind]))])


@pytest.mark.parametrize("kind", SEEDS)
@GENTLE
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4))
def test_files_with_flipped_bytes(kind: str, flips: list[tuple[float, int]]) -> None:
    data = bytearray(SEEDS[kind])
    for share, mask in flips:
        data[int(share * len(data))] ^= mask
    survive(bytes(data))


@pytest.mark.parametrize("kind", SEEDS)
@GENTLE
@given(offset=st.integers(0, 299), mask=st.integers(1, 255))
def test_headers_with_flipped_bytes(kind: str, offset: int, mask: int) -> None:
    data = bytearray(SEEDS[kind])
    data[offset % len(data)] ^= mask
    survive(bytes(data))


@GENTLE
@given(data=st.binary(max_size=200), head=st.sampled_from([seed[:24] for seed in SEEDS.values()]))
def test_junk_behind_a_true_beginning(data: bytes, head: bytes) -> None:
    survive(head + data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WebP", "AVIF", "TIFF", "TIFF 16", "TIFF float", "GIF", "BMP"])
def test_half_a_file_is_refused_in_plain_words(kind: str) -> None:
    with pytest.raises(ImageReadError, match="damaged or cut short"):
        read(SEEDS[kind][: len(SEEDS[kind]) // 2])


def test_damage_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    for kind, data in SEEDS.items():
        if kind in ("TIFF LZW", "TIFF JPEG"):
            continue  # These Pillow leaves to libtiff, whose own messages on damage it lets through to standard error.
        for cut in (20, 60, len(data) // 2, len(data) - 5):
            survive(data[:cut])
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_reads_overlap_in_threads() -> None:
    """The filters and limits that decoding sets aside are all back when the last read ends."""
    filters, limit = list(warnings.filters), PIL.Image.MAX_IMAGE_PIXELS
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(20):
                for kind in ("PNG", "JPEG", "TIFF 16", "GIF"):
                    try:
                        read(SEEDS[kind])
                    except ImpastoWarning:
                        continue
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(warnings.filters) == filters
    assert limit == PIL.Image.MAX_IMAGE_PIXELS


# --- as_image ---------------------------------------------------------------------------------------------------------


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


def test_an_array_with_alpha_goes_onto_white() -> None:
    with pytest.warns(ImpastoWarning, match=r"the array.*white"):
        image = as_image(np.dstack([scene(), ALPHA]))
    np.testing.assert_allclose(pixels_of(image) * 255, on_white(scene(), ALPHA), atol=1e-3)


def test_a_pillow_picture_is_treated_as_a_file_is() -> None:
    data = saved(PIL.Image.fromarray(scene()), "JPEG", exif=SEEDS_EXIF, icc_profile=matrix_profile(ADOBE_D50, 2.2))
    picture = PIL.Image.open(io.BytesIO(data))
    assert torch.equal(as_image(picture).pixels, read(data).pixels)
    with pytest.warns(ImpastoWarning, match="white"):
        as_image(PIL.Image.fromarray(np.dstack([scene(), ALPHA])))
    wide = PIL.Image.fromarray(deep_scene(1)[..., 0].astype(np.int32))
    np.testing.assert_allclose(pixels_of(as_image(wide)), grey3(deep_scene(1)[..., 0] / 65535), atol=2e-7)
    with pytest.raises(ImageReadError, match="0 to 65535"):
        as_image(PIL.Image.fromarray(np.full((8, 8), 70_000, np.int32)))
    for mode in ("HSV", "RGBX", "YCbCr", "LAB", "F"):
        assert as_image(PIL.Image.new(mode, (8, 8))).size == (8, 8)
    for mode in ("RGBa", "La", "PA"):
        with pytest.warns(ImpastoWarning, match="white"):
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


# --- size -------------------------------------------------------------------------------------------------------------


def cubic_weights(old: int, new: int) -> np.ndarray:
    """Keys' cubic with a = −½, widened by the scale where it shrinks: the rows are new pixels, the columns old ones."""
    scale = old / new
    width = max(scale, 1.0)
    weights = np.zeros((new, old))
    for row in range(new):
        distance = np.abs((np.arange(old) + 0.5) - (row + 0.5) * scale) / width
        near = (1.5 * distance - 2.5) * distance**2 + 1
        far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
        weights[row] = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("size", [(5, 7), (20, 28), (13, 6), (10, 40)])
def test_resize_is_the_antialiased_cubic(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(5).random((3, HEIGHT, WIDTH))
    down, across = cubic_weights(HEIGHT, size[0]), cubic_weights(WIDTH, size[1])
    expected = np.clip(np.einsum("ij,cjk,lk->cil", down, noise, across), 0, 1)
    resized = resize(torch.from_numpy(noise)[None], size)
    np.testing.assert_allclose(resized[0].numpy(), expected, atol=1e-9)
    single = resize(torch.from_numpy(noise)[None].float(), size)
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single[0].numpy(), expected, atol=1e-5)


def test_resize_to_the_same_size_is_the_same_tensor() -> None:
    pixels = torch.rand(1, 3, 9, 12)
    assert resize(pixels, (9, 12)) is pixels
    image = Image(pixels, name="x")
    assert image.resized((4, 5)).size == (4, 5)
    assert image.resized((4, 5)).name == "x"


def test_resize_stays_in_range_and_takes_masks() -> None:
    checkers = (torch.arange(64)[:, None] + torch.arange(64)) % 2
    fine = checkers.float()[None, None]
    shrunk = resize(fine, (8, 8))
    # A filter without antialiasing would pick single squares of the board.
    assert float((shrunk - 0.5).abs().max()) < 0.05
    grown = resize(fine, (100, 100))
    assert 0 <= float(grown.min()) <= float(grown.max()) <= 1


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (2.5, 3)])
def test_resize_refuses_what_is_no_size(size: tuple[int, int]) -> None:
    with pytest.raises((ImageError, TypeError)):
        resize(torch.rand(1, 3, 9, 12), size)


@given(height=st.integers(1, 30_000), width=st.integers(1, 30_000), long_side=st.integers(1, 30_000))
def test_fit_keeps_the_aspect(height: int, width: int, long_side: int) -> None:
    new_height, new_width = fit((height, width), long_side)
    assert max(new_height, new_width) == long_side
    assert min(new_height, new_width) >= 1
    exact = min(height, width) * long_side / max(height, width)
    assert abs(min(new_height, new_width) - max(1.0, exact)) <= 0.5
    assert (new_height >= new_width) == (height >= width) or new_height == new_width


def test_fit_rounds_halves_up() -> None:
    assert fit((3, 4), 2) == (2, 2)
    assert fit((1, 1000), 10) == (1, 10)
    assert fit((480, 640), 256) == (192, 256)
    with pytest.raises(ImageError):
        fit((480, 640), 0)


# --- Image ------------------------------------------------------------------------------------------------------------


def test_image_checks_its_pixels() -> None:
    for pixels in (torch.zeros(3, 4, 4), torch.zeros(1, 1, 4, 4), torch.zeros(1, 3, 4, 4, dtype=torch.float64)):
        with pytest.raises((ImageError, TypeError)):
            Image(pixels)
    with pytest.raises(ImageError, match="bit_depth"):
        Image(torch.zeros(1, 3, 4, 4), bit_depth=12)


def test_image_shows_itself() -> None:
    image = Image(torch.rand(1, 3, 100, 2000), name="wide.png")
    assert repr(image) == "Image('wide.png', 100 × 2000, no file, 8 bits)"
    with PIL.Image.open(io.BytesIO(image._repr_png_())) as shown:
        assert shown.size == (1024, 51)
    small = as_image(scene())
    with PIL.Image.open(io.BytesIO(small._repr_png_())) as shown:
        assert shown.size == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(np.asarray(small.to_pil()), scene())


@pytest.mark.parametrize(("bits", "levels"), [(8, 255), (16, 65535)])
def test_quantize_rounds_to_nearest(bits: int, levels: int) -> None:
    values = np.random.default_rng(1).uniform(-0.1, 1.1, (3, 300, 7)).astype(np.float32)
    expected = np.rint(np.clip(values, 0, 1).astype(np.float32) * np.float32(levels)).transpose(1, 2, 0)
    np.testing.assert_array_equal(quantize(torch.from_numpy(values)[None], bits), expected)
    with pytest.raises(ImageError, match="NaN"):
        quantize(torch.full((1, 3, 4, 4), float("nan")))


# --- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".bmp", ".PNG"])
def test_lossless_formats_are_exact_to_the_bit(suffix: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    path = write(as_image(noise), tmp_path / f"out{suffix}")
    image = read(path)
    np.testing.assert_array_equal(quantize(image.pixels), noise)
    # And to any other program.
    with PIL.Image.open(path) as picture:
        np.testing.assert_array_equal(np.asarray(picture), noise)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("height", [2, HEIGHT, 150])
def test_16_bit_output_is_exact_to_the_bit(kind: str, height: int) -> None:
    noise = np.random.default_rng(4).integers(0, 65536, (height, 21, 3)).astype(np.uint16)
    data = encode(as_image(noise), kind, bit_depth=16, metadata=METADATA)
    image = read(data)
    assert image.bit_depth == 16
    assert image.text == METADATA
    np.testing.assert_array_equal(quantize(image.pixels, 16), noise)
    with PIL.Image.open(io.BytesIO(data)) as picture:
        np.testing.assert_array_equal(np.asarray(picture), noise >> 8)
        assert picture.info["icc_profile"] == srgb_profile()


def test_16_bit_png_is_what_another_decoder_reads() -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    data = encode(as_image(deep_scene()), "PNG", bit_depth=16)
    np.testing.assert_array_equal(imagecodecs.png_decode(data), deep_scene())


@pytest.mark.parametrize("kind", WRITABLE)
def test_every_format_is_srgb_and_the_same_every_time(kind: str) -> None:
    image = as_image(scene(40, 50))
    data = encode(image, kind)
    assert data == encode(image, kind.lower())
    with PIL.Image.open(io.BytesIO(data)) as picture:
        if kind != "BMP":
            assert picture.info["icc_profile"] == srgb_profile()
    again = read(data)
    assert again.format == kind
    np.testing.assert_allclose(pixels_of(again) * 255, scene(40, 50), atol=16)


def test_quality_has_an_effect_and_a_range() -> None:
    image = as_image(np.random.default_rng(6).integers(0, 256, (64, 64, 3)).astype(np.uint8))
    for kind in ("JPEG", "WebP", "AVIF"):
        sizes = [len(encode(image, kind, quality=quality)) for quality in (10, 60, 95)]
        assert sizes == sorted(set(sizes))
    for quality in (0, 101, True):
        with pytest.raises(SettingsError, match="quality"):
            encode(image, "JPEG", quality=quality)
    with pytest.raises((SettingsError, TypeError)):
        encode(image, "JPEG", quality=1.5)  # type: ignore[arg-type]


def test_depth_and_format_must_fit() -> None:
    image = as_image(scene())
    with pytest.raises(ImageWriteError, match="PNG or TIFF"):
        encode(image, "JPEG", bit_depth=16)
    with pytest.raises(SettingsError, match="bit_depth"):
        encode(image, "PNG", bit_depth=12)
    with pytest.raises(ImageWriteError, match=r"'gif'.*PNG, JPEG, WebP, TIFF, BMP, AVIF"):
        encode(image, "gif")
    with pytest.raises(ImageWriteError, match=r"16,383.*PNG or TIFF"):
        encode(torch.zeros(1, 3, 2, 16384), "WebP")
    with pytest.raises(ImageWriteError, match="NaN"):
        encode(torch.full((1, 3, 4, 4), float("nan")), "PNG")
    with pytest.raises((ImageWriteError, TypeError)):
        encode(torch.zeros(3, 4, 4), "PNG")


@pytest.mark.parametrize("name", ["out", "out.gif", "out.txt", "out.png.bak", ".png"])
def test_a_suffix_must_name_a_format(name: str, tmp_path: Path) -> None:
    with pytest.raises(ImageWriteError, match=r"\.png, \.jpg"):
        write(as_image(scene()), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    image = as_image(scene())
    with pytest.raises(ImageWriteError, match=r"no folder.*make it first"):
        write(image, tmp_path / "missing" / "out.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ImageWriteError, match="this is a folder"):
        write(image, tmp_path / "folder.png")
    (tmp_path / "null.png").symlink_to("/dev/null")
    with pytest.raises(ImageWriteError, match="device"):
        write(image, tmp_path / "null.png")
    for name in ("n" * 300 + ".png", "nul\0.png"):
        with pytest.raises(ImageWriteError, match="cannot be written"):
            write(image, tmp_path / name)
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    with pytest.raises(ImageWriteError):
        write(image, tmp_path / "loop.png")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder.png", "loop.png", "null.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ImageWriteError, match="permission"):
        write(as_image(scene()), tmp_path / "out.png")


def test_permission_to_write_is_named_even_when_root_runs_the_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ImageWriteError, match="permission"):
        write(as_image(scene()), tmp_path / "out.png")


def test_an_existing_file_needs_consent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"precious")
    with pytest.raises(ImageWriteError, match="exists already"):
        write(as_image(scene()), path, overwrite=False)
    assert path.read_bytes() == b"precious"
    new = tmp_path / "new.png"
    write(as_image(scene()), new, overwrite=False)
    assert read(new).size == (HEIGHT, WIDTH)
    # Another program makes the file between the look and the move.
    monkeypatch.setattr("impasto.images.writing._check_place", lambda *_: None)
    with pytest.raises(ImageWriteError, match="exists already"):
        write(as_image(scene()), path, overwrite=False)

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(ImageWriteError, match="exists already"):
        write(as_image(scene()), path, overwrite=False)
    assert path.read_bytes() == b"precious"
    write(as_image(scene()), tmp_path / "third.png", overwrite=False)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["new.png", "out.png", "third.png"]


def test_an_input_is_never_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    source.write_bytes(saved(PIL.Image.fromarray(scene())))
    before = source.read_bytes()
    (tmp_path / "soft.png").symlink_to(source)
    os.link(source, tmp_path / "hard.png")
    (tmp_path / "folder").symlink_to(tmp_path)
    for target in (source, tmp_path / "soft.png", tmp_path / "hard.png", tmp_path / "folder" / "photo.png"):
        with pytest.raises(ImageWriteError, match="is an input"):
            write(as_image(source), target, protect=[tmp_path / "missing.png", source])
        with pytest.raises(ImageWriteError, match="is an input"):
            check_output(target, protect=[tmp_path / "soft.png"])
    with pytest.raises(ImageWriteError, match="is an input"):
        check_output(tmp_path / "to-be.png", protect=[tmp_path / "folder" / "to-be.png"])
    assert source.read_bytes() == before
    write(as_image(source), tmp_path / "out.png", protect=[source])


def test_a_symbolic_link_is_followed_and_permissions_stay(tmp_path: Path) -> None:
    target = tmp_path / "real.png"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link = tmp_path / "latest.png"
    link.symlink_to(target)
    assert write(as_image(scene()), link) == link
    assert link.is_symlink()
    assert read(target).size == (HEIGHT, WIDTH)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    mask = os.umask(0o027)
    try:
        fresh = write(as_image(scene()), tmp_path / "fresh.png")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o640


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace", "pathlib.Path.write_bytes"])
@pytest.mark.parametrize(
    ("code", "match"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "disk is full"),
        (errno.EFBIG, "larger than the system allows"),
        (errno.EROFS, "permission"),
        (errno.EIO, "could not be written"),
    ],
)
def test_a_failed_write_leaves_the_old_file(
    call: str, code: int, match: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(call, fail)
    with pytest.raises(ImageWriteError, match=match) as caught:
        write(as_image(scene()), path)
    assert str(caught.value).isprintable()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.png"]


def test_an_interrupt_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(as_image(scene()), path)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.png"]


def test_a_limit_on_file_size_leaves_the_old_file(tmp_path: Path) -> None:
    """The kernel itself refuses to go on after 100 bytes."""
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    image = as_image(scene(40, 50))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(ImageWriteError, match="larger than the system allows"):
            write(image, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.png"]
    write(image, path)
    assert read(path).size == (40, 50)


def test_a_process_killed_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    script = """
        import os, signal, sys
        import numpy
        from impasto.images import as_image, write
        os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
        write(as_image(numpy.zeros((8, 8, 3), numpy.uint8)), sys.argv[1])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(path)], timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"


def test_encoding_that_fails_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(PIL.Image.Image, "save", exhausted)
    with pytest.raises(ImageWriteError, match=r"out\.png: there is not enough memory"):
        write(as_image(scene()), tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


# --- metadata ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in WRITABLE if kind != "BMP"])
def test_metadata_comes_back(kind: str, tmp_path: Path) -> None:
    suffix = next(suffix for suffix, name in WRITABLE_SUFFIXES.items() if name == kind)
    path = write(as_image(scene(40, 50)), tmp_path / f"out{suffix}", metadata=METADATA)
    assert read_metadata(path) == METADATA
    assert read(path).text == METADATA
    assert read_metadata(path.read_bytes()) == METADATA
    # The program's name stands where other programs look for it.
    with PIL.Image.open(path) as picture:
        software = picture.info["Software"] if kind == "PNG" else picture.getexif()[ExifTags.Base.Software]
    assert software == "Impasto 0.1.0"


KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=79)
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WebP", "TIFF", "AVIF"])
@settings(max_examples=25, deadline=None)
@given(metadata=st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_text_comes_back(kind: str, metadata: dict[str, str]) -> None:
    image = Image(torch.full((1, 3, 8, 8), 0.5))
    assert read_metadata(encode(image, kind, metadata=metadata)) == metadata


@pytest.mark.parametrize("kind", [kind for kind in WRITABLE if kind != "BMP"])
def test_metadata_up_to_the_limit_comes_back_and_more_is_left_out(kind: str) -> None:
    image = as_image(scene())
    largest = {"impasto": "x" * (60 * 1024 - len('{"impasto":""}'))}
    assert read_metadata(encode(image, kind, metadata=largest)) == largest
    with pytest.warns(ImpastoWarning, match="not embedded"):
        data = encode(image, kind, metadata={"impasto": largest["impasto"] + "x"})
    assert read_metadata(data) == {}


def test_bmp_says_that_it_holds_no_text(tmp_path: Path) -> None:
    with pytest.warns(ImpastoWarning, match="BMP holds no text"):
        path = write(as_image(scene()), tmp_path / "out.bmp", metadata=METADATA)
    assert read_metadata(path) == {}
    assert read_metadata(saved(palette_picture(), "GIF")) == {}


@pytest.mark.parametrize(
    "metadata", [{"": "x"}, {"k" * 80: "x"}, {"ä": "x"}, {"a\nb": "x"}, {" a": "x"}, {"a": "x\0y"}, {"a": "\ud800"}]
)
def test_metadata_that_no_format_holds(metadata: dict[str, str]) -> None:
    with pytest.raises(ImageWriteError, match="metadata"):
        encode(as_image(scene()), "PNG", metadata=metadata)


@pytest.mark.parametrize(
    "comment",
    [b"ASCII\0\0\0a plain remark", b"ASCII\0\0\0[1, 2]", b"ASCII\0\0\0" + b"[" * 30_000, b"UNICODE\0{}", b"",
     b'ASCII\0\0\0{"impasto": {"nested": 1}, "n": 3}', b"ASCII\0\0\0" + b"9" * 20_000],
)  # fmt: skip
def test_comments_of_others_are_no_metadata(comment: bytes) -> None:
    exif = PIL.Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    data = saved(PIL.Image.fromarray(scene()), "JPEG", exif=exif)
    assert read_metadata(data) == {}
    assert read(data).text == {}


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


@pytest.mark.parametrize("kind", WRITABLE)
def test_place_and_camera_are_not_carried_over(kind: str, tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[ExifTags.Base.Make] = "SecretCamera"
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    source = tmp_path / "photo.jpg"
    source.write_bytes(saved(PIL.Image.fromarray(scene()), "JPEG", exif=exif, comment=b"SecretComment"))
    assert b"SecretCamera" in source.read_bytes()
    data = encode(read(source), kind, metadata=None if kind == "BMP" else METADATA)
    assert b"Secret" not in data
    with PIL.Image.open(io.BytesIO(data)) as picture:
        tags = picture.getexif()
        assert dict(tags.get_ifd(ExifTags.IFD.GPSInfo)) == {}
        assert ExifTags.Base.Orientation not in tags
        assert picture.size == (HEIGHT, WIDTH)


def test_importing_loads_no_tifffile() -> None:
    script = "import sys, impasto.images; sys.exit('tifffile' in sys.modules or 'imagecodecs' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
