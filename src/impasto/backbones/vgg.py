"""Owns the embedded VGG-19: sixteen frozen convolutions, their layer names, strides and receptive fields.

The weights are Simonyan & Zisserman's own ("Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014,
configuration E), stored as 8-bit codes with a table of 256 values per convolution. Images are RGB in [0, 1]; this
module converts them to the network's input, BGR in 0..255 minus a mean colour.

A layer name identifies a point in the network: `conv4_2` is the output of that convolution *before* its ReLU, `relu4_2`
after it, and `pool4` after the pooling that closes block 4. Keras' `block4_conv2` includes the activation and therefore
means `relu4_2`; so did `conv4_2` in the authors' Caffe program, whose ReLU worked in place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from impasto import assets
from impasto.backbones.backbone import Architecture, Backbone, Layer, MetaNetwork, Padding, Pooling
from impasto.backbones.borders import bordered
from impasto.errors import AssetError, SettingsError

CONVOLUTIONS_PER_BLOCK = (2, 2, 4, 4, 4)
WEIGHTS = "weights/vgg19.safetensors"

# Mean colour of the training set as the authors published it, in the network's own order (B, G, R) and range (0..255).
_MEAN_BGR = (103.939, 116.779, 123.68)


def _layers() -> dict[str, Layer]:
    layers: dict[str, Layer] = {}
    stride, field = 1, 1
    for block, (count, channels) in enumerate(
        zip(CONVOLUTIONS_PER_BLOCK, (64, 128, 256, 512, 512), strict=True), start=1
    ):
        for index in range(1, count + 1):
            field += 2 * stride
            for kind in ("conv", "relu"):
                name = f"{kind}{block}_{index}"
                layers[name] = Layer(name, channels, stride, field)
        field += stride
        stride *= 2
        layers[f"pool{block}"] = Layer(f"pool{block}", channels, stride, field)
    return layers


LAYERS: Mapping[str, Layer] = _layers()


def literature_name(name: str) -> str:
    """`relu4_2` for `relu4_2`, `RELU4_2` or Keras' `block4_conv2`; other names in lower case."""
    plain = name.lower()
    if keras := re.fullmatch(r"block([1-5])_(conv([1-4])|pool)", plain):
        return f"relu{keras[1]}_{keras[3]}" if keras[3] else f"pool{keras[1]}"
    return plain


class VGG19Architecture(Architecture):
    """The layers of VGG-19, with content from relu4_2 and style from the first layer of each block by default.

    Each default style layer weighs twice as much as the next deeper one.
    """

    name = "vgg19"
    title = "VGG-19"
    layers = LAYERS
    #: Leaves one feature after five poolings of 2 × 2.
    min_side = 32
    default_content_layers: Mapping[str, float] = {"relu4_2": 1.0}
    default_style_layers: Mapping[str, float] = {f"relu{block}_1": 2.0 ** (5 - block) for block in range(1, 6)}

    def normalized_name(self, name: str) -> str:
        return literature_name(name)

    def layers_in_words(self) -> str:
        return "conv1_1 to conv5_4, relu1_1 to relu5_4 and pool1 to pool5"

    def meta_network(self, layers: Iterable[str]) -> MetaNetwork:
        wanted = tuple(layers)
        network = self.build(wanted).to("meta")
        return MetaNetwork(partial(network, layers=wanted), tuple(network.parameters()))

    def build(
        self,
        layers: Iterable[str],
        *,
        pooling: Pooling = "max",
        padding: Padding = "replicate",
        dtype: torch.dtype = torch.float32,
        weights: Path | None = None,
    ) -> VGG19:
        if weights is not None:
            raise SettingsError(
                "weights",
                "vgg19 uses the bundled weights; for others choose another backbone, such as torchvision:vgg19",
            )
        return VGG19(self.deepest(layers), pooling=pooling, padding=padding, dtype=dtype)


ARCHITECTURE = VGG19Architecture()


