"""Owns PNG beyond Pillow: limits on text and profiles, and pictures of 16 bits a channel."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import PngImagePlugin

from impasto.errors import ImageReadError
from impasto.images.colorspaces import ColorSpace, ColorSpaceError, from_code_points, from_gamma
from impasto.images.metadata import MAX_TEXT_BYTES
from impasto.images.profiles import MAX_PROFILE_BYTES, srgb_profile
from impasto.images.raster import File
from impasto.messages import printable

SIGNATURE = b"\x89PNG\r\n\x1a\n"

# The limit for all the text of one file. MAX_TEXT_BYTES is the limit for each entry.
_MAX_ALL_TEXT = 1 << 20

# Adobe's editing history: long even in ordinary files, and not used here.
_XMP = "XML:com.adobe.xmp"

# The chunks the decoder needs. Animation chunks are left out, so that the still picture is decoded.
_NEEDED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf"})

# Pillow decodes 16-bit colour into 8 bits: one raw mode takes the high byte of every sample, the other the low byte.
_LOW_BYTES = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L"}

_COLOR_MARKS = frozenset({b"cICP", b"sRGB", b"gAMA", b"cHRM"})

_ROWS = 64


@dataclass(frozen=True)
class Scan:
    """A PNG file taken apart.

    Attributes:
        size: (width, height) in pixels.
        bit_depth: bits for each sample.
        clean: the file without its text, profile and animation; empty if it was not asked for.
        text: its text entries.
        profile: its ICC profile, unless a mark of higher priority says otherwise.
        colorspace: what its other colour marks say; None for sRGB.
        animated: whether it has more frames than the first.
        notes: warnings about what was left out.
    """

    size: tuple[int, int]
    bit_depth: int
    clean: bytes = b""
    text: dict[str, str] = field(default_factory=dict)
    profile: bytes | None = None
    colorspace: ColorSpace | None = None
    animated: bool = False
    notes: list[str] = field(default_factory=list)


def header(file: File) -> tuple[int, int, int]:
    """(width, height, bits for each sample) of a PNG file.

    Raises:
        ImageReadError: the file does not begin as a PNG does.
    """
    file.seek(0)
    head = file.read(26)
    if len(head) < 26 or head[12:16] != b"IHDR":
        raise ImageReadError("the file is damaged or cut short: its PNG header is missing; get a fresh copy of it")
    width, height, bit_depth = struct.unpack(">IIB", head[16:25])
    return width, height, bit_depth


def scan(file: File, *, clean: bool = True) -> Scan:
    """Takes a PNG file apart without decoding it. Text and profiles are unpacked only up to their limits."""
    width, height, bit_depth = header(file)
    kept = bytearray(SIGNATURE)
    text: dict[str, str] = {}
    budget = _MAX_ALL_TEXT
    profile: bytes | None = None
    marks: dict[bytes, bytes] = {}
    animated = False
    notes: list[str] = []
    for kind, start, length in _chunks(file):
        if kind in _NEEDED:
            # A second header would change the size that was checked.
            if clean and (kind != b"IHDR" or len(kept) == len(SIGNATURE)):
                file.seek(start)
                kept += file.read(length + 12)
        elif kind in _COLOR_MARKS:
            file.seek(start + 8)
            marks.setdefault(kind, file.read(min(length, 32)))
        elif kind == b"acTL":
            animated = True
        elif kind in (b"tEXt", b"zTXt", b"iTXt", b"iCCP"):
            limit = MAX_PROFILE_BYTES if kind == b"iCCP" else MAX_TEXT_BYTES
            file.seek(start + 8)
            # 1,024 bytes more, for the key and the language before the text.
            body = file.read(min(length, limit + 1024))
            try:
                key, value = _entry(kind, body, length, limit)
            except _TooLongError as error:
                if str(error) != _XMP:
                    notes.append(f"its entry {printable(str(error))!r} is longer than {limit:,} bytes, and was ignored")
                continue
            except (ValueError, zlib.error):
                notes.append(f"one of its {kind.decode()} entries is damaged, and was ignored")
                continue
            if kind == b"iCCP":
                profile = value
                continue
            if key == _XMP or budget < 0:
                continue
            budget -= len(value)
            if budget < 0:
                notes.append(f"its text is longer than {_MAX_ALL_TEXT:,} bytes in all, and the rest was ignored")
            else:
                text[key] = value.decode("utf-8" if kind == b"iTXt" else "latin-1", "replace")
    profile, colorspace = _color(marks, profile, notes)
    return Scan((width, height), bit_depth, bytes(kept) if clean else b"", text, profile, colorspace, animated, notes)


def _color(
    marks: Mapping[bytes, bytes], profile: bytes | None, notes: list[str]
) -> tuple[bytes | None, ColorSpace | None]:
    """The colour mark that counts, in the order of the PNG specification (3rd edition, section 4.3).

    cICP comes first, then iCCP, then sRGB, then gAMA and cHRM together.
    """
    try:
        if len(cicp := marks.get(b"cICP", b"")) == 4:
            primaries, transfer, matrix, full_range = cicp
            if matrix == 0 and full_range == 1:
                return None, from_code_points(primaries, transfer)
            notes.append("its cICP entry asks for another layout than full-range RGB, and was ignored")
        if profile is not None:
            return profile, None
        if b"sRGB" in marks:
            return None, None
        gamma, chromaticities = marks.get(b"gAMA", b""), marks.get(b"cHRM", b"")
        encoded = struct.unpack(">I", gamma)[0] if len(gamma) == 4 else 0
        exponent = 100_000 / encoded if encoded else None
        if len(chromaticities) != 32:
            return None, from_gamma(exponent, None)
        values = [value / 100_000 for value in struct.unpack(">8I", chromaticities)]
        white, red, green, blue = zip(values[::2], values[1::2], strict=True)
        return None, from_gamma(exponent, (red, green, blue, white))
    except ColorSpaceError as error:
        notes.append(f"its colour description {error}, and was ignored")
        return profile, None


def colorspace(info: Mapping[str | tuple[int, int], Any], notes: list[str]) -> ColorSpace | None:
    """The colour space that Pillow's `info` of a PNG names by gAMA and cHRM; None if it is sRGB, or has a profile."""
    if "srgb" in info or "icc_profile" in info:
        return None
    gamma, points = info.get("gamma"), info.get("chromaticity")
    try:
        if points is None:
            return from_gamma(1 / gamma if gamma else None, None)
        white, red, green, blue = zip(points[::2], points[1::2], strict=True)
        return from_gamma(1 / gamma if gamma else None, (red, green, blue, white))
    except ColorSpaceError as error:
        notes.append(f"its colour description {error}, and was ignored")
        return None


