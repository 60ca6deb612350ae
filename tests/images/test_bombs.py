"""Files that claim or unpack to more than they should take little memory."""

from __future__ import annotations

import functools
import struct
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from impasto.errors import ImageReadError, ImpastoWarning
from impasto.images import (
    read,
    read_metadata,
)
from tests.images.drawing import (
    HEIGHT,
    WIDTH,
    animations,
    chunk,
    deep_scene,
    grey3,
    pixels_of,
    png_file,
    saved,
    scene,
    tiff_file,
)
from tests.images.test_heif import heic


@functools.cache
def deflated_zeros(megabytes: int) -> bytes:
    deflate = zlib.compressobj(9)
    return b"".join(deflate.compress(bytes(1 << 20)) for _ in range(megabytes)) + deflate.flush()


def claiming(data: bytes, width: int, height: int) -> bytes:
    """An AVIF or HEIC file with this size in its header."""
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


@functools.cache
def pixel_bombs() -> dict[str, bytes]:
    side = 60000
    frame = struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\2\2\x44\1\0;"
    jpeg = bytearray(saved(PIL.Image.fromarray(scene()), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", side, side)
    # A canvas as large as WebP goes, with frames as small as they were: nothing about it is invalid.
    animation = dict(animations())["WEBP"]
    bmp = bytearray(saved(PIL.Image.fromarray(scene()), "BMP"))
    bmp[18:26] = struct.pack("<ii", side, side)
    tiff = bytearray(saved(PIL.Image.fromarray(scene()), "TIFF"))
    deep = bytearray(tiff_file(deep_scene()))
    for data in (tiff, deep):
        for tag in (256, 257):
            entry = next(
                at for at in range(len(data) - 12) if data[at : at + 2] == struct.pack("<H", tag) and data[at + 4] == 1
            )
            data[entry + 2 : entry + 4] = struct.pack("<H", 4)
            data[entry + 8 : entry + 12] = struct.pack("<I", side)
    return {
        "PNG": png_file(side, side, 8, 6, deflated_zeros(64)),
        "GIF": b"GIF89a" + struct.pack("<HHBBB", 4, 4, 0, 0, 0) + b"!\xf9\4\x08\0\0\0\0," + frame,
        "GIF screen": b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"," + bytes(9) + b"\2\2\x44\1\0;",
        "WebP": animation[:24] + (16383).to_bytes(3, "little") * 2 + animation[30:],
        "WebP lossless": b"RIFF\x1e\0\0\0WEBPVP8L\x0a\0\0\0\x2f" + struct.pack("<I", 0x0FFFFFFF) + bytes(9),
        "WebP lossy": b"RIFF\x1e\0\0\0WEBPVP8 \x0a\0\0\0\x30\1\0\x9d\1\x2a\xff\x3f\xff\x3f",
        "JPEG": bytes(jpeg),
        "BMP": bytes(bmp),
        "TIFF": bytes(tiff),
        "TIFF 16": bytes(deep),
        "HEIC": claiming(heic(PIL.Image.new("RGB", (64, 64))), 15000, 15000),
        "AVIF": claiming(saved(PIL.Image.fromarray(scene()), "AVIF"), 15000, 15000),  # 16384² libavif refuses
    }


@functools.cache
def packed_bombs() -> dict[str, bytes]:
    rows = bytes(HEIGHT * (1 + 3 * WIDTH))
    zeros = deflated_zeros(200)
    return {
        "zTXt": png_file(WIDTH, HEIGHT, 8, 2, rows, chunk(b"zTXt", b"impasto\0\0" + zeros)),
        "iTXt": png_file(WIDTH, HEIGHT, 8, 2, rows, chunk(b"iTXt", b"impasto\0\1\0\0\0" + zeros)),
        "tEXt": png_file(WIDTH, HEIGHT, 8, 2, rows, chunk(b"tEXt", b"impasto\0" + b"a" * 300_000)),
        "many": png_file(
            WIDTH, HEIGHT, 8, 2, rows, b"".join(chunk(b"tEXt", b"k%d\0" % i + b"a" * 60_000) for i in range(40))
        ),
        "iCCP": png_file(WIDTH, HEIGHT, 8, 2, rows, chunk(b"iCCP", b"x\0\0" + zeros)),
        "eXIf": png_file(WIDTH, HEIGHT, 8, 2, rows, chunk(b"eXIf", b"MM\0*\0\0\0\x08" + bytes(3 << 20))),
    }


@pytest.mark.promise("pixel-bombs")
@pytest.mark.parametrize("kind", pixel_bombs())
def test_pixel_bombs_are_refused_by_their_header(kind: str) -> None:
    with pytest.raises(ImageReadError, match="megapixels"):
        read(pixel_bombs()[kind])


@pytest.mark.promise("metadata-bombs")
@pytest.mark.parametrize("kind", packed_bombs())
def test_text_profile_and_exif_bombs_are_ignored_with_a_warning(kind: str) -> None:
    with pytest.warns(ImpastoWarning, match="longer than"):
        image = read(packed_bombs()[kind])
    assert image.size == (HEIGHT, WIDTH)
    assert sum(map(len, image.text.values())) <= 1 << 20
    if kind in ("zTXt", "iTXt", "tEXt", "many"):
        with pytest.warns(ImpastoWarning, match="longer than"):
            assert sum(map(len, read_metadata(packed_bombs()[kind]).values())) <= 1 << 20


@pytest.mark.promise("pixel-bombs", "metadata-bombs")
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the memory")
def test_bombs_take_little_memory(tmp_path: Path) -> None:
    for index, data in enumerate([*pixel_bombs().values(), *packed_bombs().values()]):
        (tmp_path / f"{index}").write_bytes(data)
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.write(b"\x89PNG\r\n\x1a\n")
        sparse.truncate(1 << 40)
    script = """
        import sys, warnings
        from pathlib import Path
        from impasto.errors import ImageReadError, ImpastoWarning
        from impasto.images import as_image, encode, read
        import numpy, tifffile

        def peaks():
            # Resident and virtual, in KB, of this process alone: getrusage would begin at its parent's.
            status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
            return [int(status[key].split()[0]) for key in ("VmHWM", "VmPeak")]

        warnings.simplefilter("ignore", ImpastoWarning)
        for kind in ("PNG", "TIFF", "WEBP", "AVIF"):  # whatever these load once is not the bombs'
            read(encode(as_image(numpy.zeros((8, 8, 3), numpy.uint8)), kind))
        before = peaks()
        for path in sorted(Path(sys.argv[1]).iterdir()):
            try:
                read(path)
            except ImageReadError:
                pass
        print(*(after - was for after, was in zip(peaks(), before)))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script), str(tmp_path)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    resident, virtual = map(int, done.stdout.split())
    assert resident < 64 * 1024
    assert virtual < 1024 * 1024
    assert done.stderr == ""


@pytest.mark.promise("pixel-bombs")
def test_a_million_frames_are_not_counted() -> None:
    first = PIL.Image.fromarray(scene()).convert("L")
    data = saved(first, "GIF")[:-1]
    frame = data[data.index(b",") :]
    with pytest.warns(ImpastoWarning, match="first frame"):
        image = read(data + frame * 20_000 + b";")
    np.testing.assert_allclose(pixels_of(image) * 255, grey3(np.asarray(first)), atol=1e-3)
