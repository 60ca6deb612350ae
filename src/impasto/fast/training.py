"""Owns the training of a fast model: on crops of photographs, with the objective of the optimise engine.

Johnson et al. (ECCV 2016) minimise over the weights of a network what Gatys et al. minimise over pixels. This module
calls `objective.evaluate` for each pastiche of a batch, and backpropagates the gradient of its pixels into the network.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from impasto import devices
from impasto.backbones import VGG19
from impasto.errors import ImpastoWarning, OptimizationError, SettingsError
from impasto.fast.dataset import PictureDataset
from impasto.fast.network import Network, NetworkArchitecture
from impasto.fast.predictor import LAYERS, STYLE_SIDE, Predictor, style_statistics
from impasto.images import Image
from impasto.objective import Objective, evaluate
from impasto.settings import Settings
from impasto.targets import objective_at
from impasto.weighting import layer_weights

#: The settings of the loss. Its layers are shallower than the optimise engine's defaults, which cost a third more. The
#: backbone mirrors at the borders, because with zero padding in the loss a network learns to paint a frame.
LOSS = Settings(
    content_weight=1.0,
    style_weight=10.0,
    style_loss="gram",
    content_layers={"relu4_1": 1.0},
    style_layers={"relu1_1": 1.0, "relu2_1": 1.0, "relu3_1": 1.0, "relu4_1": 1.0},
    padding="reflect",
)
# Weight of the squared error of crops that the network should leave as they are.
_IDENTITY_WEIGHT = 20.0
# Training fails after this many failed steps in a row.
_MOST_FAILURES = 10
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
# Number of targets that are cached: about 1.4 MB each.
_TARGETS = 1024


@dataclass(frozen=True, kw_only=True)
class Training:
    """The settings of a training.

    Attributes:
        steps: updates of the weights in all.
        side: side of the squares that the loss sees, in pixels; the crops are 15 pixels larger.
        batch: crops in each update, over all parts and processes.
        accumulate: parts that a batch is split into, to save memory.
        learning_rate: the highest of Adam; it rises over the first fiftieth of the steps, then falls to a hundredth
            along a half cosine.
        identity: share of the crops that the network should leave as they are, which teaches strength 0.
        averaging: decay of the moving average of the weights, which becomes the model.
        seed: of all random choices.
        loss: layers, weights and losses of the objective.
    """

    steps: int = 1000
    side: int = 192
    batch: int = 4
    accumulate: int = 1
    learning_rate: float = 8e-4
    identity: float = 0.1
    averaging: float = 0.995
    seed: int = 0
    loss: Settings = field(default_factory=lambda: LOSS)

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        warm = max(1, self.steps // 50)
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        past = (step - warm) / max(1, self.steps - warm)
        return self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * past)))

    def to_mapping(self) -> dict[str, Any]:
        """Names and values, for JSON; of the loss, the settings that differ from the defaults."""
        return {**asdict(self), "loss": self.loss.changed()}


class Styles:
    """The paintings to learn: their objectives, and the statistics from which conditions are predicted.

    Args:
        paintings: by index.
        settings: of the loss.
        device, dtype: of the backbones that compute statistics and losses.
    """

    def __init__(
        self,
        paintings: Sequence[Image] | PictureDataset,
        settings: Settings,
        *,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.paintings = paintings
        self.settings = settings
        # Statistics are computed as a fast model computes them for painting; padding may differ from the loss's.
        self._reader = VGG19(LAYERS[-1], dtype=dtype).to(device)
        content, style = layer_weights(settings, VGG19.architecture)
        self._judge = VGG19.architecture.build(
            {**content, **style}, pooling=settings.pooling, padding=settings.padding, dtype=dtype
        ).to(device)
        self._objectives: dict[int, Objective] = {}
        self._statistics: dict[int, Tensor] = {}
        self._content_layers = content

    def __len__(self) -> int:
        return len(self.paintings)

    def objective(self, index: int, photograph: Tensor) -> Objective:
        """The objective for the pastiche of `photograph`, (1, 3, h, w), in the style of painting `index`."""
        known = self._objectives.get(index)
        if known is None:
            # The content is replaced below; a small one costs nothing.
            blank = photograph.new_full((1, 3, STYLE_SIDE // 8, STYLE_SIDE // 8), 0.5)
            settings = self.settings.replace(style_scale=8.0)
            known = objective_at(self._judge, blank, [self.paintings[index]], settings)
            known = replace(known, content={})
            if len(self._objectives) < _TARGETS:
                self._objectives[index] = known
        with torch.no_grad():
            return replace(known, content=self._judge(photograph, self._content_layers))

    def statistics(self, indices: Sequence[int]) -> Tensor:
        """The statistics of the paintings at `indices`, (n, s)."""
        for index in indices:
            if index not in self._statistics:
                self._statistics[index] = style_statistics(self._reader, self.paintings[index])
        return torch.stack([self._statistics[index] for index in indices])


class Model(nn.Module):
    """The modules to train: the network, and a predictor or a table that gives each style its condition.

    Attributes:
        photo: the condition with which the network leaves a photograph as it is.
        predictor: conditions of any painting; None in a model of certain styles.
        table: conditions of certain styles, (styles, k); None in a model of any.
    """

    def __init__(self, architecture: NetworkArchitecture | None = None, *, styles: int = 0) -> None:
        super().__init__()
        self.network = Network(architecture)
        size = self.network.architecture.condition_size
        self.photo = nn.Parameter(torch.zeros(size))
        self.predictor = None if styles else Predictor(size)
        self.table = nn.Parameter(torch.zeros(styles, size)) if styles else None

    def forward(
        self,
        photographs: Tensor,
        styles: Tensor,
        keep: Tensor,
        generators: Sequence[torch.Generator] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Pastiches of `photographs`, (n, 3, h, w).

        Args:
            styles: the statistics of one painting each, (n, s), or indices into the table, (n,).
            keep: 1 for photographs that the network should leave as they are, else 0, (n,).
            generators: of the network's noise, one for each photograph.
            dtype: of the network's features.
        """
        conditions = self.predictor(styles) if self.predictor is not None else self.table[styles]  # type: ignore[index]
        # Interpolated instead of selected, so that every parameter has a gradient in every process.
        keep = keep[:, None]
        conditions = (1 - keep) * conditions + keep * self.photo
        return torch.as_tensor(self.network(photographs, conditions, generators=generators, dtype=dtype))


