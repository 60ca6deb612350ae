"""Owns how a fast model learns: crops of photographs, judged by the objective of the optimise engine.

Johnson et al. (ECCV 2016) minimise over photographs what Gatys et al. minimise over pixels. So does this, literally:
each pastiche of a batch is given to `objective.evaluate`, and the gradient by its pixels goes on into the network.
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

#: What the pastiches are judged by: shallower than the default of the optimise engine, which costs a third more. It
#: mirrors at the borders, for a network whose judge sees zeros there learns to paint a frame.
LOSS = Settings(
    content_weight=1.0,
    style_weight=10.0,
    style_loss="gram",
    content_layers={"relu4_1": 1.0},
    style_layers={"relu1_1": 1.0, "relu2_1": 1.0, "relu3_1": 1.0, "relu4_1": 1.0},
    padding="reflect",
)
# Weight of the squared error of a photograph that is to be left as it is.
_IDENTITY_WEIGHT = 20.0
# Steps in a row that may fail before training gives up.
_MOST_FAILURES = 10
# Paintings that the predictor learns the range of statistics from.
_RANGE_EXAMPLES = 128
# Names of what the predictor learns it in.
_RANGE = ("predictor.mean", "predictor.deviation")
# Length that a gradient is cut to: one painting of a kind must not undo what was learned from the others.
_LARGEST_GRADIENT = 1.0
# Learning rate of the predictor as a share of the network's: each number of a condition adds up hundreds of its
# weights, so it would change with every step by more than the network can follow.
_PREDICTOR_RATE = 0.2
# Pixels by which a crop is larger than the window of it that is judged. A network whose borders are always the judge's
# learns to darken them, and one whose pixels always lie alike under the judge's poolings learns their grid: the window
# may lie at each of the places that the poolings, 16 pixels wide together, tell apart.
_MARGIN = 15
# Targets that are kept at hand: about 1.4 MB each.
_TARGETS = 1024


@dataclass(frozen=True, kw_only=True)
class Training:
    """How to train.

    Attributes:
        steps: updates of the weights in all.
        side: of the squares that are judged, in pixels; the crops are 15 pixels larger.
        batch: crops in each update, over all accumulations and processes.
        accumulate: parts that a batch is worked through in, for less memory.
        learning_rate: of Adam at its highest; it rises over the first fiftieth of the steps, then falls to a hundredth
            by a half cosine.
        identity: share of the crops that are to be left as they are, by which strength 0 learns its meaning.
        averaging: share of the past in the average of the weights that is kept in the end.
        seed: of all that is drawn at random.
        loss: layers, weights and losses that pastiches are judged by.
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
        """Names and values, of types that JSON can hold; of the loss, what differs from the defaults."""
        return {**asdict(self), "loss": self.loss.changed()}


