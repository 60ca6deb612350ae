"""The tools for a machine with a GPU, rehearsed on the CPU at a thousandth of their size."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest
import torch

from impasto.fast import FastModel
from impasto.images import Image
from tests.conftest import painting_pixels, photo_pixels

REPOSITORY = Path(__file__).parent.parent
MODULES = ("pack", "packs", "run", "results", "lessons", "take")


@pytest.fixture(scope="module")
def tool():
    """Import a script of tools/gpu by name."""
    sys.path.insert(0, str(REPOSITORY / "tools" / "gpu"))
    # Two held-out crops say whether it works.
    vars(importlib.import_module("lessons"))["_CHECKED"] = 2
    yield importlib.import_module
    sys.path.remove(str(REPOSITORY / "tools" / "gpu"))
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def pack(tool, tmp_path_factory) -> Path:
    """A small pack."""
    data = tmp_path_factory.mktemp("data")
    for folder, pixels in (("ship/photos_pd_cc0", photo_pixels), ("paintings/pd", painting_pixels)):
        (data / folder).mkdir(parents=True)
        for number in range(3):
            Image(pixels=pixels(96 + 8 * number, 120)).save(data / folder / f"{number}.png")
    out = tmp_path_factory.mktemp("gpu") / "pack"
    tool("pack").pack(data, out, most=700_000, wheels=())
    return out


@pytest.fixture(scope="module")
def finished(tool, pack, tmp_path_factory) -> Path:
    """What two steps of training on the small pack gave."""
    out = tmp_path_factory.mktemp("out")
    options = ["--parts", "training", "--device", "cpu", "--side", "64", "--batch", "2", "--steps", "2"]
    tool("run").main([str(pack), str(out), "--minutes", "5", *options])
    return out


def test_the_pack_holds_squares_and_paintings_and_fits(tool, pack):
    packs = tool("packs")
    assert packs.size(pack) <= 700_000
    files = packs.checked(pack)
    kinds = [path.parent.name for path in files]
    assert kinds.count("paintings") == 3
    assert kinds.count("photographs") > 3
    listed = json.loads((pack / packs.LIST).read_text())["files"]
    assert listed["paintings/00000.jpg"]["origin"].endswith(".png")
    for path in files:
        with PIL.Image.open(path) as image:
            wanted = (288, 288) if path.parent.name == "photographs" else None
            assert image.size == wanted or image.size[0] * image.size[1] == pytest.approx(256**2, rel=0.02)


def test_a_pack_that_has_changed_is_refused(tool, pack, tmp_path):
    copy = shutil.copytree(pack, tmp_path / "pack")
    with (copy / "paintings" / "00000.jpg").open("ab") as file:
        file.write(b"\0")
    (copy / "photographs" / "00001.jpg").unlink()
    with pytest.raises(SystemExit, match=r"paintings/00000.jpg, photographs/00001.jpg missing or not as listed"):
        tool("run").main([str(copy), str(tmp_path / "out")])


def test_a_pack_without_room_or_pictures_is_refused(tool, tmp_path):
    with pytest.raises(SystemExit, match="has no pictures in ship/photos_pd_cc0"):
        tool("pack").pack(tmp_path, tmp_path / "out", most=10**6, wheels=())
    for folder in ("ship/photos_pd_cc0", "paintings/pd"):
        (tmp_path / folder).mkdir(parents=True)
        Image(pixels=photo_pixels(40, 40)).save(tmp_path / folder / "a.png")
    with pytest.raises(SystemExit, match="there is no room for pictures in 100 bytes"):
        tool("pack").pack(tmp_path, tmp_path / "out", most=100, wheels=())


def test_pack_and_repository_share_their_room(tool):
    room = tool("pack").room_beside_the_repository
    assert room(1000, 2**40) == 1000
    assert room(2**40, 2**30) < 2**30 - 10 * 2**20


def test_a_run_trains_and_its_results_are_complete(tool, finished):
    results = tool("results")
    results.check(finished)
    figures = results.read_figures(finished)
    training = figures["training"]
    assert training["steps"] == 2
    assert training["crops a second"] > 0
    assert [point["step"] for point in training["curve"]] == [2]
    assert training["curve"][0]["held-out loss"] > 0
    assert len([*finished.iterdir()]) <= results.FILES
    assert FastModel.load(finished / results.MODEL).predictor is not None
    tensors, about = results.read_state(finished)
    assert about["step"] == 2
    assert {name.partition(".")[0] for name in tensors} == {"model", "average", "optimizer"}


def test_the_next_run_goes_on_where_the_last_ended(tool, pack, finished, tmp_path):
    results, packs = tool("results"), tool("packs")
    copy = shutil.copytree(pack, tmp_path / "pack")
    (copy / "state").mkdir()
    for path in finished.glob("*.safetensors"):
        shutil.copy(path, copy / "state")
    packs.write_list(copy, {})
    options = ["--parts", "training", "--device", "cpu", "--side", "64", "--batch", "2", "--steps", "1"]
    tool("run").main([str(copy), str(tmp_path / "out"), "--minutes", "5", *options])
    assert results.read_figures(tmp_path / "out")["training"]["step"] == 3
    before, after = (results.read_state(folder)[0] for folder in (finished, tmp_path / "out"))
    name = "optimizer.step.network.first.weight"
    assert float(after[name]) == float(before[name]) + 1


def test_results_that_are_not_finite_are_refused(tool, finished, tmp_path):
    results = tool("results")
    copy = shutil.copytree(finished, tmp_path / "copy")
    tensors, about = results.read_state(copy)
    tensors["model.photo"][0] = float("nan")
    results.write_state(copy, tensors, about)
    with pytest.raises(SystemExit, match="missing or not as listed"):
        results.check(copy)
    results.write_figures(copy, results.read_figures(finished))
    with pytest.raises(SystemExit, match=r"not finite in model\.photo"):
        results.check(copy)


def test_a_large_state_comes_in_parts(tool, tmp_path, monkeypatch):
    results = tool("results")
    monkeypatch.setattr(results, "BYTES", results._HEADER + 500)
    state = {f"model.{number}": torch.rand(100) for number in range(3)}
    state["optimizer.exp_avg.a"] = torch.rand(100)
    results.write_state(tmp_path, state, {"step": 5})
    assert len([*tmp_path.iterdir()]) == 4
    tensors, about = results.read_state(tmp_path)
    assert about == {"step": 5}
    assert torch.equal(tensors["model.2"], state["model.2"])
    torch.testing.assert_close(tensors["optimizer.exp_avg.a"], state["optimizer.exp_avg.a"], rtol=0.01, atol=0)
    (tmp_path / "state-2.safetensors").unlink()
    with pytest.raises(SystemExit, match=r"state-2\.safetensors is no part"):
        results.read_state(tmp_path)


def test_a_part_that_takes_too_long_is_ended(tool):
    said = tool("run")._run(["-u", "-c", "print('begun'); import time; time.sleep(60)"], {}, 1.0)
    assert said == {"code": "out of time", "output": "begun\n"}


def test_a_part_that_fails_leaves_the_others_figures(tool, pack, tmp_path, monkeypatch):
    run = tool("run")
    monkeypatch.setattr(run, "_run", lambda *given: {"code": 0, "output": ""})
    options = ["--parts", "tests", "training", "--device", "cpu", "--from", "nobody"]
    run.main([str(pack), str(tmp_path), *options])
    figures = tool("results").read_figures(tmp_path)
    assert figures["tests"]["code"] == 0
    assert "there is no model 'nobody'" in figures["training"]["error"]


def test_better_is_less_style_at_equal_content(tool):
    take = tool("take")
    old = take.Verdict([(0.2, 0.6), (0.4, 0.5), (0.6, 0.4)], 2)
    for points, faults, expected, gain in (
        ([(0.2, 0.5), (0.4, 0.4), (0.6, 0.3)], 2, True, 0.1),
        ([(0.2, 0.5), (0.4, 0.4), (0.6, 0.3)], 3, False, 0.1),
        # Stronger, but along the same curve.
        ([(0.3, 0.55), (0.5, 0.45), (0.7, 0.35)], 0, False, 0.0),
        ([(0.7, 0.05), (0.8, 0.04)], 0, True, 0.05),
    ):
        is_better, by = take.better(take.Verdict(points, faults), old)
        assert (is_better, by) == (expected, pytest.approx(gain, abs=1e-6))


@pytest.mark.slow
def test_a_model_is_kept_only_if_it_is_better(tool, finished, tmp_path, monkeypatch, capsys):
    take = tool("take")
    from benchmarks import pairs
    from benchmarks.store import Store

    monkeypatch.setattr(take, "_SIDE", 64)
    monkeypatch.setattr(pairs, "classic", lambda: pairs.bundled()[:1])
    kept: list[Path] = []
    monkeypatch.setattr(take, "_bundle", kept.append)
    monkeypatch.setattr(take, "Store", lambda name, key: Store(name, key, folder=tmp_path))
    take.main([str(finished), "--state", str(tmp_path / "state")])
    assert "not kept" in capsys.readouterr().out
    assert not kept
    (point,) = map(json.loads, (tmp_path / "training.jsonl").read_text().splitlines())
    assert (point["step"], point["card"]) == (2, "none")
    assert point["held-out loss"] > 0
    assert {path.name for path in (tmp_path / "state").iterdir()} >= {"model.safetensors", "state-1.safetensors"}
    monkeypatch.setattr(take, "_LEAST_GAIN", -1.0)
    monkeypatch.setattr(take, "judged", lambda model, *given: take.Verdict([(0.1, 0.5), (0.2, 0.4)], 0))
    take.main([str(finished), "--state", str(tmp_path / "state")])
    assert kept == [finished / "model.safetensors"]


@pytest.mark.slow
def test_benchmarks_are_measured_in_a_process_of_their_own(tmp_path):
    rows = tmp_path / "rows.jsonl"
    command = [sys.executable, "-m", "benchmarks.gpu", "--rows", str(rows), "--device", "cpu", "--sizes", "64"]
    subprocess.run(command, cwd=REPOSITORY, check=True, timeout=300)
    (row,) = map(json.loads, rows.read_text().splitlines())
    assert (row["card"], row["side"]) == ("none", 64)
    assert row["seconds"] > 0
    assert 0 < row["share"] < 1.5
    assert row["largest"] >= 1024
