"""Folders: pictures are found by content, whatever they are called; hidden files are left out, others are named."""

from __future__ import annotations

from pathlib import Path

import torch

from impasto.images import Folder, Image, write


def test_pictures_are_found_by_content(tmp_path: Path):
    picture = Image(pixels=torch.full((1, 3, 8, 8), 0.5))
    write(picture, tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    for name in ("b.JFIF", "without", "c.PNG"):
        (tmp_path / name).write_bytes(data)
    for name in ("._a.jpg", ".DS_Store", ".hidden.png", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    (tmp_path / "notes.txt").write_text("a list")
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypisom\0\0\0\0isommp42")
    (tmp_path / "nothing").touch()
    # Named like a picture: whoever reads it is told what is wrong.
    (tmp_path / "damaged.png").write_bytes(b"no picture")
    (tmp_path / "folder.png").mkdir()
    found = Folder.of(tmp_path.iterdir())
    assert [path.name for path in found.pictures] == ["a.jpg", "b.JFIF", "c.PNG", "damaged.png", "without"]
    assert [(one.path.name, one.reason) for one in found.skipped] == [
        ("film.mp4", "it is a video"),
        ("notes.txt", "it is not a picture that Impasto reads"),
        ("nothing", "the file is empty (0 bytes)"),
    ]
