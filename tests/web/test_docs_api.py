"""The examples in docs/api.md run against a studio as people start it; only sizes and iterations are made small."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import impasto
from tests.web.studio_running import served

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("docs")
    impasto.load("sample:coffee").resized((40, 60)).save(folder / "photo.jpg")
    impasto.load("sample:the_scream").resized((60, 48)).save(folder / "painting.jpg")
    with served(folder / "data") as server:
        yield server, folder


def test_curl(studio):
    server, folder = studio
    script = "set -eu\n" + "\n".join(blocks("bash")).replace(
        "size=640", "size=32 -F iterations=1 -F coarse_iterations=1"
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={
            **os.environ,
            "STUDIO": server.address.rstrip("/"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert impasto.load(str(folder / "result.jpg")).size == (21, 32)
    assert impasto.load(str(folder / "fast.jpg")).size == (40, 60)
    assert '"size":32' in done.stdout
    (shown,) = [json.loads(block) for block in blocks("json")]
    assert json.loads(done.stdout[done.stdout.rindex('{"type"') :]) == shown


def test_httpx(studio, monkeypatch):
    server, folder = studio
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {"STUDIO": server.address}
    for code in blocks("python"):
        quick = re.sub(r'"size": \d+', '"size": 32, "iterations": 1, "coarse_iterations": 1', code)
        exec(compile(quick, PAGE.name, "exec"), names)
    names["studio"].close()
    assert impasto.load("result.png").size == (21, 32)
    assert impasto.load("fast.png").size == (40, 60)


def test_every_path_is_described_and_every_option_documented(studio):
    server, _ = studio
    described = server.client.get("/api/openapi.json").json()["paths"]
    text = PAGE.read_text(encoding="utf-8")
    for path in set(re.findall(r"`?(?:GET|POST) (/[a-z/.]+)", text)) - {"/api/openapi.json"}:
        assert any(known.startswith(path.rstrip("/")) for known in described), path
    for option in ("--host", "--port", "--data", "--token", "--allow-host", "--max-pixels", "--max-queue", "--workers"):
        assert option in text
