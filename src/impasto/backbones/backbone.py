"""Owns what a backbone is: a frozen network whose features, by the name of a layer, define content and style.

An `Architecture` is what is known of a network before its weights are: its layers, which of them content and style are
read from unless someone says otherwise, and how to build it. A `Backbone` is the network itself.
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
    """Where a layer's features lie on the image.

    Attributes:
        name: for example `relu4_2`.
        channels: number of feature maps.
        stride: distance, in image pixels, between neighbouring features.
        receptive_field: side, in image pixels, of the square that one feature sees.
    """

    name: str
    channels: int
    stride: int
    receptive_field: int


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights that came from outside the package.

    Attributes:
        name: without its folder.
        sha256: of its bytes.
    """

    name: str
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """The note on the file at `path`.

        Raises:
            SettingsError: it cannot be read.
        """
        try:
            with path.open("rb") as file:
                return cls(path.name, hashlib.file_digest(file, "sha256").hexdigest())
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SettingsError("weights", f"{path} cannot be read: {reason}") from error


#: Features of an image by layer.
Features = Callable[[Tensor], Mapping[str, Tensor]]


@dataclass(frozen=True)
class MetaNetwork:
    """A network of shapes without numbers, of which everything but a result can be had at no cost.

    Attributes:
        features: of an image on the meta device.
        weights: all that it has learned, and whatever else does not depend on the image.
    """

    features: Features
    weights: tuple[Tensor, ...]


class Architecture(ABC):
    """A network without its weights.

    Attributes:
        name: as the setting `backbone` has it.
        title: as people call it.
        layers: by name, in the order of the network.
        min_side: smallest side, in pixels, of an image that leaves something to see at the deepest layer.
        default_content_layers, default_style_layers: layers to read content and style from, with weights.
    """

    name: str
    title: str
    layers: Mapping[str, Layer]
    min_side: int
    default_content_layers: Mapping[str, float]
    default_style_layers: Mapping[str, float]

    def canonical_name(self, name: str, *, setting: str = "layers") -> str:
        """The one name of a layer, for whatever way it is written.

        Raises:
            SettingsError: no layer has that name; the error is about `setting`.
        """
        plain = self.normalized_name(name.strip())
        if plain in self.layers:
            return plain
        near = difflib.get_close_matches(plain, self.layers, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has {self.layers_in_words()}"
        raise SettingsError(setting, f"{self.title} has no layer {name!r}; {hint}")

    def deepest(self, layers: Iterable[str]) -> str:
        """The last of the layers (canonical names), at least one."""
        return max(layers, key=list(self.layers).index)

    @abstractmethod
    def normalized_name(self, name: str) -> str:
        """The name as the layers are named, if it is one that is meant for a layer; else anything."""

    @abstractmethod
    def layers_in_words(self) -> str:
        """What there is to choose from, shortly."""

    @abstractmethod
    def meta_network(self, layers: Iterable[str]) -> MetaNetwork:
        """The network on the meta device, as deep as `layers` (canonical names, at least one) need it."""

    def own_weights(self) -> str | None:
        """Name of the file that its weights are in, where that is not inside the package."""
        return None

    def own_weights_path(self) -> Path | None:
        """Where that file lies, or will lie once it is fetched; None where the weights are inside the package."""
        return None

    def without_effect(self, pooling: Pooling, padding: Padding) -> dict[str, str]:
        """The settings, of these two, that change nothing in this network, with the reason."""
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
        """The network with its weights, as deep as `layers` (canonical names, at least one) need it.

        Args:
            layers: all that it will ever be asked for.
            pooling: `max`, `average`, or `l2`, the root of the mean of squares.
            padding: what lies beyond the image's border: for the first convolution the border's own pixels
                (`replicate`), or the mean colour (`zeros`); for all of them the image mirrored (`reflect`), or the
                opposite border (`wrap`).
            dtype: what features come in.
            weights: a file; the network's own by default.

        Raises:
            SettingsError: the network cannot do what is asked.
            AssetError: the weights are missing, or do not fit the network.
        """


class Backbone(nn.Module, ABC):
    """A frozen network: called with an image and the names of layers, it gives their features.

    Attributes:
        architecture: what it was built from.
        dtype: what features come in.
        weights_file: where its weights are from, unless they are inside the package.
    """

    architecture: Architecture
    dtype: torch.dtype
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
            SettingsError: a layer lies beyond what was built.
        """

    def iter_features(
        self, image: Float[Tensor, "n 3 h w"], layers: Iterable[str]
    ) -> Iterator[tuple[str, Float[Tensor, "n _ _ _"]]]:
        """Name and features, as `forward` gives them, of one layer after the other, where a network can wait between.

        Autograd goes back in the opposite order of what was computed. What is made of a layer's features before the
        next layer is asked for, sends its gradient back when the network has come back to that layer, not before.
        """
        yield from self(image, layers).items()
