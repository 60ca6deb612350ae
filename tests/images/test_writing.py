"""Every format that is written; files that appear whole or not at all; inputs that are never overwritten."""

from __future__ import annotations

import errno
import io
import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from impasto.errors import ImageWriteError, SettingsError
from impasto.images import (
    as_image,
    check_output,
    encode,
    read,
    write,
)
from impasto.images.pixels import quantize
from impasto.images.profiles import srgb_profile
from tests.images.drawing import (
    HEIGHT,
    METADATA,
    WIDTH,
    WRITABLE,
    pixels_of,
    saved,
    scene,
)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".bmp", ".PNG"])
def test_lossless_formats_are_exact_to_the_bit(suffix: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    path = write(as_image(noise), tmp_path / f"out{suffix}")
    image = read(path)
    np.testing.assert_array_equal(quantize(image.pixels), noise)
    # And to any other program.
    with PIL.Image.open(path) as picture:
        np.testing.assert_array_equal(np.asarray(picture), noise)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("height", [2, HEIGHT, 150])
def test_16_bit_output_is_exact_to_the_bit(kind: str, height: int) -> None:
    noise = np.random.default_rng(4).integers(0, 65536, (height, 21, 3)).astype(np.uint16)
    data = encode(as_image(noise), kind, bit_depth=16, metadata=METADATA)
    image = read(data)
    assert image.bit_depth == 16
    assert image.text == METADATA
    np.testing.assert_array_equal(quantize(image.pixels, 16), noise)
    with PIL.Image.open(io.BytesIO(data)) as picture:
        np.testing.assert_array_equal(np.asarray(picture), noise >> 8)
        assert picture.info["icc_profile"] == srgb_profile()


@pytest.mark.parametrize("kind", WRITABLE)
def test_every_format_is_srgb_and_the_same_every_time(kind: str) -> None:
    image = as_image(scene(40, 50))
    data = encode(image, kind)
    assert data == encode(image, kind.lower())
    with PIL.Image.open(io.BytesIO(data)) as picture:
        if kind != "BMP":
            assert picture.info["icc_profile"] == srgb_profile()
    again = read(data)
    assert again.format == kind
    np.testing.assert_allclose(pixels_of(again) * 255, scene(40, 50), atol=16)


def test_quality_has_an_effect_and_a_range() -> None:
    image = as_image(np.random.default_rng(6).integers(0, 256, (64, 64, 3)).astype(np.uint8))
    for kind in ("JPEG", "WebP", "AVIF"):
        sizes = [len(encode(image, kind, quality=quality)) for quality in (10, 60, 95)]
        assert sizes == sorted(set(sizes))
    for quality in (0, 101, True):
        with pytest.raises(SettingsError, match="quality"):
            encode(image, "JPEG", quality=quality)
    with pytest.raises((SettingsError, TypeError)):
        encode(image, "JPEG", quality=1.5)  # type: ignore[arg-type]


def test_depth_and_format_must_fit() -> None:
    image = as_image(scene())
    with pytest.raises(ImageWriteError, match="PNG or TIFF"):
        encode(image, "JPEG", bit_depth=16)
    with pytest.raises(SettingsError, match="bit_depth"):
        encode(image, "PNG", bit_depth=12)
    with pytest.raises(ImageWriteError, match=r"'gif'.*PNG, JPEG, WebP, TIFF, BMP, AVIF"):
        encode(image, "gif")
    with pytest.raises(ImageWriteError, match=r"16,383.*PNG or TIFF"):
        encode(torch.zeros(1, 3, 2, 16384), "WebP")
    with pytest.raises(ImageWriteError, match="NaN"):
        encode(torch.full((1, 3, 4, 4), float("nan")), "PNG")
    with pytest.raises((ImageWriteError, TypeError)):
        encode(torch.zeros(3, 4, 4), "PNG")


@pytest.mark.parametrize("name", ["out", "out.gif", "out.txt", "out.png.bak", ".png"])
def test_a_suffix_must_name_a_format(name: str, tmp_path: Path) -> None:
    with pytest.raises(ImageWriteError, match=r"\.png, \.jpg"):
        write(as_image(scene()), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    image = as_image(scene())
    with pytest.raises(ImageWriteError, match=r"no folder.*make it first"):
        write(image, tmp_path / "missing" / "out.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ImageWriteError, match="this is a folder"):
        write(image, tmp_path / "folder.png")
    (tmp_path / "null.png").symlink_to("/dev/null")
    with pytest.raises(ImageWriteError, match="device"):
        write(image, tmp_path / "null.png")
    for name in ("n" * 300 + ".png", "nul\0.png"):
        with pytest.raises(ImageWriteError, match="cannot be written"):
            write(image, tmp_path / name)
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    with pytest.raises(ImageWriteError):
        write(image, tmp_path / "loop.png")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder.png", "loop.png", "null.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ImageWriteError, match="permission"):
        write(as_image(scene()), tmp_path / "out.png")


def test_permission_to_write_is_named_even_when_root_runs_the_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ImageWriteError, match="permission"):
        write(as_image(scene()), tmp_path / "out.png")


@pytest.mark.promise("whole-files")
def test_an_existing_file_needs_consent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"precious")
    with pytest.raises(ImageWriteError, match="exists already"):
        write(as_image(scene()), path, overwrite=False)
    assert path.read_bytes() == b"precious"
    new = tmp_path / "new.png"
    write(as_image(scene()), new, overwrite=False)
    assert read(new).size == (HEIGHT, WIDTH)
    # Another program makes the file between the look and the move.
    monkeypatch.setattr("impasto.images.writing._check_place", lambda *_: None)
    with pytest.raises(ImageWriteError, match="exists already"):
        write(as_image(scene()), path, overwrite=False)

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(ImageWriteError, match="exists already"):
        write(as_image(scene()), path, overwrite=False)
    assert path.read_bytes() == b"precious"
    write(as_image(scene()), tmp_path / "third.png", overwrite=False)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["new.png", "out.png", "third.png"]


