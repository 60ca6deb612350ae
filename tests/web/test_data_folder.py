"""The data folder: nothing that the studio did not write is deleted, truncated or followed."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from impasto.errors import SettingsError
from impasto.web.problems import Problem
from impasto.web.storage.data_folder import MARKER, DataFolder
from impasto.web.storage.database import Database
from tests.web.studio_running import in_process, png, served, uploaded


def contents(folder: Path) -> dict[str, bytes | str | None]:
    """Every path below a folder, with the bytes of files and the targets of links."""
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in folder.rglob("*")
    }


def refused(data: Path) -> str:
    """The message with which `impasto serve` refuses a folder, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "impasto", "serve", "--port", "0", "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2, (done.returncode, done.stderr)
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.promise("data-folder")
def test_a_folder_of_someone_else_is_refused_and_left_as_it_was(tmp_path):
    data = tmp_path / "work"
    (data / "tmp" / "deep").mkdir(parents=True)
    (data / "tmp" / "thesis.tex").write_text("years of work")
    (data / "tmp" / "deep" / ("a" * 24)).write_text("more of it")
    (data / "lock").write_text("mine")
    before = contents(data)
    assert "not a studio's folder" in refused(data)
    assert contents(data) == before


@pytest.mark.promise("data-folder")
@pytest.mark.parametrize("name", ["tmp", "impasto-tmp", "lock", "pictures", "jobs", "sheets", "speed.json"])
def test_a_single_file_or_folder_of_a_name_that_the_studio_uses_is_refused(tmp_path, name):
    data = tmp_path / "data"
    (data / name).mkdir(parents=True)
    (data / name / "notes.txt").write_text("mine")
    before = contents(data)
    with pytest.raises(SettingsError, match="not a studio's folder"):
        DataFolder(data)
    assert contents(data) == before


@pytest.mark.promise("data-folder")
def test_another_programs_database_is_refused_and_left_as_it_was(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    with sqlite3.connect(data / "studio.sqlite3") as database:
        database.execute("create table recordings (title text)")
    before = contents(data)
    with pytest.raises(SettingsError, match="not a studio's database"):
        DataFolder(data)
    assert contents(data) == before


@pytest.mark.promise("data-folder", "traversal")
@pytest.mark.parametrize(
    "name",
    ["impasto-tmp", "lock", "pictures", "jobs", "sheets", "studio.sqlite3", "studio.sqlite3-wal", MARKER],
)
def test_a_link_in_place_of_what_the_studio_writes_is_refused_and_not_followed(tmp_path, name):
    data, outside = tmp_path / "data", tmp_path / "outside"
    DataFolder(data).release()
    target = outside / "target"
    outside.mkdir()
    if name in ("impasto-tmp", "pictures", "jobs", "sheets"):
        target.mkdir()
        (target / ("b" * 24)).write_text("mine")
        if (data / name).exists():
            (data / name).rmdir()
    else:
        target.write_text("mine")
        (data / name).unlink(missing_ok=True)
    (data / name).symlink_to(target)
    before = contents(outside)
    with pytest.raises(SettingsError):
        DataFolder(data)
    assert contents(outside) == before


@pytest.mark.promise("data-folder")
def test_files_of_others_in_a_studios_folder_outlive_its_starts(tmp_path):
    data = tmp_path / "data"
    DataFolder(data).release()
    for name in ("notes.txt", "impasto-tmp/notes.txt", "tmp/notes.txt", "speed.json"):
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).write_text("mine")
    left_behind = data / "impasto-tmp" / ("0123456789abcdef" + "0" * 8)
    left_behind.write_bytes(b"half a picture")
    with in_process(data, paints=False) as client:
        uploaded(client, png())
    assert not left_behind.exists()
    for name in ("notes.txt", "impasto-tmp/notes.txt", "tmp/notes.txt", "speed.json"):
        assert (data / name).read_text() == "mine"


def test_an_empty_folder_and_one_of_an_earlier_version_are_accepted(tmp_path):
    empty = tmp_path / "empty"
    (empty / "lost+found").mkdir(parents=True)
    DataFolder(empty).release()
    earlier = tmp_path / "earlier"
    (earlier / "tmp").mkdir(parents=True)
    (earlier / "tmp" / "abc").write_text("x")
    (earlier / "lock").touch()
    Database(earlier / "studio.sqlite3").close()
    DataFolder(earlier).release()
    assert (earlier / MARKER).is_file() and (earlier / "tmp" / "abc").is_file()


def test_a_second_studio_is_kept_out(tmp_path):
    first = DataFolder(tmp_path)
    with pytest.raises(Problem, match="another studio"):
        DataFolder(tmp_path)
    first.release()
    DataFolder(tmp_path).release()


@pytest.mark.promise("permissions")
def test_nobody_else_can_read_what_a_studio_stores(tmp_path):
    data = tmp_path / "data"
    with served(data) as server:
        uploaded(server.client, png(70, 50))
        for path in [data, *data.rglob("*")]:
            assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path