@dataclass(frozen=True)
class Learned:
    """The state of the training after one step.

    Attributes:
        step, steps: number of updates done, and of all updates.
        value: mean loss of the batch.
        terms: its terms, by name; `identity` is that of the crops that should stay as they are.
        rate: the learning rate.
        failed: whether the step was skipped because its loss or gradient was not finite.
    """

    step: int
    steps: int
    value: float
    terms: Mapping[str, float]
    rate: float
    failed: bool = False


@dataclass(frozen=True)
class _Drawn:
    """One example of a batch.

    Attributes:
        crop: of a photograph.
        window: (top, left) of the window in it that the loss sees.
        style: index of the style.
        kept: whether the network should leave the crop as it is.
        generator: of the network's noise.
    """

    crop: Tensor
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

    Under `torchrun` each process computes its share of every batch.
    """

    def __init__(
        self,
        model: Model,
        styles: Sequence[Image] | PictureDataset,
        contents: PictureDataset,
        training: Training,
        *,
        device: torch.device | None = None,
        precision: str = "auto",
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
        self.styles = Styles(styles, training.loss, device=self.device, dtype=self.dtype)
        groups: list[dict[str, Any]] = [{"params": [*model.network.parameters()], "share": 1.0}]
        groups += [{"params": [one], "share": 1.0} for one in (model.photo, model.table) if one is not None]
        if model.predictor is not None:
            groups.append({"params": [*model.predictor.parameters()], "share": _PREDICTOR_RATE})
        self.optimizer = torch.optim.Adam(groups, training.learning_rate, betas=(0.9, 0.99))
        self.average = {name: value.detach().clone() for name, value in model.state_dict().items()}
        self.step = 0
        self._failures = 0
        # All processes have the same weights, and use the mean of all gradients.
        self._parallel = DistributedDataParallel(model) if self.ranks > 1 else model

    def learn_range(self) -> None:
        """Let the predictor learn the range of the statistics; once, before the first step."""
        if self.model.predictor is None:
            return
        count = min(_RANGE_EXAMPLES, len(self.styles))
        indices = [index * len(self.styles) // count for index in range(count)]
        self.model.predictor.fit_range(self.styles.statistics(indices).to(self.device))
        self.average |= {
            name: value.detach().clone() for name, value in self.model.state_dict().items() if name in _RANGE
        }

    def run(self) -> Iterator[Learned]:
        """Train; yields after every step.

        Raises:
            OptimizationError: many steps in a row failed.

        Warns:
            ImpastoWarning: a step was skipped, because its gradient is not finite.
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
        sums: dict[str, float] = {}
        for index, first in enumerate(range(begin, begin + share, part)):
            last = index == training.accumulate - 1
            with contextlib.nullcontext() if last or self.ranks == 1 else self._parallel.no_sync():  # type: ignore[operator]
                for name, value in self._backward(range(first, first + part)).items():
                    sums[name] = sums.get(name, 0.0) + value / share
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), _LARGEST_GRADIENT)
        failed = not bool(torch.isfinite(norm))
        if failed:
            # Nothing has changed yet, so the step is just not made.
            self._failures += 1
            if self._failures >= _MOST_FAILURES:
                raise OptimizationError(
                    f"training: the last {_MOST_FAILURES} steps were skipped, because their gradients are not finite "
                    f"numbers; start over with a lower learning rate than {training.learning_rate:g}"
                )
            if self.rank == 0:
                message = f"step {self.step + 1} was skipped: its gradient is not finite"
                warnings.warn(message, ImpastoWarning, stacklevel=2)
        else:
            self._failures = 0
            self.optimizer.step()
            self._take_average()
        self.step += 1
        return Learned(self.step, training.steps, sum(sums.values()), sums, rate, failed)

    def _backward(self, indices: range) -> dict[str, float]:
        """Add the gradients of the examples at `indices` of this batch; returns the sums of their loss terms."""
        training = self.training
        drawn = [self._draw(index) for index in indices]
        photographs = torch.cat([one.crop for one in drawn]).to(self.device, memory_format=torch.channels_last)
        chosen = [one.style for one in drawn]
        keep = torch.tensor([float(one.kept) for one in drawn], device=self.device)
        table = self.model.predictor is None
        styles = torch.tensor(chosen) if table else self.styles.statistics(chosen)
        generators = [one.generator for one in drawn]
        pastiches = self._parallel(photographs, styles.to(self.device), keep, generators, self.dtype)
        sums: dict[str, float] = {}
        gradients = []
        for one, photograph, pastiche in zip(drawn, photographs, pastiches.detach(), strict=True):
            window = (slice(None), *(slice(first, first + training.side) for first in one.window))
            result, photograph = pastiche[window], photograph[window]
            if one.kept:
                error = result - photograph
                terms = {"identity": _IDENTITY_WEIGHT * float(error.square().mean())}
                gradient = 2 * _IDENTITY_WEIGHT / error.numel() * error
            else:
                evaluation = evaluate(self.styles.objective(one.style, photograph[None]), result[None])
                terms = dict(evaluation.terms)
                # The gradient of log(2 + loss), so that a painting that is hard to match does not outweigh the others.
                gradient = evaluation.gradient[0] / (2 + evaluation.value)
            if not math.isfinite(sum(terms.values())):
                # An infinite loss may have a finite gradient; all processes must learn of the failure.
                gradient = torch.full_like(gradient, math.nan)
            gradients.append(torch.zeros_like(pastiche))
            gradients[-1][window] = gradient
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value
        pastiches.backward(torch.stack(gradients) * (self.ranks / training.batch))
        return sums

    def _draw(self, index: int) -> _Drawn:
        """The example at `index` of this step's batch."""
        seed = np.random.SeedSequence((self.training.seed, self.step, index)).generate_state(1)
        generator = torch.Generator().manual_seed(int(seed[0]))
        kept = float(torch.rand((), generator=generator)) < self.training.identity
        style = int(torch.randint(len(self.styles), (), generator=generator))
        top, left = (int(torch.randint(_MARGIN + 1, (), generator=generator)) for _ in range(2))
        return _Drawn(self.contents.crop(self.training.side + _MARGIN, generator), (top, left), style, kept, generator)

    @torch.no_grad()
    def _take_average(self) -> None:
        share = min(self.training.averaging, (1 + self.step) / (10 + self.step))
        for name, value in self.model.state_dict().items():
            self.average[name].lerp_(value, 1 - share)

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
                    # Adam's step counter is on the CPU.
                    self.optimizer.state[parameter][key] = known if key == "step" else known.to(self.device)
        self.step = int(about["step"])
