"""The benchmarks of the fast engine: they evaluate on held-out photographs, and in the named number types."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import designs, export, newstyle, processes, tables
from benchmarks.store import Row
from impasto import assets
from impasto.fast import FastModel
from impasto.fast.dataset import PictureDataset
from impasto.fast.drafting import DraftingArchitecture
from impasto.fast.network import NetworkArchitecture
from impasto.fast.training import Training
from impasto.loading import load


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of test pictures: one photograph in each of its folders."""
    for name in ("classic/content", "classic/kodak", "ship/photos_pd_cc0", "ship/photos_cc_by"):
        (tmp_path / name).mkdir(parents=True)
        shutil.copy(assets.sample("red_panda").path, tmp_path / name / "photo.jpg")
    monkeypatch.setenv("IMPASTO_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.slow
def test_a_new_style_is_judged_by_photographs_that_no_model_was_trained_on(data, monkeypatch):
    for name, value in {"_STEPS": 1, "_SIDE": 64, "_JUDGED": 64, "_CROPS": 1}.items():
        monkeypatch.setattr(newstyle, name, value)
    commands, judged = [], []
    monkeypatch.setattr(newstyle, "run", lambda command: commands.append(command) or processes.run(command))
    monkeypatch.setattr(newstyle, "PictureDataset", lambda folders: judged.extend(folders) or PictureDataset(folders))
    painting = data / f"{newstyle._NEW}.jpg"
    shutil.copy(assets.sample("pere_tanguy").path, painting)
    newstyle._train(painting)
    (command,) = commands
    learned = [Path(command[place + 1]) for place, word in enumerate(command) if word == "--content"]
    assert len(learned) == 2
    assert judged == [data / "classic" / "content"]
    # The bundled models, from which training starts, were also trained on the Kodak suite.
    assert not set(judged) & {*learned, data / "classic" / "kodak"}


def test_a_pass_is_measured_in_the_numbers_asked_for(tmp_path):
    painting = assets.sample(export._STYLE).path
    photo = load(assets.sample("red_panda").path).resized((64, 64)).save(tmp_path / "photo.png")
    out = tmp_path / "out.npy"
    processes.run([sys.executable, "-c", export._PASS, photo, "any", "float32", out, "0", painting])
    expected = FastModel.load("any").stylize(photo, painting, precision="float32").pixels.numpy()
    np.testing.assert_allclose(np.load(out), expected, atol=1e-5)


@pytest.mark.slow
def test_designs_are_compared_by_what_they_have_not_seen(data, monkeypatch):
    monkeypatch.setattr(designs, "_CROPS", 1)
    monkeypatch.setattr(designs, "_SIDE", 64)
    monkeypatch.setattr(designs, "_TIMED", 64)
    small = NetworkArchitecture(fine=4, middle=8, coarse=8, blocks=1)
    rows: list[Row] = []
    for name, architecture in (("one scale, as bundled", small), ("coarse to fine", DraftingArchitecture(small, 4))):
        row = designs.trained(architecture, Training(steps=1, side=64, batch=1))
        assert row["held-out loss"] > 0
        rows.append({"design": name, "steps": 1, "machine": "m", "versions": "v", **row})
    assert rows[0]["weights"] < rows[1]["weights"]
    written: dict[str, str] = {}
    monkeypatch.setattr(tables, "write", written.__setitem__)
    designs.write(rows)
    assert written["designs"].count("\n| ") == 3
