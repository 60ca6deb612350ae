"""Owns the description of an option, and the check of its values."""

from __future__ import annotations

import math
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from impasto.errors import SettingsError

#: Weight of each layer, by name.
LayerWeights = Mapping[str, float]
#: Shares of a whole, where only the ratios matter; or, if the option has an upper bound, amounts from 0 to that bound.
Shares = tuple[float, ...]

LARGEST_WEIGHT = 1e12
GROUPS = ("Picture", "Style and content", "Method", "Machine")


@dataclass(frozen=True)
class Option:
    """The description of a setting, beyond its type and default.

    Attributes:
        meaning: help text, one or two sentences.
        group: heading under which it is shown, one of `GROUPS`.
        unit: unit of the number, `""` for a pure number.
        low, high: smallest and largest value allowed, `None` for no bound.
        words: special values, as words.
        open_ended: whether text other than `words` is allowed.
        live: whether it may change while a picture is being painted.
    """

    meaning: str
    group: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    words: tuple[str, ...] = ()
    open_ended: bool = False
    live: bool = False

    @property
    def range(self) -> str:
        """The allowed values as text, `""` if there is no restriction."""
        if self.words:
            return ", ".join(self.words) + (", …" if self.open_ended else "")
        if self.low is not None and self.high is not None:
            return f"{_plain(self.low)} to {_plain(self.high)}"
        return f"at least {_plain(self.low)}" if self.low is not None else ""


def number_in(kind: Any, text: str) -> int | float | str:
    """The number that a text stands for, if `kind` is int or float; otherwise the text, which `Settings` then refuses.

    Args:
        kind: the type of a setting. An int may be written as 512.0, which the check of the setting accepts.
    """
    for number in {int: (int, float), float: (float,)}.get(kind, ()):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _plain(number: float) -> str:
    """A number as text: whole numbers below 10 digits in full, others with 6 significant digits."""
    return str(int(number)) if abs(number) < 1e10 and number == int(number) else f"{number:g}"


def option(default: Any, group: str, meaning: str, **known: Any) -> Any:
    metadata = {"option": Option(meaning=meaning, group=group, **known)}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def parse_layers(text: str) -> dict[str, float]:
    """Layer weights from text: `relu1_1=1,relu2_1=0.5`; a name without a weight has weight 1.

    Raises:
        ValueError: the text is not of that form.
    """
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, equals, weight = part.partition("=")
        if not name.strip() or (equals and not weight.strip()):
            raise ValueError(f"{text!r} is not a list of layers; write it like relu1_1=1,relu2_1=0.5")
        if name.strip() in weights:
            raise ValueError(f"layer {name.strip()!r} is named twice in {text!r}")
        try:
            weights[name.strip()] = float(weight) if equals else 1.0
        except ValueError:
            raise ValueError(f"{weight.strip()!r} is not a number; write layers like relu1_1=1,relu2_1=0.5") from None
    return weights


def checked(name: str, value: Any, kind: Any, option: Option) -> Any:
    if kind == LayerWeights:
        return _checked_layers(name, value)
    if kind == Shares:
        return _checked_shares(name, value, option)
    if typing.get_origin(kind) is Literal:
        if value not in typing.get_args(kind):
            raise SettingsError(name, f"got {value!r}; it must be one of {', '.join(typing.get_args(kind))}")
        return value
    if kind is str:
        if not isinstance(value, str) or not value.strip():
            raise SettingsError(name, f"got {value!r}; it must be one of {option.range}")
        return value
    # 512.0 is accepted as a whole number.
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not (whole if kind is int else isinstance(value, int | float)):
        article = "a whole number" if kind is int else "a number"
        raise SettingsError(name, f"got {value!r}; it must be {article}{_range_clause(option)}")
    # Bounds first: math.isfinite fails on very large whole numbers.
    if not _within(value, option) or not math.isfinite(value):
        unit = f" {option.unit}" if option.unit else ""
        raise SettingsError(name, f"got {_shown(value)}; it must be {option.range}{unit}")
    return kind(value)


def _checked_shares(name: str, value: Any, option: Option) -> Shares:
    of_a_whole = option.high is None
    high = LARGEST_WEIGHT if option.high is None else option.high
    allowed = "at least 0, as in 0.7,0.3" if of_a_whole else f"{option.range}, as in 0.3,0.8"
    if isinstance(value, str):
        value = value.split(",") if value.strip() not in ("", "none") else ()
    if not isinstance(value, Iterable) or isinstance(value, Mapping):
        raise SettingsError(name, f"got {value!r}; write numbers separated by commas, {allowed}")
    shares = []
    for share in value:
        try:
            number = float(share) if isinstance(share, str | int | float) and not isinstance(share, bool) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if not 0 <= number <= high:
            raise SettingsError(name, f"got {share!r}; each must be a number, {allowed}")
        shares.append(number)
    if of_a_whole and shares and not any(shares):
        raise SettingsError(name, "every share is 0; at least one must be above 0")
    return tuple(shares)


def _within(value: float, option: Option) -> bool:
    return (option.low is None or value >= option.low) and (option.high is None or value <= option.high)


def _shown(value: float) -> str:
    try:
        return f"{value:g}"
    except OverflowError:
        return "a number with hundreds of digits"


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
            raise SettingsError(name, f"got {wrong[0]!r} as a layer; it must be a name such as relu4_2")
        value = dict.fromkeys(layers, 1.0)
    if not isinstance(value, Mapping) or not value:
        raise SettingsError(name, f"got {value!r}; it must name at least one layer, such as relu1_1=1,relu2_1=0.5")
    for layer, weight in value.items():
        if not isinstance(layer, str):
            raise SettingsError(name, f"got {layer!r} as a layer; it must be a name such as relu4_2")
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise SettingsError(name, f"got {weight!r} as the weight of {layer!r}; it must be a number of at least 0")
        if not 0 <= weight <= LARGEST_WEIGHT:
            raise SettingsError(
                name, f"got {_shown(weight)} as the weight of {layer!r}; it must be 0 to {LARGEST_WEIGHT:g}"
            )
    if not any(value.values()):
        raise SettingsError(name, "every layer has weight 0; at least one must be above 0")
    return {layer: float(weight) for layer, weight in value.items()}
