"""Owns the baseline: neural style transfer in plain PyTorch, with the same VGG-19 and losses.

It uses torch's default memory format, float32, autograd, and `torch.optim.LBFGS` or Adam on the pixels, as in a direct
implementation of the paper. The objective is Impasto's with Gram matrices, term by term, so that both can be compared
at the same loss.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.backbones import VGG19
from impasto.losses import ColorRange
from impasto.objective import Objective

#: Seconds since the start and the loss, for every evaluation.
Trace = list[tuple[float, float]]
#: History of its L-BFGS; a longer one gains nothing (on a pair at 128 px: loss 0.9764 with 100, 0.9745 with 20).
HISTORY = 20


class PlainObjective:
    """The value of an `Objective`, in plain PyTorch.

    Args:
        objective: the objective whose targets and weights are used; its losses must be relative.
        network: the network whose weights are used, in float32.
    """

    def __init__(self, objective: Objective, network: VGG19) -> None:
        self.names = network.names
        self.weights = {
            name: (network.convolutions[f"{name}_weight"].contiguous(), network.convolutions[f"{name}_bias"])
            for name in network.names
            if name.startswith("conv")
        }
        self.mean = torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1) / 255.0
        self.content = {layer: target.float().contiguous() for layer, target in objective.content.items()}
        (whole,) = objective.regions
        self.style = {layer: target.gram for layer, target in whole.style.items()}
        self.content_weights: Mapping[str, float] = objective.content_weights
        self.style_weights: Mapping[str, float] = objective.style_weights
        (color_range,) = objective.image_terms
        assert isinstance(color_range, ColorRange)
        self.range_weight = color_range.weight

    def __call__(self, image: Tensor) -> Tensor:
        """The total loss at an image (1, 3, height, width)."""
        loss = self.range_weight * (image - image.clamp(0, 1)).square().mean()
        x = image - self.mean
        last = max((*self.content, *self.style), key=self.names.index)
        for name in self.names[: self.names.index(last) + 1]:
            if name.startswith("conv"):
                weight, bias = self.weights[name]
                if name == "conv1_1":
                    x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), weight, bias)
                else:
                    x = F.conv2d(x, weight, bias, padding=1)
            elif name.startswith("relu"):
                x = F.relu(x)
            else:
                x = F.max_pool2d(x, 2)
            if name in self.content:
                target = self.content[name]
                loss = loss + self.content_weights[name] * (x - target).square().mean() / target.square().mean()
            if name in self.style:
                rows = x.flatten(2)[0]
                gram = rows @ rows.T / rows.shape[1]
                target = self.style[name]
                loss = loss + self.style_weights[name] * (gram - target).square().sum() / target.square().sum()
        return loss


def descend(
    objective: Callable[[Tensor], Tensor],
    image: Tensor,
    *,
    evaluations: int,
    optimizer: str = "lbfgs",
    clock: Callable[[], float] = time.perf_counter,
) -> Trace:
    """Minimise with `torch.optim`, from `image`, for a number of evaluations, timed by `clock`.

    The objective is divided by its value at the start: the first step of torch's L-BFGS is as long as the gradient, so
    it would make no progress otherwise.
    """
    pixels = image.clone().contiguous().requires_grad_(True)
    trace: Trace = []
    begin = clock()
    with torch.no_grad():
        scale = float(objective(pixels))

    def closure() -> float:
        chosen.zero_grad()
        loss = objective(pixels) / scale
        loss.backward()  # type: ignore[no-untyped-call]
        trace.append((clock() - begin, float(loss.detach()) * scale))
        return float(loss.detach())

    chosen: torch.optim.Optimizer
    if optimizer == "lbfgs":
        chosen = torch.optim.LBFGS(
            [pixels],
            max_iter=evaluations,
            max_eval=evaluations,
            history_size=HISTORY,
            tolerance_grad=0,
            tolerance_change=0,
        )
        chosen.step(closure)  # type: ignore[no-untyped-call]
    else:
        chosen = torch.optim.Adam([pixels], lr=0.02)
        for _ in range(evaluations):
            chosen.step(closure)
    return trace
