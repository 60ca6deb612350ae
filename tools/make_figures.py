"""Generates the figures and pictures of README.md and docs/ from the bundled samples.

    python tools/make_figures.py [NAME ...]

Without names it generates all of them, which takes about half an hour on two cores.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

import impasto
from impasto import assets, sweeps
from impasto.images import fit
from impasto.plots import grid_figure, save_figure, write_figure
from impasto.settings import OPTIONS, ContentLossName, StyleLossName

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEMO_CONTENT = f"sample:{assets.DEMO_PHOTO}"
DEMO_STYLE = f"sample:{assets.DEMO_PAINTING}"
FIGURES = Path(__file__).parent.parent / "docs" / "figures"
# Of README.md, and of docs/gallery.md beside them; each with the long side in pixels.
GALLERY = (
    ("neuschwanstein", "starry_night", 640),
    ("red_panda", "cafe_terrace", 640),
    ("great_wall", "the_scream", 640),
    ("mont_saint_michel", "harvest", 512),
    ("great_wall", "painter_on_the_road", 512),
    ("coffee", "night_cafe", 512),
)
# The pairs that show the difference of `largest_form`.
MANNER = (
    ("astronaut", "the_scream"),
    ("astronaut", "pere_tanguy"),
    ("neuschwanstein", "starry_night"),
    ("red_panda", "painter_on_the_road"),
)
# Resolution of the explanations and of the other figures, for files of moderate size.
_DPI = 130
_SMALL_DPI = 80


def content_reconstructions() -> None:
    """Content reconstructions of the demo's photograph, by layer."""
    impasto.explain("content", DEMO_CONTENT).save(FIGURES / "content-reconstructions.png", dpi=_DPI)


def style_reconstructions() -> None:
    """Style reconstructions of the demo's painting, from the Gram matrices of the first layers."""
    impasto.explain("style", DEMO_STYLE, seed=3).save(FIGURES / "style-reconstructions.png", dpi=_DPI)


def gram_matrices() -> None:
    """The Gram matrices of the demo's painting, and the meaning of an entry."""
    impasto.explain("gram", DEMO_STYLE).save(FIGURES / "gram-matrices.png", dpi=_DPI)


def receptive_fields() -> None:
    """The receptive fields of layers, and the effect of pooling."""
    impasto.explain("network", DEMO_STYLE).save(FIGURES / "receptive-fields.png", dpi=_DPI)


def strength() -> None:
    """One pair at five strengths."""
    cells = []
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        pastiche = impasto.stylize(DEMO_CONTENT, DEMO_STYLE, size=384, strength=value)
        cells.append((f"strength {value:g}", pastiche.image))
    write_figure(grid_figure(cells, columns=5), FIGURES / "strength.png", dpi=160)


def manner() -> None:
    """Four pairs, by the settings before there was a largest form, and by default."""
    before = impasto.preset("default").settings(largest_form=0, enlarged="all", iterations=15).changed()
    cells = []
    for photo, painting in MANNER:
        cells += [(photo.replace("_", " "), small(f"sample:{photo}", 256))]
        cells += [(painting.replace("_", " "), small(f"sample:{painting}", 256))]
        for label, settings in (("before", before), ("the default", {})):
            pastiche = impasto.stylize(f"sample:{photo}", f"sample:{painting}", size=256, **settings)
            cells.append((label, pastiche.image))
    write_figure(grid_figure(cells, columns=4), FIGURES / "manner.png", dpi=80)


def strokes() -> None:
    """One photograph in the style of two paintings, with strokes of three sizes."""
    cells = []
    for style in ("cafe_terrace", "the_scream"):
        for size in (1.5, 3.0, 6.0):
            pastiche = impasto.stylize("sample:red_panda", f"sample:{style}", size=320, strength=0.5, stroke_size=size)
            cells.append((f"{style.replace('_', ' ')}, stroke size {size:g} %", pastiche.image))
    write_figure(grid_figure(cells, columns=3), FIGURES / "strokes.png", dpi=130)


