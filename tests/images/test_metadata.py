"""Text embedded in pictures."""

from __future__ import annotations

import io
from pathlib import Path

import PIL.Image
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags

from impasto.errors import ImageWriteError, ImpastoWarning
from impasto.images import (
    WRITABLE_SUFFIXES,
    Image,
    as_image,
    encode,
    read,
    read_metadata,
    write,
)
from tests.images.drawing import (
    HEIGHT,
    METADATA,
    WIDTH,
    WRITABLE,
    palette_picture,
    saved,
    scene,
)


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


@pytest.mark.promise("private-metadata")
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
