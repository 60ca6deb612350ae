"""Owns the options for the size of a print, and for the memory that a picture may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter

from impasto.cli.options import whole, words
from impasto.errors import SettingsError
from impasto.settings import Option, Settings


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class MemoryOptions:
    """How much memory may be used; no recipe notes it, for it does not change the picture beyond rounding."""

    memory: Annotated[
        str | None,
        words(
            "Most memory to use, such as 4GB; a picture that needs more is painted in tiles.",
            "what is free",
            group="Machine",
            metavar="SIZE",
        ),
    ] = None
    tile_size: Annotated[
        int | None,
        whole(
            "tile_size",
            "by memory",
            "Side of the tiles of large pictures.",
            Option(meaning="", group="Machine", unit="px", low=16, high=32768),
        ),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PrintOptions:
    """The size of a print, in place of pixels."""

    print: Annotated[
        str | None,
        words(
            "Size of a print instead of --size, such as 60x40cm, 12x8in, A2 or letter; the picture fits into it.",
            "none",
            group="Picture",
            metavar="SIZE",
        ),
    ] = None
    dpi: Annotated[
        int | None,
        whole(
            "dpi",
            "300 with --print",
            "Dots an inch of the print; the file notes it.",
            Option(meaning="", group="Picture", low=10, high=4800),
        ),
    ] = None

    def sized(self, settings: Settings, content: tuple[int, int], *, given: Mapping[str, Any]) -> Settings:
        """The settings with the size of the print, if there is one.

        Args:
            settings: without it.
            content: (height, width) of the photograph.
            given: options that were given.

        Raises:
            SettingsError: there is no such print, or a size in pixels as well.
        """
        if self.print is None:
            return settings
        if "size" in given:
            raise SettingsError("print", "--size says how large the picture is as well; give only one of the two")
        from impasto.images.prints import Print

        return settings.replace(size=Print.of(self.print).long_side(content, self.resolution or 0))

    @property
    def resolution(self) -> int | None:
        """Dots an inch, if the file is to note any."""
        from impasto.images.prints import DEFAULT_DPI

        return self.dpi or (DEFAULT_DPI if self.print else None)
