"""Training a new style in minutes: the loss of `impasto train` and of the optimise engine, on held-out photographs."""

from __future__ import annotations

import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

import torch

from benchmarks import tables
from benchmarks.pairs import classic, data
from benchmarks.processes import run
from benchmarks.store import Row, Store
from impasto import loading
from impasto.fast import FastModel
from impasto.fast.dataset import PictureDataset
from impasto.fast.styles import Styles
from impasto.fast.training import LOSS
from impasto.images import Image
from impasto.objective import evaluate
from impasto.optimizers import LBFGS
from impasto.preconditioning import FrequencyPreconditioner

# A painting that no bundled model was trained on, and one that `brushes` was fully trained on.
_NEW, _BUNDLED = "vg_houses", "starry_night"
_STEPS, _SIDE = 600, 128
# Side of the evaluated crops in pixels, their number, and evaluations of the optimise engine until it has converged.
_JUDGED, _CROPS, _EVALUATIONS = 192, 6, 200


def measure(store: Store, *, again: bool = False) -> list[Row]:
    """Measure a row for each way to paint in the style."""
    if not (pairs := classic()):
        return []
    new = next(pair.style for pair in pairs if pair.style.stem == _NEW)
    bundled = loading.load(f"sample:{_BUNDLED}")
    ways = {
        (_NEW, "the photograph"): partial(_judge, _NEW, new, None),
        (_NEW, "any"): partial(_judge, _NEW, new, "any"),
        (_NEW, "trained from brushes"): partial(_train, new),
        (_NEW, "optimised"): partial(_optimise, new),
        (_BUNDLED, "any"): partial(_judge, _BUNDLED, bundled, "any"),
        (_BUNDLED, "brushes"): partial(_judge, _BUNDLED, bundled, "brushes"),
        (_BUNDLED, "optimised"): partial(_optimise, bundled),
    }
    return [store.measure({"style": style, "by": by}, work, again=again) for (style, by), work in ways.items()]


def _train(painting: Path) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / f"{_NEW}.safetensors"
        contents = [
            part for name in ("photos_pd_cc0", "photos_cc_by") for part in ("--content", data() / "ship" / name)
        ]
        how = ["--steps", str(_STEPS), "--side", str(_SIDE), "--learning-rate", "0.0006", "--quiet"]
        command = [sys.executable, "-m", "impasto", "train", "--style", painting, "--from", "brushes", *contents, *how]
        finished = run([*command, "-o", out])
        return {"minutes": round(finished.seconds / 60, 1), **_judge(_NEW, painting, str(out))}


def _judge(style: str, painting: Path | Image, model: str | None) -> dict[str, object]:
    loaded = loading.load(painting)
    styles, crops = _held_out(loaded)
    chosen = None if model is None else FastModel.load(model)
    losses = []
    for crop in crops:
        painted = crop
        if chosen is not None:
            known = style if chosen.predictor is None else loaded
            painted = chosen.stylize(Image(pixels=crop), known, precision="float32").pixels
        losses.append(evaluate(styles.objective(0, crop), painted).value)
    return {"losses": losses}


def _optimise(painting: Path | Image) -> dict[str, object]:
    styles, crops = _held_out(loading.load(painting))
    losses = []
    for crop in crops:
        size = (crop.shape[-2], crop.shape[-1])
        descent = LBFGS(20).descend(
            partial(evaluate, styles.objective(0, crop)),
            crop,
            iterations=_EVALUATIONS,
            precondition=FrequencyPreconditioner(size, 1.0),
        )
        losses.append(min(step.evaluation.value for step in descent))
    return {"losses": losses}


def _held_out(style: Image) -> tuple[Styles, list[torch.Tensor]]:
    # The bundled models, and so what begins with them, have seen the other folders' photographs.
    photographs = PictureDataset([data() / "classic" / "content"])
    crops = [photographs.crop(_JUDGED, torch.Generator().manual_seed(seed)) for seed in range(_CROPS)]
    return Styles([style], LOSS), crops


def write(rows: list[Row]) -> None:
    """Write the table: the loss, also as a multiple of the optimise engine's."""
    means = {(row["style"], row["by"]): statistics.mean(row["losses"]) for row in rows}
    body = []
    for row in rows:
        loss, best = means[row["style"], row["by"]], means.get((row["style"], "optimised"))
        minutes = f"{row['minutes']:.0f}" if "minutes" in row else ""
        body.append([row["style"], row["by"], f"{loss:.2f}", f"{loss / best:.1f}" if best else "", minutes])
    headings = ["style", "painted by", "loss", "of the optimise engine's", "minutes to train"]
    tables.write(
        "newstyle",
        f"{tables.table(headings, body)}\n\nMean loss, by which the fast engine is trained, of {_CROPS} crops of "
        f"{_JUDGED} px from photographs that no model was trained on. {_STEPS} steps of training; the optimise "
        f"engine has {_EVALUATIONS} evaluations. {tables.measured_on(rows)}",
    )
