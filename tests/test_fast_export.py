"""Exported models: the same numbers as torch at any size, without torch, and files that are no models."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import impasto
from impasto.errors import ModelError, SettingsError
from impasto.fast import FastModel
from impasto.fast import onnx as exported_model
from impasto.fast.export import export, write_painter
from impasto.fast.external_data import MESSAGES, takes_external_data
from impasto.fast.onnx import OnnxModel
from impasto.fast.predictor import Predictor
from impasto.images import resize_pixels

SIZES = ((17, 23), (64, 64), (243, 190), (2, 9), (49, 3))


@pytest.fixture(scope="module")
def small(exported: Path) -> FastModel:
    """The model as torch runs it."""
    return FastModel.load(exported / "small.safetensors")


@pytest.fixture(scope="module")
def found(exported: Path) -> OnnxModel:
    """The model as ONNX Runtime does."""
    return OnnxModel.load(exported / "small.onnx", threads=1)


def photo(height: int, width: int) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height))


def difference(model: FastModel, other: OnnxModel, pixels: torch.Tensor, wanted: torch.Tensor) -> float:
    right = model.network(pixels, wanted[None]).clamp(0.0, 1.0).numpy()
    painted = other.paint(pixels.numpy(), wanted.numpy())
    assert painted.shape == right.shape
    return float(np.abs(painted - right).max())


@pytest.mark.parametrize("size", SIZES)
def test_it_paints_as_torch_does_at_any_size(small, found, size):
    assert difference(small, found, photo(*size), small.table["night"]) < 1e-4


def test_its_conditions_are_those_of_the_model(small, found):
    assert list(found.table) == ["night", "noon"]
    for strength in (0.0, 0.6, 1.0):
        right = small.blended(["night", "noon"], blend=[0.7, 0.3], strength=strength).numpy()
        assert found.blended(["night", "noon"], blend=[0.7, 0.3], strength=strength) == pytest.approx(right, abs=1e-6)


def test_the_graph_is_a_current_one_that_needs_nothing_of_ours(found):
    graph = onnx.load(found.path)
    assert {one.domain: one.version for one in graph.opset_import}[""] >= 18
    assert {one.domain for one in graph.opset_import if one.domain} <= {"pkg.onnxscript.torch_lib.common"}
    assert not graph.functions
    assert [one.name for one in graph.graph.input] == ["image", "condition"]
    sides = graph.graph.input[0].type.tensor_type.shape.dim
    assert [side.dim_value or side.dim_param for side in sides] == [1, 3, "height", "width"]
    # Nothing of the machine that exported it.
    assert b"site-packages" not in found.path.read_bytes()


def test_half_precision_makes_the_file_smaller_and_changes_no_pixel(small, found, tmp_path):
    path = write_painter(onnx.load(found.path), small, tmp_path / "half.onnx", weights="half")
    # Of a small model's file the graph itself is a good part.
    assert path.stat().st_size < 0.85 * found.path.stat().st_size
    # The model's own file is in half precision already; what is computed from its weights is rounded once more.
    assert difference(small, OnnxModel.load(path), photo(64, 64), small.table["night"]) < 1e-3


def test_8_bits_change_pixels_a_little(small, found, tmp_path):
    path = write_painter(onnx.load(found.path), small, tmp_path / "int8.onnx", weights="int8")
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    pixels = impasto.load("sample:coffee").resized((64, 96)).pixels
    wanted = small.table["night"]
    right = small.network(pixels, wanted[None]).clamp(0.0, 1.0).numpy()
    painted = OnnxModel.load(path).paint(pixels.numpy(), wanted.numpy())
    assert 0 < np.abs(painted - right).mean() < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["float", "half"])
def test_the_bundled_models_paint_as_torch_does(weights, tmp_path):
    painting = impasto.load("sample:the_scream").resized((201, 160))
    for name, style in (("brushes", "starry_night"), ("any", painting)):
        model = FastModel.load(name)
        paths = export(model, tmp_path / f"{name}.onnx", weights=weights)
        other = OnnxModel.load(paths[0])
        assert other.name == name
        for strength in (0.5, 1.0):
            wanted = model.blended([style], strength=strength, precision="float32")
            given = style if name == "brushes" else painting.pixels.numpy()
            assert other.blended([given], strength=strength) == pytest.approx(wanted.numpy(), abs=1e-3)  # type: ignore[list-item]
            for size in SIZES:
                picture = impasto.load("sample:coffee").resized(size)
                assert difference(model, other, picture.pixels, wanted) < 1e-3
    assert [path.name for path in paths] == ["any.onnx", "any-style.onnx"]
    # VGG-19 to relu4_1 in 8 bits a weight, exactly.
    assert paths[1].stat().st_size < (9_000_000 if weights == "float" else 7_000_000)


@pytest.mark.slow
def test_a_painting_is_looked_at_as_torch_does(small, tmp_path):
    size = small.network.architecture.condition_size
    torch.manual_seed(2)
    predictor = Predictor(size).eval().requires_grad_(False)
    torch.nn.init.normal_(predictor.out.weight, 0.0, 0.05)
    model = FastModel(name="some", network=small.network, photo=torch.zeros(size), predictor=predictor)
    paths = export(model, tmp_path / "some.onnx")
    assert [path.name for path in paths] == ["some.onnx", "some-style.onnx"]
    painting = impasto.load("sample:the_scream").resized((201, 160))
    found = OnnxModel.load(paths[0])
    for side in (64, 100):
        right = model.condition(painting, side=side, precision="float32").numpy()
        assert found.condition(painting.pixels.numpy(), side=side) == pytest.approx(right, abs=1e-3)
    with pytest.raises(SettingsError, match="give a painting"):
        found.condition("starry_night")
    with pytest.raises(ModelError, match="not the network of an exported model"):
        OnnxModel.load(paths[1])
    paths[1].unlink()
    with pytest.raises(ModelError, match=r"some-style\.onnx is not beside some\.onnx"):
        found.condition(painting.pixels.numpy())


def test_resampling_is_that_of_the_fast_engine():
    pixels = photo(50, 70)
    for size in ((20, 31), (90, 101)):
        right = impasto.load(pixels).resized(size).pixels.numpy()
        assert resize_pixels(pixels.numpy(), size) == pytest.approx(right, abs=1e-5)


def test_what_cannot_be_asked_of_it(found):
    with pytest.raises(SettingsError, match="did you mean night"):
        found.condition("nigth")
    for options, message in (
        ({"styles": []}, "name at least one"),
        ({"styles": ["night"], "blend": [1.0, 2.0]}, "got 2 shares for 1 style;"),
        ({"styles": ["night"], "blend": [-1.0]}, "at least 0"),
        ({"styles": ["night"], "strength": 2.0}, "it must be 0 to 1"),
    ):
        with pytest.raises(SettingsError, match=message):
            found.blended(**options)


def test_files_that_are_no_exported_models(found, tmp_path):
    with pytest.raises(ModelError, match="there is no file"):
        OnnxModel.load(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="cannot be read"):
        OnnxModel.load(tmp_path)
    whole = found.path.read_bytes()
    for data in (b"", b"no model", whole[: len(whole) // 2], whole[:100] + b"\xff" * 50 + whole[150:]):
        (tmp_path / "bad.onnx").write_bytes(data)
        with pytest.raises(ModelError, match=r"bad\.onnx cannot be read as a model.*; an exported model is what"):
            OnnxModel.load(tmp_path / "bad.onnx")
    graph = onnx.load_from_string(whole)
    about = json.loads(graph.metadata_props[0].value)
    for changed, message in (
        (None, "Impasto did not export it"),
        ({**about, "format": "other"}, "not the network of an exported model"),
        ({**about, "version": 99}, "has version 99, and this Impasto reads version 1"),
        ({**about, "table": about["table"][:-8]}, "is damaged"),
        ({**about, "photo": "AAAA"}, "is damaged"),
    ):
        onnx.helper.set_model_props(graph, {} if changed is None else {exported_model.METADATA: json.dumps(changed)})
        onnx.save(graph, tmp_path / "other.onnx")
        with pytest.raises(ModelError, match=message):
            OnnxModel.load(tmp_path / "other.onnx")


def elsewhere(weight: onnx.TensorProto, location: str) -> None:
    onnx.external_data_helper.set_external_data(weight, location=location)
    weight.ClearField("raw_data")


@pytest.mark.promise("onnx-files")
@pytest.mark.parametrize("location", ["beside.bin", "../secret.bin", "/etc/hostname"])
def test_weights_in_another_file_are_refused(found, tmp_path, location):
    graph = onnx.load(found.path)
    elsewhere(graph.graph.initializer[0], location)
    (tmp_path / "outside.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(ModelError, match="takes weights from another file, which an exported model never does"):
        OnnxModel.load(tmp_path / "outside.onnx")


@pytest.mark.promise("onnx-files")
def test_weights_in_another_file_are_refused_however_they_are_written(found, tmp_path, monkeypatch):
    graph = onnx.load(found.path)
    weight = graph.graph.initializer[0]
    (tmp_path / "beside.bin").write_bytes(weight.raw_data)
    elsewhere(weight, "beside.bin")
    data = graph.SerializeToString()
    key, value = b"\x0a\x08location", b"\x12\x0abeside.bin"
    entry = b"\x6a" + bytes([len(key + value)])
    assert entry + key + value in data
    # The value first, which is the same message: no run of bytes shows it.
    turned = data.replace(entry + key + value, entry + value + key)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "turned.onnx").write_bytes(turned)
    with pytest.raises(ModelError, match="takes weights from another file"):
        OnnxModel.load(tmp_path / "turned.onnx")


@pytest.mark.promise("onnx-files")
def test_weights_in_another_file_are_refused_wherever_they_are(found, tmp_path):
    def within(change):
        graph = onnx.load(found.path)
        tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[1])
        tensor.data_location = onnx.TensorProto.EXTERNAL
        change(graph, tensor)
        return graph.SerializeToString()

    def in_attribute(graph, tensor):
        graph.graph.node.append(onnx.helper.make_node("Constant", [], ["c"], value=tensor))

    def in_branch(graph, tensor):
        branch = onnx.helper.make_graph([], "branch", [], [], initializer=[tensor])
        graph.graph.node.append(onnx.helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch))

    def in_function(graph, tensor):
        graph.functions.add(name="f", node=[onnx.helper.make_node("Constant", [], ["c"], value=tensor)])

    def sparse(graph, tensor):
        graph.graph.sparse_initializer.add(values=tensor)

    for change in (in_attribute, in_branch, in_function, sparse):
        (tmp_path / "outside.onnx").write_bytes(within(change))
        with pytest.raises(ModelError, match="takes weights from another file"):
            OnnxModel.load(tmp_path / "outside.onnx")


@pytest.mark.promise("onnx-files")
def test_every_field_that_can_hold_a_tensor_is_followed():
    """The table of messages is that of the package `onnx`."""

    def holders(message) -> set[str]:
        """The messages from which a tensor can be reached."""
        found = {"TensorProto"}
        while more := {
            one.name
            for one in messages
            if one.name not in found and any(f.message_type and f.message_type.name in found for f in one.fields)
        }:
            found |= more
        return found

    messages = list(onnx.ModelProto.DESCRIPTOR.file.message_types_by_name.values())
    found = holders(messages)
    assert set(MESSAGES) == found
    for one in messages:
        if one.name in found:
            fields = {f.number: f.message_type.name for f in one.fields if f.message_type}
            assert MESSAGES[one.name] == {number: name for number, name in fields.items() if name in found}, one.name
    numbers = {f.name: f.number for f in onnx.TensorProto.DESCRIPTOR.fields}
    assert (numbers["external_data"], numbers["data_location"]) == (13, 14)


@pytest.mark.promise("onnx-files")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x3a\x05ab", "end within a field"),
        (b"\x3a\xff", "end within a number"),
        (b"\x3a" + b"\xff" * 11, "a number is too long"),
        (b"\x38\x01", "field 7 of a ModelProto is not a message"),
        (b"\x3b\x3c", "encoded in an unknown way"),
        (b"\x00\x01", "no valid number"),
        (b"\xba\x80\x80\x80\x80\x01\x00", "no valid number"),
        (b"\x3a\x04\x2a\x02\x72\x00", "location of a tensor is not a number"),
    ],
)
def test_broken_protocol_buffers_are_refused(data, message):
    with pytest.raises(ValueError, match=message):
        takes_external_data(data)


def test_onnx_runtimes_own_format_is_refused(found, tmp_path):
    """A file in it could name other files too, and only ONNX's own format is checked."""
    (tmp_path / "own.onnx").write_bytes(b"\x12\x04\x00\x00ORTM" + bytes(64))
    with pytest.raises(ModelError, match=r"own\.onnx cannot be read as a model"):
        OnnxModel.load(tmp_path / "own.onnx")


def test_the_runner_is_imported_without_torch():
    code = (
        "import sys; sys.modules['torch'] = None; import impasto.fast; "
        "from impasto.fast.onnx import OnnxModel; print(OnnxModel.__name__, dir(impasto.fast))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "OnnxModel ['FastModel']"


def test_a_conditions_size_is_the_networks(found, tmp_path):
    graph = onnx.load(found.path)
    about = json.loads(graph.metadata_props[0].value)
    fewer = {name: exported_model.unpacked(about[name]) for name in ("photo", "table")}
    fewer = {"photo": fewer["photo"][:-1], "table": fewer["table"].reshape(2, -1)[:, :-1]}
    about |= {name: exported_model.packed(numbers) for name, numbers in fewer.items()}
    onnx.helper.set_model_props(graph, {exported_model.METADATA: json.dumps(about)})
    onnx.save(graph, tmp_path / "other.onnx")
    with pytest.raises(ModelError, match="is damaged"):
        OnnxModel.load(tmp_path / "other.onnx")
