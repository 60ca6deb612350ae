"""Owns colour spaces that a file names by numbers, without an ICC profile, and conversion from them to sRGB.

Sources of the numbers: ITU-T H.273 (code points in AVIF, HEIF and PNG's cICP), PNG's gAMA and cHRM, EXIF's Adobe RGB.
High dynamic range (PQ and HLG, ITU-R BT.2100) is mapped to the range of sRGB: BT.2408's reference white of 203 cd/m²
becomes white, and brighter colours are compressed below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from impasto.errors import ImpastoError

# A gamma (1 is linear), or the name of a transfer function.
Transfer = float | Literal["sRGB", "PQ", "HLG"]

# (x, y) of CIE 1931.
Chromaticity = tuple[float, float]
Chromaticities = tuple[Chromaticity, Chromaticity, Chromaticity, Chromaticity]

_D65: Chromaticity = (0.3127, 0.3290)
_D50: Chromaticity = (0.3457, 0.3585)
_BT709: Chromaticities = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65)

# H.273, table 2: red, green, blue, white.
_PRIMARIES: Mapping[int, tuple[str, Chromaticities]] = {
    1: ("BT.709", _BT709),
    2: ("BT.709", _BT709),  # unspecified
    4: ("BT.470 M", ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316))),
    5: ("BT.601 625", ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65)),
    6: ("BT.601 525", ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)),
    7: ("SMPTE 240M", ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)),
    9: ("BT.2020", ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65)),
    11: ("DCI-P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351))),
    12: ("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65)),
    22: ("EBU 3213", ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65)),
}

# H.273, table 3. Video's camera curves (1, 6, 14, 15) are shown by displays about as sRGB is, so browsers and this
# module take them as sRGB.
_TRANSFERS: Mapping[int, tuple[str, Transfer]] = {
    1: ("", "sRGB"),
    2: ("", "sRGB"),  # unspecified
    4: (" gamma 2.2", 2.2),
    5: (" gamma 2.8", 2.8),
    6: ("", "sRGB"),
    8: (" linear", 1.0),
    13: ("", "sRGB"),
    14: ("", "sRGB"),
    15: ("", "sRGB"),
    16: (" PQ", "PQ"),
    18: (" HLG", "HLG"),
}

# PNG's gAMA of about 1/2.2 together with sRGB's primaries is what encoders write to mean sRGB.
_SRGB_GAMMA = (2.17, 2.23)
_SAME_CHROMATICITY = 0.002

# BT.2408: diffuse white, in cd/m². BT.2100: the nominal peak of an HLG display, and its system gamma.
_REFERENCE_WHITE = 203.0
_HLG_PEAK = 1000.0
_HLG_GAMMA = 1.2

# Linear light from which on highlights of a high dynamic range picture are compressed.
_KNEE = 0.75

# From linear XYZ (D65) to linear sRGB follows from the primaries; Bradford's cone responses adapt other whites.
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

# Rows converted at a time.
_ROWS = 256


class ColorSpaceError(ImpastoError):
    """The numbers name no colour space that can be converted. The picture is read as sRGB."""


@dataclass(frozen=True)
class ColorSpace:
    """An RGB colour space.

    Attributes:
        name: for messages, for example "Display P3".
        primaries: chromaticities of red, green, blue and white.
        transfer: from encoded values to linear light.
    """

    name: str
    primaries: Chromaticities
    transfer: Transfer

    @property
    def is_hdr(self) -> bool:
        """Whether its values stand for more than the brightness of a white sheet."""
        return self.transfer in ("PQ", "HLG")


# The specification's gamma is 563/256.
ADOBE_RGB = ColorSpace("Adobe RGB (1998)", ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65), 563 / 256)


def from_code_points(primaries: int, transfer: int) -> ColorSpace | None:
    """The colour space of H.273's code points; None if it is sRGB, or unspecified.

    Raises:
        ColorSpaceError: a code point is reserved, or is not supported.
    """
    if primaries not in _PRIMARIES or transfer not in _TRANSFERS:
        raise ColorSpaceError(f"has code points ({primaries} and {transfer}) that are not supported")
    name, chromaticities = _PRIMARIES[primaries]
    suffix, curve = _TRANSFERS[transfer]
    if chromaticities is _BT709 and curve == "sRGB":
        return None
    return ColorSpace(name + suffix, chromaticities, curve)


def from_gamma(gamma: float | None, chromaticities: Chromaticities | None) -> ColorSpace | None:
    """The colour space of a PNG's gAMA and cHRM, either of which may be missing; None if it is sRGB.

    Args:
        gamma: the exponent that decodes: 1 / gAMA.
        chromaticities: of red, green, blue and white.

    Raises:
        ColorSpaceError: the numbers are out of range.
    """
    if gamma is not None and not 0.1 <= gamma <= 10:
        raise ColorSpaceError(f"has a gamma of {gamma:g}, which is out of range")
    primaries = chromaticities or _BT709
    if all(
        abs(one - other) <= _SAME_CHROMATICITY
        for point, srgb in zip(primaries, _BT709, strict=True)
        for one, other in zip(point, srgb, strict=True)
    ):
        primaries = _BT709
    transfer: Transfer = "sRGB" if gamma is None else gamma
    if primaries is _BT709 and (gamma is None or _SRGB_GAMMA[0] <= gamma <= _SRGB_GAMMA[1]):
        return None
    space = ColorSpace("gamma " + f"{gamma:.3g}" if gamma is not None else "cHRM", primaries, transfer)
    _to_srgb_primaries(space)
    return space


def to_srgb(samples: NDArray[Any], space: ColorSpace) -> NDArray[np.float32]:
    """`samples` converted from `space` to sRGB.

    Args:
        samples: shape (height, width, 3), or (height, width, 1) for grey; uint8 or uint16 over their full range, or
            float32 in [0, 1].

    Returns:
        Shape (height, width, 3), float32 in [0, 1]. Colours outside sRGB are clipped.

    Raises:
        ColorSpaceError: its primaries enclose no area.
    """
    matrix = _to_srgb_primaries(space)
    table = None
    if samples.dtype.kind == "u":
        levels = np.iinfo(samples.dtype).max
        table = _linear(np.arange(levels + 1, dtype=np.float64) / levels, space.transfer).astype(np.float32)
    light = np.empty((*samples.shape[:2], 3), np.float32)
    for top in range(0, len(samples), _ROWS):
        rows = samples[top : top + _ROWS]
        linear = table[rows] if table is not None else _linear(rows, space.transfer).astype(np.float32)
        if space.transfer == "HLG":
            linear = _displayed(linear, space)
        light[top : top + _ROWS] = linear @ matrix.T if linear.shape[2] == 3 else linear
    peak = float(light.max()) if space.is_hdr else 1.0
    for top in range(0, len(light), _ROWS):
        part = light[top : top + _ROWS]
        np.maximum(part, 0.0, out=part)
        if peak > 1.0:
            _compress(part, peak)
        part[:] = _srgb_encoded(part)
    return light


def lab_to_srgb(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """CIE L*a*b* relative to D50, as print uses it, converted to sRGB.

    Args:
        lab: shape (height, width, 3); L* in [0, 100].

    Returns:
        Shape (height, width, 3), float32 in [0, 1]. Colours outside sRGB are clipped.
    """
    white = np.array([_D50[0] / _D50[1], 1.0, (1 - sum(_D50)) / _D50[1]])
    matrix = np.linalg.inv(_to_xyz(_BT709)) @ _adaptation(white, _to_xyz(_BT709).sum(axis=1)) @ np.diag(white)
    pixels = np.empty_like(lab)
    for top in range(0, len(lab), _ROWS):
        lightness, a, b = np.moveaxis(lab[top : top + _ROWS].astype(np.float64), 2, 0)
        root = (lightness + 16) / 116
        roots = np.stack([root + a / 500, root, root - b / 200], axis=2)
        xyz = np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29))
        pixels[top : top + _ROWS] = _srgb_encoded(np.maximum(xyz @ matrix.T, 0.0).astype(np.float32))
    return pixels


def _linear(values: NDArray[Any], transfer: Transfer) -> NDArray[Any]:
    """Linear light of encoded values in [0, 1]; 1 is white. HLG's is of the scene, not yet of the display."""
    values = np.clip(values, 0.0, 1.0)
    if transfer == "sRGB":
        return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    if transfer == "PQ":  # SMPTE ST 2084
        root = values ** (32 / 2523)
        ratio = np.maximum(root - 107 / 128, 0.0) / (2413 / 128 - 2392 / 128 * root)
        return ratio ** (8192 / 1305) * (10000.0 / _REFERENCE_WHITE)
    if transfer == "HLG":  # BT.2100
        return np.where(values <= 0.5, values**2 / 3, (np.exp((values - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    return np.asarray(values**transfer)


def _displayed(scene: NDArray[np.float32], space: ColorSpace) -> NDArray[np.float32]:
    """HLG's scene light as a display shows it, by BT.2100's opto-optical transfer function."""
    luma = _to_xyz(space.primaries)[1] if scene.shape[2] == 3 else np.ones(1)
    luminance = np.maximum(scene @ luma.astype(np.float32), 1e-9)[..., None]
    return np.asarray(scene * luminance ** (_HLG_GAMMA - 1) * (_HLG_PEAK / _REFERENCE_WHITE), np.float32)


def _compress(light: NDArray[np.float32], peak: float) -> None:
    """Scale linear light in place so that `peak` becomes 1 and light up to the knee stays; hue is kept.

    The curve is Reinhard's (2002, equation 4) above the knee: its slope there is 1.
    """
    brightest = light.max(axis=2, keepdims=True)
    above = np.maximum(brightest - _KNEE, 0.0) / (1 - _KNEE)
    white = (peak - _KNEE) / (1 - _KNEE)
    mapped = _KNEE + (1 - _KNEE) * above * (1 + above / white**2) / (1 + above)
    light *= np.where(brightest > _KNEE, mapped / np.maximum(brightest, 1e-6), 1.0)


def _srgb_encoded(light: NDArray[np.float32]) -> NDArray[np.float32]:
    light = np.minimum(light, 1.0)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _to_srgb_primaries(space: ColorSpace) -> NDArray[np.float32]:
    """The matrix from linear light in `space` to linear light in sRGB, adapted to its white."""
    source, target = _to_xyz(space.primaries), _to_xyz(_BT709)
    matrix = np.linalg.inv(target) @ _adaptation(source.sum(axis=1), target.sum(axis=1)) @ source
    if not np.isfinite(matrix).all() or np.abs(matrix).max() > 100:
        raise ColorSpaceError("has primaries that enclose no colours")
    return np.asarray(matrix, np.float32)


def _adaptation(white: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix that adapts XYZ from one white to another."""
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ target) / (_BRADFORD @ white)) @ _BRADFORD)


def _to_xyz(primaries: Chromaticities) -> NDArray[np.float64]:
    """The matrix from linear RGB to XYZ whose white has the luminance 1."""
    *colors, white = [np.array([x / y, 1.0, (1 - x - y) / y]) if y > 0 else np.full(3, np.nan) for x, y in primaries]
    matrix = np.stack(colors, axis=1)
    if not np.isfinite(matrix).all() or not np.isfinite(white).all() or abs(np.linalg.det(matrix)) < 1e-6:
        raise ColorSpaceError("has primaries that enclose no colours")
    return np.asarray(matrix * np.linalg.solve(matrix, white))
