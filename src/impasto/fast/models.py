"""Owns FastModel: reading and writing a trained network, and painting in one pass.

A model's file holds tensors in half precision. Its header holds the kind of model, the architecture of its network, the
names of its styles, and a card that describes the training.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from impasto import assets, devices
from impasto.backbones import VGG19
from impasto.errors import AssetError, ModelError
from impasto.fast import strips
from impasto.fast.blending import shares, unknown_style
from impasto.fast.designs import VERSIONS, AnyNetwork, architecture_of, design_of, network_of
from impasto.fast.drafting import DraftingNetwork
from impasto.fast.predictor import LAYERS, STYLE_SIDE, Predictor, style_statistics
from impasto.files import whole
from impasto.images import Image
from impasto.loading import load

#: The bundled models: one for any painting, one for the bundled paintings.
ANY, BRUSHES = "any", "brushes"
BUNDLED = {ANY: "models/any.safetensors", BRUSHES: "models/brushes.safetensors"}

_FORMAT = "impasto-fast"
# Pictures with at least this many pixels are painted in strips, which is a little slower but needs far less memory.
_STRIPS_FROM = 6_000_000


@dataclass(frozen=True, kw_only=True)
class FastModel:
    """A trained feed-forward model.

    Attributes:
        name: of a bundled model, or of the file without suffix.
        network: the convolutions.
        photo: the condition with which the network leaves a photograph as it is, (k,).
        predictor: computes the condition of any painting; None in a model of certain styles.
        table: conditions of the learned styles by name, (k,) each; empty in a model of any painting.
        card: a description of the training.
    """

    name: str
    network: AnyNetwork
    photo: Float[Tensor, " k"]
    predictor: Predictor | None = None
    table: Mapping[str, Float[Tensor, " k"]] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, model: str | Path = ANY) -> Self:
        """The bundled model of that name (`any`, `brushes`), or the model in a file.

        Raises:
            ModelError: there is no such model, or the file does not hold one.
        """
        name = str(model)
        if name in BUNDLED:
            try:
                return cls._read(assets.verified(BUNDLED[name]), name)
            except AssetError as error:
                raise ModelError(str(error)) from error
        path = Path(model)
        if not path.exists():
            near = difflib.get_close_matches(name, BUNDLED, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(BUNDLED)}, or the path of a file"
            raise ModelError(f"there is no model {name!r}; {hint}")
        return cls._read(path, path.stem)

    @classmethod
    def _read(cls, path: Path, name: str) -> Self:
        advice = f"a model is a file from `impasto train`, or one of {', '.join(BUNDLED)}"
        try:
            with safe_open(path, framework="pt") as file:
                about = file.metadata() or {}
                tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118  (no mapping)
        except (OSError, SafetensorError, ValueError) as error:
            raise ModelError(f"{path.name} cannot be read as a model ({_one_line(error)}); {advice}") from error
        if about.get("format") != _FORMAT:
            raise ModelError(f"{path.name} holds tensors, but not those of a fast model; {advice}")
        version = about.get("version", "")
        if version not in VERSIONS.values():
            raise ModelError(
                f"{path.name} has version {version}, and this Impasto reads versions {', '.join(VERSIONS.values())}; "
                "use the version of Impasto that wrote it, or train the model again"
            )
        try:
            network = network_of(architecture_of(version, json.loads(about["architecture"])))
            size = network.architecture.condition_size
            names = json.loads(about["styles"])
            network.load_state_dict(_below("network.", tensors))
            predictor = None if names else Predictor(size)
            if predictor is not None:
                predictor.load_state_dict(_below("predictor.", tensors))
            table = dict(zip(names, tensors["table"], strict=True)) if names else {}
            photo, card = tensors["photo"], json.loads(about["card"])
            if any(condition.shape != (size,) for condition in (photo, *table.values())):
                raise ValueError("a condition has the wrong size for the network")
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(f"{path.name} is damaged ({_one_line(error)}); {advice}") from error
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
            raise ModelError(f"{path.name} has weights that are not finite numbers; train the model again")
        network.requires_grad_(False).eval()
        if predictor is not None:
            predictor.requires_grad_(False).eval()
        return cls(name=name, network=network, photo=photo, predictor=predictor, table=table, card=card)

    def save(self, path: str | Path) -> Path:
        """Write the model to `path`; an existing file is replaced once the new one is complete."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors["photo"] = self.photo
        if self.predictor is not None:
            tensors |= {f"predictor.{name}": value for name, value in self.predictor.state_dict().items()}
        if self.table:
            tensors["table"] = torch.stack(list(self.table.values()))
        about = {
            "format": _FORMAT,
            "version": VERSIONS[design_of(self.network.architecture)],
            "architecture": json.dumps(self.network.architecture.to_mapping()),
            "styles": json.dumps(list(self.table)),
            "card": json.dumps(self.card),
        }
        with whole(Path(path)) as part:
            # As bytes, because the library would write a file that other users cannot read.
            part.write_bytes(save({name: value.half().contiguous() for name, value in tensors.items()}, about))
        return Path(path)

    @property
    def styles(self) -> tuple[str, ...]:
        """Names of the learned styles; empty in a model of any painting."""
        return tuple(self.table)

    @cached_property
    def _backbones(self) -> dict[torch.dtype, VGG19]:
        """Cached backbones for the statistics of paintings, by number type."""
        return {}

    @cached_property
    def _networks(self) -> dict[tuple[torch.device, torch.dtype], AnyNetwork]:
        """Cached copies of the network, by device and number type."""
        return {}

    def condition(self, style: Any, *, side: int = STYLE_SIDE, precision: str = "auto") -> Float[Tensor, " k"]:
        """The condition of a style, (k,).

        Args:
            style: the name of a learned style; in a model of any painting, anything that `impasto.load` takes.
            side: square root of the area that the painting is resized to, in pixels; larger gives larger strokes.
            precision: of the backbone that reads the painting, see `Settings.precision`.

        Raises:
            SettingsError: the model has no style of that name.
            ImageReadError: the painting cannot be read.
        """
        if self.predictor is not None:
            dtype = devices.precision(precision, torch.device("cpu"))
            if dtype not in self._backbones:
                self._backbones[dtype] = VGG19(LAYERS[-1], dtype=dtype)
            statistics = style_statistics(self._backbones[dtype], load(style), side)
            return torch.as_tensor(self.predictor(statistics[None])[0])
        if isinstance(style, str) and style in self.table:
            return self.table[style]
        raise unknown_style(self.name, style, self.table)

    def blended(
        self,
        styles: Sequence[Any],
        *,
        blend: Sequence[float] = (),
        strength: float = 1.0,
        side: int = STYLE_SIDE,
        precision: str = "auto",
    ) -> Float[Tensor, " k"]:
        """The condition of a blend of styles, (k,).

        Args:
            styles: as `condition` takes them.
            blend: the share of each style; equal shares if empty.
            strength: 0 gives the photograph's condition, 1 the blend's; between them it is interpolated.
            side, precision: as `condition` takes them.

        Raises:
            SettingsError: there is no style, there are not as many shares as styles, or a number is out of range.
        """
        each = torch.tensor(shares(len(styles), blend, strength))
        conditions = torch.stack([self.condition(style, side=side, precision=precision) for style in styles])
        return torch.lerp(self.photo, each @ conditions, strength)

    @torch.no_grad()
    def paint(
        self,
        image: Image,
        condition: Float[Tensor, " k"],
        *,
        device: str = "auto",
        precision: str = "auto",
        in_strips: bool | None = None,
        in_place: bool = False,
    ) -> Image:
        """The pastiche of `image` in the style of a condition, at the size of the image.

        Args:
            condition: from `condition` or `blended`, (k,).
            device: to compute on, see `Settings.device`.
            precision: to compute in, see `Settings.precision`.
            in_strips: whether to paint in strips, with the same result in a fraction of the memory; if None, large
                pictures are painted so.
            in_place: whether painting in strips may overwrite `image`.

        Raises:
            DeviceError: the device is not available.
        """
        where = devices.resolve(device)
        network = self._network(where, devices.precision(precision, where))
        condition = condition[None].to(where)
        if in_strips if in_strips is not None else image.height * image.width > _STRIPS_FROM:
            if isinstance(network, DraftingNetwork):
                painted = network.paint_in_strips(image.pixels, condition, in_place=in_place)
            else:
                painted = strips.paint(network, image.pixels, condition, in_place=in_place)
            return Image(pixels=painted, name="pastiche").with_alpha_of(image)
        pixels = network(image.pixels.to(where), condition)
        return Image(pixels=pixels.clamp(0.0, 1.0).cpu(), name="pastiche").with_alpha_of(image)

    def _network(self, device: torch.device, dtype: torch.dtype) -> AnyNetwork:
        """The network on a device, in a number type; the last convolution stays float32."""
        if (known := self._networks.get((device, dtype))) is not None:
            return known
        network = network_of(self.network.architecture)
        network.load_state_dict(self.network.state_dict())
        network.requires_grad_(False).eval().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.cast(dtype)
        self._networks[device, dtype] = network
        return network

    def stylize(
        self,
        content: Any,
        style: Any,
        *,
        blend: Sequence[float] = (),
        strength: float = 1.0,
        style_size: int = STYLE_SIDE,
        device: str = "auto",
        precision: str = "auto",
    ) -> Image:
        """Paint `content` in the style of `style`, in one pass and at the photograph's own size.

        Args:
            content: the photograph; anything that `impasto.load` takes.
            style: the name of a learned style, or (in a model of any painting) a painting; or a list of them.
            blend: shares of several styles, in their order; equal shares if empty.
            strength: 0 leaves the photograph as it is, 1 has the full style.
            style_size: square root of the area that paintings are resized to, in pixels; larger gives larger strokes.
            device: to compute on, see `Settings.device`.
            precision: to compute in, see `Settings.precision`.

        Raises:
            ImpastoError: a picture, a setting or the device cannot be used.
        """
        styles = list(style) if isinstance(style, list | tuple) else [style]
        condition = self.blended(styles, blend=blend, strength=strength, side=style_size, precision=precision)
        return self.paint(load(content), condition, device=device, precision=precision)


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _one_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
