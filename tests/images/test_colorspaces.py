"""Colour spaces that files name by numbers: AVIF and HEIC code points, PNG's entries, EXIF's Adobe RGB; HDR to sRGB."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import PIL.Image
import pillow_heif
import pytest
from PIL import ExifTags

from impasto.errors import ImpastoWarning
from impasto.images import as_image, read
from impasto.images.colorspaces import ColorSpaceError, from_code_points, from_gamma
from tests.images.drawing import ALPHA, HEIGHT, WIDTH, chunk, pixels_of, png_file, saved, scene, shown
from tests.images.icc import ADOBE_D50, matrix_profile, srgb_encoded

# Linear RGB to XYZ at D65, from the standards: columns are red, green, blue.
_ROWS = {
    "sRGB": [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
    "Adobe": [[0.5767309, 0.1855540, 0.1881852], [0.2973769, 0.6273491, 0.0752741], [0.0270343, 0.0706872, 0.9911085]],
    "P3": [[0.4865709, 0.2656677, 0.1982173], [0.2289746, 0.6917385, 0.0792869], [0.0, 0.0451134, 1.0439444]],
    "2020": [[0.6369580, 0.1446169, 0.1688810], [0.2627002, 0.6779981, 0.0593017], [0.0, 0.0280727, 1.0609851]],
}
TO_XYZ = {name: np.array(matrix) for name, matrix in _ROWS.items()}

# Muted, so that lossy formats do not leave the range of any of these spaces.
SCENE = (scene() // 2 + 60).astype(np.uint8)


def linear_of(encoded: np.ndarray) -> np.ndarray:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def light_in(space: str) -> np.ndarray:
    """The scene's linear light in the primaries of `space`."""
    light = linear_of(SCENE / 255) @ TO_XYZ["sRGB"].T @ np.linalg.inv(TO_XYZ[space]).T
    return np.clip(light, 0, 1)


