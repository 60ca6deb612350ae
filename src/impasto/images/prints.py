"""Owns the sizes of prints: paper by name or in centimetres, millimetres or inches, and the pixels that fill it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from impasto.errors import SettingsError

# Millimetres of ISO 216's A and B series, and of North American paper.
PAPERS: Mapping[str, tuple[float, float]] = {
    **{f"A{n}": size for n, size in enumerate([(841, 1189), (594, 841), (420, 594), (297, 420), (210, 297)])},
    "A5": (148, 210),
    "A6": (105, 148),
    **{f"B{n}": size for n, size in enumerate([(1000, 1414), (707, 1000), (500, 707), (353, 500), (250, 353)])},
    "LETTER": (215.9, 279.4),
    "LEGAL": (215.9, 355.6),
    "TABLOID": (279.4, 431.8),
}
#: Dots an inch at which a print is sharp from reading distance; posters do with fewer.
DEFAULT_DPI = 300
_UNITS = {"mm": 1.0, "cm": 10.0, "in": 25.4, '"': 25.4, "m": 1000.0}
_INCH = 25.4
# Millimetres: no print is smaller or larger.
_RANGE = (10.0, 100_000.0)
_DPI_RANGE = (10, 4800)


@dataclass(frozen=True)
class Print:
    """A sheet of paper.

    Attributes:
        short, long: its sides in millimetres.
    """

    short: float
    long: float

    @classmethod
    def of(cls, text: str) -> Self:
        """The print that a text names: `60x40cm`, `12x8in`, `A2`, `letter`.

        Raises:
            SettingsError: it names none.
        """
        if (paper := PAPERS.get(text.strip().upper())) is not None:
            return cls(*paper)
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*[x×]\s*(\d+(?:\.\d+)?)\s*(mm|cm|m|in|\")\s*", text.lower())
        if not found:
            raise SettingsError(
                "print", f"got {text!r}; write a size such as 60x40cm or 12x8in, or a paper: {', '.join(PAPERS)}"
            )
        short, long = sorted(float(side) * _UNITS[found[3]] for side in found.groups()[:2])
        if not _RANGE[0] <= short <= long <= _RANGE[1]:
            raise SettingsError("print", f"got {text!r}; each side must be 1 cm to 100 m")
        return cls(short, long)

    def long_side(self, picture: tuple[int, int], dpi: int = DEFAULT_DPI) -> int:
        """Long side in pixels of a picture that fits the sheet, upright or across as the picture is.

        Args:
            picture: (height, width) in any unit; only its proportions matter.
            dpi: dots an inch.

        Raises:
            SettingsError: `dpi` is out of range.
        """
        if not _DPI_RANGE[0] <= dpi <= _DPI_RANGE[1]:
            raise SettingsError("dpi", f"got {dpi}; it must be {_DPI_RANGE[0]} to {_DPI_RANGE[1]}")
        proportion = max(picture) / min(picture)
        return max(1, round(min(self.long, self.short * proportion) / _INCH * dpi))
