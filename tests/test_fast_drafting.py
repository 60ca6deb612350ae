"""The network that paints coarse to fine: any size, strips against the whole, files, and training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from impasto.errors import ModelError
from impasto.fast import FastModel, drafting
from impasto.fast.drafting import DraftingArchitecture, DraftingNetwork, Revision
from impasto.fast.network import COLORS, Network, NetworkArchitecture
from impasto.fast.stacks import PictureStack
from impasto.fast.trainable import Model
from impasto.fast.trainer import Trainer
from impasto.fast.training import Training
from impasto.images import Image
from tests.conftest import painting_pixels, photo_pixels

SMALL = DraftingArchitecture(NetworkArchitecture(fine=4, middle=8, coarse=8, blocks=1), revision=4)


def condition(seed: int = 0) -> torch.Tensor:
    found = 0.3 * torch.randn(1, SMALL.condition_size, generator=torch.Generator().manual_seed(seed))
    found[:, -COLORS:] = torch.tensor([0.8, 0.9, 0.1, 0.0, 0.3, 0.1, 0.05])
    return found


@pytest.fixture
def network() -> DraftingNetwork:
    torch.manual_seed(1)
    found = DraftingNetwork(SMALL).eval().requires_grad_(False)
    for revision in found.revisions:
        assert isinstance(revision, Revision)
        revision.last.weight.mul_(10)
    return found


@pytest.fixture
def model(network: DraftingNetwork) -> FastModel:
    return FastModel(
        name="small", network=network, photo=torch.zeros(SMALL.condition_size), table={"p": condition()[0]}
    )


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (17, 23), (64, 48)])
def test_any_size_is_painted_at_its_own(network, size):
    out = network(photo_pixels(*size), condition())
    assert out.shape == (1, 3, *size)
    assert torch.isfinite(out).all()


def test_without_brushwork_the_photograph_is_recoloured_at_full_sharpness(network):
    for name, weights in network.named_parameters():
        if ".last." in name:
            weights.zero_()
    picture = photo_pixels(64, 64)
    blank = torch.zeros(1, SMALL.condition_size)
    torch.testing.assert_close(network(picture, blank), picture, atol=1e-5, rtol=0)
    # The band has the colours of the whole: a grey painting makes all of the picture grey.
    gray = blank.clone()
    gray[:, -COLORS:] = torch.tensor([1.0, 0.9, 0.0, 0.0, 0.3, 0.0, 0.0])
    painted = network(picture, gray)
    assert float((painted.amax(1) - painted.amin(1)).max()) < 1e-4


def test_the_draft_sees_a_quarter_of_the_size(network):
    seen: list[torch.Size] = []
    network.draft.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape))
    network(photo_pixels(64, 96), condition())
    assert seen == [(1, 3, 18, 26)]


@pytest.mark.parametrize("size", [(43, 70), (300, 18), (20, 300)])
@pytest.mark.parametrize("pixels", [300, 4000])
def test_strips_give_what_the_whole_gives(network, size, pixels, monkeypatch):
    monkeypatch.setattr(drafting, "_STRIP", pixels)
    picture = photo_pixels(*size)
    whole = network(picture, condition()).clamp(0, 1)
    torch.testing.assert_close(network.paint_in_strips(picture, condition()), whole, atol=2e-5, rtol=0)
    assert network.paint_in_strips(picture, condition(), in_place=True) is picture


def test_a_batch_is_painted_as_its_pictures_are(network):
    pictures = torch.cat([photo_pixels(40, 48), painting_pixels(40, 48)])
    conditions = torch.cat([condition(), condition(1)])
    together = network(pictures, conditions)
    for index in range(2):
        alone = network(pictures[index : index + 1], conditions[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("in_strips", [False, True])
def test_half_precision_is_near_full_precision(model, in_strips):
    picture = Image(pixels=photo_pixels(64, 48))
    full, half = (
        model.paint(picture, model.table["p"], precision=precision, in_strips=in_strips).pixels
        for precision in ("float32", "bfloat16")
    )
    assert 0 < float((full - half).abs().mean()) < 0.02


def test_a_model_survives_its_file_and_says_its_version(model, tmp_path):
    path = model.save(tmp_path / "small.safetensors")
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["version"] == "4"
    again = FastModel.load(path)
    one, other = (m.stylize(photo_pixels(40, 48), "p", precision="float32").pixels for m in (model, again))
    torch.testing.assert_close(one, other, atol=5e-3, rtol=0)


def test_older_files_are_read_and_written_as_before(tmp_path: Path):
    small = SMALL.draft
    old = FastModel(
        name="old",
        network=Network(small).requires_grad_(False),
        photo=torch.zeros(small.condition_size),
        table={"p": torch.zeros(small.condition_size)},
    )
    path = old.save(tmp_path / "old.safetensors")
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["version"] == "3"
        assert json.loads(file.metadata()["architecture"]) == small.to_mapping()
    assert isinstance(FastModel.load(path).network, Network)


def test_a_damaged_description_is_refused(model, tmp_path):
    path = model.save(tmp_path / "small.safetensors")
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
    for architecture in ("{}", '{"draft": 3, "revision": 4}', '{"draft": {"wings": 2}, "revision": 4}'):
        save_file(load_file(path), tmp_path / "bad.safetensors", {**header, "architecture": architecture})
        with pytest.raises(ModelError, match=r"bad\.safetensors is damaged"):
            FastModel.load(tmp_path / "bad.safetensors")


def test_it_cannot_be_exported_yet(model, tmp_path):
    pytest.importorskip("onnxscript")
    from impasto.fast.export import export

    with pytest.raises(ModelError, match="small has a network that paints coarse to fine"):
        export(model, tmp_path / "small.onnx")


def test_training_lowers_its_loss():
    torch.manual_seed(3)
    training = Trainer(
        Model(SMALL, styles=1),
        [Image(pixels=painting_pixels(64, 64))],
        PictureStack((photo_pixels(96, 96) * 255).byte()),
        Training(steps=8, side=48, batch=1, identity=0.0, learning_rate=0.01),
        precision="float32",
    )
    first, *_, last = training.run()
    assert last.value < first.value
    gradient = training.model.network.get_parameter("revisions.1.first.weight").grad
    assert gradient.abs().sum() > 0
