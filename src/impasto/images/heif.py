"""Owns HEIF: the HEIC pictures that phones take, and the colour description of HEIC and AVIF files."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from impasto.errors import ImageError
from impasto.images.alpha import unmultiplied
from impasto.images.colorspaces import ColorSpace, ColorSpaceError, from_code_points
from impasto.images.exif import facts_of
from impasto.images.raster import File, Raster, check_size


def decode(file: File, max_pixels: int) -> Raster:
    """The primary picture of a HEIC file, at its full depth. Its container's rotation is applied.

    Raises:
        ImageReadError: its header is refused.
    """
    container = _open(file)
    index = container.primary_index
    picture: Any = container[index if isinstance(index, int) else 0]
    check_size(picture.size[0], picture.size[1], max_pixels)
    notes = ["it holds several pictures; only the primary one is used"] if len(container) > 1 else []
    # A copy: the library's memory does not outlive its picture.
    samples = np.atleast_3d(np.array(picture))[:, : picture.size[0]]
    grey = samples.shape[2] < 3
    channels = 1 if grey else 3
    color, alpha = samples[..., :channels], samples[..., channels] if samples.shape[2] > channels else None
    if alpha is not None and picture.info.get("premultiplied_alpha"):
        color = unmultiplied(color, alpha, float(np.iinfo(samples.dtype).max))
    return Raster(
        color=color,
        space="GRAY" if grey else "RGB",
        alpha=alpha,
        bit_depth=8 if samples.dtype == np.uint8 else 16,
        profile=picture.info.get("icc_profile"),
        colorspace=_described(picture.info, notes),
        # HEIF has its own rotation, which replaces EXIF's.
        text=facts_of(picture.info.get("exif"), notes).text,
        notes=notes,
    )


def read_text(file: File) -> dict[str, str]:
    """The text entries of a HEIC file."""
    return facts_of(_open(file).info.get("exif"), []).text


def colorspace(file: File, notes: list[str]) -> ColorSpace | None:
    """The colour space that a HEIC or AVIF file describes by code points; None if it is sRGB or cannot be told."""
    try:
        info = _open(file).info
    except ImageError:
        raise
    except Exception:
        # Another decoder reads the pixels of AVIF, and may accept what this one refuses.
        return None
    return _described(info, notes)


def _described(info: dict[str, Any], notes: list[str]) -> ColorSpace | None:
    nclx = info.get("nclx_profile")
    if not isinstance(nclx, dict):
        return None
    try:
        return from_code_points(int(nclx["color_primaries"]), int(nclx["transfer_characteristics"]))
    except ColorSpaceError as error:
        notes.append(f"its colour description {error}, and was ignored")
        return None


def _open(file: File) -> Any:
    """The file as a pi_heif.HeifFile, its header parsed and no pixel decoded."""
    file.seek(0)
    return _pi_heif().open_heif(file.read(), convert_hdr_to_8bit=False)


def _pi_heif() -> ModuleType:
    # Imported only when it is needed: it loads several libraries. Unlike pillow-heif's, they are under no GPL.
    try:
        import pi_heif
    except ImportError as error:
        raise ImageError("HEIC files need pi-heif: pip install pi-heif") from error
    library: ModuleType = pi_heif
    return library
