"""Sources of every kind, sources that cannot be opened, and what overlapping reads leave behind."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import threading
import warnings
from pathlib import Path

import PIL.Image
import pytest
import torch

from impasto.errors import ImageReadError, ImpastoWarning
from impasto.images import (
    read,
)
from tests.images.drawing import (
    HEIGHT,
    WIDTH,
    saved,
    scene,
)
from tests.images.seeds import SEEDS


def test_sources_give_the_same_image(tmp_path: Path) -> None:
    data = saved(PIL.Image.fromarray(scene()))
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    with path.open("rb") as file:
        images = [read(path), read(str(path)), read(data), read(bytearray(data)), read(io.BytesIO(data)), read(file)]
    for image in images:
        assert torch.equal(image.pixels, images[0].pixels)
        assert image.sha256 == hashlib.sha256(data).hexdigest()
    assert [image.name for image in images] == ["photo.png", "photo.png", "", "", "", "photo.png"]
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb") as sink:
        sink.write(data)
    with os.fdopen(read_end, "rb") as pipe:
        assert torch.equal(read(pipe).pixels, images[0].pixels)


def test_reads_a_named_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe.png"
    os.mkfifo(path)
    data = saved(PIL.Image.fromarray(scene()))
    writer = threading.Thread(target=path.write_bytes, args=(data,))
    writer.start()
    assert read(path).size == (HEIGHT, WIDTH)
    writer.join()


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match="no such file"):
        read(tmp_path / "missing.png")
    with pytest.raises(ImageReadError, match="no such file"):
        read(tmp_path / "missing" / "deeper.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(ImageReadError, match="no such file"):
        read(tmp_path / "dangling.png")
    with pytest.raises(ImageReadError, match="folder"):
        read(tmp_path)
    with pytest.raises(ImageReadError, match="device"):
        read("/dev/zero")
    with pytest.raises(ImageReadError, match="could not be opened"):
        read("nul\0byte.png")
    with pytest.raises(ImageReadError, match="could not be opened"):
        read("n" * 5000)
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageReadError, match="empty"):
        read(tmp_path / "empty.png")
    with pytest.raises(ImageReadError, match="empty"):
        read(b"")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(saved(PIL.Image.fromarray(scene())))
    path.chmod(0)
    with pytest.raises(ImageReadError, match="permission"):
        read(path)


def test_permission_is_named_even_when_root_runs_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("io.open", refuse)
    with pytest.raises(ImageReadError, match="permission"):
        read("secret.png")


def test_sources_of_the_wrong_kind() -> None:
    with pytest.raises(ImageReadError, match="binary mode"):
        read(io.StringIO("text"))  # type: ignore[arg-type]
    for wrong in (None, 3, object()):
        with pytest.raises((ImageReadError, TypeError)):
            read(wrong)  # type: ignore[arg-type]
    closed = io.BytesIO(b"x")
    closed.close()
    with pytest.raises(ImageReadError, match="could not be read"):
        read(closed)
    with pytest.raises(ImageReadError, match="max_pixels"):
        read(b"x", max_pixels=0)


@pytest.mark.promise("log-injection")
def test_messages_show_no_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31mred\nline\u202e.png"
    path.write_bytes(b"not a picture")
    with pytest.raises(ImageReadError) as caught:
        read(path)
    assert str(caught.value).isprintable()
    path.write_bytes(saved(PIL.Image.fromarray(scene())))
    assert read(path).name.isprintable()
    assert read(saved(PIL.Image.fromarray(scene())), name="up\r\nload.png").name == "up??load.png"


def test_reading_a_stream_without_end_stops() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1, /) -> bytes:
            self.given += size
            return bytes(size)

    endless = Endless()
    with pytest.raises(ImageReadError, match="longer than"):
        read(endless, max_pixels=1000)
    assert endless.given < 70 << 20


def test_pillows_own_limit_and_warnings_do_not_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    for kind in ("PNG", "TIFF", "GIF", "WEBP", "JPEG"):
        assert read(saved(PIL.Image.fromarray(scene()).convert("RGB"), kind)).size == (HEIGHT, WIDTH)
    assert PIL.Image.MAX_IMAGE_PIXELS == 10


def test_running_out_of_memory_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("impasto.images.reading.decode", exhausted)
    with pytest.raises(ImageReadError, match="not enough memory"):
        read(saved(PIL.Image.fromarray(scene())))


def test_reads_overlap_in_threads() -> None:
    """The filters and limits that decoding sets aside are all back when the last read ends."""
    filters, limit = list(warnings.filters), PIL.Image.MAX_IMAGE_PIXELS
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(20):
                for kind in ("PNG", "JPEG", "TIFF 16", "GIF"):
                    try:
                        read(SEEDS[kind])
                    except ImpastoWarning:
                        continue
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(warnings.filters) == filters
    assert limit == PIL.Image.MAX_IMAGE_PIXELS
