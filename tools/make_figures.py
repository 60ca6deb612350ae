"""Draws the figures and paints the pictures of README.md and docs/, from the bundled samples.

    python tools/make_figures.py [NAME ...]

Without names it makes all of them, which takes about a quarter of an hour on two cores.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import impasto
from impasto import assets
from impasto.backbones import VGG19
from impasto.images import fit, resize
from impasto.plots import grid_figure, save_figure, write_figure
from impasto.representations import Moments

DEMO_CONTENT = f"sample:{assets.DEMO_PHOTO}"
DEMO_STYLE = f"sample:{assets.DEMO_PAINTING}"
FIGURES = Path(__file__).parent.parent / "docs" / "figures"
GALLERY = (("neuschwanstein", "starry_night"), ("red_panda", "cafe_terrace"), ("great_wall", "the_scream"))
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def picture(pixels: Tensor) -> impasto.Image:
    """An Image of pixels (3, h, w) or one map (h, w), stretched to fill [0, 1]."""
    low, high = pixels.min(), pixels.max()
    spread = (pixels - low) / (high - low + 1e-12)
    return impasto.Image(pixels=spread.expand(3, *spread.shape[-2:])[None].contiguous().float())


def features(name: str, side: int) -> dict[str, Tensor]:
    """Features of a bundled picture, (channels, h, w) by layer."""
    image = impasto.load(name)
    with torch.no_grad():
        found = VGG19(LAYERS[-1])(resize(image.pixels, fit(image.size, side)), LAYERS)
    return {layer: maps[0] for layer, maps in found.items()}


def content_representation() -> None:
    """Four feature maps at each of five depths, the strongest ones that differ."""
    cells = []
    for layer, maps in features(DEMO_CONTENT, 512).items():
        strongest = maps.flatten(1).std(1).argsort(descending=True)[:4]
        cells += [(layer, picture(maps[index].sqrt())) for index in strongest]
    write_figure(grid_figure(cells, columns=4), FIGURES / "content-representation.png", dpi=110)


def style_representation() -> None:
    """Correlations of the features of a painting and of a photograph, at three depths."""
    cells = []
    for name, label in ((DEMO_STYLE, "painting"), (DEMO_CONTENT, "photograph")):
        for layer, maps in features(name, 512).items():
            gram = Moments.of(maps[None]).gram
            # Features differ in size by orders of magnitude; divided by it, what occurs together shows.
            scale = gram.diagonal().clamp_min(1e-6).sqrt()
            cells.append((f"{label}, {layer}", picture((gram / torch.outer(scale, scale))[:64, :64])))
    write_figure(grid_figure(cells, columns=5), FIGURES / "style-representation.png", dpi=110)


def strength() -> None:
    """One pair at five strengths."""
    cells = []
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        pastiche = impasto.stylize(DEMO_CONTENT, DEMO_STYLE, size=384, strength=value)
        cells.append((f"strength {value:g}", pastiche.image))
    write_figure(grid_figure(cells, columns=5), FIGURES / "strength.png", dpi=160)


def scales() -> None:
    """What stands at the end of each scale."""
    ends: dict[int, tuple[str, impasto.Image]] = {}
    for progress in impasto.stylization(DEMO_CONTENT, DEMO_STYLE):
        if progress.iteration == progress.iterations:
            height, width = progress.size
            ends[progress.scale] = (f"{width} × {height}", progress.preview())
    write_figure(grid_figure(list(ends.values()), columns=4), FIGURES / "scales.png", dpi=130)


def figure() -> None:
    """The demo's figure."""
    pastiche = impasto.stylize(DEMO_CONTENT, DEMO_STYLE)
    save_figure(impasto.load(DEMO_CONTENT), [impasto.load(DEMO_STYLE)], pastiche, FIGURES / "figure.png")


def gallery() -> None:
    """The three pictures of the README."""
    for content, style in GALLERY:
        pastiche = impasto.stylize(f"sample:{content}", f"sample:{style}", size=640)
        pastiche.save(FIGURES / f"{content}-{style}.jpg", quality=88)


MAKERS: dict[str, Callable[[], None]] = {
    maker.__name__: maker for maker in (content_representation, style_representation, strength, scales, figure, gallery)
}


def main(names: list[str]) -> int:
    """Make the figures called `names`, or all."""
    if unknown := set(names).difference(MAKERS):
        print(f"there is no figure {', '.join(sorted(unknown))}; there are {', '.join(MAKERS)}", file=sys.stderr)
        return 2
    FIGURES.mkdir(parents=True, exist_ok=True)
    for name in names or MAKERS:
        print(name, flush=True)
        MAKERS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
