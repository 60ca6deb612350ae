"""Owns every option of the method: its name, unit, range, default and meaning, said once.

The command line, the presets, the web page and the metadata inside a picture are all derived from the fields of
`Settings`; nothing about an option is written down anywhere else.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from impasto.errors import SettingsError

#: Weight of each layer, by name.
LayerWeights = Mapping[str, float]
#: Shares of a whole, of which only the ratios count.
Shares = tuple[float, ...]

GROUPS = ("Picture", "Style and content", "Method", "Machine")


@dataclass(frozen=True)
class Option:
    """What is known of a setting beyond its type and default.

    Attributes:
        meaning: one or two sentences in plain words.
        group: heading under which it is shown, one of `GROUPS`.
        unit: what a number counts, `""` for a pure number.
        low, high: smallest and largest value allowed, `None` for no bound.
        words: words with a meaning of their own that may stand for the value.
        open_ended: whether other text than `words` is allowed as well.
    """

    meaning: str
    group: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    words: tuple[str, ...] = ()
    open_ended: bool = False

    @property
    def range(self) -> str:
        """The allowed values in words, `""` where anything goes."""
        if self.words:
            return ", ".join(self.words) + (", …" if self.open_ended else "")
        if self.low is not None and self.high is not None:
            return f"{_plain(self.low)} to {_plain(self.high)}"
        return f"at least {_plain(self.low)}" if self.low is not None else ""


def _plain(number: float) -> str:
    """Whole numbers in full as far as they are read at a glance, others in short."""
    return str(int(number)) if abs(number) < 1e10 and number == int(number) else f"{number:g}"


def _option(default: Any, group: str, meaning: str, **known: Any) -> Any:
    metadata = {"option": Option(meaning=meaning, group=group, **known)}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


_PICTURE, _LOOK, _METHOD, _MACHINE = GROUPS
_LARGEST_LAYER_WEIGHT = 1e12
_FIVE_LAYERS = {"relu1_1": 1.0, "relu2_1": 1.0, "relu3_1": 1.0, "relu4_1": 1.0, "relu5_1": 1.0}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides how a pastiche looks, but for the pictures themselves.

    Every field is checked, whether it comes from code, a command, a preset or a picture. Layer weights may be given as
    a mapping or as text, `"relu1_1=1,relu2_1=0.5"`; a list of layers without weights counts each once. Shares may be
    given as numbers or as text, `"0.7,0.3"`.

    Raises:
        SettingsError: a value has the wrong type or lies outside its range; the error names the setting.
    """

    size: int = _option(
        512,
        _PICTURE,
        "Long side of the pastiche; the short side follows the photograph.",
        unit="px",
        low=32,
        high=32768,
    )
    strength: float = _option(
        0.5,
        _LOOK,
        "How far the painting may go: 0 leaves the photograph, 0.25 tints it and lays brushwork over it, 0.5 is a "
        "painting of the scene, 0.75 bends its shapes, 1 keeps only a memory of it.",
        low=0,
        high=1,
    )
    content_weight: float = _option(1.0, _LOOK, "Weight of the content loss, before strength.", low=0, high=1e12)
    style_weight: float = _option(10.0, _LOOK, "Weight of the style loss.", low=0, high=1e12)
    tv_weight: float = _option(0.0, _LOOK, "Weight of the total variation loss, which smooths.", low=0, high=1e12)
    content_layers: LayerWeights = _option(
        {"relu4_2": 1.0},
        _LOOK,
        "Layers whose features hold the content, with weights: relu4_2 or conv4_2=1,conv5_2=0.5.",
    )
    style_layers: LayerWeights = _option(
        _FIVE_LAYERS, _LOOK, "Layers whose Gram matrices hold the style, with weights: relu1_1=1,relu2_1=0.5."
    )
    style_loss: Literal["gram", "wasserstein", "statistics"] = _option(
        "gram",
        _LOOK,
        "What of the features is compared: Gram matrices, as Gatys et al.; means and covariances by their Wasserstein "
        "distance, which repaints more freely; or means and standard deviations only, which is looser.",
    )
    blend: Shares = _option(
        (),
        _LOOK,
        "Shares of several paintings, in their order: 0.7,0.3; equal shares if there are none.",
    )
    region_strength: Shares = _option(
        (),
        _LOOK,
        "Strength of each region that has a mask, in their order: 0.3,0.8; all as strength if there are none.",
    )
    background: Literal["paint", "keep"] = _option(
        "paint", _LOOK, "What becomes of what no mask covers: painted after all the paintings, or kept as it is."
    )
    keep_color: Literal["none", "luminance", "covariance", "histogram"] = _option(
        "none",
        _LOOK,
        "Keep the photograph's colours: under the picture's own lightness; by mean and covariance; or by their whole "
        "distribution.",
    )
    keep_color_when: Literal["after", "before"] = _option(
        "after",
        _LOOK,
        "Whether the picture is given the photograph's colours when it is painted, or the painting is before.",
    )
    keep_color_amount: float = _option(1.0, _LOOK, "How far colours are kept: 0 not at all, 1 wholly.", low=0, high=1)
    style_scale: float = _option(
        1.0,
        _LOOK,
        "Size at which the painting is looked at, relative to the pastiche: larger gives larger strokes.",
        unit="×",
        low=0.1,
        high=8,
    )
    init: str = _option(
        "content",
        _LOOK,
        "What the picture starts as: the photograph, seeded noise, noise in the painting's colours, or the picture at "
        "a path.",
        words=("content", "noise", "style"),
        open_ended=True,
    )
    seed: int = _option(0, _LOOK, "Seed of all that is drawn at random.", low=0, high=2**63 - 1)
    normalization: Literal["relative", "paper"] = _option(
        "relative",
        _METHOD,
        "How losses are divided: by the size of their targets, so that weights mean the same for every picture; or as "
        "in the paper.",
    )
    pooling: Literal["max", "average", "l2"] = _option(
        "max", _METHOD, "Pooling of the network; max is what it was trained with."
    )
    padding: Literal["replicate", "zeros", "wrap"] = _option(
        "replicate",
        _METHOD,
        "What the network sees beyond the border: the border's own pixels, its mean colour, or the opposite border, so "
        "that the picture can be tiled.",
    )
    scales: int = _option(
        0,
        _METHOD,
        "Number of sizes to paint at, coarse to fine; 1 paints at the final size only, 0 chooses by coarse_size.",
        low=0,
        high=20,
    )
    coarse_size: int = _option(64, _METHOD, "Long side of the first scale.", unit="px", low=32, high=4096)
    iterations: int = _option(15, _METHOD, "Iterations at the final size.", low=1, high=1_000_000)
    coarse_iterations: int = _option(
        50,
        _METHOD,
        "Iterations at the first scale; those between go evenly from one to the other.",
        low=1,
        high=1_000_000,
    )
    optimizer: Literal["lbfgs", "adam"] = _option("lbfgs", _METHOD, "What moves the pixels.")
    history: int = _option(20, _METHOD, "Steps that L-BFGS remembers.", low=1, high=1000)
    preconditioning: float = _option(
        0.75,
        _METHOD,
        "Power of 1/frequency by which steps are smoothed; 0 treats every pixel alone.",
        low=0,
        high=4,
    )
    detail: float = _option(
        0.5,
        _METHOD,
        "Share of the photograph's fine detail that is laid over the picture whenever it is enlarged; brushwork grows "
        "along it. Fades out as strength goes from 0.5 to 1.",
        low=0,
        high=1,
    )
    grain: float = _option(
        0.02,
        _METHOD,
        "Grey noise laid over the picture whenever it is enlarged, in pixel values from 0 to 1 (standard deviation): "
        "something for brushwork to grow from where the photograph is smooth.",
        low=0,
        high=0.5,
    )
    learning_rate: float = _option(0.02, _METHOD, "Step of Adam, in pixel values from 0 to 1.", low=1e-6, high=1)
    averaging: float = _option(
        0.95, _METHOD, "Share of the past in the average of Adam's pictures; 0 takes the last.", low=0, high=0.9999
    )
    tolerance: float = _option(
        0.1,
        _METHOD,
        "A scale ends early when ten iterations change the picture by less than this (root mean square); 0 never ends "
        "early.",
        unit="levels of 255",
        low=0,
        high=255,
    )
    device: str = _option(
        "auto",
        _MACHINE,
        "Where to compute: auto takes a CUDA or Apple GPU if there is one.",
        words=("auto", "cpu", "cuda", "mps"),
        open_ended=True,
    )
    precision: Literal["auto", "float32", "bfloat16"] = _option(
        "auto",
        _MACHINE,
        "Numbers that the network computes in; auto takes bfloat16, which needs half the time and memory, where the "
        "machine has it. Statistics, losses and pixels are float32 in any case.",
    )

    def __post_init__(self) -> None:
        for name, (kind, option) in OPTIONS.items():
            object.__setattr__(self, name, _checked(name, getattr(self, name), kind, option))
        if not self.content_weight and not self.style_weight:
            raise SettingsError(
                "style_weight", "it and content_weight are both 0, so there is nothing to paint; raise one of them"
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Settings from names and values, as a preset or a picture's metadata hold them.

        Raises:
            SettingsError: a name is unknown, or a value is not allowed.
        """
        for name in values:
            if name not in OPTIONS:
                near = difflib.get_close_matches(str(name), OPTIONS, n=1)
                hint = f"did you mean {near[0]}?" if near else "the settings are " + ", ".join(OPTIONS)
                # The name may come from a stranger's file: nothing in it may reach the terminal as a command.
                shown = str(name) if str(name).isprintable() else ascii(name)
                raise SettingsError(shown, f"there is no such setting; {hint}")
        return cls(**values)

    def replace(self, **changes: Any) -> Self:
        """The same settings but for `changes`, checked again."""
        return type(self).from_mapping(self.to_mapping() | changes)

    def to_mapping(self) -> dict[str, Any]:
        """Names and values, of types that TOML and JSON can hold."""
        return {name: _plain_value(getattr(self, name)) for name in OPTIONS}

    def without_effect(self) -> dict[str, str]:
        """The settings that differ from the defaults but change nothing beside the others, with the reason."""
        reasons: dict[str, str] = {}
        if self.optimizer == "lbfgs":
            reasons |= dict.fromkeys(("learning_rate", "averaging"), "it belongs to Adam, and optimizer is lbfgs")
        else:
            reasons["history"] = "it belongs to L-BFGS, and optimizer is adam"
        if self.scales == 1:
            why = "there is one scale"
            reasons |= dict.fromkeys(("coarse_size", "coarse_iterations", "detail", "grain"), why)
        if self.keep_color == "none":
            reasons |= dict.fromkeys(("keep_color_when", "keep_color_amount"), "keep_color is none")
        return {name: reason for name, reason in reasons.items() if name in self.changed()}

    def changed(self) -> dict[str, Any]:
        """The settings that differ from the defaults."""
        default = Settings().to_mapping()
        return {name: value for name, value in self.to_mapping().items() if value != default[name]}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def options() -> dict[str, tuple[Any, Option]]:
    """Type and Option of every field of `Settings`, by name, in order."""
    kinds = typing.get_type_hints(Settings)
    return {f.name: (kinds[f.name], f.metadata["option"]) for f in dataclasses.fields(Settings)}


OPTIONS = types.MappingProxyType(options())


def parse_layers(text: str) -> dict[str, float]:
    """Layer weights from text: `relu1_1=1,relu2_1=0.5`; a name without a weight counts once.

    Raises:
        ValueError: the text is not of that form.
    """
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, equals, weight = part.partition("=")
        if not name.strip() or (equals and not weight.strip()):
            raise ValueError(f"{text!r} is not a list of layers; write it like relu1_1=1,relu2_1=0.5")
        if name.strip() in weights:
            raise ValueError(f"layer {name.strip()!r} stands twice in {text!r}")
        try:
            weights[name.strip()] = float(weight) if equals else 1.0
        except ValueError:
            raise ValueError(f"{weight.strip()!r} is not a number; write layers like relu1_1=1,relu2_1=0.5") from None
    return weights


def _checked(name: str, value: Any, kind: Any, option: Option) -> Any:
    if kind == LayerWeights:
        return _checked_layers(name, value)
    if kind == Shares:
        return _checked_shares(name, value)
    if typing.get_origin(kind) is Literal:
        if value not in typing.get_args(kind):
            raise SettingsError(name, f"got {value!r}; it must be one of {', '.join(typing.get_args(kind))}")
        return value
    if kind is str:
        if not isinstance(value, str) or not value.strip():
            raise SettingsError(name, f"got {value!r}; it must be one of {option.range}")
        return value
    # A whole number written as 512.0 is meant as one.
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not (whole if kind is int else isinstance(value, int | float)):
        article = "a whole number" if kind is int else "a number"
        raise SettingsError(name, f"got {value!r}; it must be {article}{_range_clause(option)}")
    # Bounds first: a whole number may be too large to be asked whether it is finite.
    if not _within(value, option) or not math.isfinite(value):
        unit = f" {option.unit}" if option.unit else ""
        raise SettingsError(name, f"got {_shown(value)}; it must be {option.range}{unit}")
    return kind(value)


def _checked_shares(name: str, value: Any) -> Shares:
    if isinstance(value, str):
        value = value.split(",") if value.strip() not in ("", "none") else ()
    if not isinstance(value, Iterable) or isinstance(value, Mapping):
        raise SettingsError(name, f"got {value!r}; write shares like 0.7,0.3")
    shares = []
    for share in value:
        try:
            number = float(share) if isinstance(share, str | int | float) and not isinstance(share, bool) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if not 0 <= number <= _LARGEST_LAYER_WEIGHT:
            raise SettingsError(name, f"got {share!r} as a share; it must be a number of at least 0, as in 0.7,0.3")
        shares.append(number)
    if shares and not any(shares):
        raise SettingsError(name, "every share is 0; give at least one painting a share above 0")
    return tuple(shares)


def _within(value: float, option: Option) -> bool:
    return (option.low is None or value >= option.low) and (option.high is None or value <= option.high)


def _shown(value: float) -> str:
    try:
        return f"{value:g}"
    except OverflowError:
        return "a number of hundreds of digits"


def _range_clause(option: Option) -> str:
    return f", {option.range}" if option.range else ""


def _checked_layers(name: str, value: Any) -> dict[str, float]:
    if isinstance(value, str):
        try:
            value = parse_layers(value)
        except ValueError as error:
            raise SettingsError(name, str(error)) from None
    elif isinstance(value, Iterable) and not isinstance(value, Mapping):
        layers = list(value)
        if wrong := [layer for layer in layers if not isinstance(layer, str)]:
            raise SettingsError(name, f"got {wrong[0]!r} for a layer; names are like relu4_2")
        value = dict.fromkeys(layers, 1.0)
    if not isinstance(value, Mapping) or not value:
        raise SettingsError(name, f"got {value!r}; it must name at least one layer, like relu1_1=1,relu2_1=0.5")
    for layer, weight in value.items():
        if not isinstance(layer, str):
            raise SettingsError(name, f"got {layer!r} for a layer; names are like relu4_2")
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise SettingsError(name, f"got {weight!r} as the weight of {layer!r}; it must be a number of at least 0")
        if not 0 <= weight <= _LARGEST_LAYER_WEIGHT:
            raise SettingsError(
                name, f"got {_shown(weight)} as the weight of {layer!r}; it must be 0 to {_LARGEST_LAYER_WEIGHT:g}"
            )
    if not any(value.values()):
        raise SettingsError(name, "every layer has weight 0; give at least one a weight above 0")
    return {layer: float(weight) for layer, weight in value.items()}
