"""Owns weights for the tests of torchvision's networks: random ones, and VGG-19's in torchvision's format."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from impasto.backbones import VGG19, torchvision_hub, zoo

#: One network of each family, for which defaults are documented.
FAMILIES = ("vgg16", "vgg19", "squeezenet1_1", "resnet50", "convnext_tiny")


def random_state(model: str, layers: list[str] | None = None) -> dict[str, Tensor]:
    """Random weights of fixed seed for the layers down to `layers`, scaled so that features keep their magnitude."""
    architecture = zoo.TorchvisionArchitecture(model)
    layers = layers or [*architecture.default_style_layers, *architecture.default_content_layers]
    generator = torch.Generator().manual_seed(3)
    state = {}
    for key, value in architecture.meta_graph(layers).state_dict().items():
        if value.dim() > 1:
            fan_in = value[0].numel()
            state[key] = torch.randn(value.shape, generator=generator) * (2 / fan_in) ** 0.5
        elif key.endswith(("weight", "running_var")):
            state[key] = torch.ones(value.shape)
        else:
            state[key] = torch.zeros(value.shape, dtype=value.dtype)
    return state


def random_weights(folder: Path, model: str) -> Path:
    """A safetensors file of `random_state`, in half precision to be small."""
    path = folder / f"{model}.safetensors"
    save_file({key: value.half() for key, value in random_state(model).items()}, path)
    return path


def embedded_weights(folder: Path) -> Path:
    """The embedded VGG-19's weights for torchvision's vgg19, whose input is normalised RGB."""
    network = VGG19("relu5_4")
    mean, deviation = (torch.tensor(values) for values in torchvision_hub.normalization("vgg19"))
    # The mean that the embedded network subtracts, in RGB and [0, 1].
    ours = torch.tensor([123.68, 116.779, 103.939]) / 255
    state = {}
    for index, name in enumerate(network.names):
        if name.startswith("conv"):
            weight, bias = (network.convolutions[f"{name}_{kind}"].detach() for kind in ("weight", "bias"))
            if name == "conv1_1":
                bias = bias + (weight * (mean - ours).view(1, 3, 1, 1)).sum((1, 2, 3))
                weight = weight * deviation.view(1, 3, 1, 1)
            state[f"features.{index}.weight"], state[f"features.{index}.bias"] = weight.contiguous(), bias.clone()
    path = folder / "embedded.safetensors"
    save_file(state, path)
    return path
