"""Owns the networks of torchvision as backbones: any classification network whose features are maps.

Layers are the nodes of the network's graph, by torchvision's names: `layer2.3.relu_2`, or `layer2` for its last node.
Layers of the VGG family have the names of the literature, `relu4_2`, as in the embedded VGG-19.

Default layers are the last layers of stages, chosen by stride: for style, one for each stride up to 16 pixels; for
content, the one of stride 8. Networks of the VGG family have the same default layers as the embedded VGG-19.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from impasto.backbones import geometry, graphs, torchvision_hub
from impasto.backbones.backbone import Architecture, Backbone, Layer, MetaNetwork, Padding, Pooling, WeightsFile
from impasto.backbones.geometry import Field
from impasto.backbones.vgg import VGG19Architecture, literature_name
from impasto.errors import SettingsError

# The largest stride of default style layers, and the stride of the default content layer, in pixels.
_WIDEST_STRIDE = 16
_CONTENT_STRIDE = 8
# Channels of an image; some networks have layers of so many channels before their first convolution.
_COLORS = 3
# Sides, in pixels, that are tried to find the smallest image that a network accepts.
_SIDES = (32, 48, 64, 96, 128, 192, 256)
# A module with more than this share of the layers is not a stage but the container of the stages.
_CONTAINER_SHARE = 0.9


class TorchvisionArchitecture(Architecture):
    """A network of torchvision, by torchvision's name for it.

    Raises:
        SettingsError: torchvision is not installed or has no such network, or the network's features are not maps.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.name = torchvision_hub.PREFIX + model
        self.title = f"torchvision's {model}"
        skeleton = torchvision_hub.skeleton(model)
        try:
            self._whole = graphs.extractor(skeleton)
            found = geometry.maps(self._whole.forward)
        except (RuntimeError, AssertionError, TypeError, ValueError) as error:
            raise self._unfit() from error
        literature = _literature_names(skeleton) if model.startswith("vgg") else {}
        self._nodes = {literature.get(node, node): node for node in found}
        self._maps = {name: found[node] for name, node in self._nodes.items()}
        self.min_side = self._least_side()
        self.default_content_layers, self.default_style_layers = self._defaults()
        self.layers = _Layers(self)

    def _unfit(self) -> SettingsError:
        return SettingsError(
            "backbone",
            f"{self.name} has no feature maps of several strides for pictures of any size; choose a convolutional "
            "network, such as torchvision:vgg16 or torchvision:resnet50",
        )

    def _least_side(self) -> int:
        for side in _SIDES:
            try:
                if self._whole.forward(torch.empty((1, 3, side, side), device="meta")):
                    return side
            except RuntimeError:
                continue
        raise self._unfit()

    def _defaults(self) -> tuple[dict[str, float], dict[str, float]]:
        vgg = VGG19Architecture
        if all(layer in self._maps for layer in (*vgg.default_content_layers, *vgg.default_style_layers)):
            return dict(vgg.default_content_layers), dict(vgg.default_style_layers)
        stages = _stages(name for name, found in self._maps.items() if found.channels > _COLORS)
        ends = {self._maps[name].stride: name for name in stages}
        names = [name for stride, name in sorted(ends.items()) if stride <= _WIDEST_STRIDE]
        if _CONTENT_STRIDE not in ends or len(names) < 2:
            raise self._unfit()
        # Each weighs twice as much as the next deeper one, as in VGG-19.
        style = {name: 2.0 ** (len(names) - index) for index, name in enumerate(names, start=1)}
        return {ends[_CONTENT_STRIDE]: 1.0}, style

    @cached_property
    def _spellings(self) -> dict[str, str]:
        """Layer names by accepted spelling, in lower case; a module's name stands for its last layer."""
        parts: dict[str, str] = {}
        for name, node in self._nodes.items():
            steps = node.lower().split(".")
            parts |= {".".join(steps[:end]): name for end in range(1, len(steps))}
        exact = {node.lower(): name for name, node in self._nodes.items()}
        return parts | exact | {name.lower(): name for name in self._nodes}

    def normalized_name(self, name: str) -> str:
        """The layer for torchvision's, the literature's or Keras' name, or the last layer for a module's name."""
        plain = name.lower()
        return self._spellings.get(plain) or self._spellings.get(literature_name(plain), plain)

    def layers_in_words(self) -> str:
        return f"{', '.join(self.default_style_layers)}, … (impasto backbones {self.name} lists them all)"

    def geometry(self, name: str) -> geometry.Map:
        """Channels and stride of a layer."""
        return self._maps[name]

    def names(self) -> Collection[str]:
        """The layers' names, in the order of the network."""
        return self._maps

    def receptive_fields(self, deepest: str) -> dict[str, Field]:
        """The receptive fields of all layers down to `deepest`."""
        names = list(self._maps)
        names = names[: names.index(deepest) + 1]
        network = self.extractor(torchvision_hub.skeleton(self.model), names)
        # Zeros: the measurement ignores the weights of convolutions, and zero pages that are never touched take no
        # memory.
        empty = {key: torch.zeros(value.shape, dtype=value.dtype) for key, value in network.state_dict().items()}
        network.load_state_dict(empty, assign=True)
        strides = {name: self._maps[name].stride for name in names}
        return geometry.receptive_fields(network.forward, strides, self.min_side)

    def extractor(self, network: nn.Module, layers: Iterable[str]) -> fx.GraphModule:
        """A module that computes the features at `layers`, by name, and nothing deeper."""
        return graphs.only(graphs.extractor(network), {self._nodes[name]: name for name in layers})

    def meta_network(self, layers: Iterable[str]) -> MetaNetwork:
        network = self.meta_graph(layers)
        return MetaNetwork(network.forward, tuple(network.state_dict().values()))

    def meta_graph(self, layers: Iterable[str]) -> fx.GraphModule:
        """The graph that computes the features at `layers`, on the meta device."""
        network = graphs.only(self._whole, {self._nodes[name]: name for name in layers})
        network.requires_grad_(False)
        return network

    def own_weights(self) -> str:
        return self.own_weights_path().name

    def own_weights_path(self) -> Path:
        return torchvision_hub.hub_file(self.model)

    def without_effect(self, pooling: Pooling, padding: Padding) -> dict[str, str]:
        reasons = {}
        modules = list(self._whole.modules())
        if pooling != "max" and not any(isinstance(module, nn.MaxPool2d) for module in modules):
            reasons["pooling"] = f"{self.name} has no max pooling"
        first = graphs.first_convolution(self._whole)
        if padding == "zeros" and not any(graphs.padded(first)):
            reasons["padding"] = f"the first convolution of {self.name} has no padding"
        return reasons

    def build(
        self,
        layers: Iterable[str],
        *,
        pooling: Pooling = "max",
        padding: Padding = "replicate",
        dtype: torch.dtype = torch.float32,
        weights: Path | None = None,
    ) -> TorchvisionBackbone:
        return TorchvisionBackbone(self, layers, pooling=pooling, padding=padding, dtype=dtype, weights=weights)


