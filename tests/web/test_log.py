"""The log: whatever was sent, one line of it is one JSON object that this program wrote."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.web.studio_running import png, served

FORGED = '{"event": "forged"}'
#: What would end a line or change a terminal: line breaks of every kind, escape sequences, a bell, a NUL.
BREAKS = ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x1b[2J\x1b]0;owned\x07", "\x85", "\u2028", "\u2029", "\x00", "\u202e"]


def _ask(address: tuple[str, int], head: bytes, body: bytes = b"") -> None:
    with socket.create_connection(address, timeout=120) as connection:
        connection.sendall(head + b"Connection: close\r\n\r\n" + body)
        while connection.recv(65536):
            pass


@pytest.mark.promise("log-injection")
def test_nothing_that_is_sent_becomes_a_line_of_the_log_or_controls_a_terminal(tmp_path):
    with served(tmp_path / "data") as server:
        address = (server.client.base_url.host, server.client.base_url.port)
        for number, mark in enumerate(BREAKS):
            text = f"a{mark}{FORGED}{mark}b"
            raw = text.encode()
            _ask(address, b"GET /" + raw.replace(b" ", b"") + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            _ask(address, raw.replace(b" ", b"") + b" / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            _ask(address, b"GET / HTTP/1.1\r\nHost: " + raw + b"\r\n")
            _ask(address, b"GET /api/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: " + raw + b"\r\nX: " + raw + b"\r\n")
            server.client.get("/api/jobs/" + "".join(f"%{byte:02x}" for byte in raw))
            server.client.get("/api/jobs", params={"state": text, "before": text, text: text})
            server.client.post("/api/jobs", json={"content": text, "styles": [text], text: 1, "settings": {text: text}})
            server.client.post("/api/jobs", json={}, headers={b"Idempotency-Key": raw.replace(b"\0", b"")[:1]})
            body = (
                b'--x\r\nContent-Disposition: form-data; name="file"; filename="' + raw + b'.png"\r\n\r\n'
                + png(40 + number) + b"\r\n--x--\r\n"
            )  # fmt: skip
            head = (
                b"POST /api/pictures HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            )
            _ask(address, head + b"Content-Length: %d\r\n" % len(body), body)
        log = Path(server._log.name).read_bytes()
    lines = log.decode("utf-8").split("\n")
    assert lines.pop() == "" and len(lines) > 50
    for line in lines:
        assert isinstance(json.loads(line), dict), line
        assert line.isprintable(), line
        assert json.loads(line)["event"] != "forged"
