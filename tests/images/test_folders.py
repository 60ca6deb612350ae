"""Folders as phones, cameras and systems leave them: what is a picture is listed, the rest is named with a reason."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from impasto.images import Folder, output_suffix, read
from tests.images.drawing import pixels_of, saved, scene
from tests.images.test_heif import heic
from tests.images.test_raw import jpeg, nef

PICTURE = PIL.Image.fromarray(scene())


def phone(folder: Path) -> dict[str, str | None]:
    """A folder full of everything, and for each file the reason for which it is skipped; None for pictures."""
    files: dict[str, tuple[bytes, str | None]] = {
        "IMG_0001.HEIC": (heic(PICTURE), None),
        "IMG_0002.JPG": (saved(PICTURE, "JPEG"), None),
        "IMG_0003": (saved(PICTURE, "JPEG"), None),
        "scan.jfif": (saved(PICTURE, "JPEG"), None),
        "a.gif": (saved(PICTURE.convert("P"), "GIF"), None),
        "wrong.txt": (saved(PICTURE), None),
        "DSC1.NEF": (nef(jpeg(480, 640)), None),
        "sub/deep.TIFF": (saved(PICTURE, "TIFF"), None),
        "._IMG_0002.JPG": (b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(4000), "AppleDouble"),
        "._empty.jpg": (b"", "AppleDouble"),
        ".hidden.png": (saved(PICTURE), "hidden file"),
        "._photo.png": (saved(PICTURE), "hidden file"),
        ".thumbnails/1.png": (saved(PICTURE), "hidden folder"),
        "@eaDir/1.png": (saved(PICTURE), "network disk"),
        "__MACOSX/1.png": (saved(PICTURE), "archives"),
        ".DS_Store": (b"\0\0\0\1Bud1", "macOS"),
        "Thumbs.db": (b"\xd0\xcf\x11\xe0", "Windows"),
        "desktop.ini": (b"[.ShellClassInfo]", "Windows"),
        "damaged.png": (b"no picture", None),
        "empty.jpg": (b"", "empty"),
        "IMG_0001.MOV": (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "it is a video"),
        "notes.txt": (b"I am a letter", "it is not a picture"),
        "paper.png": (b"%PDF-1.7\n", "it is a PDF document"),
    }
    for name, (data, _) in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return {name: reason for name, (_, reason) in files.items()}


@pytest.mark.promise("damaged-pictures")
def test_a_folder_of_everything(tmp_path: Path) -> None:
    expected = phone(tmp_path)
    folder = Folder.of(tmp_path.rglob("*"), tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in folder.pictures] == sorted(
        name for name, reason in expected.items() if reason is None
    )
    reasons = {str(found.path.relative_to(tmp_path)): found.reason for found in (*folder.skipped, *folder.ignored)}
    assert reasons.keys() == {name for name, reason in expected.items() if reason is not None}
    for name, reason in reasons.items():
        assert str(expected[name]) in reason
    assert {found.path.name for found in folder.skipped} == {"empty.jpg", "IMG_0001.MOV", "notes.txt", "paper.png"}


@pytest.mark.filterwarnings("ignore::impasto.errors.ImpastoWarning")
def test_all_pictures_of_a_folder_are_read(tmp_path: Path) -> None:
    phone(tmp_path)
    (tmp_path / "damaged.png").unlink()
    for path in Folder.of(tmp_path.rglob("*"), tmp_path).pictures:
        assert np.ptp(pixels_of(read(path))) > 0.3


def test_what_is_no_regular_file_is_skipped_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "real.png").write_bytes(saved(PICTURE))
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    folder = Folder.of(tmp_path.iterdir(), tmp_path)
    assert [path.name for path in folder.pictures] == ["link.png", "real.png"]
    assert {found.path.name: found.reason for found in folder.skipped}.keys() == {"pipe.png", "dangling.png"}


def test_a_file_that_is_named_is_judged_by_itself(tmp_path: Path) -> None:
    hidden = tmp_path / ".cache"
    hidden.mkdir()
    (hidden / "photo.png").write_bytes(saved(PICTURE))
    assert Folder.of([hidden / "photo.png"]).pictures == (hidden / "photo.png",)


@pytest.mark.parametrize(
    ("name", "data", "suffix"),
    [
        ("a.JPG", b"", ".JPG"),
        ("a.tif", b"", ".tif"),
        ("a", jpeg(8, 8), ".jpg"),
        ("a.jfif", jpeg(8, 8), ".jpg"),
        ("a.HEIC", heic(PICTURE), ".jpg"),
        ("a.nef", nef(jpeg(8, 8)), ".png"),
        ("a.gif", saved(PICTURE.convert("P"), "GIF"), ".png"),
        ("a.txt", b"no picture", ".png"),
    ],
)
def test_the_suffix_of_a_picture_made_of_it(name: str, data: bytes, suffix: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    assert output_suffix(tmp_path / name) == suffix