@pytest.mark.promise("whole-files")
def test_an_input_is_never_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    source.write_bytes(saved(PIL.Image.fromarray(scene())))
    before = source.read_bytes()
    (tmp_path / "soft.png").symlink_to(source)
    os.link(source, tmp_path / "hard.png")
    (tmp_path / "folder").symlink_to(tmp_path)
    for target in (source, tmp_path / "soft.png", tmp_path / "hard.png", tmp_path / "folder" / "photo.png"):
        with pytest.raises(ImageWriteError, match="is an input"):
            write(as_image(source), target, protect=[tmp_path / "missing.png", source])
        with pytest.raises(ImageWriteError, match="is an input"):
            check_output(target, protect=[tmp_path / "soft.png"])
    with pytest.raises(ImageWriteError, match="is an input"):
        check_output(tmp_path / "to-be.png", protect=[tmp_path / "folder" / "to-be.png"])
    assert source.read_bytes() == before
    write(as_image(source), tmp_path / "out.png", protect=[source])


def test_a_symbolic_link_is_followed_and_permissions_stay(tmp_path: Path) -> None:
    target = tmp_path / "real.png"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link = tmp_path / "latest.png"
    link.symlink_to(target)
    assert write(as_image(scene()), link) == link
    assert link.is_symlink()
    assert read(target).size == (HEIGHT, WIDTH)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    mask = os.umask(0o027)
    try:
        fresh = write(as_image(scene()), tmp_path / "fresh.png")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o640


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace", "pathlib.Path.write_bytes"])
@pytest.mark.parametrize(
    ("code", "match"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "disk is full"),
        (errno.EFBIG, "larger than the system allows"),
        (errno.EROFS, "permission"),
        (errno.EIO, "could not be written"),
    ],
)
def test_a_failed_write_leaves_the_old_file(
    call: str, code: int, match: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(call, fail)
    with pytest.raises(ImageWriteError, match=match) as caught:
        write(as_image(scene()), path)
    assert str(caught.value).isprintable()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.png"]


def test_an_interrupt_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(as_image(scene()), path)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.png"]


@pytest.mark.promise("whole-files", "disk-full")
def test_a_limit_on_file_size_leaves_the_old_file(tmp_path: Path) -> None:
    """The kernel itself refuses to go on after 100 bytes."""
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    image = as_image(scene(40, 50))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(ImageWriteError, match="larger than the system allows"):
            write(image, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.png"]
    write(image, path)
    assert read(path).size == (40, 50)


@pytest.mark.promise("whole-files")
def test_a_process_killed_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    script = """
        import os, signal, sys
        import numpy
        from impasto.images import as_image, write
        os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
        write(as_image(numpy.zeros((8, 8, 3), numpy.uint8)), sys.argv[1])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(path)], timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"


def test_encoding_that_fails_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(PIL.Image.Image, "save", exhausted)
    with pytest.raises(ImageWriteError, match=r"out\.png: there is not enough memory"):
        write(as_image(scene()), tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []
