"""Owns write and encode: pixels to a file. The file appears whole or not at all, and never replaces an input."""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from impasto.errors import ImageError, ImageWriteError, ImpastoWarning, SettingsError
from impasto.files import check_takes_files, label, same_file, whole, why_not_written
from impasto.images import alpha as transparency
from impasto.images import metadata as embedding
from impasto.images import png, tiff
from impasto.images.formats import WRITABLE_FORMATS, WRITABLE_SUFFIXES
from impasto.images.pixels import quantize
from impasto.images.profiles import srgb_profile
from impasto.messages import printable, reason

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    Picture: TypeAlias = "HasPixels | Float[Tensor, '1 3 h w'] | NDArray[Any]"
else:
    # Writing does not import torch, so that a command that computes without torch starts without it.
    Picture = object

_DEEP_FORMATS = ("PNG", "TIFF")

_OPAQUE_FORMATS = ("JPEG", "BMP")

# The longest side each format holds; AVIF's is what decoders accept by default.
_MAX_SIDE: Mapping[str, int] = {"JPEG": 65500, "WebP": 16383, "AVIF": 16384}

# From this quality on no loss should be visible, so colour keeps its full resolution.
_FULL_COLOR_QUALITY = 90


class HasPixels(Protocol):
    """An Image, or any other object that holds pixels as an Image does."""

    @property
    def pixels(self) -> Any: ...

    @property
    def alpha(self) -> Any: ...


def write(
    image: Picture,
    path: str | os.PathLike[str],
    *,
    metadata: Mapping[str, str] | None = None,
    quality: int = 95,
    bit_depth: int = 8,
    dpi: int | None = None,
    protect: Iterable[str | os.PathLike[str]] = (),
    overwrite: bool = True,
) -> Path:
    """Writes a picture in the format that the suffix of `path` names, with an sRGB profile inside (except in BMP).

    The file appears whole or not at all: it is written under a temporary name in the same folder, synchronised to the
    disk, and renamed in one step. If anything fails, an existing file keeps its content. A symbolic link is followed.

    The alpha of an Image is written too. JPEG and BMP have no transparency: there the picture is put onto white, or
    onto black or grey if the object's edge would not be seen on white.

    Args:
        image: an Image, or a tensor or array of shape (1, 3, height, width), sRGB in [0, 1], rounded to the nearest
            level.
        path: ends in .png, .jpg, .jpeg, .webp, .tif, .tiff, .bmp or .avif. Its folder must exist.
        metadata: text to embed, at most 60 KB as JSON; keys of 1 to 79 printable ASCII characters.
        quality: of JPEG, WebP and AVIF, 1 to 100; from 90 on JPEG and AVIF keep colour at full resolution. The other
            formats lose nothing.
        bit_depth: 8, or 16 for PNG and TIFF.
        dpi: dots an inch that the file notes, from which programs take the size of a print; none if None. WebP and
            AVIF note it in EXIF.
        protect: files that must not be overwritten under any of their names or links: the inputs.
        overwrite: whether an existing file may be replaced.

    Returns:
        The path as given.

    Raises:
        ImageWriteError: the picture cannot be written to this place, or in this format.
        SettingsError: `quality` or `bit_depth` is out of range.

    Warns:
        ImpastoWarning: the metadata could not be embedded, or the transparency was lost.
    """
    target = check_output(path, protect=protect, overwrite=overwrite)
    try:
        data, notes = _encode(image, _format_of(Path(path)), metadata, quality, bit_depth, dpi)
        with whole(target, overwrite=overwrite) as beside:
            beside.write_bytes(data)
    except ImageWriteError as error:
        raise ImageWriteError(f"{label(path)}: {error}") from error
    except OSError as error:
        raise ImageWriteError(f"{label(path)}: {why_not_written(error, target)}") from error
    for note in notes:
        warnings.warn(f"{label(path)}: {note}", ImpastoWarning, stacklevel=2)
    return Path(path)


