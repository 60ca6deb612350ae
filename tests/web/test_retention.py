"""Retention: an erasure that is killed at any moment costs nothing that is in use, and the next one completes it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from impasto.web import Config
from impasto.web.storage.database import FILE, Database
from impasto.web.storage.erasures import Erasures
from impasto.web.studio.studio import Studio
from tests.web.studio_running import Nobody, in_process, png, submitted, uploaded


@dataclass
class Stored:
    """A data folder, with the folders in it that are in use and those that are not."""

    data: Path
    live: list[str]
    dead: list[str]


def _home(ref: str) -> str:
    digest = ref.removeprefix("picture:")
    return f"pictures/{digest[:2]}/{digest}"


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Stored:
    data = tmp_path_factory.mktemp("stored") / "data"
    with in_process(data, paints=False) as client:
        live, erased, nobodys = (uploaded(client, png(40 + number)) for number in range(3))
        jobs = [submitted(client, content=ref) for ref in (live, erased)]
        for job in jobs:
            (data / "jobs" / job).mkdir(parents=True)
            (data / "jobs" / job / "checkpoint.safetensors").write_bytes(bytes(1000))
            (data / "jobs" / job / "preview.jpg").write_bytes(bytes(10))
        client.post(f"/api/jobs/{jobs[1]}/delete")
    return Stored(data, [_home(live), f"jobs/{jobs[0]}"], [_home(erased), _home(nobodys), f"jobs/{jobs[1]}"])


@contextlib.contextmanager
def opened(data: Path) -> Iterator[Studio]:
    """A studio that has recovered what was there, and erased at once what nobody uses."""
    studio = Studio(Config(data=data, keep_deleted=0.0), Nobody())
    try:
        studio._recover()
        yield studio
    finally:
        studio.database.close()
        studio._folder.release()


def _contents(data: Path, folders: list[str]) -> dict[str, bytes]:
    return {str(file.relative_to(data)): file.read_bytes() for name in folders for file in (data / name).iterdir()}


def _erase(data: Path, last: int) -> None:
    """Erase, and be killed at a step: a statement of the database, or a change of the file system."""
    steps = itertools.count(1)

    def step(*_: object) -> None:
        if next(steps) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def changes_files(event: str, _: object) -> None:
        if event in ("os.remove", "os.rmdir", "os.rename", "shutil.rmtree"):
            step()

    studio = Studio(Config(data=data, keep_deleted=0.0), Nobody())
    sys.addaudithook(changes_files)
    studio.database._connection.set_trace_callback(step)
    studio._purge()
    os._exit(0)


def _kill_at_every_step(stored: Stored, folder: Path) -> None:
    """Write out at how many steps the erasure was killed, and how many folders were left by that.

    In a process of its own, which loads no torch: it forks for every step.
    """
    expected = _contents(stored.data, stored.live)
    killed = left = 0
    while True:
        data = Path(shutil.copytree(stored.data, folder / "data"))
        if (child := os.fork()) == 0:
            _erase(data, killed + 1)
        status = os.waitpid(child, 0)[1]
        if status == 0:
            break
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        killed += 1
        assert _contents(data, stored.live) == expected
        left += sum((data / name).exists() for name in stored.dead)
        with opened(data) as studio:
            assert len(studio.jobs.find()) == 1
        assert _contents(data, stored.live) == expected
        assert [name for name in stored.dead if (data / name).exists()] == []
        shutil.rmtree(data)
    sys.stdout.write(f"{killed} {left}")


@pytest.mark.promise("retention")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has neither fork nor SIGKILL")
def test_an_erasure_killed_at_any_step_is_completed_by_the_next_and_costs_nothing_in_use(stored, tmp_path):
    code = (
        "import sys, pathlib; from tests.web.test_retention import Stored, _kill_at_every_step\n"
        "data, live, dead, folder = sys.argv[1:]\n"
        "stored = Stored(pathlib.Path(data), live.split(), dead.split())\n"
        "_kill_at_every_step(stored, pathlib.Path(folder))\n"
    )
    arguments = [str(stored.data), " ".join(stored.live), " ".join(stored.dead), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    killed, left = map(int, done.stdout.split())
    assert killed > 15 and left > 15


def test_a_folder_that_is_in_use_again_is_not_erased(tmp_path):
    database = Database(tmp_path / FILE)
    erasures = Erasures(database, "pictures", tmp_path.joinpath)
    for name in ("aaaaaaaa", "bbbbbbbb"):
        (tmp_path / name).mkdir()
    with database.transaction() as change:
        erasures.note(change, ["aaaaaaaa", "bbbbbbbb"])
    erasures.complete(lambda one: one == "bbbbbbbb")
    assert not (tmp_path / "aaaaaaaa").exists() and (tmp_path / "bbbbbbbb").exists()
    assert erasures.pending() == []


@pytest.mark.promise("data-folder")
@pytest.mark.parametrize(
    "noted",
    [json.dumps(["../outside", "/", "", "..", 7, None]), '"aaaaaaaa"', '{"aaaaaaaa": 1}', "7", "[", "null"],
)
def test_a_note_that_makes_no_sense_erases_nothing(tmp_path, noted):
    (tmp_path / "outside").mkdir()
    (tmp_path / "data").mkdir()
    database = Database(tmp_path / "data" / FILE)
    database.set_fact("erasing jobs", noted)
    Erasures(database, "jobs", (tmp_path / "data").joinpath).complete(lambda _: False)
    assert (tmp_path / "outside").exists() and (tmp_path / "data" / FILE).exists()
