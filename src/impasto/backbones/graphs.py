"""Owns operations on the graphs of torchvision's networks: extracting layers, replacing pooling and padding."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, fx, nn

from impasto.backbones.backbone import Pooling
from impasto.backbones.borders import bordered


class _Pool(nn.Module):
    """A replacement for a max pooling, of the same windows: another kind of pooling, or with wrapped borders."""

    def __init__(self, pool: nn.MaxPool2d, pooling: Pooling, *, wrap: bool) -> None:
        super().__init__()
        self.pool, self.pooling, self.wrap = pool, pooling, wrap

    def forward(self, x: Tensor) -> Tensor:
        down, across = padded(self.pool)
        if self.wrap and (down or across):
            x, down, across = F.pad(x, (across, across, down, down), mode="circular"), 0, 0
        pool = self.pool
        if self.pooling == "max":
            return F.max_pool2d(x, pool.kernel_size, pool.stride, (down, across), pool.dilation, pool.ceil_mode)

        def mean(values: Tensor) -> Tensor:
            return F.avg_pool2d(
                values, pool.kernel_size, pool.stride, (down, across), pool.ceil_mode, count_include_pad=False
            )

        # The small constant keeps the gradient of the root finite where all features are zero.
        return mean(x) if self.pooling == "average" else (mean(x.square()) + 1e-8).sqrt()


def repool(network: nn.Module, pooling: Pooling, *, wrap: bool) -> None:
    """Replace the network's max poolings, where `pooling` or `wrap` requires it."""
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.MaxPool2d) and (pooling != "max" or (wrap and any(padded(module)))):
            parent, _, attribute = name.rpartition(".")
            setattr(network.get_submodule(parent), attribute, _Pool(module, pooling, wrap=wrap))


def mirror(network: nn.Module) -> None:
    """Make all convolutions pad by mirroring instead of with zeros."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and any(pixels := padded(module)):
            module.padding = (0, 0)
            module.register_forward_pre_hook(partial(_mirrored, pixels))


def _mirrored(pixels: tuple[int, int], _module: nn.Module, inputs: tuple[Tensor]) -> Tensor:
    return bordered(inputs[0], "reflect", pixels)


def padded(module: nn.Conv2d | nn.MaxPool2d) -> tuple[int, int]:
    """Padding in pixels, (vertical, horizontal)."""
    padding: Any = module.padding
    return (padding, padding) if isinstance(padding, int) else (int(padding[0]), int(padding[1]))


def extractor(network: nn.Module) -> fx.GraphModule:
    """A module that computes all nodes of the network's graph, by name."""
    from torchvision.models import feature_extraction as torchvision_features

    leaves = {"leaf_modules": [_Pool]}
    _, names = torchvision_features.get_graph_node_names(network, tracer_kwargs=leaves, suppress_diff_warning=True)
    extractor = torchvision_features.create_feature_extractor(
        network, {name: name for name in names[1:]}, tracer_kwargs=leaves, suppress_diff_warning=True
    )
    return fx.GraphModule(extractor, extractor.graph)


def only(network: fx.GraphModule, wanted: Mapping[str, str]) -> fx.GraphModule:
    """The part of the network that computes the outputs `wanted`, a mapping from their names to new names."""
    graph = fx.Graph()
    graph.output(graph.graph_copy(network.graph, {}))
    output = next(iter(reversed(graph.nodes)))
    output.args = ({new: output.args[0][name] for name, new in wanted.items()},)
    part = fx.GraphModule(network, graph)
    part.graph.eliminate_dead_code()
    part.delete_all_unused_submodules()
    part.recompile()
    return part


def without_writing_in_place(network: fx.GraphModule) -> None:
    """Replace in-place operations: a layer must not overwrite the features of the layer before."""
    for node in network.graph.nodes:
        if node.op == "call_function" and node.target is operator.iadd:
            node.target = operator.add
        if node.op == "call_function" and "inplace" in node.kwargs:
            node.kwargs = {**node.kwargs, "inplace": False}
    network.recompile()


def first_convolution(network: fx.GraphModule) -> nn.Conv2d:
    """The convolution that is applied to the image."""
    nodes = (network.get_submodule(str(node.target)) for node in network.graph.nodes if node.op == "call_module")
    return next(module for node in nodes for module in node.modules() if isinstance(module, nn.Conv2d))