class Styles:
    """The paintings that are learned: what their pastiches are judged by, and the statistics that predict conditions.

    Args:
        paintings: one by its place.
        settings: of the loss.
        device, dtype: where the networks that read paintings and judge pastiches compute, and in which numbers.
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
        # Statistics are read as a fast model reads them when it paints, whatever the judge sees beyond borders.
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
        """What the pastiche of `photograph`, (1, 3, h, w), in the style at `index` is judged by."""
        known = self._objectives.get(index)
        if known is None:
            # The content does not matter here, and a small one takes no time.
            blank = photograph.new_full((1, 3, STYLE_SIDE // 8, STYLE_SIDE // 8), 0.5)
            settings = self.settings.replace(style_scale=8.0)
            known = objective_at(self._judge, blank, [self.paintings[index]], settings)
            known = replace(known, content={})
            if len(self._objectives) < _TARGETS:
                self._objectives[index] = known
        with torch.no_grad():
            return replace(known, content=self._judge(photograph, self._content_layers))

    def statistics(self, indices: Sequence[int]) -> Tensor:
        """Statistics of the paintings at `indices`, (n, s)."""
        for index in indices:
            if index not in self._statistics:
                self._statistics[index] = style_statistics(self._reader, self.paintings[index])
        return torch.stack([self._statistics[index] for index in indices])


class Model(nn.Module):
    """What is trained: the network, and what gives a style its condition, a predictor or a table.

    Attributes:
        photo: the condition by which a photograph is left as it is.
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
            styles: the statistics of a painting each, (n, s), or their places in the table, (n,).
            keep: 1 where a photograph is to be left as it is and 0 elsewhere, (n,).
            generators: what the network's noise is drawn from, for each photograph.
            dtype: numbers that the network's features are computed in.
        """
        conditions = self.predictor(styles) if self.predictor is not None else self.table[styles]  # type: ignore[index]
        # A mixture and no choice, so that every parameter has a gradient on every machine.
        keep = keep[:, None]
        conditions = (1 - keep) * conditions + keep * self.photo
        return torch.as_tensor(self.network(photographs, conditions, generators=generators, dtype=dtype))


@dataclass(frozen=True)
class Learned:
    """Where training is, after one step.

    Attributes:
        step, steps: updates made, and how many there are to be.
        value: mean loss of the batch.
        terms: its terms, by name; `identity` is that of the photographs to be left as they are.
        rate: the learning rate.
        failed: whether the step was undone because something in it was not a finite number.
    """

    step: int
    steps: int
    value: float
    terms: Mapping[str, float]
    rate: float
    failed: bool = False


@dataclass(frozen=True)
class _Drawn:
    """One of a batch.

    Attributes:
        crop: of a photograph.
        window: where in it the judged window begins.
        style: the style's place.
        kept: whether the crop is to be left as it is.
        generator: what the network's noise is drawn from.
    """

    crop: Tensor
    window: tuple[int, int]
    style: int
    kept: bool
    generator: torch.Generator


class Trainer:
    """Trains a model: iterate over `run()` to go on, stop iterating to pause; `state()` is all there is to keep.

    Every crop and style is drawn by the seed, the step and its place in the batch, so that neither a pause nor the
    number of processes changes what is learned.

    Args:
        model: what is trained, in place.
        styles: the paintings; as many as the model's table has rows, if it has one.
        contents: the photographs.
        training: how.
        device: where; the CPU by default.
        precision: numbers that features are computed in: `auto`, `float32` or `bfloat16`. Weights, pixels and colours
            are float32.

    Under `torchrun` each process works through its share of every batch.
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
        # Every process has the same weights, and the mean of all gradients.
        self._parallel = DistributedDataParallel(model) if self.ranks > 1 else model

    def learn_range(self) -> None:
        """Show the predictor what statistics there are; once, before the first step."""
        if self.model.predictor is None:
            return
        count = min(_RANGE_EXAMPLES, len(self.styles))
        indices = [index * len(self.styles) // count for index in range(count)]
        self.model.predictor.fit_range(self.styles.statistics(indices).to(self.device))
        self.average |= {
            name: value.detach().clone() for name, value in self.model.state_dict().items() if name in _RANGE
        }

    def run(self) -> Iterator[Learned]:
        """Take step after step until all are taken.

        Raises:
            OptimizationError: many steps in a row gave what is not a number.

        Warns:
            ImpastoWarning: a step gave what is not a number, and was taken back.
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
            # Nothing was changed yet: the step is taken back by not being made.
            self._failures += 1
            if self._failures >= _MOST_FAILURES:
                raise OptimizationError(
                    f"training: the last {_MOST_FAILURES} steps were taken back, for what came of them is not a "
                    f"number; begin anew with a lower learning rate than {training.learning_rate:g}"
                )
            if self.rank == 0:
                message = f"step {self.step + 1} was taken back: not a number came of it"
                warnings.warn(message, ImpastoWarning, stacklevel=2)
        else:
            self._failures = 0
            self.optimizer.step()
            self._take_average()
        self.step += 1
        return Learned(self.step, training.steps, sum(sums.values()), sums, rate, failed)

    def _backward(self, places: range) -> dict[str, float]:
        """Adds the gradients of the crops at `places` in this step's batch; the sums of their loss terms, by name."""
        training = self.training
        drawn = [self._draw(place) for place in places]
        photographs = torch.cat([one.crop for one in drawn]).to(self.device, memory_format=torch.channels_last)
        indices = [one.style for one in drawn]
        keep = torch.tensor([float(one.kept) for one in drawn], device=self.device)
        table = self.model.predictor is None
        styles = torch.tensor(indices) if table else self.styles.statistics(indices)
        generators = [one.generator for one in drawn]
        pastiches = self._parallel(photographs, styles.to(self.device), keep, generators, self.dtype)
        sums: dict[str, float] = {}
        gradients = []
        for one, photograph, pastiche in zip(drawn, photographs, pastiches.detach(), strict=True):
            window = (slice(None), *(slice(first, first + training.side) for first in one.window))
            seen, photograph = pastiche[window], photograph[window]
            if one.kept:
                error = seen - photograph
                terms = {"identity": _IDENTITY_WEIGHT * float(error.square().mean())}
                gradient = 2 * _IDENTITY_WEIGHT / error.numel() * error
            else:
                evaluation = evaluate(self.styles.objective(one.style, photograph[None]), seen[None])
                terms = dict(evaluation.terms)
                # The gradient of log(2 + loss): a painting that is hard to match must not outweigh the others.
                gradient = evaluation.gradient[0] / (2 + evaluation.value)
            if not math.isfinite(sum(terms.values())):
                # An infinite loss may have a finite gradient, of which every process is to hear.
                gradient = torch.full_like(gradient, math.nan)
            gradients.append(torch.zeros_like(pastiche))
            gradients[-1][window] = gradient
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value
        pastiches.backward(torch.stack(gradients) * (self.ranks / training.batch))
        return sums

    def _draw(self, place: int) -> _Drawn:
        """What is at a place of this step's batch."""
        seed = np.random.SeedSequence((self.training.seed, self.step, place)).generate_state(1)
        generator = torch.Generator().manual_seed(int(seed[0]))
        kept = float(torch.rand((), generator=generator)) < self.training.identity
        index = int(torch.randint(len(self.styles), (), generator=generator))
        top, left = (int(torch.randint(_MARGIN + 1, (), generator=generator)) for _ in range(2))
        return _Drawn(self.contents.crop(self.training.side + _MARGIN, generator), (top, left), index, kept, generator)

    @torch.no_grad()
    def _take_average(self) -> None:
        share = min(self.training.averaging, (1 + self.step) / (10 + self.step))
        for name, value in self.model.state_dict().items():
            self.average[name].lerp_(value, 1 - share)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors by name, and the rest, from which `restore` goes on to the same result."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}.{name}"] = torch.as_tensor(value)
        return tensors, {"step": self.step, "training": self.training.to_mapping()}

    def restore(self, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
        for full, value in tensors.items():
            part, _, name = full.partition(".")
            parts[part][name] = value
        self.model.load_state_dict(parts["model"])
        self.average = {name: parts["average"][name].to(self.device) for name in self.average}
        for name, parameter in self.model.named_parameters():
            for key in ("step", "exp_avg", "exp_avg_sq"):
                if (known := parts["optimizer"].get(f"{key}.{name}")) is not None:
                    # Adam counts its steps on the CPU.
                    self.optimizer.state[parameter][key] = known if key == "step" else known.to(self.device)
        self.step = int(about["step"])
