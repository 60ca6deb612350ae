"""Owns the export of fast models to ONNX files, which run without Impasto and without torch.

Torch exports the modules, with three changes. Instance normalisation is one operator of ONNX, whose scale and shift are
inputs. The mirror at the borders takes the remainder by a tensor, because the exporter supports no other. Weights with
at most 256 different values, as all of VGG-19's are, are stored as 8-bit codes.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from impasto import assets
from impasto.backbones import VGG19
from impasto.errors import ModelError
from impasto.fast import onnx as exported
from impasto.fast.models import FastModel
from impasto.fast.network import COLORS, MARGIN, Network, color_of, recolored
from impasto.fast.predictor import LAYERS, STYLE_SIDE, Predictor
from impasto.files import label, whole, why_not_written
from impasto.images import fit
from impasto.loading import load

if TYPE_CHECKING:
    import onnx

#: How weights are stored. With `half`, computation stays in float32; with `int8`, most convolutions compute in 8 bits.
Weights = Literal["float", "half", "int8"]

# Supported by ONNX Runtime 1.14 and newer, and by ONNX Runtime Web.
_OPSET = 18
# Required by the licence of VGG-19.
_NOTICE = "VGG-19 to relu4_1, by Karen Simonyan and Andrew Zisserman, 8-bit codes; CC BY 4.0"
# Added to a variance before the square root, as in torch's normalisations.
_EPSILON = 1e-5
# Added to a variance before the square root that is a statistic, as in `Moments`.
_LEAST_VARIANCE = 1e-8
# Number of different values that 8 bits can encode, and smallest number of weights for which a table saves space.
_CODES, _WORTH_CODING = 256, 4096
# Long side of the photographs that calibrate the 8-bit ranges, and the number of styles they are painted in.
_CALIBRATION_SIDE, _CALIBRATION_STYLES = 224, 3


class _Painter(nn.Module):
    """The module that becomes `model.onnx`."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).eval()
        self.network.normalize = _normalized

    def forward(self, image: Float[Tensor, "1 3 h w"], condition: Float[Tensor, "1 k"]) -> Float[Tensor, "1 3 h w"]:
        height, width = image.shape[-2:]
        x = self.network.brushwork(_bordered(image), condition)
        brushwork = x[..., MARGIN : MARGIN + height, MARGIN : MARGIN + width]
        return (recolored(image, condition[:, -COLORS:]) + brushwork).clamp(0.0, 1.0)


class _StyleEncoder(nn.Module):
    """The module that becomes `model-style.onnx`."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.backbone = VGG19(LAYERS[-1])
        self.predictor = copy.deepcopy(predictor).eval()

    def forward(self, painting: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 k"]:
        parts: list[Tensor] = []
        for features in self.backbone(painting, LAYERS).values():
            rows = features.flatten(2)[0]
            mean = rows.mean(1)
            variance = (rows - mean[:, None]).square().mean(1)
            parts += [mean, (variance + _LEAST_VARIANCE).sqrt()]
        condition: Tensor = self.predictor(torch.cat([*parts, color_of(painting)])[None])
        return condition


def export(model: FastModel, path: str | Path, *, weights: Weights = "float") -> list[Path]:
    """Write a model as ONNX.

    Args:
        model: of certain styles, or of any painting.
        path: of the network's file. A model of any painting also writes its style encoder (`onnx.style_path`).
        weights: how they are stored: `half` halves the file; `int8` quarters it, and the convolutions between the
            first and the last two compute in 8 bits, with ranges from the bundled photographs.

    Returns:
        The files that were written.

    Raises:
        ModelError: a package for exporting is not installed, or the folder cannot be written to.
    """
    check_installed()
    if not isinstance(model.network, Network):
        raise ModelError(f"{model.name} has a network that paints coarse to fine, which cannot be exported yet")
    path = Path(path)
    written = [write_painter(painter(model), model, path, weights=weights)]
    if model.predictor is not None:
        written.append(write_style_encoder(model, exported.style_path(path), weights=weights))
    return written


def check_installed() -> None:
    """Check that the packages for exporting are installed.

    Raises:
        ModelError: one is not.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
        from onnxruntime import quantization  # noqa: F401
    except ImportError as error:
        raise ModelError(
            f"exporting needs {error.name}, which is not installed; pip install 'impasto[export]'"
        ) from error


