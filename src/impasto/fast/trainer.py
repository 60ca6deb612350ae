"""Owns the training of a fast model: on crops of photographs, with the objective of the optimise engine.

Johnson et al. (ECCV 2016) minimise over the weights of a network what Gatys et al. minimise over pixels. The loss is
the optimise engine's, computed for a batch at once (`criterion`).
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from impasto import devices
from impasto.errors import ImpastoWarning, OptimizationError, SettingsError
from impasto.fast import warps
from impasto.fast.dataset import PictureDataset
from impasto.fast.styles import TARGETS, Styles
from impasto.fast.trainable import Model
from impasto.fast.training import Training
from impasto.images import Image

# Weight of the squared error of crops that the network should leave as they are.
_IDENTITY_WEIGHT = 20.0
# Training fails after this many failed steps in a row.
_MOST_FAILURES = 10
# Steps between two looks at results that are on a GPU: looking waits for all work to be done.
_LOOKS = 50
# Number of paintings from which the predictor learns the range of statistics.
_RANGE_EXAMPLES = 128
# Names of the predictor's tensors for that range.
_RANGE = ("predictor.mean", "predictor.deviation")
# Gradients are clipped to this norm, so that one unusual painting does not undo what others have taught.
_LARGEST_GRADIENT = 1.0
# Learning rate of the predictor as a share of the network's. Each number of a condition is a sum over hundreds of its
# weights, so at the full rate conditions would change faster than the network can follow.
_PREDICTOR_RATE = 0.2
# Pixels by which a crop is larger than the window of it that the loss sees. If the network's borders always coincided
# with the loss's, the network would learn to darken them; if the loss's pooling grid, 16 pixels wide, always had the
# same position, the network would learn the grid. So the window's offset is drawn from all 16 positions.
_MARGIN = 15


@runtime_checkable
class Pictures(Protocol):
    """The photographs of a training."""

    def __len__(self) -> int:
        """How many there are."""

    def crops(self, side: int, generators: Sequence[torch.Generator]) -> Float[Tensor, "n 3 side side"]:
        """A random square for each generator, (n, 3, side, side), RGB in [0, 1]."""


@dataclass(frozen=True)
class Learned:
    """The state of the training after one step. Reading a loss waits for the device.

    Attributes:
        step, steps: number of updates done, and of all updates.
        means: mean of each loss term over the batch, by name; `identity` is that of the crops that should stay as they
            are, `steadiness` that of the warped ones.
        rate: the learning rate.
        skipped: whether the step was skipped because its loss or gradient was not finite.
    """

    step: int
    steps: int
    means: Mapping[str, Tensor]
    rate: float
    skipped: Tensor

    @cached_property
    def terms(self) -> Mapping[str, float]:
        """The mean loss terms as numbers."""
        return {name: float(value) for name, value in self.means.items()}

    @property
    def value(self) -> float:
        """Mean loss of the batch."""
        return sum(self.terms.values())

    @property
    def failed(self) -> bool:
        """Whether the step was skipped."""
        return bool(self.skipped)


@dataclass(frozen=True)
class _Drawn:
    """One example of a batch.

    Attributes:
        window: (top, left) of the window of the crop that the loss sees.
        style: index of the style.
        kept: whether the network should leave the crop as it is.
        generator: of everything else that is random.
    """

    window: tuple[int, int]
    style: int
    kept: bool
    generator: torch.Generator


class Trainer:
    """Trains a model. Iterate over `run()` to train, stop iterating to pause; `state()` is for checkpoints.

    The random choices for an example depend on the seed, the step and its index in the batch only, so neither a pause
    nor the number of processes changes the result.

    Args:
        model: trained in place.
        styles: the paintings; as many as the model's table has rows, if it has one.
        contents: the photographs.
        training: its settings.
        device: to compute on; the CPU by default.
        precision: of the features: `auto`, `float32` or `bfloat16`. Weights, pixels and colours are always float32.
        compiled: whether torch compiles the model, which takes a minute and then saves time on a GPU.
        targets: number of paintings whose targets are kept in the device's memory.

    Under `torchrun` each process computes its share of every batch.
    """

    def __init__(
        self,
        model: Model,
        styles: Sequence[Image] | PictureDataset,
        contents: Pictures,
        training: Training,
        *,
        device: torch.device | None = None,
        precision: str = "auto",
        compiled: bool = False,
        targets: int = TARGETS,
    ) -> None:
        self.device = device or torch.device("cpu")
        self.training = training
        self.contents = contents
        self.rank, self.ranks = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        if training.batch % (self.ranks * training.accumulate):
            raise SettingsError(
                "batch",
                f"{training.batch} crops cannot be shared evenly by {self.ranks} processes with {training.accumulate} "
                "parts each; choose a multiple",
            )
        self.dtype = devices.precision(precision, self.device)
        self.model = model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.styles = Styles(styles, training.loss, device=self.device, dtype=self.dtype, targets=targets)
        groups: list[dict[str, Any]] = [{"params": [*model.network.parameters()], "share": 1.0}]
        groups += [{"params": [one], "share": 1.0} for one in (model.photo, model.table) if one is not None]
        if model.predictor is not None:
            groups.append({"params": [*model.predictor.parameters()], "share": _PREDICTOR_RATE})
        # On a GPU the fused optimiser skips a step whose gradients are not finite without asking the CPU.
        self._fused = self.device.type == "cuda"
        self.optimizer = torch.optim.Adam(groups, training.learning_rate, betas=(0.9, 0.99), fused=self._fused)
        # Only its check for finite gradients is of use, so the scale stays 1.
        self._scaler = torch.amp.GradScaler(self.device.type, init_scale=1.0, growth_interval=2**31 - 1)
        self.average = {name: value.detach().clone() for name, value in model.state_dict().items()}
        self.step = 0
        self._failures = torch.zeros((), dtype=torch.int64, device=self.device)
        self._looks = 1 if self.device.type == "cpu" else _LOOKS
        if compiled:
            model.compile(dynamic=False)
        # All processes have the same weights, and use the mean of all gradients.
        self._parallel = DistributedDataParallel(model) if self.ranks > 1 else model

    def learn_range(self) -> None:
        """Let the predictor learn the range of the statistics; once, before the first step."""
        if self.model.predictor is None:
            return
        count = min(_RANGE_EXAMPLES, len(self.styles))
        indices = [index * len(self.styles) // count for index in range(count)]
        self.model.predictor.fit_range(self.styles.statistics(indices))
        self.average |= {
            name: value.detach().clone() for name, value in self.model.state_dict().items() if name in _RANGE
        }

    def run(self) -> Iterator[Learned]:
        """Train; yields after every step.

        Raises:
            OptimizationError: many steps in a row failed.

        Warns:
            ImpastoWarning: a step was skipped, because its gradient is not finite. On a GPU, only the last of 50 steps
                is looked at.
        """
        while self.step < self.training.steps:
            yield self._learn()

    def _learn(self) -> Learned:
        training = self.training
        rate = training.rate(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        self.optimizer.zero_grad(set_to_none=True)
        share = training.batch // self.ranks
        part = share // training.accumulate
        begin = self.rank * share
        means: dict[str, Tensor] = {}
        for index, first in enumerate(range(begin, begin + share, part)):
            last = index == training.accumulate - 1
            with contextlib.nullcontext() if last or self.ranks == 1 else self._parallel.no_sync():  # type: ignore[operator]
                for name, value in self._backward(range(first, first + part)).items():
                    means[name] = means[name] + value / share if name in means else value / share
        self._scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), _LARGEST_GRADIENT)
        # If gradients are not finite, the step is not made.
        self._scaler.step(self.optimizer)
        self._scaler.update(1.0)
        self._take_average()
        self.step += 1
        skipped = ~torch.isfinite(norm)
        self._failures = (self._failures + 1) * skipped
        if self.step % self._looks == 0:
            self._look()
        return Learned(self.step, training.steps, means, rate, skipped)

    def _look(self) -> None:
        """Report failed steps."""
        failures = int(self._failures)
        if failures >= _MOST_FAILURES:
            raise OptimizationError(
                f"training: the last {failures} steps were skipped, because their gradients are not finite "
                f"numbers; start over with a lower learning rate than {self.training.learning_rate:g}"
            )
        if failures and self.rank == 0:
            message = f"step {self.step} was skipped: its gradient is not finite"
            warnings.warn(message, ImpastoWarning, stacklevel=4)

    def _backward(self, indices: range) -> dict[str, Tensor]:
        """Add the gradients of the examples at `indices` of this batch; returns the sums of their loss terms."""
        training = self.training
        side = training.side_at(self.step)
        drawn = [self._draw(index) for index in indices]
        generators = [one.generator for one in drawn]
        photographs = self.contents.crops(side + _MARGIN, generators)
        photographs = photographs.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        # Every other example of the batch is painted once more, warped.
        again = slice(indices.start % 2, len(drawn) if training.steadiness else 0, 2)
        motions = warps.drawn(generators[again], photographs.shape[-1])
        noise = self.model.network.noise(generators, photographs.shape[-2:])
        both = [*drawn, *drawn[again]]
        if len(motions):
            photographs = torch.cat([photographs, warps.warped(photographs[again], motions)])
            noise = torch.cat([noise, noise[again]])
        styles = self._styles([one.style for one in both])
        pastiches = self._parallel(photographs, styles, self._keep(both), noise, self.dtype)

        sums: dict[str, Tensor] = {}
        total = pastiches.new_zeros(())
        # Indices would be copied to a GPU, which waits; slices are not.
        results, originals = (
            [
                each[place, :, one.window[0] : one.window[0] + side, one.window[1] : one.window[1] + side]
                for place, one in enumerate(drawn)
            ]
            for each in (pastiches, photographs)
        )
        painted, kept = ([place for place, one in enumerate(drawn) if one.kept is kind] for kind in (False, True))
        if painted:
            chosen, shown = (torch.stack([each[place] for place in painted]) for each in (results, originals))
            terms = self.styles.terms(chosen, shown, [drawn[place].style for place in painted])
            # The gradient of log(2 + loss), so that a painting that is hard to match does not outweigh the others.
            total = total + torch.log(2 + torch.stack([*terms.values()]).sum(0)).sum()
            sums |= {name: value.detach().sum() for name, value in terms.items()}
        if kept:
            errors = [(results[place] - originals[place]).square().mean() for place in kept]
            sums["identity"] = _IDENTITY_WEIGHT * torch.stack(errors).sum()
            total = total + sums["identity"]
        if len(motions):
            edge = warps.margin(photographs.shape[-1])
            inside = (..., slice(edge, -edge), slice(edge, -edge))
            moved = warps.warped(pastiches[again], motions)
            error = (pastiches[len(drawn) :][inside] - moved[inside]).square().mean((1, 2, 3))
            sums["steadiness"] = training.steadiness * error.sum()
            total = total + sums["steadiness"]
        # An infinite loss may have a finite gradient; all processes must learn of the failure.
        total = total * torch.where(torch.isfinite(total), 1.0, torch.nan)
        self._scaler.scale(total * (self.ranks / training.batch)).backward()
        return {name: value.detach() for name, value in sums.items()}

    def _styles(self, indices: Sequence[int]) -> Tensor:
        """The styles at `indices`, as the model takes them."""
        if self.model.predictor is not None:
            return self.styles.statistics(indices)
        return torch.tensor(indices).to(self.device, non_blocking=True)

    def _keep(self, drawn: Sequence[_Drawn]) -> Tensor:
        """Which examples the network should leave as they are, as the model takes them."""
        return torch.tensor([float(one.kept) for one in drawn]).to(self.device, non_blocking=True)

    def _draw(self, index: int) -> _Drawn:
        """The example at `index` of this step's batch."""
        seed = np.random.SeedSequence((self.training.seed, self.step, index)).generate_state(1)
        generator = torch.Generator().manual_seed(int(seed[0]))
        kept = float(torch.rand((), generator=generator)) < self.training.identity
        style = int(torch.randint(len(self.styles), (), generator=generator))
        top, left = (int(torch.randint(_MARGIN + 1, (), generator=generator)) for _ in range(2))
        return _Drawn((top, left), style, kept, generator)

    @torch.no_grad()
    def _take_average(self) -> None:
        share = min(self.training.averaging, (1 + self.step) / (10 + self.step))
        current = self.model.state_dict()
        torch._foreach_lerp_([self.average[name] for name in current], [*current.values()], 1 - share)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors by name and other values, from which `restore` continues to the same result."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}.{name}"] = torch.as_tensor(value)
        return tensors, {"step": self.step, "training": self.training.to_mapping()}

    def restore(self, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
        """Continue from the values that `state` returned."""
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
        for full, value in tensors.items():
            part, _, name = full.partition(".")
            parts[part][name] = value
        self.model.load_state_dict(parts["model"])
        self.average = {name: parts["average"][name].to(self.device) for name in self.average}
        for name, parameter in self.model.named_parameters():
            for key in ("step", "exp_avg", "exp_avg_sq"):
                if (known := parts["optimizer"].get(f"{key}.{name}")) is not None:
                    # Adam's step counter is on the CPU, unless it is fused.
                    here = key == "step" and not self._fused
                    self.optimizer.state[parameter][key] = known.cpu() if here else known.to(self.device)
        self.step = int(about["step"])