def deep_samples(picture: PngImagePlugin.PngImageFile, clean: bytes) -> tuple[NDArray[Any], NDArray[Any] | None] | None:
    """(colour, alpha) of a 16-bit colour PNG at its full depth; None if Pillow decodes this PNG in another way.

    Colour has shape (height, width, channels), alpha (height, width), both uint16.
    """
    (tile,) = picture.tile
    if tile.args == "LA;16B":
        # Grey and alpha of 16 bits are four bytes a pixel, which is what RGBA is.
        picture.tile = [tile._replace(args="RGBA")]
        pairs = np.asarray(picture).astype(np.uint16)
        return pairs[..., 0:1] << 8 | pairs[..., 1:2], pairs[..., 2] << 8 | pairs[..., 3]
    if tile.args not in _LOW_BYTES:
        return None
    lower = PngImagePlugin.PngImageFile(io.BytesIO(clean))
    lower.tile = [tile._replace(args=_LOW_BYTES[str(tile.args)])]
    samples = np.asarray(picture).astype(np.uint16) << 8
    samples |= np.asarray(lower)
    color = samples[..., :3]
    if samples.shape[2] == 4:
        return color, samples[..., 3]
    key = picture.info.get("transparency")
    if isinstance(key, tuple):
        return color, np.where((color == np.array(key, np.uint16)).all(axis=2), 0, 65535).astype(np.uint16)
    return color, None


