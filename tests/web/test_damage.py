"""A damaged database: a bad row is set aside and the rest works, or it is refused with the name of a backup."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto.errors import SettingsError
from impasto.web import Config
from impasto.web.studio.studio import Studio
from tests.web.studio_running import Nobody, in_process, png, submitted, uploaded


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    """The data folder of a studio with queued jobs, pictures and a sweep, which was stopped."""
    data = tmp_path_factory.mktemp("stored") / "data"
    with in_process(data, paints=False) as client:
        ref = uploaded(client, png())
        for _ in range(3):
            submitted(client, content=ref)
        client.post(
            "/api/sweeps",
            json={
                "content": ref,
                "styles": ["sample:starry_night"],
                "settings": {"size": 32},
                "axes": [{"setting": "strength", "values": [0.3, 0.6]}],
            },
        )
    return data


@pytest.fixture
def copy(stored: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stored, tmp_path / "data"))


@contextlib.contextmanager
def opened(data: Path) -> Iterator[Studio]:
    """A studio that has recovered what was there, without a server."""
    studio = Studio(Config(data=data), Nobody())
    try:
        studio._recover()
        yield studio
    finally:
        studio.database.close()
        studio._folder.release()


def change(data: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(data / "studio.sqlite3")) as database, database:
        assert database.execute(statement).rowcount == 1


@pytest.mark.promise("damaged-rows")
@pytest.mark.parametrize("value", ["cast(x'ff' as text)", "'{'", "'[7]'", "'{\"content\": 7}'", "'\"x\"'", "''"])
@pytest.mark.parametrize("column", ["spec", "settings", "wanted", "warnings", "progress", "result", "error", "sweep"])
def test_a_job_that_cannot_be_read_is_set_aside_and_the_others_stay(copy, column, value):
    if (column, value) == ("warnings", "'[7]'"):
        value = "'7'"
    if column in ("settings", "wanted", "error", "progress") and value == "'{\"content\": 7}'":
        pytest.skip("it can be read")
    change(copy, f"update jobs set {column} = {value} where number = 2")
    with opened(copy) as studio:
        assert len(studio.views.all(studio.jobs.find())) == 4
        ((key, reason),) = studio.database.rows("select key, reason from set_aside")
        assert len(key) == 16 and reason
        assert (copy / "studio-before-repair.sqlite3").is_file()
    # Its start after that finds nothing wrong.
    with opened(copy) as studio:
        assert len(studio.views.all(studio.jobs.find())) == 4
        assert len(studio.database.rows("select * from set_aside")) == 1


@pytest.mark.promise("damaged-rows")
@pytest.mark.parametrize(
    "statement",
    [
        "update jobs set state = cast(x'ff' as text) where number = 2",
        "update jobs set state = 'dreaming' where number = 2",
        "update jobs set id = cast(x'ff' as text) where number = 2",
        "update jobs set lease = cast(x'ff' as text) where number = 2",
        "update pictures set notes = '{' where rowid = 1",
        "update pictures set name = cast(x'ff' as text) where rowid = 1",
        "update sweeps set axes = cast(x'ff' as text) where rowid = 1",
        "update sweeps set axes = '[]' where rowid = 1",
        "update facts set value = cast(x'ff' as text) where rowid = 1",
    ],
)
def test_any_other_row_that_cannot_be_read_is_set_aside_too(copy, statement):
    change(copy, statement)
    with opened(copy) as studio:
        studio.views.all(studio.jobs.find())
        studio.sweeps.all()
        assert len(studio.database.rows("select * from set_aside")) == 1


@pytest.mark.promise("damaged-database")
def test_a_backup_is_kept_that_can_be_put_back(copy):
    with in_process(copy, paints=False):
        pass
    file = copy / "studio.sqlite3"
    file.write_bytes(b"\0" * file.stat().st_size)
    with pytest.raises(SettingsError, match=r"damaged.*studio-backup\.sqlite3"):
        Studio(Config(data=copy), Nobody())
    for end in ("-wal", "-shm"):
        Path(f"{file}{end}").unlink(missing_ok=True)
    (copy / "studio-backup.sqlite3").replace(file)
    with in_process(copy, paints=False) as client:
        assert len(client.get("/api/jobs").json()["jobs"]) == 5


@pytest.mark.promise("damaged-database")
def test_damage_on_any_page_is_refused_in_words_or_got_over(copy):
    with in_process(copy, paints=False):
        pass
    file = copy / "studio.sqlite3"
    for end in ("-wal", "-shm"):
        Path(f"{file}{end}").unlink(missing_ok=True)
    whole = file.read_bytes()
    size = int.from_bytes(whole[16:18], "big")
    outcomes = set()
    for page in range(len(whole) // size):
        for offset in (0, 9, size // 2, size - 40):
            content = bytearray(whole)
            at = page * size + offset
            content[at : at + 8] = bytes(byte ^ 0xFF for byte in content[at : at + 8])
            file.write_bytes(content)
            outcomes.add(_started(copy))
            for end in ("-wal", "-shm"):
                Path(f"{file}{end}").unlink(missing_ok=True)
    assert outcomes == {"refused", "running"}


def _started(data: Path) -> str:
    try:
        with opened(data) as studio:
            studio.views.all(studio.jobs.find(limit=-1))
            studio.sweeps.all()
    except SettingsError as error:
        assert "studio-backup.sqlite3" in str(error) or "format" in str(error), error
        return "refused"
    return "running"
