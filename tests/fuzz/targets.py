"""Owns the fuzz targets: what bytes are fed to, and which errors are right answers; any other exception is a fault.

Each imports what it feeds when it is first called, so that atheris instruments no more than that.
"""

from __future__ import annotations

import json
import struct
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from impasto.errors import CheckpointError, ImageReadError, ModelError, SettingsError

#: Larger pictures are refused, to try more of them.
MAX_PIXELS = 1 << 18

#: What a fast model's file says of itself.
MODEL = {"format": "impasto-fast", "version": "3"}


def images(data: bytes) -> None:
    """Decoders of pictures, and the text in them."""
    from impasto.images import read, read_metadata

    for reading in (lambda: read(data, max_pixels=MAX_PIXELS), lambda: read_metadata(data)):
        try:
            reading()
        except ImageReadError:
            continue


def recipes(data: bytes) -> None:
    """The JSON of a recipe; what is accepted is written and read again as the same."""
    from impasto.recipes import Recipe

    try:
        recipe = Recipe.from_json(data.decode("utf-8", "surrogateescape"))
    except (ImageReadError, SettingsError):
        return
    assert Recipe.from_json(recipe.to_json()) == recipe


def presets(data: bytes) -> None:
    """A preset's file."""
    from impasto.presets import preset

    path = _file("preset.toml", data)
    try:
        preset(str(path)).settings()
    except SettingsError:
        return


def safetensors(data: bytes) -> None:
    """Files of tensors: checkpoints and fast models, with whatever header."""
    from impasto.checkpoints import Checkpoint
    from impasto.fast import FastModel

    path = _file("tensors.safetensors", data)
    for reading in (lambda: Checkpoint.load(path), lambda: FastModel.load(path)):
        try:
            reading()
        except (CheckpointError, ModelError):
            continue


def models(data: bytes) -> None:
    """The description in a fast model's file, in a sound file without tensors.

    Args:
        data: lines of JSON: the architecture, the styles, the card.
    """
    lines = [line.decode("utf-8", "replace") for line in data.split(b"\n")]
    names = ("architecture", "styles", "card")
    about = {**MODEL, **dict(zip(names, lines, strict=False))}
    safetensors(tensorless({"__metadata__": about}))


def onnx(data: bytes) -> None:
    """Whether an ONNX model takes weights from other files: never less often than the library itself would."""
    import onnx as library
    from google.protobuf.message import DecodeError

    from impasto.fast.external_data import takes_external_data

    try:
        refused = takes_external_data(data)
    except ValueError:
        return
    try:
        model = library.load_model_from_string(data)
    except (DecodeError, ValueError, TypeError):
        return
    assert refused or not any(
        tensor.data_location == library.TensorProto.EXTERNAL or tensor.external_data
        for tensor in model.graph.initializer
    )


def api(data: bytes) -> None:
    """The bodies of requests to the studio, and the settings in them."""
    from pydantic import ValidationError

    from impasto.web.problems import Problem
    from impasto.web.schema import requests

    for body in (
        requests.JobRequest,
        requests.SweepRequest,
        requests.ChangeRequest,
        requests.ExtendRequest,
        requests.MoveRequest,
        requests.StarRequest,
        requests.QueueRequest,
        requests.LoginRequest,
    ):
        try:
            found = body.model_validate_json(data)
            if isinstance(found, requests.JobRequest):
                found.fingerprint()
                found.chosen()
            elif isinstance(found, requests.ChangeRequest):
                found.wanted()
        except (ValidationError, SettingsError, Problem):
            continue


def tensorless(header: Mapping[str, object]) -> bytes:
    """A safetensors file of this header, without tensors."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


def _file(name: str, data: bytes) -> Path:
    path = Path(_FOLDER.name) / name
    path.write_bytes(data)
    return path


_FOLDER = tempfile.TemporaryDirectory(prefix="impasto-fuzz-")

#: Modules of which atheris sees the lines that run, by target.
SEEN: Mapping[str, Sequence[str]] = {
    "api": ["impasto.web.schema", "impasto.settings"],
    "images": ["impasto.images"],
    "models": ["impasto.fast.models", "impasto.fast.network"],
    "onnx": ["impasto.fast.external_data"],
    "presets": ["impasto.presets", "impasto.settings"],
    "recipes": ["impasto.recipes", "impasto.settings"],
    "safetensors": ["impasto.checkpoints", "impasto.fast.models"],
}

TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "api": api,
    "images": images,
    "models": models,
    "onnx": onnx,
    "presets": presets,
    "recipes": recipes,
    "safetensors": safetensors,
}


def run(name: str, data: bytes) -> None:
    """Feed bytes to a target; warnings are right answers, too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        TARGETS[name](data)
