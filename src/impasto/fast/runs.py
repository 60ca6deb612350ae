"""Owns a training run on disk: its checkpoint, losses and example pictures, and the finished model.

A run that writes the model `my.safetensors` also writes `my.training` (the checkpoint), `my-losses.csv` and
`my-losses.png` (the curves), and `my-000200.png` (held-out photographs, painted in the styles after 200 steps).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from impasto._version import __version__
from impasto.errors import ModelError
from impasto.fast.dataset import PictureDataset
from impasto.fast.models import FastModel
from impasto.fast.trainable import Model
from impasto.fast.trainer import Learned, Trainer
from impasto.files import whole
from impasto.images import Image, fit, resize
from impasto.messages import reason
from impasto.objective import evaluate

# Long side of the example pictures, and how many photographs and styles they show.
_EXAMPLE_SIDE, _EXAMPLE_PHOTOS, _EXAMPLE_STYLES = 256, 2, 4
# Number of held-out crops in each check.
_CHECKED = 4
# Columns of the losses.
_COLUMNS = ("step", "loss", "rate", "held-out loss")


@dataclass(frozen=True)
class Report:
    """The report after a step.

    Attributes:
        learned: the step.
        checked: mean loss of the held-out crops, if this step was checked.
        picture: path of the example pictures, if this step wrote them.
    """

    learned: Learned
    checked: float | None = None
    picture: Path | None = None


@dataclass(kw_only=True)
class Run:
    """A training run: iterate over `steps()` to train. It can be stopped at any time and continues from its checkpoint.

    Attributes:
        trainer: computes the steps.
        path: of the model.
        names: of the styles, in their order; empty for a model of any painting.
        held_out: photographs for checks, which are not trained on.
        every: steps between two checkpoints, checks and pictures.
        patience: the run ends early after this many checks without an improvement; 0 for never.
        board: a TensorBoard writer, or None.
        base: name of the model that the training started from.
    """

    trainer: Trainer
    path: Path
    names: Sequence[str]
    held_out: PictureDataset
    every: int = 200
    patience: int = 0
    board: Any = None
    base: str = ""
    best: float = field(default=float("inf"), init=False)
    waited: int = field(default=0, init=False)

    @property
    def checkpoint(self) -> Path:
        """Path of the checkpoint."""
        return self.path.with_suffix(".training")

    @property
    def leads(self) -> bool:
        """Whether this process writes files: the first of several does."""
        return self.trainer.rank == 0

    def outputs(self) -> list[Path]:
        """Paths of files that the run will write, except those that it has written before it was resumed."""
        steps, every = self.trainer.training.steps, self.every
        begun = self.trainer.step
        pictures = [*range(every * (begun // every + 1), steps, every), *([steps] if steps > begun else [])]
        losses = [] if begun else [self._losses, _curves(self._losses)]
        return [self.path, *losses, *map(self._picture, pictures)]

    def resume(self) -> bool:
        """Continue from the checkpoint, if there is one; returns whether there is.

        Raises:
            ModelError: it is damaged, or belongs to a run with other settings.
        """
        if not self.checkpoint.exists():
            return False
        advice = "delete it to start over, or choose another name for the model"
        try:
            with safe_open(self.checkpoint, framework="pt") as file:
                about = json.loads((file.metadata() or {})["impasto-training"])
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (no mapping)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ModelError(f"{self.checkpoint} cannot be read as the checkpoint of a training; {advice}") from error
        wanted = json.loads(json.dumps(self._about()))
        different = [
            name for name in wanted if name not in ("step", "best", "waited") and about.get(name) != wanted[name]
        ]
        if different:
            raise ModelError(
                f"{self.checkpoint} belongs to a training with other settings or pictures "
                f"({', '.join(different)}); {advice}"
            )
        try:
            self.trainer.restore(tensors, about)
        except (KeyError, RuntimeError) as error:
            raise ModelError(f"{self.checkpoint} belongs to another kind of model; {advice}") from error
        self.best, self.waited = float(about["best"]), int(about["waited"])
        if self.leads:
            self._forget_later_losses()
        return True

    def _about(self) -> dict[str, Any]:
        trainer = self.trainer
        return {
            "step": trainer.step,
            "training": trainer.training.to_mapping(),
            "base": self.base,
            "styles": list(self.names) or len(trainer.styles),
            "contents": len(trainer.contents),
            "best": self.best,
            "waited": self.waited,
        }

    def steps(self) -> Iterator[Report]:
        """Train to the end, or until `patience` is used up; yields after every step.

        Raises:
            OptimizationError: many steps in a row failed.
            ModelError: a file cannot be written.
        """
        for learned in self.trainer.run():
            regular = learned.step % self.every == 0 or learned.step == learned.steps
            checked = self._check() if regular else None
            picture = None
            if checked is not None:
                self.waited = 0 if checked < self.best else self.waited + 1
                self.best = min(self.best, checked)
            if self.leads:
                with self._written():
                    self._note(learned, checked)
                if regular:
                    self.save()
                    with self._written():
                        picture = self._save_examples(learned.step)
            yield Report(learned, checked, picture)
            if self.patience and self.waited >= self.patience:
                return

    def save(self) -> None:
        """Write the checkpoint, whole or not at all.

        Raises:
            ModelError: it cannot be written.
        """
        tensors, _ = self.trainer.state()
        saved = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
        # Always the same name, so that the next run overwrites what a killed one has left.
        part_path = self.checkpoint.with_suffix(".training.part")
        with self._written(), whole(self.checkpoint, beside=part_path) as part:
            save_file(saved, part, {"impasto-training": json.dumps(self._about())})

    def finish(self, card: Mapping[str, Any]) -> FastModel:
        """Write the model, with averaged weights, and delete the checkpoint.

        Args:
            card: further entries for the model's card.

        Raises:
            ModelError: it cannot be written; the checkpoint stays.
        """
        model = self.model(
            {
                **card,
                "impasto": __version__,
                "torch": torch.__version__,
                "steps": self.trainer.step,
                "held-out loss": None if self.best == float("inf") else round(self.best, 4),
                "training": self.trainer.training.to_mapping(),
            }
        )
        with self._written():
            model.save(self.path)
            self.checkpoint.unlink(missing_ok=True)
        return model

    def model(self, card: Mapping[str, Any] | None = None) -> FastModel:
        """The model so far, with averaged weights."""
        average = {name: value.cpu() for name, value in self.trainer.average.items()}
        model: Model = self.trainer.model.with_weights(average)
        return model.finished(self.path.stem, self.names, card or {})

    def _check(self) -> float:
        """Mean loss of held-out crops, each in another style; the same crops and styles in every check."""
        trainer, model = self.trainer, self.model()
        total = 0.0
        for number in range(_CHECKED):
            generator = torch.Generator().manual_seed(number)
            index = number * len(trainer.styles) // _CHECKED
            photograph = self.held_out.crop(trainer.training.side, generator).to(trainer.device)
            with torch.no_grad():
                condition = self._condition(model, index)[None].to(trainer.device)
                pastiche = model.network.to(trainer.device)(photograph, condition)
            total += evaluate(trainer.styles.objective(index, photograph), pastiche).value
        return total / _CHECKED

    def _condition(self, model: FastModel, index: int) -> Tensor:
        if model.predictor is None:
            return model.table[self.names[index]]
        return torch.as_tensor(model.predictor(self.trainer.styles.statistics([index]))[0])

    def _save_examples(self, step: int) -> Path:
        """Write held-out photographs beside their pastiches in some of the styles; returns the path."""
        model = self.model()
        shown = min(_EXAMPLE_STYLES, len(self.trainer.styles))
        rows = []
        for index in range(min(_EXAMPLE_PHOTOS, len(self.held_out))):
            photograph = self.held_out[index]
            pixels = resize(photograph.pixels, fit(photograph.size, _EXAMPLE_SIDE))
            conditions = [self._condition(model, i * len(self.trainer.styles) // shown) for i in range(shown)]
            with torch.no_grad():
                painted = [model.network(pixels, condition[None]).clamp(0, 1) for condition in conditions]
            row = torch.cat([pixels, *painted], dim=3)
            rows.append(torch.nn.functional.pad(row, (0, _EXAMPLE_SIDE * (shown + 1) - row.shape[3]), value=1.0))
        return Image(pixels=torch.cat(rows, dim=2)).save(self._picture(step))

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Turns errors of writing beside the model into a ModelError."""
        try:
            yield
        except (OSError, SafetensorError) as error:
            raise ModelError(
                f"{self.path.parent} cannot be written to ({reason(error)}); make it writable, then the same command "
                "continues from the last checkpoint, if there is one"
            ) from error

    def _picture(self, step: int) -> Path:
        return self.path.with_name(f"{self.path.stem}-{step:06}.png")

    @property
    def _losses(self) -> Path:
        return self.path.with_name(f"{self.path.stem}-losses.csv")

    def _forget_later_losses(self) -> None:
        """Delete the lines of steps after the checkpoint, which are made again, and incomplete lines."""
        if not self._losses.exists():
            return
        with self._written():
            with self._losses.open(newline="", encoding="utf-8", errors="replace") as file:
                lines = [line for line in csv.reader(file) if len(line) == len(_COLUMNS) and line[0].isdecimal()]
            with whole(self._losses) as part, part.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([_COLUMNS, *(line for line in lines if int(line[0]) <= self.trainer.step)])

    def _note(self, learned: Learned, checked: float | None) -> None:
        """Add a line to the table of losses; after a check, draw the curves."""
        path = self._losses
        new = learned.step == 1 or not path.exists()
        with path.open("w" if new else "a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(_COLUMNS)
            writer.writerow((learned.step, f"{learned.value:.6g}", f"{learned.rate:.3g}", checked or ""))
        if self.board is not None:
            for name, value in {"loss": learned.value, **learned.terms}.items():
                self.board.add_scalar(name, value, learned.step)
            if checked is not None:
                self.board.add_scalar("held-out loss", checked, learned.step)
        if checked is not None:
            _draw(path)


def _curves(losses: Path) -> Path:
    """Path of the figure of a table of losses."""
    return losses.with_suffix(".png")


def _draw(path: Path) -> None:
    """Draw the losses of a table as curves, in a figure beside it."""
    from matplotlib.figure import Figure

    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([int(r["step"]) for r in rows], [float(r["loss"]) for r in rows], color="#b9c4d0", lw=0.8, label="batch")
    checked = [(int(r["step"]), float(r["held-out loss"])) for r in rows if r["held-out loss"]]
    axes.plot(*zip(*checked, strict=True), color="#b4532a", marker="o", ms=3, label="held-out photographs")
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    axes.legend(frameon=False)
    figure.savefig(_curves(path), dpi=110)