class _Layers(Mapping[str, Layer]):
    """The layers by name; receptive fields are measured on demand, down to the layer that is requested."""

    def __init__(self, architecture: TorchvisionArchitecture) -> None:
        self._architecture = architecture
        self._fields: dict[str, Field] = {}

    def __getitem__(self, name: str) -> Layer:
        feature_map = self._architecture.geometry(name)
        if name not in self._fields:
            self._fields |= self._architecture.receptive_fields(name)
        field = self._fields[name]
        return Layer(name, feature_map.channels, feature_map.stride, field.side, field.before)

    def __contains__(self, name: object) -> bool:
        return name in self._architecture.names()

    def __iter__(self) -> Iterator[str]:
        return iter(self._architecture.names())

    def __len__(self) -> int:
        return sum(1 for _ in self)


class TorchvisionBackbone(Backbone):
    """A frozen network of torchvision, down to the deepest requested layer; see `Architecture.build` for the arguments.

    `pooling` replaces the network's max pooling, with windows of the same size and stride. `replicate` applies to the
    first convolution only. All modules except that convolution compute in `dtype`.

    Raises:
        SettingsError: the file of weights is another network's, or the network does not support `wrap`.
        AssetError: there are no weights on this machine, and they cannot be downloaded.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        architecture: TorchvisionArchitecture,
        layers: Iterable[str],
        *,
        pooling: Pooling,
        padding: Padding,
        dtype: torch.dtype,
        weights: Path | None,
    ) -> None:
        super().__init__()
        self.architecture: TorchvisionArchitecture = architecture
        self.dtype = dtype
        self.padding = padding
        self.names = frozenset(layers)
        skeleton = torchvision_hub.skeleton(architecture.model)
        graphs.repool(skeleton, pooling, wrap=padding == "wrap")
        self.network = architecture.extractor(skeleton, self.names)
        graphs.without_writing_in_place(self.network)
        path = weights or torchvision_hub.fetched(architecture.model)
        self.weights_file = WeightsFile.of(path)
        self.network.load_state_dict(torchvision_hub.tensors(path, self.network), assign=True)
        mean, deviation = torchvision_hub.normalization(architecture.model, path.name)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1))
        self._parts: dict[frozenset[str], fx.GraphModule] = {}
        self.requires_grad_(False)
        self.eval()
        self._pad(padding)
        self._lower_precision()
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _pad(self, padding: Padding) -> None:
        if padding == "reflect":
            graphs.mirror(self.network)
        elif padding == "wrap":
            for module in self.network.modules():
                if isinstance(module, nn.Conv2d) and any(graphs.padded(module)):
                    module.padding_mode = "circular"
            self._check_wrapping()
        elif padding == "replicate" and any(graphs.padded(first := graphs.first_convolution(self.network))):
            first.padding_mode = "replicate"

    @torch.no_grad()
    def _check_wrapping(self) -> None:
        """Check that `wrap` works: if an image is rolled, its features must be rolled by the same amount.

        Raises:
            SettingsError: they are not, because some operation of the network still pads at the border.
        """
        step = max(self.architecture.geometry(name).stride for name in self.names)
        side = step * -(-2 * self.architecture.min_side // step)
        image = torch.rand((1, 3, side, side), generator=torch.Generator().manual_seed(0))
        here, there = self(image, self.names), self(image.roll((step, step), (2, 3)), self.names)
        for name, features in here.items():
            stride = self.architecture.geometry(name).stride
            moved = features.roll((step // stride, step // stride), (2, 3))
            whole = features.shape[2:] == (side // stride, side // stride)
            if not whole or not torch.allclose(moved, there[name], rtol=1e-3, atol=1e-3 * float(features.abs().max())):
                raise SettingsError(
                    "padding",
                    f"{self.architecture.name} does not support wrap: its features at {name} depend on the picture's "
                    "border; choose another backbone, such as vgg19, or another padding",
                )

    def _lower_precision(self) -> None:
        """Convert all but the first convolution to `dtype`: it needs more bits for the small changes of pixels."""
        if self.dtype == torch.float32:
            return
        self.network.to(self.dtype)
        first = graphs.first_convolution(self.network).float()
        first.register_forward_hook(lambda _module, _inputs, found: found.to(self.dtype))

    def forward(self, image: Float[Tensor, "n 3 h w"], layers: Iterable[str]) -> dict[str, Float[Tensor, "n _ _ _"]]:
        """Features of `image` at `layers`, see `Backbone.forward`."""
        wanted = frozenset(layers)
        if unknown := wanted - self.names:
            raise SettingsError(
                "layers",
                f"{', '.join(sorted(unknown))}: not among the layers that this {self.architecture.model} was built for",
            )
        if not wanted:
            return {}
        if wanted not in self._parts:
            self._parts[wanted] = graphs.only(self.network, {name: name for name in self.network_order(wanted)})
        normal = (image - self.mean) / self.deviation
        # `forward` directly: calling the graph module prints a traceback when it fails.
        features: dict[str, Tensor] = self._parts[wanted].forward(normal.contiguous(memory_format=torch.channels_last))
        return features

    def network_order(self, layers: Iterable[str]) -> list[str]:
        """The layers, in the order of the network."""
        return sorted(layers, key=list(self.architecture.names()).index)

    def _apply(self, fn: Any, recurse: bool = True) -> TorchvisionBackbone:
        # The parts share the network's tensors, which `_apply` replaces, for example when moving to a GPU.
        self._parts.clear()
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self


def _literature_names(network: nn.Module) -> dict[str, str]:
    """The literature's names for the nodes of a VGG, from the block and the index in it: `relu4_2`."""
    kinds = {nn.Conv2d: "conv", nn.BatchNorm2d: "norm", nn.ReLU: "relu"}
    names = {}
    block, index_in_block = 1, 0
    features = network.get_submodule("features")
    for index, module in features.named_children():
        if isinstance(module, nn.MaxPool2d):
            names[f"features.{index}"] = f"pool{block}"
            block, index_in_block = block + 1, 0
            continue
        index_in_block += isinstance(module, nn.Conv2d)
        names[f"features.{index}"] = f"{kinds[type(module)]}{block}_{index_in_block}"
    return names


def _stages(layers: Iterable[str]) -> list[str]:
    """The last layer of each stage, in the order of the network; the classifier is not a stage."""
    names = [name for name in layers if not name.startswith("classifier")]
    tops = [name.partition(".")[0] for name in names]
    most = max(tops, key=tops.count)
    container = rf"(?:{re.escape(most)}\.)?" if tops.count(most) > _CONTAINER_SHARE * len(names) else ""
    stages = {found[0]: name for name in names if (found := re.match(container + r"[^.]+", name))}
    return list(stages.values())
