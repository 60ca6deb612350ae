"""Ablation: the effect of each choice, with one setting changed at a time, on three of the classic pairs.

Changes are relative to a base: Gram matrices only, equal layer weights, no largest form, and five scales at 256 px.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import counting, tables
from benchmarks.pairs import Pair, classic
from benchmarks.store import Row, Store
from impasto import api, color, initialization, loading, method
from impasto.evaluators import WHOLE_IMAGE, Evaluator
from impasto.images import Image, resize
from impasto.inputs import Inputs
from impasto.metrics import Judge
from impasto.objective import Evaluation, Objective, evaluate
from impasto.pastiche import Pastiche
from impasto.task import Engine

_SIDE = 256
_PAIRS = (0, 1, 3)
_LAYERS = "relu1_1={},relu2_1={},relu3_1={},relu4_1={},relu5_1={}"

_DEFAULT = "the default"
_BASE: Mapping[str, Any] = {
    "style_loss": "gram",
    "style_layers": _LAYERS.format(1, 1, 1, 1, 1),
    "style_weight": 10.0,
    "scales": 5,
    "coarse_iterations": 50,
    "iterations": 15,
    "largest_form": 0.0,
    "enlarged": "all",
}
_CHANGES: dict[str, Mapping[str, Any]] = {
    "the base": {},
    "means and deviations beside Gram matrices": {"style_loss": "gram_statistics"},
    "four scales, 35 iterations at the first": {"scales": 4, "coarse_iterations": 35},
    **{f"strength {value}": {"strength": counting.today(value)} for value in (0.638, 0.836)},
    **{f"detail {value}": {"detail": value} for value in (0.0, 1.0)},
    **{f"grain {value}": {"grain": value} for value in (0.0, 0.05)},
    **{f"preconditioning {value}": {"preconditioning": value} for value in (0.0, 0.5, 1.0)},
    "layers weighted 16, 8, 4, 2, 1; style weight 50": {
        "style_layers": _LAYERS.format(16, 8, 4, 2, 1),
        "style_weight": 50.0,
    },
    "layers weighted 81, 27, 9, 3, 1; style weight 120": {
        "style_layers": _LAYERS.format(81, 27, 9, 3, 1),
        "style_weight": 120.0,
    },
    "layers weighted 2, 2, 1, 1, 1": {"style_layers": _LAYERS.format(2, 2, 1, 1, 1)},
    "layers weighted 4, 4, 2, 1, 1": {"style_layers": _LAYERS.format(4, 4, 2, 1, 1)},
    "layers before the ReLU": {
        "style_layers": "conv1_1,conv2_1,conv3_1,conv4_1,conv5_1",
        "content_layers": "conv4_2",
    },
    "average pooling": {"pooling": "average"},
    "L2 pooling": {"pooling": "l2"},
    "padding with zeros": {"padding": "zeros"},
    "mirrored at every layer": {"padding": "reflect"},
    "Wasserstein loss": {"style_loss": "wasserstein"},
    "Wasserstein loss, strength 0.6": {"style_loss": "wasserstein", "strength": counting.today(0.6)},
    "means and deviations only": {"style_loss": "statistics"},
    "one scale, as long": {"scales": 1, "iterations": 40},
    "three scales": {"scales": 3},
    "Adam, as long": {"optimizer": "adam"},
    "Adam, averaged": {"optimizer": "adam", "averaging": 0.9},
    "history 5": {"history": 5},
    "history 50": {"history": 50},
    "half the iterations": {"iterations": 8, "coarse_iterations": 25},
    "twice the iterations": {"iterations": 30, "coarse_iterations": 100},
    "total variation 0.1": {"tv_weight": 0.1},
    "starting from noise": {"init": "noise"},
    "float32": {"precision": "float32"},
    "the paper's normalisation and weights": {"normalization": "paper", "content_weight": 1.0, "style_weight": 1000.0},
    "Gram matrices across layers": {"style_loss": "cross_gram"},
    "sliced Wasserstein loss": {"style_loss": "sliced_wasserstein"},
}
# Functions that are applied to the finished picture and the painting.
_AFTERWARDS: dict[str, Callable[[color.Pixels, color.Pixels], color.Pixels]] = {
    "the painting's histogram of colours at the end": color.match_histogram,
    "the painting's covariance of colours at the end": color.match_covariance,
}
# Interpolation modes for enlarging between scales, instead of bicubic.
_ENLARGING = {"enlarged bilinearly": "bilinear", "enlarged to nearest pixels": "nearest"}
# Largest random shift of the picture in every evaluation, in pixels; and other settings.
_JITTER: dict[str, tuple[float, Mapping[str, Any]]] = {
    "jitter of half a pixel": (0.5, {}),
    "jitter of half a pixel, Adam": (0.5, {"optimizer": "adam"}),
    "jitter of 8 pixels, Adam": (8.0, {"optimizer": "adam"}),
}
_NAMES = (_DEFAULT, *_CHANGES, *_AFTERWARDS, *_ENLARGING, *_JITTER)


def measure(store: Store, *, again: bool = False) -> list[Row]:
    """A row for each change and pair."""
    pairs = classic()
    return [
        store.measure({"change": name, "pair": pairs[index].name}, partial(_judge, name, pairs[index]), again=again)
        for name in _NAMES
        for index in _PAIRS
        if pairs
    ]


def _judge(name: str, pair: Pair) -> dict[str, object]:
    content, style = loading.load(pair.content), loading.load(pair.style)
    # Processor time, so that other programs on the machine matter little.
    begin = time.process_time()
    pastiche = _painted(name, content, style)
    image = pastiche.image
    if finish := _AFTERWARDS.get(name):
        image = Image(pixels=finish(image.pixels, style.pixels))
    seconds = time.process_time() - begin
    judgement = Judge(content, [style]).judge(image)
    return {
        "seconds": round(seconds, 2),
        "loss": round(pastiche.trace[-1].value, 5),
        "style": round(judgement.style, 4),
        "content": round(judgement.content, 4),
        "edges": round(judgement.edges, 4),
        "faults": [artifact.kind for artifact in judgement.artifacts],
    }


def _painted(name: str, content: Image, style: Image) -> Pastiche:
    shift, changes = _JITTER.get(name, (0.0, _CHANGES.get(name, {})))
    base = {} if name == _DEFAULT else _BASE
    settings = api.settings_for("default", size=_SIDE, **{**base, **changes})
    engine = Engine(evaluator=Jitter(shift) if shift else WHOLE_IMAGE)
    enlarge = partial(_interpolated, mode=_ENLARGING[name]) if name in _ENLARGING else resize
    with mock.patch.object(initialization, "resize", enlarge):
        *_, last = method.stylization(Inputs(content, [style]), settings, engine)
    return last.pastiche()


def _interpolated(picture: Tensor, size: tuple[int, int], *, mode: str) -> Tensor:
    """Like `images.resize`, but enlarging with interpolation `mode`."""
    enlarging = size[0] >= picture.shape[-2] and size[1] >= picture.shape[-1]
    return F.interpolate(picture, size=size, mode=mode) if enlarging else resize(picture, size)


class Jitter(Evaluator):
    """Evaluates an objective at the picture shifted at random, anew each time, and shifts the gradient back.

    It tests whether artifacts depend on the position of the pooling windows. Border pixels are replicated.

    Args:
        distance: the largest shift along each axis, in pixels.
    """

    def __init__(self, distance: float) -> None:
        self.distance = distance
        self.generator = torch.Generator().manual_seed(0)

    def evaluate(self, objective: Objective, image: Tensor) -> Evaluation:
        """The objective at the shifted picture, as an Evaluation of `image`."""
        height, width = image.shape[-2:]
        across, down = (self.distance * (2 * torch.rand(2, generator=self.generator) - 1)).tolist()
        motion = torch.tensor([[[1.0, 0.0, 2 * across / width], [0.0, 1.0, 2 * down / height]]])
        grid = F.affine_grid(motion, [1, 3, height, width], align_corners=False)
        pixels = image.detach().requires_grad_(True)
        shifted = F.grid_sample(pixels, grid, mode="bicubic", padding_mode="border", align_corners=False)
        found = evaluate(objective, shifted.detach())
        (gradient,) = torch.autograd.grad(shifted, pixels, found.gradient)
        return Evaluation(image=image, value=found.value, terms=found.terms, gradient=gradient)


def write(rows: list[Row]) -> None:
    """The table: means over the pairs."""
    body = []
    for name in _NAMES:
        found = [row for row in rows if row["change"] == name]
        if not found:
            continue
        means = [f"{statistics.mean(row[column] for row in found):.3f}" for column in ("style", "content", "edges")]
        faults = ", ".join(sorted({fault for row in found for fault in row["faults"]})) or "none"
        seconds = f"{statistics.median(row['seconds'] for row in found):.1f}"
        body.append([name, *means, seconds, faults])
    pairs = ", ".join(sorted({row["pair"] for row in rows}))
    text = (
        f"{tables.table(['changed', 'style', 'content', 'edges', 'processor seconds', 'faults'], body)}\n\n"
        f"Means over {pairs}, at {_SIDE} px. {tables.measured_on(rows)}"
    )
    tables.write("ablation", text)