def encode(
    image: Picture,
    format: str,
    *,
    metadata: Mapping[str, str] | None = None,
    quality: int = 95,
    bit_depth: int = 8,
    dpi: int | None = None,
) -> bytes:
    """The bytes of the file that `write` would write: for standard output or an HTTP response.

    Args:
        image: as in `write`.
        format: PNG, JPEG, WebP, TIFF, BMP or AVIF, in upper or lower case; JPG and TIF are accepted too.
        metadata: as in `write`.
        quality: as in `write`.
        bit_depth: as in `write`.
        dpi: as in `write`.

    Raises:
        ImageWriteError, SettingsError: as in `write`.

    Warns:
        ImpastoWarning: as in `write`.
    """
    kind = WRITABLE_SUFFIXES.get(f".{format.lower()}")
    if kind is None:
        raise ImageWriteError(f"format: received {printable(format)!r}; allowed are {', '.join(WRITABLE_FORMATS)}")
    data, notes = _encode(image, kind, metadata, quality, bit_depth, dpi)
    for note in notes:
        warnings.warn(note, ImpastoWarning, stacklevel=2)
    return data


def check_output(
    path: str | os.PathLike[str], *, protect: Iterable[str | os.PathLike[str]] = (), overwrite: bool = True
) -> Path:
    """Raises what `write` would raise for this path, and leaves no file there. Call it before long work begins.

    Args:
        path: as in `write`.
        protect: as in `write`.
        overwrite: as in `write`.

    Returns:
        The file that would be written: `path` with symbolic links followed.

    Raises:
        ImageWriteError: as in `write`.
    """
    name = label(path)
    try:
        _format_of(Path(path))
        target = Path(os.path.realpath(path))
        _check_place(target, overwrite)
        for source in protect:
            if same_file(target, source):
                raise ImageWriteError(
                    f"it is an input ({label(source)}), which writing would replace; choose another name"
                )
        return target
    except ImageWriteError as error:
        # Its cause is what decides how a failed write is reported.
        raise ImageWriteError(f"{name}: {error}") from (error.__cause__ or error)
    except (OSError, ValueError) as error:
        raise ImageWriteError(f"{name}: it cannot be written there ({reason(error)})") from error


def _format_of(path: Path) -> str:
    try:
        return WRITABLE_SUFFIXES[path.suffix.lower()]
    except KeyError:
        received = f"received {printable(path.suffix)!r}" if path.suffix else "it has none"
        raise ImageWriteError(
            f"the suffix says which format to write: {received}; allowed are {', '.join(WRITABLE_SUFFIXES)}"
        ) from None


def _check_place(target: Path, overwrite: bool) -> None:
    folder = target.parent
    if not folder.is_dir():
        raise ImageWriteError(f"there is no folder {label(folder)}; make it first")
    try:
        status = target.stat()
    except FileNotFoundError:
        pass
    else:
        if stat.S_ISDIR(status.st_mode):
            raise ImageWriteError("this is a folder; name a file in it")
        if not stat.S_ISREG(status.st_mode):
            raise ImageWriteError("this is a device or a pipe, not a file; write to a file")
        if not overwrite:
            raise ImageWriteError("the file exists already; choose another name, or allow it to be overwritten")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ImageWriteError(f"there is no permission to write in {label(folder)}; choose another folder")
    try:
        check_takes_files(folder)
    except OSError as error:
        raise ImageWriteError(why_not_written(error, target)) from error


