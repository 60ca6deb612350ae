"""Owns Item: one picture of a batch, from the names of its inputs to its output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from impasto import api
from impasto.errors import SettingsError
from impasto.files import identity, label
from impasto.images import check_output
from impasto.loading import SAMPLE_PREFIX, load
from impasto.recipes import Fingerprint, Recipe
from impasto.settings import OPTIONS, Settings
from impasto.sweeps import painted


@dataclass(frozen=True)
class Item:
    """One picture to paint.

    Attributes:
        content: the photograph: a path, or `sample:NAME`.
        styles: the paintings, named in the same way.
        settings: all settings.
        output: the file to write; its suffix decides the format.
        source: where the item was read from, for messages: `jobs.csv, line 3`; empty if from nowhere.
    """

    content: str
    styles: tuple[str, ...]
    settings: Settings
    output: Path
    source: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of all pictures that go in."""
        return self.content, *self.styles

    def recipe(self) -> Recipe:
        """The recipe that the output will contain.

        Raises:
            ImageReadError: an input cannot be read.
            AssetError: no bundled picture has that name.
            DeviceError: the device is not on this machine.
        """
        content, *styles = (Fingerprint.of(load(name)) for name in self.inputs)
        return Recipe(api.resolved(self.settings), content, tuple(styles))

    def is_painted(self) -> bool:
        """Whether the output exists and was painted from these pictures with these settings."""
        return self.output.is_file() and painted(self.output, self.recipe())


def check(items: Sequence[Item]) -> None:
    """Refuse, before anything is painted, items whose outputs collide or cannot be written, or that lack a file.

    Creates the folders of the outputs.

    Raises:
        SettingsError: two items have one output, an output is an input, or an item asks for what a batch cannot do.
        ImageReadError: an input does not exist.
        ImageWriteError: an output cannot be written.
    """
    inputs = {identity(name) for item in items for name in item.inputs if not name.startswith(SAMPLE_PREFIX)}
    outputs: dict[str, Item] = {}
    for item in items:
        if item.settings.init not in OPTIONS["init"][1].words:
            raise _blamed(item, "init", f"got {item.settings.init}; in a batch it must be one of the words")
        # Names that differ in case only are one file on many disks.
        known = outputs.setdefault(str(item.output.absolute()).casefold(), item)
        if known is not item:
            raise _blamed(
                item, "out", f"{_named(known)} and {_named(item)} would both be painted as {label(item.output)}"
            )
        if identity(item.output) in inputs:
            raise _blamed(item, "out", f"{label(item.output)} is one of the inputs; choose another folder")
        item.output.parent.mkdir(parents=True, exist_ok=True)
        check_output(item.output, protect=_files(item.inputs))


def _files(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.startswith(SAMPLE_PREFIX)]


def _named(item: Item) -> str:
    return item.source or label(item.content)


def _blamed(item: Item, setting: str, message: str) -> SettingsError:
    return SettingsError(setting, f"{item.source}: {message}" if item.source else message)
