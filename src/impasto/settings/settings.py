"""Owns every option of the method: its name, unit, range, default and meaning, said once.

The command line, the presets, the web page and the metadata inside a picture are all derived from the fields of
`Settings`. Nothing about an option is declared anywhere else.
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
# Finer layers weigh more: they represent brushwork and colour, and change the photograph's content least.
_FIVE_LAYERS = {"relu1_1": 16.0, "relu2_1": 8.0, "relu3_1": 4.0, "relu4_1": 2.0, "relu5_1": 1.0}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that determines a pastiche, except the input pictures.

    Every field is checked, whether it comes from code, a command, a preset or a picture. Layer weights may be given as
    a mapping or as text, `"relu1_1=1,relu2_1=0.5"`; in a list of layers without weights, each has weight 1. Shares may
    be given as numbers or as text, `"0.7,0.3"`.

    Raises:
        SettingsError: a value has the wrong type or lies outside its range; the error names the setting.
    """

    size: int = option(
        512,
        _PICTURE,
        "Long side of the pastiche; the short side keeps the photograph's proportions.",
        unit="px",
        low=32,
        high=32768,
    )
    strength: float = option(
        0.5,
        _LOOK,
        "How strongly the photograph is stylized: 0 leaves it unchanged, 0.1 tints it, 0.25 adds the painting's "
        "brushwork, 0.5 looks like a painting of the scene, 0.75 bends its shapes, 1 just leaves it to be recognized.",
        low=0,
        high=1,
        live=True,
    )
    content_weight: float = option(
        1.0, _LOOK, "Weight of the content loss, before strength is applied.", low=0, high=1e12, live=True
    )
    style_weight: float = option(
        50.0, _LOOK, "Weight of the style loss, over all its layers together.", low=0, high=1e12, live=True
    )
    tv_weight: float = option(
        0.0, _LOOK, "Weight of the total variation loss, which smooths the picture.", low=0, high=1e12, live=True
    )
    content_layers: LayerWeights = option(
        {"relu4_2": 1.0},
        _LOOK,
        "Layers whose features represent the content, with optional weights: relu4_2 or conv4_2=1,conv5_2=0.5.",
        live=True,
    )
    content_loss: ContentLossName = option(
        "squared_error",
        _LOOK,
        "What the pastiche has to share with the photograph: its features; only the similarities between its features, "
        "which leaves colours and strokes more freedom; or its features and its edges.",
        live=True,
    )
    style_layers: LayerWeights = option(
        _FIVE_LAYERS,
        _LOOK,
        "Layers whose feature statistics represent the style, with optional weights: relu1_1=1,relu2_1=0.5.",
        live=True,
    )
    style_loss: StyleLossName = option(
        "gram_statistics",
        _LOOK,
        "What of the features is compared with the painting: Gram matrices (Gatys et al.); Gram matrices, means and "
        "standard deviations; Gram matrices between each layer and the next; means and covariances, by Wasserstein "
        "distance; full distributions along random directions; means and standard deviations; Gram matrices and "
        "channel histograms; or each feature with the nearest of the painting.",
        live=True,
    )
    blend: Shares = option(
        (),
        _LOOK,
        "Shares of several paintings, in the order of the paintings: 0.7,0.3. If empty, all shares are equal.",
        live=True,
    )
    region_strength: Shares = option(
        (),
        _LOOK,
        "Strength inside each mask, in the order of the masks: 0.3,0.8. If empty, strength applies to all of them.",
        low=0,
        high=1,
        live=True,
    )
    background: Literal["paint", "keep"] = option(
        "paint",
        _LOOK,
        "What happens outside all masks: paint stylizes it with all paintings, keep leaves the photograph unchanged.",
        live=True,
    )
    keep_color: Literal["none", "luminance", "covariance", "histogram"] = option(
        "none",
        _LOOK,
        "How the photograph's colours are kept: not at all; combined with the lightness of the pastiche; by matching "
        "their mean and covariance; or by matching their full distribution.",
        live=True,
    )
    keep_color_when: Literal["after", "before"] = option(
        "after",
        _LOOK,
        "When keep_color applies: after recolours the finished pastiche, before recolours the painting first.",
        live=True,
    )
    keep_color_amount: float = option(
        1.0, _LOOK, "How strongly keep_color applies: 0 not at all, 1 fully.", low=0, high=1, live=True
    )
    style_scale: float = option(
        1.0,
        _LOOK,
        "Size at which the painting is analysed, relative to the pastiche; a larger size gives larger strokes.",
        unit="×",
        low=0.1,
        high=8,
        live=True,
    )
    largest_form: float = option(
        0.6,
        _LOOK,
        "Largest form of the painting that may be taken over, relative to the short side of the pastiche: 1 lets whole "
        "figures and things of the painting appear, 0.3 only small forms and brushwork. 0 sets no limit.",
        unit="× the short side",
        low=0,
        high=100,
        live=True,
    )
    enlarged: Literal["forms", "all"] = option(
        "forms",
        _LOOK,
        "What of a painting is enlarged for a pastiche with more pixels: its forms, while brushwork is taken from the "
        "painting as it is and stays crisp; or all of it.",
        live=True,
    )
    stroke_size: float = option(
        0.0,
        _LOOK,
        "Width of the brush strokes on the pastiche, whatever its size; replaces style_scale. 0 uses style_scale, "
        "which mostly gives 2 to 4.",
        unit="% of the long side",
        low=0,
        high=50,
        live=True,
    )
    init: str = option(
        "content",
        _LOOK,
        "Picture to start from: the photograph, random noise, random noise in the painting's colours, the result of "
        "the fast engine, or the file at a path.",
        words=("content", "noise", "style", "fast"),
        open_ended=True,
    )
    seed: int = option(0, _LOOK, "Seed of all random numbers.", low=0, high=2**63 - 1)
    normalization: Literal["relative", "paper"] = option(
        "relative",
        _METHOD,
        "How losses are normalized: relative divides each by the size of its target, so that weights mean the same for "
        "every picture; paper follows Gatys et al.",
        live=True,
    )
    backbone: str = option(
        "vgg19",
        _METHOD,
        "Network that computes the features: the bundled vgg19, or any convolutional network of torchvision, such as "
        "torchvision:resnet50. Default layers then become the default layers of that network.",
        words=("vgg19",),
        open_ended=True,
    )
    pooling: Literal["max", "average", "l2"] = option(
        "max", _METHOD, "Pooling of the network; it was trained with max."
    )
    padding: Literal["replicate", "zeros", "reflect", "wrap"] = option(
        "replicate",
        _METHOD,
        "How the network pads the picture at its borders: by repeating border pixels, with its mean colour, by "
        "mirroring the picture, or from the opposite border, so that the pastiche can be tiled.",
    )
    scales: int = option(
        0,
        _METHOD,
        "Number of sizes to paint at, from coarse to fine; 1 paints at the final size only, 0 derives it from "
        "coarse_size.",
        low=0,
        high=20,
    )
    coarse_size: int = option(64, _METHOD, "Long side of the first scale.", unit="px", low=32, high=4096)
    iterations: int = option(8, _METHOD, "Iterations at the final size.", low=1, high=1_000_000, live=True)
    coarse_iterations: int = option(
        35,
        _METHOD,
        "Iterations at the first scale; the scales in between are interpolated.",
        low=1,
        high=1_000_000,
        live=True,
    )
    optimizer: Literal["lbfgs", "adam"] = option("lbfgs", _METHOD, "Algorithm that optimizes the pixels.")
    history: int = option(20, _METHOD, "Past steps that L-BFGS uses.", low=1, high=1000)
    preconditioning: float = option(
        0.75,
        _METHOD,
        "Exponent of 1/frequency by which optimizer steps are smoothed; 0 turns smoothing off.",
        low=0,
        high=4,
    )
    detail: float = option(
        0.5,
        _METHOD,
        "Share of the photograph's fine detail that is added whenever the picture is enlarged; brushwork forms along "
        "it. Fades to less than half as strength goes from 0.5 to 1.",
        low=0,
        high=1,
        live=True,
    )
    grain: float = option(
        0.02,
        _METHOD,
        "Grey noise that is added whenever the picture is enlarged (standard deviation, in pixel values from 0 to 1); "
        "brushwork forms from it where the photograph is smooth.",
        low=0,
        high=0.5,
        live=True,
    )
    learning_rate: float = option(0.02, _METHOD, "Step size of Adam, in pixel values from 0 to 1.", low=1e-6, high=1)
    averaging: float = option(
        0.95, _METHOD, "Decay of the running average of Adam's iterates; 0 takes the last iterate.", low=0, high=0.9999
    )
    tolerance: float = option(
        0.1,
        _METHOD,
        "A scale ends early when ten iterations change the picture by less than this (root mean square); 0 turns this "
        "off.",
        unit="levels of 255",
        low=0,
        high=255,
        live=True,
    )
    device: str = option(
        "auto",
        _MACHINE,
        "Device to compute on: auto takes a CUDA or Apple GPU if there is one.",
        words=("auto", "cpu", "cuda", "mps"),
        open_ended=True,
    )
    precision: Literal["auto", "float32", "bfloat16"] = option(
        "auto",
        _MACHINE,
        "Number format of the network; auto takes bfloat16, which needs half the time and memory, where the hardware "
        "supports it. Statistics, losses and pixels are always float32.",
    )

    def __post_init__(self) -> None:
        for name, (kind, known) in OPTIONS.items():
            object.__setattr__(self, name, checked(name, getattr(self, name), kind, known))
        if self.style_loss == "cross_gram" and sum(map(bool, self.style_layers.values())) < 2:
            raise SettingsError(
                "style_layers",
                "style_loss cross_gram compares each layer with the next; give at least two layers a weight above 0",
            )
        if self.stroke_size and self.style_scale != 1.0:
            raise SettingsError(
                "stroke_size",
                f"style_scale {self.style_scale:g} already sets the size of the strokes; give only one of the two",
            )
        if not self.content_weight and not self.style_weight:
            raise SettingsError(
                "style_weight",
                "content_weight is 0 as well, so there is nothing to paint; raise one of the two",
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Settings from names and values, as stored in a preset or in a picture's metadata.

        Raises:
            SettingsError: a name is unknown, or a value is not allowed.
        """
        for name in values:
            if name not in OPTIONS:
                near = difflib.get_close_matches(str(name), OPTIONS, n=1)
                hint = f"did you mean {near[0]}?" if near else "the settings are " + ", ".join(OPTIONS)
                # The name may come from an untrusted file: control characters must not reach the terminal.
                shown = str(name) if str(name).isprintable() else ascii(name)
                raise SettingsError(shown, f"there is no such setting; {hint}")
        return cls(**values)

    def replace(self, **changes: Any) -> Self:
        """A copy with `changes` applied, checked again."""
        return type(self).from_mapping(self.to_mapping() | changes)

    def replace_live(self, **changes: Any) -> Self:
        """A copy with `changes` applied, for a picture that is being painted.

        Raises:
            SettingsError: as `replace`, or a setting that is not `live` would change.
        """
        settings = self.replace(**changes)
        for name in settings.differences(self):
            if not OPTIONS[name][1].live:
                live = ", ".join(name for name, (_, option) in OPTIONS.items() if option.live)
                raise SettingsError(name, f"it cannot change while a picture is painted; these can: {live}")
        return settings

    def differences(self, other: Settings) -> dict[str, Any]:
        """The settings that differ from `other`, with their values in this one."""
        theirs = other.to_mapping()
        return {name: value for name, value in self.to_mapping().items() if value != theirs[name]}

    def to_mapping(self) -> dict[str, Any]:
        """Names and values, in types that TOML and JSON can represent."""
        return {name: _plain_value(getattr(self, name)) for name in OPTIONS}

    def without_effect(self, *, masked: bool = True) -> dict[str, str]:
        """The settings that differ from the defaults but have no effect given the others, with the reason.

        Optimisers and networks know which settings are theirs; see `task.without_effect`.

        Args:
            masked: whether there are masks.
        """
        reasons: dict[str, str] = {}
        if self.scales == 1:
            why = "scales is 1"
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
    """Type and `Option` of every field of `Settings`, by name, in the order of declaration."""
    kinds = typing.get_type_hints(Settings)
    return {f.name: (kinds[f.name], f.metadata["option"]) for f in dataclasses.fields(Settings)}


OPTIONS = types.MappingProxyType(options())