def text_chunks(metadata: Mapping[str, str]) -> PngImagePlugin.PngInfo:
    """`metadata` as PNG text entries: Latin-1 if every character is in it, else UTF-8."""
    info = PngImagePlugin.PngInfo()
    for key, value in metadata.items():
        info.add_text(key, value)
    return info


def encode_deep(samples: NDArray[np.uint16], metadata: Mapping[str, str], dpi: int | None = None) -> bytes:
    """A 16-bit PNG of `samples`, shape (height, width, 3 or 4), with an sRGB profile. Pillow cannot write these."""
    height, width, channels = samples.shape
    pixel = 2 * channels
    out = io.BytesIO()
    out.write(SIGNATURE)
    _put(out, b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 6 if channels == 4 else 2, 0, 0, 0))
    _put(out, b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile()))
    if dpi is not None:
        # Dots a metre.
        _put(out, b"pHYs", struct.pack(">IIB", round(dpi / 0.0254), round(dpi / 0.0254), 1))
    for chunk in text_chunks(metadata).chunks:
        _put(out, chunk[0], chunk[1])
    deflate = zlib.compressobj(6, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    above = np.zeros(width * pixel, np.int16)
    for top in range(0, height, _ROWS):
        rows = samples[top : top + _ROWS].astype(">u2").view(np.uint8).reshape(-1, width * pixel).astype(np.int16)
        packed = deflate.compress(_paeth(rows, above, pixel).tobytes())
        above = rows[-1]
        if packed:
            _put(out, b"IDAT", packed)
    _put(out, b"IDAT", deflate.flush())
    _put(out, b"IEND", b"")
    return out.getvalue()


def _paeth(rows: NDArray[np.int16], above: NDArray[np.int16], pixel: int) -> NDArray[np.uint8]:
    """Lines of `pixel` bytes a pixel under PNG's filter 4, each preceded by that number; `above` is the line before."""
    up = np.vstack((above[None], rows[:-1]))
    left = np.zeros_like(rows)
    left[:, pixel:] = rows[:, :-pixel]
    corner = np.zeros_like(rows)
    corner[:, pixel:] = up[:, :-pixel]
    to_left, to_up, to_corner = np.abs(up - corner), np.abs(left - corner), np.abs(left + up - 2 * corner)
    guess = np.where((to_left <= to_up) & (to_left <= to_corner), left, np.where(to_up <= to_corner, up, corner))
    lines = np.full((rows.shape[0], rows.shape[1] + 1), 4, np.uint8)
    lines[:, 1:] = (rows - guess) & 0xFF
    return lines


def _put(out: io.BytesIO, kind: bytes, body: bytes) -> None:
    out.write(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))


def _chunks(file: File) -> Iterator[tuple[bytes, int, int]]:
    """(kind, offset, length of the body) of every chunk, up to the end of the picture or of the file."""
    start = len(SIGNATURE)
    while True:
        file.seek(start)
        head = file.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        yield kind, start, length
        if kind == b"IEND":
            return
        start += length + 12


class _TooLongError(Exception):
    """An entry, named by its key, is longer than its limit."""


def _entry(kind: bytes, body: bytes, length: int, limit: int) -> tuple[str, bytes]:
    """(key, value) of a text or profile chunk of `length` bytes, of which `body` is the beginning.

    Raises:
        _TooLongError: the value is longer than `limit` bytes.
        ValueError, zlib.error: the chunk is damaged.
    """
    raw_key, separator, rest = body.partition(b"\0")
    if not separator or not raw_key:
        raise ValueError("a chunk without a key")
    key = raw_key.decode("latin-1")
    if length > len(body):
        raise _TooLongError(key)
    packed = kind in (b"zTXt", b"iCCP")
    if packed:
        rest = rest[1:]
    elif kind == b"iTXt":
        packed = rest[:1] == b"\1"
        _language, _translated, rest = rest[2:].split(b"\0", 2)
    if packed:
        inflate = zlib.decompressobj()
        rest = inflate.decompress(rest, limit + 1)
        if len(rest) <= limit and not inflate.eof:
            raise ValueError("a compressed entry that is cut short")
    if len(rest) > limit:
        raise _TooLongError(key)
    return key, rest
