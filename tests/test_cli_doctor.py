"""`impasto doctor` in process, with a benchmark cut short."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
from collections.abc import Callable
from functools import partial

import pytest

from impasto import assets, devices, planning
from impasto.cli import main
from impasto.errors import AssetError


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.setattr(planning, "measure", partial(planning.measure, seconds=0.5, sides=(32, 48)))
    return lambda *options: main(["doctor", *options])


def test_json(short: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert short("--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["weights"]["right"] is True
    assert report["weights"]["sha256"] == next(
        a.sha256 for a in assets.manifest() if a.path.endswith("vgg19.safetensors")
    )
    assert report["versions"]["torch"].startswith("2.")
    assert report["speed"]["gigaflops"] > 0
    assert {one["preset"] for one in report["estimates"]} == set(assets.presets())
    assert {one["size"] for one in report["estimates"]} == {512, 1024, 2048}
    assert report["problems"] == []


def test_text(short: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert short() == 0
    out = capsys.readouterr().out
    for word in ("torch", "threads", "memory", "right", "GFLOP/s", "quick", "2048 px"):
        assert word in out


def test_wrong_weights_are_told(
    short: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: str) -> None:
        raise AssetError("the weights are not what they were; reinstall impasto")

    monkeypatch.setattr(assets, "verified", broken)
    assert short("--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["weights"]["right"] is False
    assert report["problems"] == ["the weights are not what they were; reinstall impasto"]


def test_what_is_missing_is_told_not_thrown(
    short: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def version(name: str) -> str:
        if name in ("imagecodecs", "rich"):
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.2.3"

    def unreadable(*_: object) -> object:
        raise PermissionError(13, "no")

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(devices, "memory", lambda _: None)
    monkeypatch.setattr(shutil, "disk_usage", unreadable)
    monkeypatch.setattr(planning, "measure", unreadable)
    assert short("--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["versions"]["imagecodecs"] == report["versions"]["rich"] == "not found"
    assert (report["memory"], report["disk_free"], report["speed"], report["estimates"]) == (None, None, None, [])
    # An optional library that is not there is no problem.
    assert report["problems"] == [
        "rich is not installed; reinstall impasto",
        "there is no benchmark: [Errno 13] no",
    ]
    assert short() == 1
    said = capsys.readouterr()
    lines = dict(line.split(maxsplit=1) for line in said.out.splitlines())
    assert lines["imagecodecs"] == lines["memory"] == lines["disk"] == "not found"
    assert said.err.splitlines() == [f"impasto: warning: {problem}" for problem in report["problems"]]


def test_a_torch_that_cannot_be_imported(
    short: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert short("--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["threads"] is None
    assert report["devices"] == []
    assert "there is no benchmark: import of torch halted" in report["problems"][0]


def test_a_lost_manifest(
    short: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lost() -> None:
        raise AssetError("the list of bundled files is missing: reinstall impasto")

    monkeypatch.setattr(assets, "manifest", lost)
    assert short() == 1
    said = capsys.readouterr()
    assert "sha256 not found, WRONG" in said.out
    assert "the list of bundled files is missing" in said.err


def test_too_large_is_marked(
    short: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(devices, "memory", lambda _: devices.Memory(4 * 2**30, 2**30))
    assert short() == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if "px" in line]
    assert len(rows) == 3 * len(assets.presets())
    for row in rows:
        assert ("more than is free" in row) == ("512 px" not in row)


def test_quick_comes_before_fine(short: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    short("--json")
    estimates = json.loads(capsys.readouterr().out)["estimates"]
    names = [one["preset"] for one in estimates]
    assert names.index("quick") < names.index("default") < names.index("fine")
    for name in assets.presets():
        seconds, memory = ([one[k] for one in estimates if one["preset"] == name] for k in ("seconds", "peak_bytes"))
        assert seconds == sorted(seconds)
        assert memory == sorted(memory)
