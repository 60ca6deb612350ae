"""`impasto plan`: time and memory of each size, before anything is painted."""

from __future__ import annotations

import json

import pytest

from impasto import devices, planning
from tests.cli_running import run

PAIR = ("sample:coffee", "sample:the_scream")


@pytest.fixture(autouse=True)
def known_machine(monkeypatch):
    """A machine of known speed, with 8 GiB of memory, 6 of them free."""
    line = planning.Line(0.01, 1e-5)
    speed = planning.MachineSpeed("cpu", 1, 0.5, line, line, line, 1e10, 1e11, {1000: 0.02})
    monkeypatch.setattr(planning, "measure", lambda *arguments, **options: speed)
    monkeypatch.setattr(devices, "memory", lambda device=None: devices.Memory(8 * 2**30, 6 * 2**30))


def test_each_size_has_its_time_and_memory():
    done = run("plan", *PAIR, "--size", "2500", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["width"] == 2500
    assert found["seconds"] == pytest.approx(0.5 + sum(row["seconds"] for row in found["scales"]), abs=0.1)
    assert found["peak_bytes"] == max(row["peak_bytes"] for row in found["scales"]) <= 6 * 2**30 < found["whole_bytes"]
    assert found["scales"][0]["tile_size"] is None
    assert found["scales"][-1]["tile_size"] == found["tile_size"] > 100


def test_the_table_is_for_people():
    done = run("plan", *PAIR, "--print", "20x20cm", "--dpi", "100")
    assert done.code == 0, done.err
    assert "787 × " in done.out
    assert "in all about " in done.out
    assert "6.0 GiB may be used" in done.out


def test_a_print_and_a_size_contradict_each_other():
    refused = run("plan", *PAIR, "--print", "A4", "--size", "500")
    assert refused.code == 2
    assert refused.error() == "--print: --size says how large the picture is as well; give only one of the two"


@pytest.mark.slow
def test_what_cannot_fit_is_refused_with_what_would():
    refused = run("plan", *PAIR, "--size", "12000", "--memory", "1GB")
    assert refused.code == 1
    assert "the budget is 0.9 GiB; the largest that fits is about" in refused.error()
