"""Owns Raster, the result of every decoder, and its conversion to upright sRGB pixels."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from impasto.errors import ImageReadError
from impasto.images import alpha as transparency
from impasto.images import colorspaces, profiles
from impasto.images.colorspaces import ColorSpace, ColorSpaceError
from impasto.images.profiles import ProfileError

# Resampling needs at least 2 pixels a side; beyond 50:1 the network's deep layers would be one pixel wide.
MIN_SIDE = 2
MAX_ASPECT = 50

# Decoders read from a file on disk, or from its bytes in memory.
File = io.BufferedReader | io.BytesIO

Space = Literal["GRAY", "RGB", "CMYK"]
CHANNELS: Mapping[str, int] = {"GRAY": 1, "RGB": 3, "CMYK": 4}


@dataclass(frozen=True, eq=False, kw_only=True)
class Raster:
    """A decoded picture, before colour management.

    Attributes:
        color: shape (height, width, channels); uint8 or uint16 over their full range, or float32 nominally in [0, 1].
        space: what the channels are.
        alpha: shape (height, width), of the same dtype as `color`; None if opaque.
        bit_depth: bits for each channel in the file.
        profile: the embedded ICC profile, not yet validated.
        colorspace: of the colours, if the file names one without an ICC profile; a usable `profile` wins.
        orientation: as in EXIF, 1 to 8; 1 is upright.
        text: text entries of the file.
        notes: warnings for the user; decoding and `develop` add to it.
    """

    color: NDArray[Any]
    space: Space
    alpha: NDArray[Any] | None = None
    bit_depth: int
    profile: bytes | None = None
    colorspace: ColorSpace | None = None
    orientation: int = 1
    text: Mapping[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Checks the size that a header states, before anything is decoded.

    Raises:
        ImageReadError: too small, too large, or too long for its width.
    """
    short, long = sorted((width, height))
    if short < MIN_SIDE:
        raise ImageReadError(f"the picture is {width} × {height} pixels; each side must be at least {MIN_SIDE}")
    if width * height > max_pixels:
        raise ImageReadError(
            f"the picture is {width} × {height} pixels, {width * height / 1e6:,.1f} megapixels; allowed are "
            f"{max_pixels / 1e6:,.1f}; make it smaller, or raise max_pixels if you trust the file"
        )
    if long > MAX_ASPECT * short:
        raise ImageReadError(
            f"the picture is {width} × {height} pixels; one side may be at most {MAX_ASPECT} times the other: crop it"
        )


@dataclass(frozen=True, eq=False)
class Developed:
    """The pixels of an Image, as arrays.

    Attributes:
        pixels: sRGB (gamma encoded) in [0, 1], upright.
        alpha: opacity in [0, 1], upright; None if all of it is opaque.
        description: of the profile or colour space that the colours were converted from; None if there was none.
    """

    pixels: Float[np.ndarray, "1 3 h w"]
    alpha: Float[np.ndarray, "1 1 h w"] | None
    description: str | None


def develop(raster: Raster) -> Developed:
    """The pixels of a decoded picture. Adds to `raster.notes`.

    Colours are converted to sRGB, and the picture is turned upright. Under transparent pixels the colours of the
    object's edge are continued.

    Raises:
        ImageReadError: the values are not finite, or far outside [0, 1].
    """
    if raster.color.dtype == np.float32:
        _check_floats(raster.color)
    color, description = _colors(raster)
    pixels = _unit(color)
    if raster.space == "GRAY" and pixels.shape[0] == 1:
        pixels = np.repeat(pixels, 3, axis=0)
    if color.dtype == np.float32:
        _clip(pixels, raster.notes)
    alpha = _alpha(raster)
    if alpha is not None:
        transparency.fill(pixels, alpha)
        alpha = _upright(alpha[None], raster.orientation)[None]
    return Developed(_upright(pixels, raster.orientation)[None], alpha, description)


