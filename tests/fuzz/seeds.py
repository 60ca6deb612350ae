"""Owns the corpus in tests/fuzz/corpus: `python -m tests.fuzz.seeds` writes it again.

It is written from the seeds of other tests, and kept in the repository with the inputs that once failed.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from impasto import assets
from impasto.recipes import Change, Fingerprint, Recipe
from impasto.settings import Settings
from tests.fuzz.targets import MODEL, tensorless
from tests.images.seeds import SEEDS

CORPUS = Path(__file__).parent / "corpus"


def recipe() -> Recipe:
    picture = Fingerprint("a.jpg", hashlib.sha256(b"a").hexdigest())
    return Recipe(
        settings=Settings(size=64, style_layers={"relu1_1": 1.0, "relu3_1": 0.5}, blend=(0.25, 0.75)),
        content=picture,
        styles=(picture, picture),
        masks=(picture,),
        changes=(Change(3, {"strength": 0.5}),),
        threads=2,
        versions={"torch": "2.13.0"},
    )


def model(external: bool) -> bytes:
    weight = numpy_helper.from_array(np.ones((1, 3, 1, 1), np.float32), "w")
    if external:
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value="w.bin")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, None, None]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "g", values[:1], values[1:], [weight])
    out = io.BytesIO()
    onnx.save_model(helper.make_model(graph), out)
    return out.getvalue()


def seeds() -> dict[str, dict[str, bytes]]:
    architecture = {"fine": 4, "middle": 4, "coarse": 8, "blocks": 1}
    job = {
        "content": "sample:red_panda",
        "styles": ["sample:starry_night", {"ref": "picture:abc", "weight": 0.5}],
        "preset": "quick",
        "settings": {"size": 256, "strength": 0.7, "style_layers": {"relu1_1": 1}},
        "masks": ["picture:m"],
    }
    header = {"__metadata__": {"format": "x"}, "w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    bodies = {
        "job": job,
        "sweep": {**job, "axes": [{"setting": "strength", "values": [0.2, "0.5"]}]},
        "change": {"settings": {"strength": 0.5}, "weights": [1, 2]},
        "extend": {"iterations": 5},
        "move": {"to": 2},
        "star": {"starred": False},
        "queue": {"order": ["a"], "paused": True},
        "login": {"token": "t"},
    }
    return {
        "images": {name.lower().replace(" ", "-"): data for name, data in SEEDS.items()},
        "recipes": {"full": recipe().to_json().encode()},
        "presets": {
            **{name: assets.preset_text(name).encode() for name in assets.presets()},
            "utf-16": 'description = "é"\nsize = 64\n'.encode("utf-16"),
        },
        "safetensors": {
            "header": tensorless({"__metadata__": MODEL}),
            "tensor": tensorless(header) + bytes(4),
        },
        "models": {"small": b"\n".join(json.dumps(part).encode() for part in (architecture, ["a"], {"name": "x"}))},
        "onnx": {"own": model(external=False), "external": model(external=True)},
        "api": {name: json.dumps(body).encode() for name, body in bodies.items()},
    }


if __name__ == "__main__":
    for target, files in seeds().items():
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (CORPUS / target / name).write_bytes(data)
