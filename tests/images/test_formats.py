"""What a file is follows from its content; other formats are refused by name."""

from __future__ import annotations

from pathlib import Path

import PIL.Image
import pytest

from impasto.errors import ImageReadError
from impasto.images import (
    read,
)
from tests.images.drawing import (
    saved,
    scene,
)

DISGUISED = {
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "EPS"),
    "EPS with preview": (b"\xc5\xd0\xd3\xc6" + bytes(30), "EPS"),
    "PSD": (b"8BPS\0\1" + bytes(60), "Photoshop"),
    "PDF": (b"%PDF-1.7\n", "PDF"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"></svg>', "SVG"),
    "XML": (b'\xef\xbb\xbf\n <?XML version="1.0"?><svg/>', "XML"),
    "HTML": (b"<!doctype html><title>x</title>", "web page"),
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


@pytest.mark.promise("formats")
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


@pytest.mark.promise("formats")
def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(saved(PIL.Image.fromarray(scene()), "JPEG"))
    assert read(path).format == "JPEG"