def painter(model: FastModel) -> onnx.ModelProto:
    """The graph of a model's network, in float32; this is the slow part of an export."""
    inputs = {exported.IMAGE: torch.rand(1, 3, 62, 95), exported.CONDITION: model.photo[None].clone()}
    assert isinstance(model.network, Network)
    return _graph(_Painter(model.network), inputs, exported.IMAGE, exported.PASTICHE)


def write_painter(graph: onnx.ModelProto, model: FastModel, path: Path, *, weights: Weights = "float") -> Path:
    """Write the graph of a model's network to a file; the graph itself is not changed."""
    graph = _in_8_bits(graph, model) if weights == "int8" else copy.deepcopy(graph)
    about = {
        "format": exported.FORMAT,
        "version": exported.VERSION,
        "name": model.name,
        "weights": weights,
        "styles": list(model.table),
        "side": STYLE_SIDE,
        "photo": exported.packed(model.photo.numpy()),
        "table": exported.packed(torch.stack(list(model.table.values())).numpy()) if model.table else "",
    }
    return _write(graph, path, about, halved=weights != "float")


def write_style_encoder(model: FastModel, path: Path, *, weights: Weights = "float") -> Path:
    """Write the style encoder of a model of any painting, which computes a painting's condition."""
    assert model.predictor is not None
    inputs = {exported.PAINTING: torch.rand(1, 3, 96, 72)}
    graph = _graph(_StyleEncoder(model.predictor), inputs, exported.PAINTING, exported.CONDITION)
    about = {
        "format": exported.FORMAT,
        "version": exported.VERSION,
        "name": model.name,
        "side": STYLE_SIDE,
        "notice": _NOTICE,
    }
    return _write(graph, path, about, halved=weights != "float")


