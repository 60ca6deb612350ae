"""Camera raw files: the preview inside them is read, and a file without one is refused."""

from __future__ import annotations

import io
import struct

import numpy as np
import PIL.Image
import pytest
import tifffile
from PIL import ExifTags

from impasto.errors import ImageReadError, ImpastoWarning
from impasto.images import read, read_metadata
from tests.images.drawing import deep_scene, pixels_of, saved, scene, tiff_file


def jpeg(height: int, width: int, **options: object) -> bytes:
    return saved(PIL.Image.fromarray(scene(height, width)), "JPEG", quality=100, subsampling=0, **options)


def directory(tags: dict[int, tuple[int, ...]], start: int, following: int = 0) -> bytes:
    """A little-endian TIFF directory of LONG values at `start`."""
    table, extra = b"", b""
    end = start + 2 + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        data = struct.pack(f"<{len(values)}I", *values)
        if len(values) > 1:
            data, extra = struct.pack("<I", end + len(extra)), extra + data
        table += struct.pack("<HHI", tag, 4, len(tags[tag])) + data
    return struct.pack("<H", len(tags)) + table + struct.pack("<I", following) + extra


def nef(preview: bytes, orientation: int = 1, magic: bytes = b"II*\0") -> bytes:
    """As Nikon lays it out: a thumbnail first; sub-pages with the preview, and with the sensor's data."""
    thumbnail = jpeg(40, 60)
    start = 8 + len(thumbnail) + len(preview)
    starts = [start + 400, start + 800]
    main = directory(
        {254: (1,), 256: (60,), 257: (40,), 258: (8,), 259: (6,), 262: (6,), 273: (8,), 274: (orientation,),
         279: (len(thumbnail),), 330: tuple(starts)},
        start,
    )  # fmt: skip
    shown = directory({254: (1,), 259: (6,), 513: (8 + len(thumbnail),), 514: (len(preview),)}, starts[0])
    sensor = directory({254: (0,), 256: (6000,), 257: (4000,), 258: (14,), 259: (34713,), 262: (32803,)}, starts[1])
    body = magic + struct.pack("<I", start) + thumbnail + preview
    return body + main.ljust(400, b"\0") + shown.ljust(400, b"\0") + sensor


def raf(preview: bytes) -> bytes:
    """As Fuji lays it out."""
    head = b"FUJIFILMCCD-RAW 0201" + bytes(64)
    return head + struct.pack(">II", 100, len(preview)) + bytes(8) + preview + bytes(1000)


@pytest.mark.parametrize(
    "data",
    [nef(jpeg(480, 640)), nef(jpeg(480, 640), magic=b"IIRO"), raf(jpeg(480, 640))],
    ids=["Nikon", "Olympus", "Fuji"],
)
def test_the_preview_of_a_raw_file_is_read(data: bytes) -> None:
    with pytest.warns(ImpastoWarning, match=r"raw file; its preview of 640 × 480 pixels is used"):
        image = read(data, name="DSC1.NEF")
    assert (image.format, image.size) == ("RAW", (480, 640))
    np.testing.assert_allclose(pixels_of(image) * 255, scene(480, 640), atol=6)
    assert read_metadata(data) == {}


def test_the_largest_preview_is_read() -> None:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(scene(), photometric="rgb", subfiletype=1, subifds=1)
        writer.write(deep_scene()[..., 0], photometric="cfa", extratags=[(33421, 3, 2, (2, 2), True)])
    with pytest.raises(ImageReadError, match=r"raw file without a preview.*export a TIFF or JPEG"):
        read(out.getvalue())


def test_the_orientation_is_that_of_the_raw_file() -> None:
    with pytest.warns(ImpastoWarning, match="raw file"):
        assert read(nef(jpeg(480, 640), orientation=6)).size == (640, 480)
    exif = PIL.Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    with pytest.warns(ImpastoWarning, match="raw file"):
        assert read(nef(jpeg(480, 640, exif=exif), orientation=6)).size == (640, 480)


def test_a_thumbnail_is_too_small_to_be_painted() -> None:
    with pytest.raises(ImageReadError, match="raw file without a preview"):
        read(nef(jpeg(120, 160)))


def test_a_digital_negative_is_no_plain_tiff() -> None:
    dng = tiff_file(deep_scene(), extratags=[(50706, 1, 4, (1, 4, 0, 0), True)])
    with pytest.raises(ImageReadError, match="raw file"):
        read(dng)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
def test_a_raw_file_that_is_cut_short_is_refused(share: float) -> None:
    data = nef(jpeg(480, 640))
    with pytest.raises(ImageReadError):
        read(data[: int(share * len(data))])