def pq_encoded(nits: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084."""
    root = (nits / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * root) / (1 + 18.6875 * root)) ** 78.84375


def hlg_encoded(nits: np.ndarray) -> np.ndarray:
    """BT.2100 for a display of 1000 cd/m²: display light to scene light, then the camera curve."""
    display = nits / 1000
    luminance = np.maximum(display @ TO_XYZ["2020"][1], 1e-9)[..., None]
    scene_light = display * luminance ** (1 / 1.2 - 1)
    logarithmic = 0.17883277 * np.log(np.maximum(12 * scene_light - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene_light <= 1 / 12, np.sqrt(3 * scene_light), logarithmic)


def levels(values: np.ndarray, full: int = 255) -> np.ndarray:
    return np.rint(np.clip(values, 0, 1) * full).astype(np.uint8 if full == 255 else np.uint16)


def png_with(samples: np.ndarray, *entries: bytes) -> bytes:
    """An RGB PNG of 8 or 16 bits with `entries` between its header and its pixels."""
    bits = 8 * samples.dtype.itemsize
    rows = b"".join(b"\0" + row.astype(f">u{bits // 8}").tobytes() for row in samples)
    return png_file(samples.shape[1], samples.shape[0], bits, 2, rows, b"".join(entries))


def cicp(primaries: int, transfer: int, matrix: int = 0, full: int = 1) -> bytes:
    return chunk(b"cICP", bytes([primaries, transfer, matrix, full]))


def gama(exponent: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(100_000 / exponent)))


def chrm(*values: float) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in values)))


ADOBE_CHRM = chrm(0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
SRGB_CHRM = chrm(0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
ADOBE = levels(light_in("Adobe") ** (256 / 563))
P3 = levels(srgb_encoded(light_in("P3")))
PLAIN = SCENE
ICC = chunk(b"iCCP", b"x\0\0" + zlib.compress(matrix_profile(ADOBE_D50, 2.2)))

CASES = {
    "gAMA alone": (levels(linear_of(PLAIN / 255), 65535), [gama(1.0)]),
    "gAMA of Mac": (levels(linear_of(PLAIN / 255) ** (1 / 1.8)), [gama(1.8)]),
    "gAMA and cHRM": (ADOBE, [gama(563 / 256), ADOBE_CHRM]),
    "sRGB over gAMA": (PLAIN, [chunk(b"sRGB", b"\0"), gama(1.0), ADOBE_CHRM]),
    "iCCP over sRGB": (ADOBE, [ICC, chunk(b"sRGB", b"\0"), gama(1.0)]),
    "cICP over iCCP": (P3, [cicp(12, 13), ICC]),
    "cICP for sRGB over iCCP": (PLAIN, [cicp(1, 13), ICC]),
    "cICP P3": (P3, [cicp(12, 13)]),
    "cICP linear": (levels(light_in("2020"), 65535), [cicp(9, 8)]),
    "cICP of video": (PLAIN, [cicp(1, 1)]),
    "gAMA that means sRGB": (PLAIN, [gama(2.2), SRGB_CHRM]),
}


@pytest.mark.parametrize("case", CASES)
def test_png_entries_in_the_order_of_the_specification(case: str) -> None:
    samples, entries = CASES[case]
    image = read(png_with(samples, *entries))
    np.testing.assert_allclose(pixels_of(image) * 255, SCENE, atol=2.5)
    if samples is PLAIN:
        assert image.icc_converted is None
        np.testing.assert_allclose(pixels_of(image) * 255, SCENE, atol=1e-3)
    else:
        assert image.icc_converted is not None


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ([cicp(3, 13)], "not supported"),
        ([cicp(9, 99)], "not supported"),
        ([cicp(9, 16, matrix=9)], "another layout"),
        ([cicp(9, 16, full=0)], "another layout"),
        ([gama(0.01)], "out of range"),
        ([chrm(0.3127, 0.3290, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3)], "enclose no colours"),
        ([chrm(0.3127, 0, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)], "enclose no colours"),
    ],
)
def test_png_entries_that_mean_nothing_are_ignored_with_a_warning(entries: list[bytes], match: str) -> None:
    with pytest.warns(ImpastoWarning, match=match):
        image = read(png_with(PLAIN, *entries))
    np.testing.assert_allclose(pixels_of(image) * 255, SCENE, atol=1e-3)


def test_a_grey_png_has_a_gamma_too() -> None:
    grey = SCENE[..., 0]
    rows = b"".join(b"\0" + row.tobytes() for row in levels(linear_of(grey / 255) ** (1 / 1.8)))
    image = read(png_file(WIDTH, HEIGHT, 8, 0, rows, gama(1.8)))
    np.testing.assert_allclose(pixels_of(image)[..., 0] * 255, grey, atol=1.5)


def test_a_transparent_png_keeps_its_alpha_through_a_conversion() -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in np.dstack([P3, ALPHA]))
    image = read(png_file(WIDTH, HEIGHT, 8, 6, rows, cicp(12, 13)))
    share = ALPHA[..., None] / 255
    np.testing.assert_allclose(shown(image) * 255, SCENE * share + 255 * (1 - share), atol=2.5)


@pytest.mark.parametrize("case", ["gAMA of Mac", "gAMA and cHRM", "sRGB over gAMA", "iCCP over sRGB"])
def test_a_pillow_picture_of_a_png_is_treated_as_its_file_is(case: str) -> None:
    samples, entries = CASES[case]
    data = png_with(samples, *entries)
    np.testing.assert_allclose(pixels_of(as_image(PIL.Image.open(io.BytesIO(data)))), pixels_of(read(data)), atol=1e-4)


# --- high dynamic range -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("encode", "transfer"), [(pq_encoded, 16), (hlg_encoded, 18)], ids=["PQ", "HLG"])
def test_hdr_below_the_reference_white_gives_its_sdr_colours(
    encode: Callable[[np.ndarray], np.ndarray], transfer: int
) -> None:
    samples = levels(encode(light_in("2020") * 203), 65535)
    with pytest.warns(ImpastoWarning, match="high dynamic range"):
        image = read(png_with(samples, cicp(9, transfer)))
    np.testing.assert_allclose(pixels_of(image) * 255, SCENE, atol=1.0)


@pytest.mark.parametrize(("encode", "transfer"), [(pq_encoded, 16), (hlg_encoded, 18)], ids=["PQ", "HLG"])
def test_hdr_highlights_are_compressed_and_not_clipped(
    encode: Callable[[np.ndarray], np.ndarray], transfer: int
) -> None:
    nits = np.linspace(0, 1000, 200)
    ramp = np.broadcast_to(nits[None, :, None], (20, 200, 3))
    with pytest.warns(ImpastoWarning, match="high dynamic range"):
        row = pixels_of(read(png_with(levels(encode(ramp), 65535), cicp(9, transfer))))[10]
    assert np.ptp(row, axis=1).max() < 0.01  # grey stays grey
    assert (np.diff(row[:, 0]) > 0).all()  # and every step of the ramp is still a step
    assert row[-1, 0] == pytest.approx(1.0, abs=1e-3)
    dark = nits < 150
    np.testing.assert_allclose(row[dark, 0], srgb_encoded(nits[dark] / 203), atol=0.01)


# --- AVIF and HEIC ----------------------------------------------------------------------------------------------------


def avif(samples: np.ndarray, primaries: int, transfer: int) -> bytes:
    """An AVIF whose `nclx` box is overwritten with these code points."""
    data = bytearray(saved(PIL.Image.fromarray(samples), "AVIF", quality=100, subsampling="4:4:4"))
    at = data.index(b"nclx") + 4
    data[at : at + 4] = struct.pack(">HH", primaries, transfer)
    return bytes(data)


def heic(samples: np.ndarray, primaries: int, transfer: int) -> bytes:
    mode = "RGB" if samples.dtype == np.uint8 else "RGB;16"
    out = io.BytesIO()
    file = pillow_heif.from_bytes(mode, (samples.shape[1], samples.shape[0]), samples.tobytes())
    file.save(
        out, quality=-1, chroma=444, matrix_coefficients=0, full_range_flag=1,
        color_primaries=primaries, transfer_characteristics=transfer,
    )  # fmt: skip
    return out.getvalue()


@pytest.mark.parametrize("container", [avif, heic])
def test_code_points_of_avif_and_heic(container: Callable[[np.ndarray, int, int], bytes]) -> None:
    image = read(container(P3, 12, 13))
    assert image.icc_converted == "Display P3"
    np.testing.assert_allclose(pixels_of(image) * 255, SCENE, atol=5)
    image = read(container(PLAIN, 1, 13))
    assert image.icc_converted is None
    np.testing.assert_allclose(pixels_of(image) * 255, SCENE, atol=4)


@pytest.mark.parametrize(("encode", "transfer"), [(pq_encoded, 16), (hlg_encoded, 18)], ids=["PQ", "HLG"])
def test_hdr_avif_and_heic(encode: Callable[[np.ndarray], np.ndarray], transfer: int) -> None:
    light = encode(light_in("2020") * 203)
    # 8 bits of PQ are coarse.
    for data, tolerance in ((avif(levels(light), 9, transfer), 16), (heic(levels(light, 65535), 9, transfer), 2.5)):
        with pytest.warns(ImpastoWarning, match="high dynamic range"):
            image = read(data)
        np.testing.assert_allclose(pixels_of(image) * 255, SCENE, atol=tolerance)
        assert abs((pixels_of(image) * 255 - SCENE).mean()) < 2


def test_an_icc_profile_of_an_avif_wins_over_its_code_points() -> None:
    data = bytearray(saved(PIL.Image.fromarray(ADOBE), "AVIF", quality=100, icc_profile=matrix_profile(ADOBE_D50, 2.2)))
    at = data.find(b"nclx")
    if at >= 0:
        data[at + 4 : at + 8] = struct.pack(">HH", 9, 16)
    assert read(bytes(data)).icc_converted == "Test profile"


# --- EXIF -------------------------------------------------------------------------------------------------------------


def marked(color_space: int, index: str | None) -> PIL.Image.Exif:
    exif = PIL.Image.Exif()
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.ColorSpace] = color_space
    if index is not None:
        details[ExifTags.IFD.Interop] = {1: index, 2: b"0100"}
    return exif


@pytest.mark.parametrize(("color_space", "index"), [(65535, "R03"), (2, None)], ids=["DCF", "cameras' own"])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_adobe_rgb_that_only_exif_names(kind: str, color_space: int, index: str | None) -> None:
    options = {"subsampling": 0} if kind == "JPEG" else {"lossless": True}
    image = read(saved(PIL.Image.fromarray(ADOBE), kind, exif=marked(color_space, index), quality=100, **options))
    assert image.icc_converted == "Adobe RGB (1998)"
    np.testing.assert_allclose(pixels_of(image) * 255, SCENE, atol=6)


@pytest.mark.parametrize(("color_space", "index"), [(1, "R98"), (65535, "R98"), (65535, None), (1, "R03")])
def test_other_exif_is_srgb(color_space: int, index: str | None) -> None:
    image = read(saved(PIL.Image.fromarray(PLAIN), "JPEG", exif=marked(color_space, index), quality=100, subsampling=0))
    assert image.icc_converted is None


def test_an_icc_profile_wins_over_exif() -> None:
    exif = marked(65535, "R03")
    image = read(saved(PIL.Image.fromarray(ADOBE), "JPEG", exif=exif, icc_profile=matrix_profile(ADOBE_D50, 2.2)))
    assert image.icc_converted == "Test profile"


def test_the_numbers_of_colour_spaces() -> None:
    assert from_code_points(1, 13) is None
    assert from_code_points(2, 2) is None
    space = from_code_points(9, 16)
    assert space is not None
    assert (space.name, space.is_hdr) == ("BT.2020 PQ", True)
    assert from_gamma(None, None) is None
    assert from_gamma(2.2, None) is None
    with pytest.raises(ColorSpaceError, match="out of range"):
        from_gamma(50.0, None)
