"""The studio as a process: it is killed, stopped and crowded, and no job that was accepted is lost or done twice."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from impasto.web.storage.data_folder import DataFolder
from tests.web.studio_running import (
    ENDLESS,
    Server,
    begun,
    events,
    mask,
    served,
    submitted,
    until,
    until_final,
    uploaded,
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found by /proc")

#: Long enough to be killed in, and done in seconds.
STEADY = {"size": 32, "scales": 1, "iterations": 60, "tolerance": 0.0}


def digest(server: Server, job: str) -> str:
    answer = server.client.get(f"/api/jobs/{job}/result")
    assert answer.status_code == 200, answer.text
    return hashlib.sha256(answer.content).hexdigest()


def worker_of(server: Server) -> int:
    deadline = time.monotonic() + 60
    while not (found := server.workers()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found[0]


@pytest.mark.promise("no-job-lost", "resumption")
def test_a_killed_worker_and_a_killed_studio_leave_the_very_same_picture(tmp_path):
    data = tmp_path / "data"
    with served(data) as server:
        job = submitted(server.client, settings=STEADY)
        checkpoint = data / "jobs" / job / "checkpoint.safetensors"
        until(server.client, job, begun)
        os.kill(worker_of(server), signal.SIGKILL)
        deadline = time.monotonic() + 120
        while not checkpoint.exists() and server.client.get(f"/api/jobs/{job}").json()["state"] != "succeeded":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        orphan = worker_of(server)
        server.kill()
    while Path(f"/proc/{orphan}").exists():
        # A worker does not outlive its studio.
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with served(data) as server:
        done = until_final(server.client, job)
        assert done["state"] == "succeeded", done
        undisturbed = until_final(server.client, submitted(server.client, settings=STEADY))
        assert digest(server, job) == digest(server, undisturbed["id"])
        steps = [point["step"] for point in server.client.get(f"/api/jobs/{job}/losses").json()["points"]]
        assert steps == list(range(1, len(steps) + 1))
        # The checkpoint has done its duty.
        assert not checkpoint.exists()


@pytest.mark.slow
def test_masks_given_while_it_was_painted_outlive_a_killed_worker(tmp_path):
    data = tmp_path / "data"
    with served(data) as server:
        job = submitted(server.client, settings=ENDLESS)
        until(server.client, job, begun)
        ref = uploaded(server.client, mask(48, 32))
        change = {"masks": [ref], "settings": {"strength": 0.4}}
        assert server.client.post(f"/api/jobs/{job}/settings", json=change).status_code == 200
        rebased = until(server.client, job, lambda now: now["init"] is not None)
        checkpoint = data / "jobs" / job / "checkpoint.safetensors"
        deadline = time.monotonic() + 60
        while not checkpoint.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        reached = until(server.client, job, lambda now: now["progress"]["step"] > 20)["progress"]["step"]
        killed = worker_of(server)
        os.kill(killed, signal.SIGKILL)
        until(
            server.client,
            job,
            lambda now: now["progress"]["step"] > reached and server.workers() not in ([], [killed]),
        )
        # It went on from the checkpoint, and not from the picture that the masks came upon.
        assert "worker warned" not in [line.get("event") for line in server.log()]
        server.client.post(f"/api/jobs/{job}/stop")
        done = until_final(server.client, job)
        assert (len(done["masks"]), done["init"]["id"]) == (1, rebased["init"]["id"])
        recipe = server.client.get(f"/api/pictures/{done['result']['id']}/info").json()["recipe"]
        assert len(recipe["masks"]) == 1 and recipe["settings"]["strength"] == 0.4


@pytest.mark.promise("poison-jobs")
@pytest.mark.slow
def test_a_job_that_kills_its_worker_is_set_aside_and_others_go_on(tmp_path):
    with served(tmp_path / "data") as server:
        poison = submitted(server.client, settings=ENDLESS)
        other = submitted(server.client)
        for attempt in (1, 2, 3):
            until(server.client, poison, lambda now, n=attempt: now["state"] == "running" and now["attempts"] == n)  # type: ignore[misc]
            os.kill(worker_of(server), signal.SIGKILL)
        failed = until_final(server.client, poison)
        assert failed["state"] == "failed" and "3 times without progress" in failed["error"]["detail"]
        assert until_final(server.client, other)["state"] == "succeeded"
        assert server.client.post(f"/api/jobs/{poison}/retry").json()["attempts"] in (0, 1)


@pytest.mark.promise("termination")
def test_sigterm_lays_the_job_aside_within_seconds(tmp_path):
    # A socket's path must be short; the folder's need not be.
    data = tmp_path / ("deep" * 20) / "deeper"
    data.parent.mkdir()
    with served(data) as server:
        job = submitted(server.client, settings=ENDLESS)
        before = until(server.client, job, begun)
        listener = threading.Thread(target=_listen, args=(server.address, job))
        listener.start()
        begin = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begin < 20
        listener.join(10)
        assert not listener.is_alive()
    with served(data) as server:
        again = until(server.client, job, lambda now: now["state"] == "running" and begun(now))
        assert again["progress"]["step"] >= before["progress"]["step"]
        assert again["attempts"] == 1
        server.client.post(f"/api/jobs/{job}/cancel")


def _listen(address: str, job: str) -> None:
    with contextlib.suppress(httpx.HTTPError), httpx.stream("GET", f"{address}api/jobs/{job}/events", timeout=60) as it:
        for _ in events(it.iter_lines()):
            pass


@pytest.mark.promise("termination")
def test_a_second_signal_ends_it_at_once(tmp_path):
    with served(tmp_path / "data") as server:
        submitted(server.client, settings=ENDLESS)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(5) in (0, 143)


@pytest.mark.promise("free-loop")
@pytest.mark.slow
def test_the_event_loop_stays_free_while_it_paints(tmp_path):
    with served(tmp_path / "data") as server:
        job = submitted(server.client, settings={**ENDLESS, "size": 128})
        until(server.client, job, begun)
        lags = []
        for _ in range(40):
            begin = time.perf_counter()
            assert server.client.get("/api/health").status_code == 200
            lags.append(time.perf_counter() - begin)
            time.sleep(0.05)
        server.client.post(f"/api/jobs/{job}/cancel")
        # The median, for the machine that runs the tests may itself be busy.
        assert sorted(lags)[len(lags) // 2] < 0.1, lags


@pytest.mark.promise("slow-clients")
@pytest.mark.slow
def test_a_head_that_never_ends_is_given_up(tmp_path):
    with served(tmp_path / "data", env={"IMPASTO_TEST": "1"}) as server:
        with socket.create_connection((server.client.base_url.host, server.client.base_url.port)) as slow:
            slow.sendall(b"GET /api/health HTTP/1.1\r\nHost: 127")
            slow.settimeout(30)
            begin = time.monotonic()
            assert slow.recv(100) == b""
            assert time.monotonic() - begin < 25
        assert server.client.get("/api/health").status_code == 200


@pytest.mark.promise("tokens")
def test_the_log_is_json_without_secrets(tmp_path):
    token = "a token that nobody guesses"
    with served(tmp_path / "data", env={"IMPASTO_TOKEN": token}) as server:
        # What is no terminal may be a journal that others read.
        assert "#" not in server.address and token not in Path(server._log.name).read_text()
        address = tmp_path / "data" / "impasto-address.txt"
        assert address.read_text() == f"{server.address}#token={token}\n"
        assert stat.S_IMODE(address.stat().st_mode) == 0o600
        assert server.client.get("/api/jobs").status_code == 401
        assert server.client.get("/api/jobs", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        for pid in server.workers():
            assert token.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        log = server.log()
    # What is refused at the door has no route yet.
    assert [(line["route"], line["status"]) for line in log if "route" in line] == [("other", 401), ("/api/jobs", 200)]
    assert token not in str(log) and str(tmp_path) not in str(log)


@pytest.mark.promise("open-address")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], "which requires a token; add --token"),
        (["--token", "short"], "at least 8 characters"),
        (["--port", "70000"], "port"),
        (["--max-queue", "0"], "max_queue|max-queue"),
    ],
)
def test_what_cannot_be_served_is_said_at_once(tmp_path, options, message):
    done = subprocess.run(
        [sys.executable, "-m", "impasto", "serve", "--data", str(tmp_path / "data"), *options],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("impasto: error: ")
    assert any(part in line for part in message.split("|")), line


def _a_file(data: Path) -> None:
    data.write_text("not a folder")


def _no_database(data: Path) -> None:
    DataFolder(data).release()
    (data / "studio.sqlite3").write_bytes(b"this is no database" * 500)


def _a_folder_for_the_database(data: Path) -> None:
    DataFolder(data).release()
    (data / "studio.sqlite3").unlink()
    (data / "studio.sqlite3").mkdir()


def _a_file_for_the_pictures(data: Path) -> None:
    DataFolder(data).release()
    (data / "pictures").rmdir()
    (data / "pictures").write_text("not a folder")


def _cannot_be_made(data: Path) -> None:
    data.symlink_to("/proc/impasto/data")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (_a_file, "cannot be used"),
        (_no_database, "the studio's database is damaged"),
        (_a_folder_for_the_database, "cannot be opened"),
        (_a_file_for_the_pictures, "cannot be used"),
        (_cannot_be_made, "cannot be used"),
    ],
)
def test_a_folder_that_cannot_be_used_is_said_in_one_line(tmp_path, prepare, message):
    data = tmp_path / "data"
    prepare(data)
    done = subprocess.run(
        [sys.executable, "-m", "impasto", "serve", "--port", "0", "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"impasto: error: --data: got {data}") and message in line


def test_a_studio_that_cannot_begin_says_so(tmp_path):
    data = tmp_path / "data"
    DataFolder(data).release()
    with contextlib.closing(sqlite3.connect(data / "studio.sqlite3")) as database:
        database.execute("pragma user_version = 1")
    done = subprocess.run(
        [sys.executable, "-m", "impasto", "serve", "--port", "0", "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert "the studio's database is damaged (no such table" in line


def test_a_port_that_is_taken_is_said(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "impasto", "serve", "--data", str(tmp_path / "data"), "--port", port],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1 and "choose another --port" in done.stderr


def test_without_the_extra_the_command_says_what_to_install(tmp_path):
    code = "import sys; sys.modules['fastapi'] = None; from impasto.cli import main; sys.exit(main(['serve']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 1 and "pip install 'impasto[web]'" in done.stderr, done.stderr
