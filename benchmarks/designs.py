"""Designs of the fast engine's network: held-out loss after equal training, and seconds for a picture."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

import torch

from benchmarks import tables
from benchmarks.pairs import data
from benchmarks.store import Row, Store
from impasto import assets, loading
from impasto.fast.dataset import PictureDataset
from impasto.fast.designs import AnyArchitecture
from impasto.fast.drafting import DraftingArchitecture
from impasto.fast.network import NetworkArchitecture
from impasto.fast.trainable import Model
from impasto.fast.trainer import Trainer
from impasto.fast.training import Training
from impasto.images import Image

DESIGNS: Mapping[str, AnyArchitecture] = {
    "one scale, as bundled": NetworkArchitecture(),
    "one scale, half as wide": NetworkArchitecture(coarse=40),
    "coarse to fine": DraftingArchitecture(),
    "coarse to fine, light": DraftingArchitecture(NetworkArchitecture(), revision=16),
}
_TRAINING = Training(steps=2000, side=128, batch=4)
# Held-out crops, their side in pixels, and the side of the picture whose seconds are measured.
_CROPS, _SIDE, _TIMED = 8, 192, 512


def measure(store: Store, *, training: Training = _TRAINING, again: bool = False) -> list[Row]:
    """Measure a row for each design."""
    return [
        store.measure({"design": name, "steps": training.steps}, partial(trained, architecture, training), again=again)
        for name, architecture in DESIGNS.items()
    ]


def trained(architecture: AnyArchitecture, training: Training) -> dict[str, float]:
    """Train a design from nothing on the bundled paintings; judge it by photographs that it has not seen."""
    paintings = [loading.load(f"sample:{sample.name}") for sample in assets.samples() if sample.kind == "painting"]
    photographs = PictureDataset([data() / "ship" / "photos_pd_cc0"])
    held_out = photographs.held_out(10)
    torch.manual_seed(0)
    model = Model(architecture, styles=len(paintings))
    with torch.no_grad():
        if model.table is not None:
            model.table.normal_(0.0, 0.1)
    trainer = Trainer(model, paintings, photographs, training)
    begin = time.process_time()
    for _ in trainer.run():
        pass
    seconds = time.process_time() - begin
    finished = model.with_weights(trainer.average)
    return {
        "held-out loss": round(_held_out(trainer, finished, held_out), 4),
        "weights": sum(weights.numel() for weights in finished.network.parameters()),
        "crops a second": round(training.steps * training.batch / seconds, 2),
        "seconds": round(_seconds(finished), 4),
    }


def _held_out(trainer: Trainer, model: Model, photographs: PictureDataset) -> float:
    """Mean loss of held-out crops, each in another style."""
    crops = photographs.crops(_SIDE, [torch.Generator().manual_seed(number) for number in range(_CROPS)])
    styles = [number % len(trainer.styles) for number in range(_CROPS)]
    with torch.no_grad():
        pastiches = model(crops, torch.tensor(styles), torch.zeros(_CROPS))
        terms = trainer.styles.terms(pastiches, crops, styles)
    return float(torch.stack([*terms.values()]).sum() / _CROPS)


def _seconds(model: Model) -> float:
    """Processor seconds for one picture; the best of three, after a first."""
    finished = model.finished(
        "design", [str(number) for number in range(0 if model.table is None else len(model.table))], {}
    )
    picture = Image(pixels=torch.rand(1, 3, _TIMED, _TIMED, generator=torch.Generator().manual_seed(0)))
    best = float("inf")
    for _ in range(4):
        begin = time.process_time()
        finished.paint(picture, finished.photo)
        best = min(best, time.process_time() - begin)
    return best


def write(rows: list[Row]) -> None:
    """Write the table."""
    body = [
        [
            row["design"],
            f"{row['held-out loss']:.3f}",
            f"{row['weights'] / 1000:.0f}",
            f"{row['seconds']:.2f}",
            f"{row['crops a second']:.1f}",
        ]
        for row in tables.in_order(rows, "design", DESIGNS)
    ]
    headings = [
        "design",
        "held-out loss",
        "weights, thousands",
        f"seconds at {_TIMED} px",
        "crops a second in training",
    ]
    tables.write(
        "designs",
        f"{tables.table(headings, body)}\n\nEach was trained from nothing for {rows[0]['steps']} steps of "
        f"{_TRAINING.batch} crops on the bundled paintings; mean loss of {_CROPS} crops of {_SIDE} px from photographs "
        f"that were held out. Processor seconds. {tables.measured_on(rows)}",
    )
