"""Floods of connections, slow requests and uploads: healthy clients are served, the log and the disk do not fill up."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from tests.web.studio_running import Server, in_process, measured, png, served

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it uses Linux's limits and mounts")


def connected(server: Server) -> socket.socket:
    return socket.create_connection((server.client.base_url.host, server.client.base_url.port))


@pytest.mark.promise("descriptors")
@pytest.mark.slow
def test_more_event_streams_than_descriptors_leave_the_log_small_and_others_served(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    measured(tmp_path / "data")
    log = tmp_path / "log"
    command = [sys.executable, "-m", "impasto", "serve", "--data", str(tmp_path / "data")]
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["bash", "-c", 'ulimit -n 1024; exec "$@" --port 0', "-", *command],
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip().rstrip("/")
        port = int(address.rpartition(":")[2])
        with contextlib.ExitStack() as stack:
            stack.callback(process.stdout.close)
            for _ in range(1100):
                one = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                with contextlib.suppress(OSError):
                    one.sendall(b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            time.sleep(5)
            assert httpx.get(f"{address}/api/health", timeout=10).status_code == 200
            assert len(os.listdir(f"/proc/{process.pid}/fd")) < 1000  # noqa: PTH208
        assert log.stat().st_size < 1 << 20
    finally:
        process.kill()
        process.wait()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def seconds_until_closed(connection: socket.socket, piece: bytes, pause: float, limit: float) -> float:
    """How long a client lasts that sends a piece again and again."""
    begun = time.monotonic()
    connection.settimeout(pause)
    while time.monotonic() - begun < limit:
        try:
            connection.sendall(piece)
            if connection.recv(4096) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - begun


@pytest.mark.promise("slow-clients")
@pytest.mark.slow
def test_a_second_head_on_a_kept_connection_has_a_deadline_too(tmp_path):
    with served(tmp_path / "data") as server, connected(server) as slow:
        slow.sendall(b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert slow.recv(65536).startswith(b"HTTP/1.1 200")
        slow.sendall(b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
        assert seconds_until_closed(slow, b"a", 1.0, 40) < 30


@pytest.mark.promise("slow-clients")
@pytest.mark.slow
def test_a_body_has_a_least_rate(tmp_path):
    with served(tmp_path / "data") as server, connected(server) as slow:
        slow.sendall(
            b"POST /api/queue HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: 4000\r\n\r\n"
        )
        begun = time.monotonic()
        slow.settimeout(1.0)
        answer = b""
        while not answer and time.monotonic() - begun < 60:
            with contextlib.suppress(TimeoutError):
                slow.sendall(b" ")
                answer = slow.recv(4096)
        assert answer.startswith(b"HTTP/1.1 408"), answer
        assert time.monotonic() - begun < 40


@pytest.mark.promise("reserved-space")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can mount")
def test_chunked_uploads_do_not_take_the_last_of_the_disk(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=120m", "none", str(data)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    least = [1 << 40]
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            system = os.statvfs(data)
            least[0] = min(least[0], system.f_bavail * system.f_frsize)
            time.sleep(0.02)

    def body(boundary: bytes):
        yield b"--" + boundary + b'\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        yield png()
        for _ in range(60):
            yield bytes(1 << 20)

    statuses: list[int] = []

    def upload() -> None:
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.post(
                f"{server.address}api/pictures",
                content=body(b"x"),
                headers={"Content-Type": "multipart/form-data; boundary=x"},
                timeout=60,
            )
            statuses.append(answer.status_code)

    try:
        with served(data) as server:
            threads = [threading.Thread(target=upload) for _ in range(6)]
            watcher = threading.Thread(target=watch)
            watcher.start()
            for one in threads:
                one.start()
            for one in threads:
                one.join()
            done.set()
            watcher.join()
            assert set(statuses) <= {507}, statuses
            # Far below the 256 MB that are to stay free, nothing is taken in at all.
            assert least[0] > 100 << 20
            assert server.client.get("/api/health").status_code == 200
    finally:
        done.set()
        subprocess.run(["umount", "-l", str(data)], check=False)


@pytest.mark.promise("reserved-space")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can mount")
def test_space_is_reserved_while_bytes_come(tmp_path, monkeypatch):
    from impasto.web.storage import space

    free = [1000 << 20]
    monkeypatch.setattr(space, "_free", lambda _: free[0])
    ledger = space.Space(tmp_path, min_free=256 << 20)
    first = ledger.reservation()
    first.take(300 << 20)
    second = ledger.reservation()
    second.take(300 << 20)
    # Each will be written once more when it is moved out of the form: 600 of 1000 are promised.
    with pytest.raises(Exception, match="no room"):
        ledger.reservation().take(200 << 20)
    first.release()
    ledger.reservation().take(200 << 20)


def test_a_picture_is_taken_in_where_there_is_room(tmp_path):
    with in_process(tmp_path / "data", paints=False) as client:
        assert client.post("/api/pictures", files={"file": ("a.png", png())}).status_code == 201
