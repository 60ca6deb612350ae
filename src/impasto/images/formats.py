"""Owns the formats: their names, their suffixes, and the first bytes by which a file is recognised."""

from __future__ import annotations

from collections.abc import Mapping

from impasto.errors import ImageReadError

READABLE_FORMATS = ("PNG", "JPEG", "WebP", "TIFF", "BMP", "GIF", "AVIF", "HEIC")

# The suffix says which format to write. To read, the content alone decides.
WRITABLE_SUFFIXES: Mapping[str, str] = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WebP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".avif": "AVIF",
}

# The suffixes that picture files have, readable or not. What a file is, its content alone decides.
PICTURE_SUFFIXES = frozenset(
    {
        *WRITABLE_SUFFIXES,
        *(".gif", ".heic", ".heif", ".jfif", ".jpe", ".jxl"),
        *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".rw2"),
    }
)

WRITABLE_FORMATS = tuple(dict.fromkeys(WRITABLE_SUFFIXES.values()))

# How many first bytes `identify` looks at.
HEAD_BYTES = 256

_SIGNATURES: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}

# Camera raw files of Fuji, Olympus and Panasonic. Those of other makers are TIFF files.
_RAW_SIGNATURES = (b"FUJIFILM", b"IIRO", b"IIRS", b"MMOR", b"IIU\0")

# HEIF with HEVC inside, and HEIF in general.
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

# Files that people often try, with the name that the refusal gives them. Searched in this order.
_REFUSED: Mapping[bytes, str] = {
    b"8BPS": "a Photoshop document",
    b"%!PS": "an EPS or PostScript file",
    b"\xc5\xd0\xd3\xc6": "an EPS file",
    b"%PDF": "a PDF document",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML or SVG file",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 picture",
    b"\xff\x4f\xff\x51": "a JPEG 2000 picture",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"\x76\x2f\x31\x01": "an OpenEXR picture",
    b"#?RADIANCE": "a Radiance HDR picture",
    b"\0\0\1\0": "an icon",
    b"icns": "an icon",
    b"gimp xcf": "a GIMP document",
    b"PK\3\4": "a ZIP archive or a document made of one",
    b"P5": "a PGM picture",
    b"P6": "a PPM picture",
    b"DDS ": "a DDS texture",
    b"\x1a\x45\xdf\xa3": "a video",
}


def identify(head: bytes) -> str:
    """The format of a file that begins with `head`: one of READABLE_FORMATS, or "RAW" for a camera's raw
    file, of which the preview is read. Its name is not looked at.

    Raises:
        ImageReadError: it is none of them; the message names the file's kind if it is a known one.
    """
    for signature, name in _SIGNATURES.items():
        if head.startswith(signature):
            # A Canon raw file is a TIFF with a mark of its own.
            return "RAW" if name == "TIFF" and head[8:10] == b"CR" else name
    if head.startswith(_RAW_SIGNATURES):
        return "RAW"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        brands = _brands(head)
        if b"avif" in brands or b"avis" in brands:
            return "AVIF"
        if any(brand in brands for brand in _HEIC_BRANDS):
            return "HEIC"
    allowed = f"allowed are {', '.join(READABLE_FORMATS)}"
    foreign = describe(head)
    if foreign is None:
        raise ImageReadError(f"it is not a picture that Impasto reads; {allowed}")
    raise ImageReadError(f"it is {foreign}; {allowed}: export it as one of these")


def describe(head: bytes) -> str | None:
    """What a file is that begins with `head` and that `identify` refuses, such as "a PDF document"; None if unknown."""
    if head[4:8] == b"ftyp":
        return "a camera's raw file" if b"crx " in _brands(head) else "a video"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for signature, kind in _REFUSED.items():
        # Only markup may be preceded by a byte order mark and spaces, and be written in either case.
        if head.startswith(signature) or (signature[:1] == b"<" and start.lower().startswith(signature.lower())):
            return kind
    return None


def _brands(head: bytes) -> bytes:
    """The brands of an ISO container, four bytes each: the formats that it is compatible with."""
    return head[8 : min(len(head), max(12, int.from_bytes(head[:4], "big")))]
