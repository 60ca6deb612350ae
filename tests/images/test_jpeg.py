"""JPEG files that would keep a decoder busy for minutes are refused at once; MPO."""

from __future__ import annotations

import io
import struct
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from impasto.errors import ImageReadError, ImpastoWarning
from impasto.images import read, read_metadata
from tests.images.drawing import pixels_of, saved, scene


def progressive(side: int, scans: int) -> bytes:
    """A grey progressive JPEG whose last scans refine nothing: 20,000 of them take 1.7 MB, and a decoder minutes."""
    data = saved(PIL.Image.new("L", (side, side), 128), "JPEG", progressive=True)
    # One code covers all blocks of such a scan, as their number is a power of two: a run of ends of band.
    head = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0x00, 63, 63, 0x00)
    power = ((side // 8) ** 2).bit_length() - 1
    table = b"\xff\xc4" + struct.pack(">HB", 20, 0x10) + bytes([1] + [0] * 15) + bytes([power << 4])
    bits = "0" * (1 + power)
    coded = int(bits.ljust(16, "1"), 2).to_bytes(2, "big")
    return data[:-2] + table + (head + coded) * scans + b"\xff\xd9"


def with_segments(count: int, body: bytes, marker: int = 0xE1) -> bytes:
    data = saved(PIL.Image.fromarray(scene()), "JPEG")
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
    return data[:2] + segment * count + data[2:]


HOSTILE: dict[str, Callable[[], bytes]] = {
    "20,000 scans": lambda: progressive(1024, 20_000),
    "800 EXIF segments": lambda: with_segments(800, b"Exif\0\0MM\0*\0\0\0\x08" + bytes(65_000)),
    "other segments of 130 MB": lambda: with_segments(2000, bytes(65_000), 0xED),
    "100,000 comments": lambda: with_segments(100_000, b"", 0xFE),
}


@pytest.mark.promise("decoding-work", "metadata-bombs")
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_asks_for_too_much_work_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    data = HOSTILE[kind]()
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    for task in (lambda: read(data), lambda: read(path), lambda: read_metadata(data)):
        start = time.process_time()
        with pytest.raises(ImageReadError, match=r"(more than|at most).*save it again"):
            task()
        assert time.process_time() - start < 1


@pytest.mark.promise("decoding-work")
def test_honest_files_have_as_much_as_they_need() -> None:
    picture = PIL.Image.fromarray(scene())
    np.testing.assert_allclose(
        pixels_of(read(saved(picture, "JPEG", progressive=True, quality=95))) * 255, scene(), atol=8
    )
    assert read(progressive(64, 50)).size == (64, 64)
    assert read(with_segments(3, b"Exif\0\0MM\0*\0\0\0\x08" + bytes(60_000))).size == scene().shape[:2]
    # A profile of 8 MB, and an embedded depth map.
    assert read(with_segments(200, b"http://ns.adobe.com/xmp/extension/\0" + bytes(60_000))).size == scene().shape[:2]


def test_scans_of_what_follows_the_picture_do_not_count() -> None:
    data = saved(PIL.Image.fromarray(scene()), "JPEG")
    video = np.random.default_rng(1).integers(0, 256, 1 << 20).astype(np.uint8).tobytes()
    assert read(data + video + data * 200).size == scene().shape[:2]


def test_of_the_pictures_of_an_mpo_the_first_is_read_and_said() -> None:
    first, second = PIL.Image.fromarray(scene()), PIL.Image.fromarray(scene()[::-1].copy())
    out = io.BytesIO()
    first.save(out, "MPO", save_all=True, append_images=[second], quality=95)
    with pytest.warns(ImpastoWarning, match="holds several pictures; only the first is used"):
        image = read(out.getvalue())
    assert image.format == "JPEG"
    np.testing.assert_allclose(pixels_of(image) * 255, scene(), atol=8)


def test_a_phones_map_of_brightness_is_no_second_picture() -> None:
    first = PIL.Image.fromarray(scene())
    out = io.BytesIO()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" hdrgm:Version="1.0"></x:xmpmeta>'
    first.save(out, "MPO", save_all=True, append_images=[first.convert("L").convert("RGB")])
    data = out.getvalue()
    body = b"http://ns.adobe.com/xap/1.0/\0" + xmp
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(data).size == scene().shape[:2]
