"""Owns every option of the method: its name, unit, range, default and meaning, said once.

The command line, the presets, the web page and the metadata inside a picture are all derived from the fields of
`Settings`; nothing about an option is written down anywhere else.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from impasto.errors import SettingsError
from impasto.settings.options import GROUPS, LayerWeights, Option, Shares, checked, option

ContentLossName = Literal["squared_error", "self_similarity", "laplacian"]
StyleLossName = Literal[
    "gram",
    "gram_statistics",
    "cross_gram",
    "wasserstein",
    "sliced_wasserstein",
    "statistics",
    "histogram",
    "nearest",
]

_PICTURE, _LOOK, _METHOD, _MACHINE = GROUPS
# Finer layers count more: they hold brushwork and colour, and pull the least at what the photograph shows.
_FIVE_LAYERS = {"relu1_1": 16.0, "relu2_1": 8.0, "relu3_1": 4.0, "relu4_1": 2.0, "relu5_1": 1.0}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides how a pastiche looks, but for the pictures themselves.

    Every field is checked, whether it comes from code, a command, a preset or a picture. Layer weights may be given as
    a mapping or as text, `"relu1_1=1,relu2_1=0.5"`; a list of layers without weights counts each once. Shares may be
    given as numbers or as text, `"0.7,0.3"`.

    Raises:
        SettingsError: a value has the wrong type or lies outside its range; the error names the setting.
    """

    size: int = option(
        512,
        _PICTURE,
        "Long side of the pastiche; the short side follows the photograph.",
        unit="px",
        low=32,
        high=32768,
    )
    strength: float = option(
        0.75,
        _LOOK,
        "How far the painting may go: 0 leaves the photograph, 0.25 tints it, 0.5 lays the painting's brushwork over "
        "it, 0.75 is a painting of the scene, 0.9 bends its shapes, 1 keeps only a memory of it.",
        low=0,
        high=1,
        live=True,
    )
    content_weight: float = option(
        1.0, _LOOK, "Weight of the content loss, before strength.", low=0, high=1e12, live=True
    )
    style_weight: float = option(
        50.0, _LOOK, "Weight of the style loss, all its layers together.", low=0, high=1e12, live=True
    )
    tv_weight: float = option(
        0.0, _LOOK, "Weight of the total variation loss, which smooths.", low=0, high=1e12, live=True
    )
    content_layers: LayerWeights = option(
        {"relu4_2": 1.0},
        _LOOK,
        "Layers whose features hold the content, with weights: relu4_2 or conv4_2=1,conv5_2=0.5.",
        live=True,
    )
    content_loss: ContentLossName = option(
        "squared_error",
        _LOOK,
        "What of the photograph is kept: its features as they are; only which of them are alike, which lets colours "
        "and strokes go further; or the features and the outlines as well.",
        live=True,
    )
    style_layers: LayerWeights = option(
        _FIVE_LAYERS,
        _LOOK,
        "Layers whose statistics hold the style, with weights: relu1_1=1,relu2_1=0.5.",
        live=True,
    )
    style_loss: StyleLossName = option(
        "gram_statistics",
        _LOOK,
        "What of the features is compared: Gram matrices, as Gatys et al.; Gram matrices and, beside them, means and "
        "standard deviations; Gram matrices of each layer with the next; means "
        "and covariances by their Wasserstein distance; whole distributions, sliced along random directions; means and "
        "standard deviations only; Gram matrices and each channel's histogram; or each feature with the painting's "
        "nearest.",
        live=True,
    )
    blend: Shares = option(
        (),
        _LOOK,
        "Shares of several paintings, in their order: 0.7,0.3; equal shares if there are none.",
        live=True,
    )
    region_strength: Shares = option(
        (),
        _LOOK,
        "Strength of each region that has a mask, in their order: 0.3,0.8; all as strength if there are none.",
        low=0,
        high=1,
        live=True,
    )
    background: Literal["paint", "keep"] = option(
        "paint",
        _LOOK,
        "What becomes of what no mask covers: painted after all the paintings, or kept as it is.",
        live=True,
    )
    keep_color: Literal["none", "luminance", "covariance", "histogram"] = option(
        "none",
        _LOOK,
        "Keep the photograph's colours: under the picture's own lightness; by mean and covariance; or by their whole "
        "distribution.",
        live=True,
    )
    keep_color_when: Literal["after", "before"] = option(
        "after",
        _LOOK,
        "Whether the picture is given the photograph's colours when it is painted, or the painting is before.",
        live=True,
    )
    keep_color_amount: float = option(
        1.0, _LOOK, "How far colours are kept: 0 not at all, 1 wholly.", low=0, high=1, live=True
    )
    style_scale: float = option(
        1.0,
        _LOOK,
        "Size at which the painting is looked at, relative to the pastiche: larger gives larger strokes.",
        unit="×",
        low=0.1,
        high=8,
        live=True,
    )
    stroke_size: float = option(
        0.0,
        _LOOK,
        "Breadth of the painting's strokes on the pastiche, the same at every size of it, instead of style_scale; 0 "
        "leaves it to style_scale, by which strokes are mostly 2 to 4.",
        unit="% of the long side",
        low=0,
        high=50,
        live=True,
    )
    init: str = option(
        "content",
        _LOOK,
        "What the picture starts as: the photograph, seeded noise, noise in the painting's colours, what the fast "
        "engine makes of it, or the picture at a path.",
        words=("content", "noise", "style", "fast"),
        open_ended=True,
    )
    seed: int = option(0, _LOOK, "Seed of all that is drawn at random.", low=0, high=2**63 - 1)
    normalization: Literal["relative", "paper"] = option(
        "relative",
        _METHOD,
        "How losses are divided: by the size of their targets, so that weights mean the same for every picture; or as "
        "in the paper.",
        live=True,
    )
    backbone: str = option(
        "vgg19",
        _METHOD,
        "Network that sees the pictures: the VGG-19 inside the package, or any convolutional network of torchvision's, "
        "as torchvision:resnet50. Layers that are as by default are then the network's own.",
        words=("vgg19",),
        open_ended=True,
    )
    pooling: Literal["max", "average", "l2"] = option(
        "max", _METHOD, "Pooling of the network; max is what it was trained with."
    )
    padding: Literal["replicate", "zeros", "reflect", "wrap"] = option(
        "replicate",
        _METHOD,
        "What the network sees beyond the border: the border's own pixels, its mean colour, the picture mirrored, or "
        "the opposite border, so that the picture can be tiled.",
    )
    scales: int = option(
        0,
        _METHOD,
        "Number of sizes to paint at, coarse to fine; 1 paints at the final size only, 0 chooses by coarse_size.",
        low=0,
        high=20,
    )
    coarse_size: int = option(64, _METHOD, "Long side of the first scale.", unit="px", low=32, high=4096)
    iterations: int = option(15, _METHOD, "Iterations at the final size.", low=1, high=1_000_000, live=True)
    coarse_iterations: int = option(
        35,
        _METHOD,
        "Iterations at the first scale; those between go evenly from one to the other.",
        low=1,
        high=1_000_000,
        live=True,
    )
    optimizer: Literal["lbfgs", "adam"] = option("lbfgs", _METHOD, "What moves the pixels.")
    history: int = option(20, _METHOD, "Steps that L-BFGS remembers.", low=1, high=1000)
    preconditioning: float = option(
        0.75,
        _METHOD,
        "Power of 1/frequency by which steps are smoothed; 0 treats every pixel alone.",
        low=0,
        high=4,
    )
    detail: float = option(
        0.5,
        _METHOD,
        "Share of the photograph's fine detail that is laid over the picture whenever it is enlarged; brushwork grows "
        "along it. Fades out as strength goes from 0.75 to 1.",
        low=0,
        high=1,
        live=True,
    )
    grain: float = option(
        0.02,
        _METHOD,
        "Grey noise laid over the picture whenever it is enlarged, in pixel values from 0 to 1 (standard deviation): "
        "something for brushwork to grow from where the photograph is smooth.",
        low=0,
        high=0.5,
        live=True,
    )
    learning_rate: float = option(0.02, _METHOD, "Step of Adam, in pixel values from 0 to 1.", low=1e-6, high=1)
    averaging: float = option(
        0.95, _METHOD, "Share of the past in the average of Adam's pictures; 0 takes the last.", low=0, high=0.9999
    )
    tolerance: float = option(
        0.1,
        _METHOD,
        "A scale ends early when ten iterations change the picture by less than this (root mean square); 0 never ends "
        "early.",
        unit="levels of 255",
        low=0,
        high=255,
        live=True,
    )
    device: str = option(
        "auto",
        _MACHINE,
        "Where to compute: auto takes a CUDA or Apple GPU if there is one.",
        words=("auto", "cpu", "cuda", "mps"),
        open_ended=True,
    )
    precision: Literal["auto", "float32", "bfloat16"] = option(
        "auto",
        _MACHINE,
        "Numbers that the network computes in; auto takes bfloat16, which needs half the time and memory, where the "
        "machine has it. Statistics, losses and pixels are float32 in any case.",
    )

    def __post_init__(self) -> None:
        for name, (kind, known) in OPTIONS.items():
            object.__setattr__(self, name, checked(name, getattr(self, name), kind, known))
        if self.style_loss == "cross_gram" and sum(map(bool, self.style_layers.values())) < 2:
            raise SettingsError(
                "style_layers", "style_loss cross_gram compares each layer with the next; give at least two a weight"
            )
        if self.stroke_size and self.style_scale != 1.0:
            raise SettingsError(
                "stroke_size", f"style_scale {self.style_scale:g} sets the size of strokes already; give one of them"
            )
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

    def replace_live(self, **changes: Any) -> Self:
        """The same as `replace`, of a picture that is being painted.

        Raises:
            SettingsError: as `replace`, or a setting would change that cannot any more.
        """
        settings = self.replace(**changes)
        for name in settings.differences(self):
            if not OPTIONS[name][1].live:
                live = ", ".join(name for name, (_, option) in OPTIONS.items() if option.live)
                raise SettingsError(name, f"it cannot change while a picture is painted; what can is {live}")
        return settings

    def differences(self, other: Settings) -> dict[str, Any]:
        """The settings that differ from the other's, with their values here."""
        theirs = other.to_mapping()
        return {name: value for name, value in self.to_mapping().items() if value != theirs[name]}

    def to_mapping(self) -> dict[str, Any]:
        """Names and values, of types that TOML and JSON can hold."""
        return {name: _plain_value(getattr(self, name)) for name in OPTIONS}

    def without_effect(self, *, masked: bool = True) -> dict[str, str]:
        """The settings that differ from the defaults but change nothing beside the others, with the reason.

        Optimisers and networks know which settings are theirs; see `task.without_effect`.

        Args:
            masked: there are regions.
        """
        reasons: dict[str, str] = {}
        if self.scales == 1:
            why = "there is one scale"
            reasons |= dict.fromkeys(("coarse_size", "coarse_iterations", "detail", "grain"), why)
        if self.content_weight == 0:
            reasons["content_loss"] = "content_weight is 0"
        if self.keep_color == "none":
            reasons |= dict.fromkeys(("keep_color_when", "keep_color_amount"), "keep_color is none")
        if not masked:
            reasons["background"] = "there is no mask"
        return {name: reason for name, reason in reasons.items() if name in self.changed()}

    def changed(self) -> dict[str, Any]:
        """The settings that differ from the defaults."""
        return self.differences(Settings())


def _plain_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def options() -> dict[str, tuple[Any, Option]]:
    """Type and Option of every field of `Settings`, by name, in order."""
    kinds = typing.get_type_hints(Settings)
    return {f.name: (kinds[f.name], f.metadata["option"]) for f in dataclasses.fields(Settings)}


OPTIONS = types.MappingProxyType(options())