def _colors(raster: Raster) -> tuple[NDArray[Any], str | None]:
    if raster.profile:
        try:
            color, description, kept = profiles.to_srgb(raster.color, raster.space, raster.profile)
        except ProfileError as error:
            raster.notes.append(f"its colour profile {error}, and was ignored")
        else:
            if not kept and raster.bit_depth > 8:
                raster.notes.append(
                    f"its colours were converted from {description} at 8 bits; to keep its {raster.bit_depth} bits: "
                    "pip install imagecodecs"
                )
            return color, description
    if raster.space == "CMYK":
        raster.notes.append("it is CMYK without a usable colour profile, so its colours are approximate")
        # The plain complement, as in Pillow, but at the depth of the samples: light = (1 - ink) * (1 - black).
        full = 1.0 if raster.color.dtype == np.float32 else np.iinfo(raster.color.dtype).max
        light = (full - raster.color.astype(np.float32)) / np.float32(full)
        return light[..., :3] * light[..., 3:], None
    if raster.colorspace is not None:
        try:
            converted = colorspaces.to_srgb(raster.color, raster.colorspace)
        except ColorSpaceError as error:
            raster.notes.append(f"its colour description {error}, and was ignored")
        else:
            if raster.colorspace.is_hdr:
                raster.notes.append(
                    f"its colours are high dynamic range ({raster.colorspace.name}); they were mapped to the range of "
                    "sRGB, and highlights were compressed"
                )
            return converted, raster.colorspace.name
    return raster.color, None


def _alpha(raster: Raster) -> NDArray[np.float32] | None:
    """Opacity, shape (height, width), in [0, 1]; None if all of it is opaque."""
    if raster.alpha is None:
        return None
    alpha: NDArray[np.float32] = _unit(raster.alpha[..., None])[0]
    if not np.isfinite(alpha).all():
        raise ImageReadError("its transparency has values that are not finite numbers: repair it in its editor")
    np.clip(alpha, 0.0, 1.0, out=alpha)
    if float(alpha.min()) == 1.0:
        return None
    if float(alpha.max()) == 0.0:
        raster.notes.append("it is transparent everywhere; the colours stored under its transparency are used")
        return None
    return alpha


def _unit(samples: NDArray[Any]) -> NDArray[np.float32]:
    """`samples`, shape (height, width, channels), as float32 in [0, 1], shape (channels, height, width), copied."""
    planes = samples.transpose(2, 0, 1)
    unit = np.empty(planes.shape, np.float32)
    full = np.iinfo(samples.dtype).max if samples.dtype.kind == "u" else 1
    np.true_divide(planes, np.float32(full), out=unit)
    return unit


def _check_floats(color: NDArray[Any]) -> None:
    if not np.isfinite(color).all():
        raise ImageReadError("it has values that are not finite numbers (NaN or infinity): repair it in its editor")
    # Highlights of a high dynamic range picture may exceed 1. If most values do, they are on another scale.
    if np.count_nonzero(color > 1.0) * 2 > color.size:
        raise ImageReadError(
            f"its float values go up to {float(color.max()):g}, most of them above 1; allowed is [0, 1]: scale it"
        )


def _clip(pixels: NDArray[np.float32], notes: list[str]) -> None:
    low, high = float(pixels.min()), float(pixels.max())
    # Colour conversion overshoots slightly by rounding. Only visible differences are warned of.
    if low < -0.01 or high > 1.01:
        notes.append(f"its float values, {low:g} to {high:g}, were clipped to [0, 1]")
    np.clip(pixels, 0.0, 1.0, out=pixels)


def _upright(pixels: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """`pixels`, shape (channels, height, width), turned and mirrored as EXIF's `orientation` asks."""
    if orientation >= 5:
        pixels = pixels.swapaxes(1, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[:, ::-1, :]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, :, ::-1]
    return np.ascontiguousarray(pixels)
