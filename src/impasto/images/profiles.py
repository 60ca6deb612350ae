"""Owns ICC profiles: the sRGB profile to embed, and conversion from an embedded profile to sRGB."""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageCms

from impasto.errors import ImpastoError
from impasto.messages import printable

# Profiles with large tables have up to about 3 MB.
MAX_PROFILE_BYTES = 8 << 20

# Relative colorimetric with black point compensation: in-gamut colours are kept, and black stays black.
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION

_MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}


class ProfileError(ImpastoError):
    """A profile cannot be used. The picture is read without it."""


@functools.cache
def srgb_profile() -> bytes:
    """An sRGB ICC profile, the same bytes at every call and on every day."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # Little CMS writes the current time into the header, bytes 24 to 35. The same picture must give the same file.
    profile[24:36] = bytes.fromhex("07d0 0001 0001 0000 0000 0000")
    return bytes(profile)


def to_srgb(samples: NDArray[Any], space: str, profile: bytes) -> tuple[NDArray[Any], str | None, bool]:
    """`samples` converted from `profile` to sRGB.

    Args:
        samples: shape (height, width, channels); uint8 or uint16 over their full range, or float32 in [0, 1].
        space: what the channels are: "GRAY", "RGB" or "CMYK".
        profile: the bytes of an ICC profile.

    Returns:
        The converted samples, shape (height, width, 3), or `samples` themselves if the profile is sRGB already; the
        profile's description, or None if it is sRGB already; whether the conversion kept more than 8 bits.

    Raises:
        ProfileError: the profile is damaged, or is for other channels.
    """
    if len(profile) > MAX_PROFILE_BYTES:
        raise ProfileError(f"is {len(profile):,} bytes long; at most {MAX_PROFILE_BYTES:,} are read")
    try:
        return _converted(samples, space, profile)
    except (MemoryError, ProfileError):
        raise
    except Exception as error:
        # Little CMS reports damage through whichever layer notices it: PyCMSError, OSError, ValueError, RuntimeError.
        raise ProfileError("is damaged") from error


def _converted(samples: NDArray[Any], space: str, profile: bytes) -> tuple[NDArray[Any], str | None, bool]:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    model = source.profile.xcolor_space.strip()
    if model == "RGB" and space == "GRAY":
        samples, space = np.repeat(samples, 3, axis=2), "RGB"
    if model != space:
        raise ProfileError(f"is for {printable(model)}, and the picture is {space}")
    if model == "RGB" and _is_srgb(profile):
        return samples, None, True
    description = printable(ImageCms.getProfileDescription(source).strip()) or "an unnamed profile"
    if samples.dtype != np.uint8:
        deep = _deep(samples, space, profile)
        if deep is not None:
            return deep, description, True
        samples = _eight_bits(samples)
    return _shallow(samples, space, source), description, False


def _shallow(samples: NDArray[Any], space: str, source: ImageCms.ImageCmsProfile) -> NDArray[Any]:
    height, width = samples.shape[:2]
    picture = PIL.Image.frombytes(_MODES[space], (width, height), samples.tobytes())
    target = ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
    converted = ImageCms.profileToProfile(picture, source, target, _INTENT, outputMode="RGB", flags=_FLAGS)
    if converted is None:  # only where the conversion is asked to be in place
        raise ProfileError("was not applied")
    return np.asarray(converted)


def _deep(samples: NDArray[Any], space: str, profile: bytes) -> NDArray[Any] | None:
    """The conversion at the depth of the samples, which Pillow does not offer; None without imagecodecs."""
    try:
        import imagecodecs
    except ImportError:
        return None
    flat = samples[..., 0] if space == "GRAY" else samples
    return imagecodecs.cms_transform(
        np.ascontiguousarray(flat),
        profile,
        srgb_profile(),
        colorspace=space.lower(),
        outcolorspace="rgb",
        intent=int(_INTENT),
        flags=int(_FLAGS),
    )


def _eight_bits(samples: NDArray[Any]) -> NDArray[Any]:
    if samples.dtype == np.uint16:
        return np.asarray((samples + np.uint32(128)) // 257, np.uint8)
    return np.asarray(np.rint(np.clip(samples, 0.0, 1.0) * 255.0), np.uint8)


@functools.lru_cache(maxsize=16)
def _is_srgb(profile: bytes) -> bool:
    """Whether an RGB profile moves no colour of a 9 × 9 × 9 grid by more than one 8-bit level.

    There are many sRGB profiles; converting from one to another would only add rounding errors.
    """
    axis = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(27, 27, 3)
    converted = _shallow(grid, "RGB", ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    return bool(np.abs(converted.astype(np.int16) - grid).max() <= 1)