def style_losses() -> None:
    """One pair with every style loss."""
    losses = typing.get_args(StyleLossName)
    write_figure(loss_sheet({name: {"style_loss": name} for name in losses}, 2), FIGURES / "style-losses.png", dpi=130)


def content_losses() -> None:
    """One pair with every content loss."""
    options = {name: {"content_loss": name} for name in typing.get_args(ContentLossName)}
    # With one layer, self-similarity keeps too little of the scene; the paper uses all layers.
    options["self_similarity"]["content_layers"] = "relu2_2,relu3_2,relu4_2"
    write_figure(loss_sheet(options, 3), FIGURES / "content-losses.png", dpi=160)


def loss_sheet(options: Mapping[str, Mapping[str, Any]], columns: int) -> Figure:
    """The demo's pair at 256 px, once for each entry of `options`, with all other settings at their defaults."""
    cells = [
        (name, impasto.stylize(DEMO_CONTENT, DEMO_STYLE, size=256, **values).image) for name, values in options.items()
    ]
    return grid_figure(cells, columns=columns)


def scales() -> None:
    """The picture at the end of each scale."""
    ends: dict[int, tuple[str, impasto.Image]] = {}
    for progress in impasto.stylization(DEMO_CONTENT, DEMO_STYLE):
        if progress.iteration == progress.iterations:
            height, width = progress.size
            ends[progress.scale] = (f"{width} × {height}", progress.preview())
    write_figure(grid_figure(list(ends.values()), columns=3), FIGURES / "scales.png", dpi=130)


def layers() -> None:
    """One pair, with content layers of five depths."""
    cells = [("the photograph", small(DEMO_CONTENT, 320))]
    for layer in ("relu1_2", "relu2_2", "relu3_2", "relu4_2", "relu5_2"):
        pastiche = impasto.stylize(DEMO_CONTENT, DEMO_STYLE, size=320, content_layers=layer)
        cells.append((f"content by {layer}", pastiche.image))
    write_figure(grid_figure(cells, columns=3), FIGURES / "layers.png", dpi=_SMALL_DPI)


def texture() -> None:
    """A tileable texture, and four copies of it."""
    pastiche = impasto.texture("sample:starry_night", width=256, height=256, tile=True)
    tile = pastiche.image.pixels
    cells = [("one tile", pastiche.image), ("2 × 2 tiles", impasto.Image(pixels=tile.repeat(1, 1, 2, 2)))]
    write_figure(grid_figure(cells, columns=2), FIGURES / "texture.png", dpi=90)


def colors() -> None:
    """One pair with every `keep_color`."""
    pair = ("sample:great_wall", "sample:the_scream")
    ways = [(f"keep_color {keep}", {"keep_color": keep}) for keep in typing.get_args(OPTIONS["keep_color"][0])]
    ways.append(("histogram, before", {"keep_color": "histogram", "keep_color_when": "before"}))
    painted = [(label, impasto.stylize(*pair, size=320, **way).image) for label, way in ways]
    write_figure(
        grid_figure([("the photograph", small(pair[0], 320)), *painted], columns=3),
        FIGURES / "colors.png",
        dpi=_SMALL_DPI,
    )


def regions() -> None:
    """A photograph with the sky in the style of one painting and the land in the style of another."""
    photograph = small("sample:great_wall", 384)
    sky = sky_of(photograph)
    land = impasto.Image(pixels=1.0 - sky.pixels)
    paintings = ["sample:starry_night", "sample:harvest"]
    bold, calm = (
        impasto.stylize(photograph, paintings, size=384, masks=[sky, land], region_strength=strengths).image
        for strengths in ((), (0.8, 0.3))
    )
    cells = [("the photograph", photograph), ("a mask of its sky", sky), ("two paintings", bold), ("calm land", calm)]
    write_figure(grid_figure(cells, columns=2), FIGURES / "regions.png", dpi=_SMALL_DPI)


