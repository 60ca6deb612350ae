"""Files that appear whole or not at all, and the comparison of file names."""

import errno
import os
import stat
from pathlib import Path

import pytest

from impasto.files import same_file, settle, whole, why_not_written


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    return path


def test_it_replaces_the_existing_file(target):
    target.chmod(0o640)
    with whole(target) as beside:
        beside.write_text("new")
        assert target.read_text() == "old"
        assert beside.parent == target.parent
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert list(target.parent.iterdir()) == [target]


def test_an_error_leaves_the_existing_file_and_nothing_else(target):
    with pytest.raises(RuntimeError), whole(target) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def test_an_existing_file_is_not_replaced_without_consent(target):
    with pytest.raises(FileExistsError), whole(target, overwrite=False) as beside:
        beside.write_text("new")
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]
    target.unlink()
    with whole(target, overwrite=False) as beside:
        beside.write_text("new")
    assert target.read_text() == "new"


def test_a_file_left_by_a_killed_process_is_overwritten(target):
    left = target.with_name(".out.txt.tmp")
    left.write_text("of a process that was killed")
    with whole(target, beside=left) as beside:
        assert beside == left
        beside.write_text("new")
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_new_file_has_the_permissions_of_new_files(tmp_path):
    before = os.umask(0o027)
    try:
        with whole(tmp_path / "new") as beside:
            beside.write_bytes(b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


@pytest.mark.parametrize("durable", [True, False])
def test_only_durable_files_wait_for_the_disk(target, durable, monkeypatch):
    synchronised: list[int] = []
    monkeypatch.setattr(os, "fsync", synchronised.append)
    with whole(target, durable=durable) as beside:
        beside.write_text("new")
    # The file, and the folder that names it.
    assert len(synchronised) == (2 if durable else 0)


def test_a_complete_file_is_renamed(target):
    complete = target.with_name("another")
    complete.write_text("new")
    settle(complete, target)
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, whole(tmp_path / "no" / "out.txt"):
        pytest.fail("there is nowhere to write to")
    assert "make it first" in why_not_written(caught.value, tmp_path / "no" / "out.txt")
    assert "disk is full" in why_not_written(OSError(errno.ENOSPC, ""), tmp_path / "out.txt")


def test_all_names_of_one_file_are_equal_and_other_names_are_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("one").write_text("same")
    Path("other").write_text("same")
    os.link("one", "hard")
    Path("soft").symlink_to("one")
    for name in ("./one", tmp_path / "one", "hard", "soft"):
        assert same_file("one", name)
    assert not same_file("one", "other")


def test_names_of_a_file_that_does_not_exist_yet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("soft").symlink_to("later")
    for name in ("later", "./later", tmp_path / "later", "soft"):
        assert same_file("later", name)
    assert not same_file("later", "never")
    assert not same_file("later", "no\0name")
