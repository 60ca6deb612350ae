"""Owns experiments: a pair painted with several values of one or two settings, on a labelled sheet."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.errors import ImageReadError, SettingsError
from impasto.images import Image
from impasto.plots import grid_figure
from impasto.recipes import Recipe
from impasto.settings import OPTIONS, LayerWeights, Settings, Shares, number_in

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Settings whose own values hold commas, and so cannot be an axis.
_LISTS = tuple(name for name, (kind, _) in OPTIONS.items() if kind in (LayerWeights, Shares))
#: What several values look like.
EXAMPLE = "--strength 0.3,0.5,0.7"


@dataclass(frozen=True)
class Axis:
    """A setting and the values it takes.

    Attributes:
        setting: its name.
        values: as text or numbers, in the order they are shown in.
    """

    setting: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Cell:
    """One picture of a sweep.

    Attributes:
        values: of the settings that are swept, by name.
        settings: all settings.
    """

    values: Mapping[str, Any]
    settings: Settings

    @property
    def label(self) -> str:
        """What is written over the picture: `content_weight 0.3, strength 0.5`."""
        return ", ".join(f"{name} {value}" for name, value in self.values.items())

    @property
    def stem(self) -> str:
        """A file name without suffix: `content_weight=0.3,strength=0.5`."""
        joined = ",".join(f"{name}={value}" for name, value in self.values.items())
        return "".join(c if c.isalnum() or c in "._=,-+" else "_" for c in joined)


def axes_of(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Axis]]:
    """Part the settings that were given into those with one value and those with several, `0.1,0.3,1`.

    Raises:
        SettingsError: none or more than two have several, or one of them has a value twice.
    """
    single: dict[str, Any] = {}
    axes: list[Axis] = []
    lists: list[str] = []
    for name, value in values.items():
        if not isinstance(value, str) or "," not in value:
            single[name] = value
        elif name in _LISTS:
            single[name] = value
            lists.append(name)
        else:
            several = tuple(part.strip() for part in value.split(","))
            if len(set(several)) < len(several):
                raise SettingsError(name, f"got {value!r}, in which a value stands twice")
            axes.append(Axis(name, several))
    if not axes and lists:
        raise SettingsError(
            lists[0],
            f"got {values[lists[0]]!r}, a list that is one value and cannot be swept; "
            f"give several values to one or two other settings, such as {EXAMPLE}",
        )
    if not axes:
        raise SettingsError("sweep", f"got no setting with several values; give them to one or two, such as {EXAMPLE}")
    if len(axes) > 2:
        names = " and ".join(axis.setting for axis in axes)
        raise SettingsError(
            axes[-1].setting, f"got several values for {names}; give them to one or two settings, such as {EXAMPLE}"
        )
    return single, axes


def cells(settings: Settings, axes: Sequence[Axis]) -> list[Cell]:
    """Every combination, row by row: the first of two axes goes down, the other, or the only one, across.

    Raises:
        SettingsError: a value is not allowed.
    """
    combinations = itertools.product(*(axis.values for axis in axes))
    chosen = [dict(zip((axis.setting for axis in axes), values, strict=True)) for values in combinations]
    return [Cell(values, settings.replace(**{k: _read(k, v) for k, v in values.items()})) for values in chosen]


def columns(axes: Sequence[Axis]) -> int:
    """Pictures in a row of the sheet."""
    return len(axes[-1].values)


def sheet(pictures: Sequence[tuple[Cell, Image]], axes: Sequence[Axis]) -> Figure:
    """The pictures under their labels, in a grid.

    Raises:
        SettingsError: there is no picture.
    """
    return grid_figure([(cell.label, image) for cell, image in pictures], columns(axes))


def painted(path: Path, recipe: Recipe) -> bool:
    """Whether the picture at `path` was painted by this recipe: with these settings, from these pictures.

    Where the recipe notes no weights, the backbone's own are meant, and they are not compared.
    """
    try:
        known = Recipe.of_file(path)
    except (ImageReadError, SettingsError):
        return False
    if recipe.weights is not None and known.weights != recipe.weights:
        return False
    same = (known.settings, known.content, known.styles) == (recipe.settings, recipe.content, recipe.styles)
    return same and known.changes == recipe.changes and known.versions.get("impasto") == recipe.versions.get("impasto")


def _read(name: str, value: Any) -> Any:
    """The value of a setting that may be written as text."""
    return number_in(OPTIONS[name][0], value) if isinstance(value, str) else value
