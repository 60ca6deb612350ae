"""Owns the pictures of the benchmarks: pairs of a photograph and a painting."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from impasto import assets


@dataclass(frozen=True)
class Pair:
    """A photograph and a painting.

    Attributes:
        name: `photograph × painting`.
        content: path of the photograph.
        style: path of the painting.
    """

    name: str
    content: Path
    style: Path


# Common test pictures of the field, below the folder `IMPASTO_DATA`; they must not be redistributed.
_CLASSIC = (
    ("content/tubingen", "style/starry_night"),
    ("content/golden_gate", "style/the_scream"),
    ("content/taj_mahal", "style/great_wave_crop"),
    ("content/gentlecat", "style/udnie_picabia"),
    ("content/kinkakuji", "style/vg_wheat_field"),
    ("content/newyork", "style/small_worlds_kandinsky"),
    ("content/cornell", "style/vg_houses"),
    ("kodak/kodim04", "style/vg_cafe"),
    ("kodak/kodim23", "style/gauguin_tahiti"),
    ("content/lofoten", "style/water_lilies_1919"),
    ("content/bike", "style/mondrian"),
    ("content/sailboat", "style/sakai_hoitsu"),
)

# Bundled pictures, for measuring speed.
_BUNDLED = (
    ("neuschwanstein", "starry_night"),
    ("red_panda", "cafe_terrace"),
    ("great_wall", "the_scream"),
    ("coffee", "night_cafe"),
    ("neuschwanstein", "pere_tanguy"),
)


def data() -> Path:
    """The folder of the test pictures: `IMPASTO_DATA`, or `shared/data` beside the repository."""
    return Path(os.environ.get("IMPASTO_DATA", Path(__file__).parents[2] / "shared" / "data"))


def classic() -> list[Pair]:
    """Twelve pairs of common test pictures; an empty list if the data is missing."""
    folder = data() / "classic"
    pairs = [
        Pair(f"{Path(c).name} × {Path(s).name}", folder / f"{c}.jpg", folder / f"{s}.jpg")  # as the files are called
        for c, s in _CLASSIC
    ]
    if missing := [path for pair in pairs for path in (pair.content, pair.style) if not path.is_file()]:
        print(f"{missing[0].name} is not in {folder.name}; set IMPASTO_DATA to the folder of the test pictures")
        return []
    return pairs


def bundled() -> list[Pair]:
    """Five pairs of bundled pictures."""
    return [Pair(f"{c} × {s}", assets.sample(c).path, assets.sample(s).path) for c, s in _BUNDLED]
