"""Owns the interface of backbones: frozen networks whose features, by layer name, define content and style.

An `Architecture` describes a network without its weights: its layers, the default content and style layers, and how to
build it. A `Backbone` is the network with its weights.
"""

from __future__ import annotations

import difflib
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from impasto.errors import SettingsError

Pooling = Literal["max", "average", "l2"]
Padding = Literal["replicate", "zeros", "reflect", "wrap"]


@dataclass(frozen=True)
class Layer:
    """A layer, and how its features lie on the image.

    Attributes:
        name: for example `relu4_2`.
        channels: number of feature maps.
        stride: distance, in image pixels, between neighbouring features.
        receptive_field: side, in image pixels, of the square that one feature depends on.
        before: how many pixels this square begins above and left of the first pixel of the feature's own `stride`
            pixels; by default the square lies in the middle over them.
    """

    name: str
    channels: int
    stride: int
    receptive_field: int
    before: int | None = None

    @property
    def reach(self) -> tuple[int, int]:
        """How many pixels a feature sees beyond its own `stride` pixels: above and left, and below and right."""
        beyond = max(0, self.receptive_field - self.stride)
        before = (beyond + 1) // 2 if self.before is None else self.before
        return max(0, before), max(0, (beyond + 1) // 2 if self.before is None else beyond - self.before)


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights from outside the package.

    Attributes:
        name: file name, without the folder.
        sha256: hash of its content.
    """

    name: str
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """Name and hash of the file at `path`.

        Raises:
            SettingsError: it cannot be read.
        """
        try:
            with path.open("rb") as file:
                return cls(path.name, hashlib.file_digest(file, "sha256").hexdigest())
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SettingsError("weights", f"{path} cannot be read: {reason}") from error


#: A function from an image to its features by layer.
Features = Callable[[Tensor], Mapping[str, Tensor]]


@dataclass(frozen=True)
class MetaNetwork:
    """A network on the meta device: it has shapes but no values, so that its costs can be counted without computing.

    Attributes:
        features: computes the features of an image on the meta device.
        weights: all tensors that do not depend on the image.
    """

    features: Features
    weights: tuple[Tensor, ...]


class Architecture(ABC):
    """A network without its weights.

    Attributes:
        name: its value of the setting `backbone`.
        title: its name in messages.
        layers: layers by name, in the order of the network.
        min_side: smallest side, in pixels, of an image for which the deepest layer still has features.
        default_content_layers, default_style_layers: default layers for content and style, with weights.
    """

    name: str
    title: str
    layers: Mapping[str, Layer]
    min_side: int
    default_content_layers: Mapping[str, float]
    default_style_layers: Mapping[str, float]

    def canonical_name(self, name: str, *, setting: str = "layers") -> str:
        """The canonical name of a layer, from any accepted spelling.

        Raises:
            SettingsError: no layer has that name; the error names `setting`.
        """
        plain = self.normalized_name(name.strip())
        if plain in self.layers:
            return plain
        near = difflib.get_close_matches(plain, self.layers, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has {self.layers_in_words()}"
        raise SettingsError(setting, f"{self.title} has no layer {name!r}; {hint}")

    def deepest(self, layers: Iterable[str]) -> str:
        """The deepest of the layers (canonical names; at least one)."""
        return max(layers, key=list(self.layers).index)

    @abstractmethod
    def normalized_name(self, name: str) -> str:
        """The canonical name for a spelling of a layer's name; any text if the spelling is unknown."""

    @abstractmethod
    def layers_in_words(self) -> str:
        """A short list of the layers, for messages."""

    @abstractmethod
    def meta_network(self, layers: Iterable[str]) -> MetaNetwork:
        """The network on the meta device, down to the deepest of `layers` (canonical names; at least one)."""

    def own_weights(self) -> str | None:
        """Name of the file of its default weights, or None if they are bundled with the package."""
        return None

    def own_weights_path(self) -> Path | None:
        """Where that file lies, or will lie once it is fetched; None where the weights are inside the package."""
        return None

    def without_effect(self, pooling: Pooling, padding: Padding) -> dict[str, str]:
        """Those of the two settings that have no effect on this network, with the reason."""
        return {}

    @abstractmethod
    def build(
        self,
        layers: Iterable[str],
        *,
        pooling: Pooling = "max",
        padding: Padding = "replicate",
        dtype: torch.dtype = torch.float32,
        weights: Path | None = None,
    ) -> Backbone:
        """The network with its weights, down to the deepest of `layers` (canonical names; at least one).

        Args:
            layers: all layers that will be requested.
            pooling: `max`, `average`, or `l2`, the root of the mean of squares.
            padding: of the first convolution: border pixels repeated (`replicate`) or the mean colour (`zeros`); of all
                convolutions: the image mirrored (`reflect`) or the opposite border (`wrap`).
            dtype: number type of the features.
            weights: file of weights; None for the network's default weights.

        Raises:
            SettingsError: the network does not support these arguments.
            AssetError: the weights are missing, or are another network's.
        """


class Backbone(nn.Module, ABC):
    """A frozen network: called with an image and layer names, it returns the features of these layers.

    Attributes:
        architecture: the architecture it was built from.
        dtype: number type of the features.
        padding: how it pads the picture; opposite borders belong together where it is `wrap`.
        weights_file: the file of its weights; None if they are bundled with the package.
    """

    architecture: Architecture
    dtype: torch.dtype
    padding: Padding = "replicate"
    weights_file: WeightsFile | None = None

    @property
    def layers(self) -> Mapping[str, Layer]:
        """All layers of the architecture by name, in the order of the network."""
        return self.architecture.layers

    @abstractmethod
    def forward(self, image: Float[Tensor, "n 3 h w"], layers: Iterable[str]) -> dict[str, Float[Tensor, "n _ _ _"]]:
        """Features of `image` (RGB, usually in [0, 1]) at `layers` (canonical names), computed no deeper than needed.

        Returns:
            The features by layer name, each (n, channels, about h / stride, about w / stride), in the order of the
            network.

        Raises:
            SettingsError: a layer is deeper than the network was built.
        """

    def iter_features(
        self, image: Float[Tensor, "n 3 h w"], layers: Iterable[str]
    ) -> Iterator[tuple[str, Float[Tensor, "n _ _ _"]]]:
        """Like `forward`, but yields (name, features) layer by layer, before the next layer is computed, if possible.

        Autograd runs in the reverse order of the forward computation. A loss that is computed from a layer's features
        before the next layer is requested is therefore differentiated when the backward pass reaches that layer. This
        needs less memory than holding the gradients of all losses from the start.
        """
        yield from self(image, layers).items()