def _encode(
    image: Picture,
    kind: str,
    metadata: Mapping[str, str] | None,
    quality: int,
    bit_depth: int,
    dpi: int | None,
) -> tuple[bytes, list[str]]:
    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= 100:
        raise SettingsError("quality", f"received {quality!r}; allowed are whole numbers from 1 to 100")
    if dpi is not None and not 1 <= dpi <= 65535:
        raise SettingsError("dpi", f"received {dpi!r}; allowed are whole numbers from 1 to 65535")
    if bit_depth not in (8, 16):
        raise SettingsError("bit_depth", f"received {bit_depth!r}; allowed are 8 and 16")
    if bit_depth == 16 and kind not in _DEEP_FORMATS:
        raise ImageWriteError(f"{kind} holds 8 bits a channel; for 16 write {' or '.join(_DEEP_FORMATS)}")
    pixels: Any = getattr(image, "pixels", image)
    if pixels.ndim != 4 or pixels.shape[:2] != (1, 3) or min(pixels.shape) < 1:
        raise ImageWriteError(
            f"received pixels of shape {tuple(pixels.shape)}; a picture has shape (1, 3, height, width)"
        )
    longest = _MAX_SIDE.get(kind)
    if longest is not None and max(pixels.shape[2:]) > longest:
        raise ImageWriteError(
            f"{kind} holds at most {longest:,} pixels a side, and the picture is {pixels.shape[3]:,} × "
            f"{pixels.shape[2]:,}; write PNG or TIFF"
        )
    text, notes = _fitting(embedding.checked(metadata or {}), kind)
    try:
        return _bytes(
            _samples(pixels, getattr(image, "alpha", None), kind, bit_depth, notes), kind, text, quality, dpi
        ), notes
    except ImageError as error:
        raise ImageWriteError(str(error)) from error
    except MemoryError as error:
        raise ImageWriteError(f"there is not enough memory to encode it as {kind}") from error
    except Exception as error:
        # Encoders raise OSError, ValueError, RuntimeError and more.
        raise ImageWriteError(f"it could not be encoded as {kind} ({reason(error)})") from error


def _samples(pixels: Any, alpha: Any, kind: str, bit_depth: int, notes: list[str]) -> NDArray[Any]:
    """Whole levels of shape (height, width, 3), or (height, width, 4) with transparency."""
    if alpha is None:
        return quantize(pixels, bit_depth)
    if kind not in _OPAQUE_FORMATS:
        return np.concatenate([quantize(pixels, bit_depth), quantize(alpha, bit_depth)], axis=2)
    # As arrays: writing does not import torch.
    color, opacity = (
        np.asarray(part[0].detach().cpu() if hasattr(part, "detach") else part[0]) for part in (pixels, alpha)
    )
    name, level = transparency.ground(color, opacity[0])
    notes.append(f"{kind} has no transparency, so the picture was put onto {name}; write PNG to keep it transparent")
    return quantize(transparency.composite(color, opacity[0], level)[None], bit_depth)


def _fitting(text: dict[str, str], kind: str) -> tuple[dict[str, str], list[str]]:
    """The text to embed, and the warnings. Text that does not fit is left out; the picture is written all the same."""
    if not text:
        return text, []
    if kind == "BMP":
        return {}, ["BMP holds no text, so its settings were not embedded; write PNG to keep them"]
    length = len(embedding.to_json(text))
    if length > embedding.MAX_METADATA_BYTES:
        return {}, [
            f"its settings are {length:,} bytes long and were not embedded; at most "
            f"{embedding.MAX_METADATA_BYTES:,} are"
        ]
    return text, []


def _bytes(samples: Any, kind: str, text: Mapping[str, str], quality: int, dpi: int | None) -> bytes:
    if kind == "TIFF":
        return tiff.encode(samples, text, dpi)
    if kind == "PNG" and samples.dtype.itemsize == 2:
        return png.encode_deep(samples, text, dpi)
    noted: dict[str, Any] = {} if dpi is None else {"dpi": (dpi, dpi)}
    picture = PIL.Image.fromarray(samples)
    out = io.BytesIO()
    if kind == "BMP":
        picture.save(out, "BMP", **noted)
        return out.getvalue()
    profile = srgb_profile()
    if kind == "PNG":
        picture.save(out, "PNG", icc_profile=profile, pnginfo=png.text_chunks(text), **noted)
        return out.getvalue()
    options: dict[str, Any] = {"quality": quality, "icc_profile": profile}
    if kind == "WebP":  # keeps the colours under transparent pixels
        options["exact"] = True
    if text or (dpi and kind != "JPEG"):
        options["exif"] = embedding.to_exif(text, dpi if kind != "JPEG" else None)
    if kind == "JPEG":
        options |= noted
    if kind != "WebP":  # lossy WebP is always 4:2:0
        options["subsampling"] = "4:4:4" if quality >= _FULL_COLOR_QUALITY else "4:2:0"
    if kind == "AVIF":  # Pillow's default takes minutes for a camera's picture, and the file is hardly smaller
        options["speed"] = 8
    picture.save(out, kind.upper(), **options)
    return out.getvalue()
