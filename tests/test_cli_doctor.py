"""`impasto doctor` in process, with a benchmark cut short."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import pytest

from impasto import assets, planning
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
