"""Exported models compared with torch: file size, difference, seconds per pass, and seconds of the whole command."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.pairs import bundled
from benchmarks.processes import run
from benchmarks.store import Row, Store
from impasto import assets, loading
from impasto.fast import FastModel
from impasto.fast.export import Weights, painter, write_painter, write_style_encoder
from impasto.fast.onnx import style_path

_SIDE, _COMMAND_SIDE, _TURNS, _REPEATS = 1024, 512, 3, 3
_STYLE = "starry_night"
_WEIGHTS: tuple[Weights, ...] = ("float", "half", "int8")
_TORCH = ("torch, auto", "torch, float32")
# Saves the picture of a warm-up pass, and prints the seconds of further passes.
_PASS = """
import json, sys, time
import numpy as np
photo, model, precision, out, repeats = *sys.argv[1:5], int(sys.argv[5])
if precision:
    from impasto import FastModel, load
    fast, image = FastModel.load(model), load(photo)
    condition = fast.condition("sample:STYLE" if model == "any" else "STYLE", precision=precision)
    paint = lambda: fast.paint(image, condition, precision=precision).pixels.numpy()
else:
    from impasto.images import read_pixels
    from impasto.fast.onnx import OnnxModel
    exported, image = OnnxModel.load(model), read_pixels(photo)
    style = "STYLE" if exported.table else read_pixels(sys.argv[6])
    condition = exported.condition(style)
    paint = lambda: exported.paint(image, condition)
np.save(out, paint())
seconds = []
for _ in range(repeats):
    begin = time.perf_counter()
    paint()
    seconds.append(round(time.perf_counter() - begin, 4))
print(json.dumps(seconds))
""".replace("STYLE", _STYLE)


def measure(store: Store, *, again: bool = False) -> list[Row]:
    """Measure a row for each model, form and turn; forms alternate, so that disturbances affect all of them."""
    wanted = [
        {"model": name, "form": form, "turn": turn}
        for turn in range(_TURNS)
        for name in ("brushes", "any")
        for form in (*_TORCH, *(f"ONNX, {weights}" for weights in _WEIGHTS))
    ]
    if not again and all(store.measured(about) for about in wanted):
        return [row for about in wanted if (row := store.measured(about))]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photo = loading.load(bundled()[0].content).resized((_SIDE, _SIDE)).save(folder / "photo.png")
        for model in ("brushes", "any"):
            _export(model, folder)
        return [store.measure(about, partial(_measure, about, folder, photo), again=again) for about in wanted]


def _export(name: str, folder: Path) -> None:
    model = FastModel.load(name)
    graph = painter(model)
    for weights in _WEIGHTS:
        path = write_painter(graph, model, folder / f"{name}-{weights}.onnx", weights=weights)
        if model.predictor is not None:
            write_style_encoder(model, style_path(path), weights=weights)


def _measure(about: Mapping[str, Any], folder: Path, photo: Path) -> dict[str, Any]:
    import numpy as np

    name = about["model"]
    engine, _, kind = about["form"].partition(", ")
    exported = folder / f"{name}-{kind}.onnx"
    model, precision = (exported, "") if engine == "ONNX" else (name, kind)
    style = assets.sample(_STYLE).path
    out = folder / f"{name}-{kind}.npy"
    done = run([sys.executable, "-c", _PASS, photo, model, precision, out, str(_REPEATS), style])
    right = folder / f"{name}-float32.npy"
    if not right.exists():
        run([sys.executable, "-c", _PASS, photo, name, "float32", right, "0", style])
    difference = 255 * np.abs(np.load(out).astype(np.float64) - np.load(right))
    command: list[str | Path] = [sys.executable, "-m", "impasto", "fast", bundled()[0].content]
    options = ["--precision", kind] if engine == "torch" else []
    finished = run(
        [
            *(*command, _STYLE if name == "brushes" else style, "--model", model, "--size", str(_COMMAND_SIDE)),
            *("-o", folder / "out.png", "-q", "-f", *options),
        ]
    )
    files = [exported, style_path(exported)] if engine == "ONNX" else []
    return {
        "bytes": [file.stat().st_size for file in files if file.exists()],
        "seconds": json.loads(done.out.splitlines()[-1]),
        "mean": round(float(difference.mean()), 4),
        "largest": round(float(difference.max()), 3),
        "command": round(finished.seconds, 2),
        "processor": round(finished.processor, 2),
        "gibibytes": round(finished.peak / 2**30, 2),
    }


def write(rows: list[Row]) -> None:
    """Write the table, with a line for each model and form."""
    complete = {row["turn"] for row in rows if row["form"] == f"ONNX, {_WEIGHTS[-1]}" and row["model"] == "any"}
    rows = [row for row in rows if row["turn"] in complete]
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["model"], row["form"]), []).append(row)
    body = [
        [
            f"{model}, {form}",
            " + ".join(f"{size / 1e6:.1f}" for size in turns[0]["bytes"]),
            f"{turns[0]['mean']:.2f}",
            f"{turns[0]['largest']:.1f}",
            tables.spread([min(turn["seconds"]) for turn in turns]),
            tables.spread([turn["command"] for turn in turns]),
            tables.spread([turn["processor"] for turn in turns]),
            f"{max(turn['gibibytes'] for turn in turns):.2f}",
        ]
        for (model, form), turns in groups.items()
    ]
    headings = [
        *("model and form", "MB", "mean difference", "largest", f"seconds, {_SIDE} × {_SIDE} px"),
        *(f"seconds, command, {_COMMAND_SIDE} px", "processor seconds", "GiB"),
    ]
    tables.write(
        "export",
        f"{tables.table(headings, body)}\n\nDifferences are from torch in float32, in 255ths. Seconds are those of "
        f"a pass after a first one, and of the whole command from its start to the written picture; on the clock, "
        f"and of both cores together, which other programs make little longer. Median (least–largest) "
        f"of {len(complete)} turns. {tables.measured_on(rows)}",
    )