def _graph(module: nn.Module, inputs: dict[str, Tensor], picture: str, output: str) -> onnx.ModelProto:
    """The graph of a module, for any height and width of its input `picture`."""
    module.requires_grad_(False).eval()
    least = exported.LEAST_STYLE_SIDE if picture == exported.PAINTING else 2
    sides = {2: torch.export.Dim("height", min=least), 3: torch.export.Dim("width", min=least)}
    shapes = [sides if name == picture else {} for name in inputs]
    with _quietly():
        captured = torch.export.export(
            module,
            tuple(inputs.values()),
            dynamic_shapes=shapes,
            # The exporter cannot prove some facts for every size, such as that twice a half is the whole.
            prefer_deferred_runtime_asserts_over_guards=True,
        )
        program = torch.onnx.export(
            captured,
            (),
            dynamo=True,
            opset_version=_OPSET,
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=shapes,
            verbose=False,
        )
    assert program is not None
    graph: onnx.ModelProto = program.model_proto
    return graph


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Hides warnings and output of the exporters, which concern their authors only."""
    before = logging.root.manager.disable
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


def _normalized(features: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return torch.onnx.ops.symbolic(
        "InstanceNormalization",
        (features, scale[0], shift[0]),
        {"epsilon": _EPSILON},
        dtype=features.dtype,
        shape=features.shape,
        version=_OPSET,
    )


def _bordered(image: Tensor) -> Tensor:
    """`network.bordered` in a form that can be exported; both sides must be at least 2."""
    for dim in (-2, -1):
        side = image.shape[dim]
        # The next multiple of 4 by a division: with a remainder, the exporter concludes that no size is valid.
        positions = torch.arange(-MARGIN, MARGIN + 4 * ((side + 3) // 4))
        period = torch.full((), 2 * (side - 1))
        positions = positions.remainder(period)
        image = image.index_select(dim, torch.minimum(positions, period - positions))
    return image


def _write(graph: onnx.ModelProto, path: Path, about: dict[str, Any], *, halved: bool) -> Path:
    """Write a graph; after an error the file is as it was."""
    import onnx

    _store_compactly(graph, halved=halved)
    for node in graph.graph.node:
        # The place in the source code that a node comes from.
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*graph.graph.value_info, *graph.graph.input, *graph.graph.output):
        del value.metadata_props[:]
    graph.producer_name, graph.doc_string = "impasto", ""
    onnx.helper.set_model_props(graph, {exported.METADATA: json.dumps(about)})
    onnx.checker.check_model(graph, full_check=False)
    try:
        with whole(path) as part:
            part.write_bytes(graph.SerializeToString())
    except OSError as error:
        raise ModelError(f"{label(path)}: {why_not_written(error, path)}") from error
    return path


def _store_compactly(graph: onnx.ModelProto, *, halved: bool) -> None:
    """Store weights with at most 256 different values as codes and a table, without loss; others in half precision, if
    `halved`."""
    from onnx import TensorProto, helper, numpy_helper

    first: list[onnx.NodeProto] = []
    for weight in list(graph.graph.initializer):
        if weight.data_type != TensorProto.FLOAT:
            continue
        values, name = numpy_helper.to_array(weight), weight.name
        if values.size < _WORTH_CODING:
            continue
        table, codes = np.unique(values, return_inverse=True)
        if len(table) <= _CODES:
            stored = codes.reshape(values.shape).astype(np.uint8)
            graph.graph.initializer.extend(
                [numpy_helper.from_array(stored, f"{name}.codes"), numpy_helper.from_array(table, f"{name}.table")]
            )
            first += [
                helper.make_node("Cast", [f"{name}.codes"], [f"{name}.indices"], to=TensorProto.INT32),
                helper.make_node("Gather", [f"{name}.table", f"{name}.indices"], [name]),
            ]
        elif halved:
            graph.graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            first.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
        else:
            continue
        graph.graph.initializer.remove(weight)
    nodes = [*first, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)


def _in_8_bits(graph: onnx.ModelProto, model: FastModel) -> onnx.ModelProto:
    """The graph with its inner convolutions computing in 8 bits."""
    import tempfile

    import onnx
    from onnxruntime import quantization

    convolutions = [node.name for node in graph.graph.node if node.op_type == "Conv"]

    class Photographs(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.inputs = _calibration(model)

        def get_next(self) -> dict[str, Any] | None:
            return next(self.inputs, None)

    with tempfile.TemporaryDirectory(prefix="impasto-") as folder, _quietly():
        plain, coded = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(graph, plain)
        quantization.quantize_static(
            plain,
            coded,
            Photographs(),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            # Rounding in the first and the last two convolutions would be visible in the pixels.
            nodes_to_exclude=[*convolutions[:1], *convolutions[-2:]],
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            extra_options={"ActivationSymmetric": False},
        )
        return onnx.load(coded)


def _calibration(model: FastModel) -> Iterator[dict[str, Any]]:
    """Inputs for calibration: the bundled photographs, in some of the model's styles."""
    names = list(model.table)[:_CALIBRATION_STYLES]
    if model.predictor is not None:
        paintings = [sample.name for sample in assets.samples() if sample.kind == "painting"]
        names = [f"{assets.SAMPLE_PREFIX}{name}" for name in paintings[:_CALIBRATION_STYLES]]
    conditions = [model.condition(name) for name in names]
    for sample in assets.samples():
        if sample.kind == "photo":
            picture = load(f"{assets.SAMPLE_PREFIX}{sample.name}")
            picture = picture.resized(fit(picture.size, _CALIBRATION_SIDE))
            for condition in conditions:
                yield {exported.IMAGE: picture.pixels.numpy(), exported.CONDITION: condition[None].numpy()}
