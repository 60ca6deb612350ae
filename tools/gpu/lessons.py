"""Owns the training part of a run on a GPU: until a deadline, with everything in the device's memory."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import results
import torch
from torch import Tensor

from impasto.fast.designs import DRAFTING, ONE_SCALE
from impasto.fast.drafting import DraftingArchitecture
from impasto.fast.models import FastModel
from impasto.fast.network import NetworkArchitecture
from impasto.fast.stacks import PictureStack
from impasto.fast.styles import Styles
from impasto.fast.trainable import Model
from impasto.fast.trainer import Trainer
from impasto.fast.training import Training
from impasto.images import read

# One in this many pictures of each kind is held out.
_HELD_OUT = 20
# Steps before the speed is measured, and those by which it is measured.
_WARM, _MEASURED = 10, 50
# Held-out crops in each check.
_CHECKED = 32


@dataclass(kw_only=True)
class Lessons:
    """The training of a model on a pack.

    Attributes:
        pack: the folder of the pack.
        out: the folder of the results.
        base: the model to begin with, unless the pack has a state: a name, a file, or nothing.
        design: of the network, if it begins with nothing.
        training: its settings; the number of steps follows from the deadline.
        device: where.
        every: seconds between two checks.
        saved: seconds between two savings of the model and the state.
        compiled: whether torch compiles the model.
    """

    pack: Path
    out: Path
    base: str = "any"
    design: str = ONE_SCALE
    training: Training = field(default_factory=Training)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    every: float = 20.0
    saved: float = 90.0
    compiled: bool = False
    curve: list[dict[str, float]] = field(default_factory=list, init=False)

    def train(self, deadline: float) -> dict[str, Any]:
        """Train until `deadline`, by `time.monotonic`; returns the figures."""
        begin = time.monotonic()
        stack, crops = self._photographs()
        paintings, judged = _split([read(path) for path in sorted((self.pack / "paintings").glob("*.jpg"))])
        model, state = self._begin()
        unplanned = self.training.steps
        trainer = Trainer(
            model,
            paintings,
            stack,
            replace(self.training, steps=10**9),
            device=self.device,
            compiled=self.compiled,
            targets=len(paintings),
        )
        if state is None:
            if self.base == "nothing":
                trainer.learn_range()
        else:
            trainer.restore(*state)
        # All targets are there before the first step, so that no step waits for one.
        trainer.styles.prepare()
        held_out = Styles(judged, self.training.loss, device=self.device, dtype=trainer.dtype)
        first, ready = trainer.step, time.monotonic()
        trainer.training = replace(trainer.training, begin=first)
        timed = checked = saved = ready
        speed = 0.0
        for learned in trainer.run():
            done = learned.step - first
            if done % 10 and done != unplanned:
                continue
            if done == _WARM:
                self._wait()
                timed = time.monotonic()
            if done == _WARM + _MEASURED:
                self._wait()
                speed = _MEASURED / (time.monotonic() - timed)
                # From here on, the learning rate falls until the deadline.
                left = max(1, round(speed * (deadline - time.monotonic())))
                trainer.training = replace(trainer.training, begin=learned.step, steps=learned.step + left)
            now = time.monotonic()
            last = now >= deadline or done >= unplanned or learned.step >= trainer.training.steps
            if last or now - checked >= self.every:
                self._check(trainer, held_out, crops, learned.value, time.monotonic() - begin)
                checked = time.monotonic()
            if last or now - saved >= self.saved:
                self._save(trainer)
                saved = time.monotonic()
            if last:
                break
        seconds = time.monotonic() - ready
        steps = trainer.step - first
        return {
            "steps": steps,
            "step": trainer.step,
            "crops a second": round(steps * self.training.batch / seconds, 1),
            "seconds to begin": round(ready - begin, 1),
            "photographs": len(stack),
            "paintings": len(paintings),
            "training": trainer.training.to_mapping(),
            "curve": self.curve,
        }

    def _photographs(self) -> tuple[PictureStack, Tensor]:
        """The photographs on the device, and the held-out crops."""
        paths = sorted((self.pack / "photographs").glob("*.jpg"))
        learned, held_out = _split(paths)
        stacks = [
            PictureStack(torch.stack([_levels(path) for path in chosen]), self.device) for chosen in (learned, held_out)
        ]
        generators = [torch.Generator().manual_seed(number) for number in range(_CHECKED)]
        return stacks[0], stacks[1].crops(self.training.side, generators)

    def _begin(self) -> tuple[Model, tuple[dict[str, Tensor], dict[str, Any]] | None]:
        """The model to train, and the state to restore, if the pack has one."""
        torch.manual_seed(self.training.seed)
        if (self.pack / "state").is_dir():
            begun = FastModel.load(self.pack / "state" / results.MODEL)
            return Model(begun.network.architecture), results.read_state(self.pack / "state")
        if self.base == "nothing":
            return Model(DraftingArchitecture() if self.design == DRAFTING else NetworkArchitecture()), None
        return Model.begun_with(FastModel.load(self.base)), None

    def _check(self, trainer: Trainer, styles: Styles, crops: Tensor, loss: float, seconds: float) -> None:
        """Note the mean loss of the held-out crops, each in the style of a held-out painting."""
        model = trainer.model.with_weights(trainer.average)
        assert model.predictor is not None
        total = 0.0
        part = min(self.training.batch, len(crops))
        with torch.no_grad():
            for begin in range(0, len(crops), part):
                chosen = crops[begin : begin + part]
                indices = [number % len(styles) for number in range(begin, begin + len(chosen))]
                pastiches = model.network(chosen, model.predictor(styles.statistics(indices)))
                total += float(torch.stack([*styles.terms(pastiches, chosen, indices).values()]).sum())
        self.curve.append(
            {
                "step": trainer.step,
                "seconds": round(seconds, 1),
                "loss": round(loss, 5),
                "held-out loss": round(total / len(crops), 5),
            }
        )
        print(self.curve[-1], flush=True)

    def _save(self, trainer: Trainer) -> None:
        """Write the model and the state."""
        card = {"steps": trainer.step, "training": trainer.training.to_mapping(), "curve": self.curve[-1:]}
        average = {name: value.cpu() for name, value in trainer.average.items()}
        trainer.model.with_weights(average).finished("any", (), card).save(self.out / results.MODEL)
        results.write_state(self.out, *trainer.state())

    def _wait(self) -> None:
        if self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)


def _split(pictures: list[Any]) -> tuple[list[Any], list[Any]]:
    """Those to learn, and those that are held out; at least one each."""
    if len(pictures) < 2:
        raise SystemExit(f"the pack has {len(pictures)} pictures of a kind; make it with two or more")
    every = min(_HELD_OUT, len(pictures))
    return [one for number, one in enumerate(pictures, start=1) if number % every], pictures[every - 1 :: every]


def _levels(path: Path) -> Tensor:
    with PIL.Image.open(path) as image:
        return torch.from_numpy(np.asarray(image.convert("RGB")).copy()).permute(2, 0, 1)


def speeds(figures: Mapping[str, Any]) -> str:
    """A line about a training."""
    last = figures["curve"][-1]["held-out loss"] if figures["curve"] else "unknown"
    return f"{figures['steps']} steps, {figures['crops a second']} crops a second, held-out loss {last}"