def together() -> None:
    """Several controls in one picture: two paintings, a stronger sky, broad strokes, and the photograph's colours."""
    photograph = impasto.load("sample:neuschwanstein")
    pastiche = impasto.stylize(
        photograph,
        ["sample:starry_night", "sample:the_scream"],
        masks=[sky_of(photograph)],
        region_strength=(0.9,),
        blend=(0.7, 0.3),
        keep_color="luminance",
        stroke_size=3,
        size=1024,
        preset="quick",
    )
    pastiche.save(FIGURES / "together.jpg", quality=88)


def sky_of(photograph: impasto.Image) -> impasto.Image:
    """A mask of the sky: in each column, the pixels above the first that is dark or green; narrow gaps are closed."""
    _, green, blue = photograph.pixels[0]
    sky = (blue > green - 0.02) & (blue > 0.45)
    depths = sky.float().cumprod(0).sum(0)[None, None]
    # Morphological closing of the horizon.
    side = 2 * (photograph.width // 24) + 1
    highest = F.max_pool1d(depths, side, stride=1, padding=side // 2)
    horizon = -F.max_pool1d(-highest, side, stride=1, padding=side // 2)[0]
    rows = torch.arange(photograph.height)[:, None]
    return impasto.Image(pixels=(horizon - rows).clamp(0, 1).expand(1, 3, -1, -1).contiguous())


def sweep() -> None:
    """The sheet of a sweep over two settings."""
    single, axes = sweeps.axes_of({"size": 224, "strength": "0.25,0.5", "stroke_size": "1.5,3,6"})
    cells = sweeps.cells(impasto.Settings(**single), axes)
    pictures = [(cell, impasto.stylize(DEMO_CONTENT, DEMO_STYLE, **cell.settings.to_mapping()).image) for cell in cells]
    write_figure(sweeps.sheet(pictures, axes), FIGURES / "sweep.png", dpi=_SMALL_DPI)


def small(name: str, size: int) -> impasto.Image:
    """A picture resized to a long side of `size` pixels."""
    picture = impasto.load(name)
    return picture.resized(fit(picture.size, size))


def figure() -> None:
    """The figure of the demo: inputs, pastiche and losses."""
    pastiche = impasto.stylize(DEMO_CONTENT, DEMO_STYLE)
    save_figure(impasto.load(DEMO_CONTENT), [impasto.load(DEMO_STYLE)], pastiche, FIGURES / "figure.png")


def gallery() -> None:
    """The pictures of the README and of the gallery's first sections."""
    for content, style, size in GALLERY:
        pastiche = impasto.stylize(f"sample:{content}", f"sample:{style}", size=size)
        pastiche.save(FIGURES / f"{content}-{style}.jpg", quality=88)


def brushes() -> None:
    """Every style of the fast model for the bundled paintings, on every bundled photograph."""
    model = impasto.FastModel.load("brushes")
    photographs = [sample.name for sample in assets.samples() if sample.kind == "photo"]
    cells = []
    for name in photographs:
        photograph = small(f"sample:{name}", 256)
        cells.append((name.replace("_", " "), photograph))
        cells += [(style.replace("_", " "), model.stylize(photograph, style)) for style in model.styles]
    # Wide enough for the names of the styles.
    write_figure(grid_figure(cells, columns=len(model.styles) + 1, width=12.0), FIGURES / "brushes.png", dpi=120)


MAKERS: dict[str, Callable[[], None]] = {
    maker.__name__: maker
    for maker in (
        receptive_fields,
        content_reconstructions,
        gram_matrices,
        style_reconstructions,
        strength,
        manner,
        strokes,
        style_losses,
        content_losses,
        scales,
        layers,
        texture,
        colors,
        regions,
        together,
        sweep,
        figure,
        gallery,
        brushes,
    )
}


def main(names: list[str]) -> int:
    """Generate the figures named `names`, or all."""
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
