"""What a stranger may put into a request: no setting reaches the network, and nothing in it is answered with 500."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from impasto.backbones import torchvision_hub
from impasto.errors import SettingsError
from tests.web.studio_running import JOB, QUICK, in_process, submitted, until_final


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.promise("odd-requests")
@pytest.mark.parametrize("name", ["self", "cls", "mapping", "overrides", "__class__", ""])
def test_a_setting_of_any_name_is_refused_by_that_name(client, name):
    job = {"content": "sample:coffee", "styles": ["sample:starry_night"], "settings": {name: 2}}
    for path in ("/api/jobs", "/api/estimate"):
        answer = client.post(path, json=job)
        assert answer.status_code == 422, answer.text
    axes = [{"setting": name, "values": [1, 2]}]
    assert client.post("/api/sweeps", json={**JOB, "axes": axes}).status_code == 422
    client.post("/api/queue", json={"paused": True})
    waiting = submitted(client)
    assert client.post(f"/api/jobs/{waiting}/settings", json={"settings": {name: 2}}).status_code == 422
    client.post(f"/api/jobs/{waiting}/cancel")
    client.post("/api/queue", json={"paused": False})


@pytest.mark.promise("odd-requests")
@pytest.mark.parametrize("depth", [3, 100, 900, 5000, 100_000])
@pytest.mark.parametrize("path", ["/api/jobs", "/api/estimate", "/api/sweeps", "/api/queue"])
def test_a_body_of_any_depth_is_refused(client, path, depth):
    body = json.dumps({**JOB, "axes": [{"setting": "size", "values": [32]}], "settings": {"size": 0}})
    body = body.replace('"size": 0', f'"size": {nested(depth)}')
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    form = {"content": (None, "sample:coffee"), "style": (None, "sample:coffee")}
    answer = client.post("/api/jobs", files={**form, "settings": (None, f'{{"size": {nested(depth)}}}')})
    assert answer.status_code in (400, 422), answer.text


@pytest.mark.promise("no-network")
def test_a_backbone_whose_weights_are_not_here_is_refused_and_not_fetched(tmp_path, monkeypatch):
    try:
        torchvision_hub.models()
    except SettingsError:
        pytest.skip("torchvision is not installed")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with in_process(tmp_path / "data", paints=False) as client:
        settings = {**QUICK, "backbone": "torchvision:resnet18"}
        for path in ("/api/jobs", "/api/estimate"):
            answer = client.post(path, json={**JOB, "settings": settings})
            assert answer.status_code == 422, answer.text
            assert answer.json()["setting"] == "backbone"
            assert "not on this machine" in answer.json()["detail"], answer.text


def _forbidden(module: str) -> str:
    code = (
        f"import socket; from {module} import forbid; forbid()\n"
        "connect = lambda: socket.socket().connect(('127.0.0.1', 9))\n"
        "for act in (connect, lambda: socket.getaddrinfo('example.org', 80)):\n"
        "    try: act()\n"
        "    except PermissionError as error: print(error)\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout


@pytest.mark.promise("no-network")
def test_processes_that_paint_or_read_strangers_files_cannot_reach_the_network():
    said = _forbidden("impasto.web.network").splitlines()
    assert len(said) == 2 and all("network" in line for line in said)
    import impasto.web.sandbox.sandbox as sandbox
    import impasto.web.workers.worker as worker

    for module in (sandbox, worker):
        assert "forbid()" in Path(module.__file__).read_text()


@pytest.mark.promise("no-network")
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has network namespaces")
def test_a_studio_paints_where_there_is_no_network(tmp_path):
    if subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no network namespace can be made here")
    code = (
        "import pathlib, sys; sys.path.insert(0, 'tests')\n"
        "from web.test_untrusted import _paint; _paint(pathlib.Path(sys.argv[1]))\n"
    )
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", code, str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr


def _paint(data: Path) -> None:
    with in_process(data) as client:
        assert until_final(client, submitted(client))["state"] == "succeeded"