class VGG19(Backbone):
    """The frozen VGG-19 without its classifier, down to a given layer.

    Args:
        deepest: the deepest layer that will be requested; deeper layers are not built.
        pooling: `max` as trained; `average` as Gatys et al. (2016, section 2) recommend for smoother gradients; `l2`,
            the root of the mean of squares.
        padding: how convolutions pad. `replicate` repeats border pixels at the first convolution, which avoids frames
            and dark edges in the pastiche; `zeros` pads it with the mean colour, as in training. In both cases deeper
            convolutions pad with zeros. `reflect` mirrors at every convolution, so that features at the border are like
            any others. `wrap` takes the opposite border at every convolution, so that the pastiche can be tiled; the
            sides of the image must be multiples of the deepest layer's stride.
        dtype: number type of the features and of all convolutions but the first. The first is always float32: bfloat16
            has 8 significant bits, too few for the small changes of pixels between iterations.
        weights: another file of the same format; None for the bundled one.

    Raises:
        SettingsError: there is no layer `deepest`.
        AssetError: the weights are missing, or their hash is not the one in the manifest.
    """

    architecture = ARCHITECTURE

    def __init__(
        self,
        deepest: str = "relu5_4",
        *,
        pooling: Pooling = "max",
        padding: Padding = "replicate",
        dtype: torch.dtype = torch.float32,
        weights: Path | None = None,
    ) -> None:
        super().__init__()
        self.pooling: Pooling = pooling
        self.padding = padding
        self.dtype = dtype
        names = list(LAYERS)
        self.names = tuple(names[: names.index(ARCHITECTURE.canonical_name(deepest)) + 1])
        path = assets.verified(WEIGHTS) if weights is None else weights
        self.convolutions = nn.ParameterDict()
        try:
            with safe_open(path, framework="pt") as file:
                for name in self.names:
                    if name.startswith("conv"):
                        codes, table = file.get_tensor(f"{name}.codes"), file.get_tensor(f"{name}.table")
                        self._add(name, _dequantize(codes, table), file.get_tensor(f"{name}.bias"), dtype)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise AssetError(f"the VGG-19 weights in {path} cannot be read ({error}); reinstall impasto") from error
        self.requires_grad_(False)
        self.eval()

    def _add(self, name: str, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        if name == "conv1_1":
            dtype = torch.float32
            # From RGB in [0, 1] to BGR in 0..255, folded into the first convolution. The mean is subtracted from the
            # image instead, so that padding with zeros pads with the mean colour, as in training.
            weight = weight.flip(1) * 255.0
        weight = weight.to(dtype).contiguous(memory_format=torch.channels_last)
        self.convolutions[name + "_weight"] = nn.Parameter(weight)
        self.convolutions[name + "_bias"] = nn.Parameter(bias.to(dtype))

    def forward(self, image: Float[Tensor, "n 3 h w"], layers: Iterable[str]) -> dict[str, Float[Tensor, "n _ _ _"]]:
        """Features of `image` (RGB, usually in [0, 1]) at `layers` (canonical names), computed no deeper than needed.

        Returns:
            The features by layer name, each (n, channels, about h / stride, about w / stride), in the order of the
            network.

        Raises:
            SettingsError: a layer is deeper than `deepest`.
            RuntimeError: a side of the image is shorter than 2 pixels before one of the poolings.
        """
        return dict(self.iter_features(image, layers))

    def iter_features(
        self, image: Float[Tensor, "n 3 h w"], layers: Iterable[str]
    ) -> Iterator[tuple[str, Float[Tensor, "n _ _ _"]]]:
        wanted = set(layers)
        if unknown := wanted.difference(self.names):
            raise SettingsError(
                "layers",
                f"{', '.join(sorted(unknown))}: deeper than {self.names[-1]}, the last layer of this VGG-19",
            )
        x = image
        for name in self.names[: max((self.names.index(name) + 1 for name in wanted), default=0)]:
            if name == "conv1_1":
                x = self._first(x)
            elif name.startswith("conv"):
                weight, bias = self.convolutions[name + "_weight"], self.convolutions[name + "_bias"]
                if self.padding in ("reflect", "wrap"):
                    x = F.conv2d(bordered(x, self.padding), weight, bias)
                else:
                    x = F.conv2d(x, weight, bias, padding=1)
            elif name.startswith("relu"):
                # In place unless the features before the ReLU are requested too: a third less memory.
                x = F.relu(x, inplace=f"conv{name[4:]}" not in wanted)
            else:
                x = _pool(x, self.pooling)
            if name in wanted:
                yield name, x

    def _first(self, image: Tensor) -> Tensor:
        # Without waiting for what the device still has to do.
        mean = (
            torch.tensor(_MEAN_BGR, dtype=image.dtype).to(image.device, non_blocking=True).flip(0).view(1, 3, 1, 1)
            / 255.0
        )
        x = (image - mean).contiguous(memory_format=torch.channels_last)
        if self.padding != "zeros":
            x = bordered(x, self.padding)
        padding = 1 if self.padding == "zeros" else 0
        x = F.conv2d(x, self.convolutions["conv1_1_weight"], self.convolutions["conv1_1_bias"], padding=padding)
        return x if self.dtype == torch.float32 else x.to(self.dtype)


def _dequantize(codes: UInt8[Tensor, "out in 3 3"], table: Float[Tensor, " 256"]) -> Float[Tensor, "out in 3 3"]:
    return table.index_select(0, codes.flatten().int()).view(codes.shape)


def _pool(x: Tensor, pooling: Pooling) -> Tensor:
    if pooling == "max":
        maxima: Tensor = _MaxPool.apply(x)  # type: ignore[no-untyped-call]
        return maxima
    if pooling == "average":
        return F.avg_pool2d(x, 2)
    # The small constant keeps the gradient of the root finite where all four features are zero.
    return (F.avg_pool2d(x.square(), 2) + 1e-8).sqrt()


class _MaxPool(torch.autograd.Function):
    """Max pooling of 2 × 2 that does not store the indices of the maxima.

    The indices take up to four times the memory of the maxima; computing them again in the backward pass takes little
    time.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return F.max_pool2d(x, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        with torch.enable_grad():
            again = x.detach().requires_grad_(True)
            input_gradient: Tensor = torch.autograd.grad(F.max_pool2d(again, 2), again, gradient)[0]
        return input_gradient
