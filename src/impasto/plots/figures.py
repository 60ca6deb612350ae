"""Owns the figures: pictures side by side, the losses below, the settings at the foot."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.errors import SettingsError
from impasto.images import Image, resize
from impasto.pastiche import Pastiche
from impasto.plots.files import check_figure_path, write_figure
from impasto.plots.losses import draw_losses, loss_terms
from impasto.plots.page import (
    ABOVE_PLOT,
    BELOW_PLOT,
    DPI,
    ENTRY_HEIGHT,
    GAP,
    GRAY,
    INK,
    LARGE,
    LEAST_HEIGHT,
    LINE,
    MARGIN,
    MOST_HEIGHT,
    PLOT_HEIGHT,
    SMALL,
    TITLE,
    WIDTH,
    add_picture,
    new_figure,
    put_text,
    settings_notes,
    text_width,
    width_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PICTURE_SUFFIXES = (".avif", ".bmp", ".gif", ".heic", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def figure(content: Image, styles: Sequence[Image], pastiche: Pastiche) -> Figure:
    """The photograph, the paintings and the pastiche side by side; below, the loss and its terms over the iterations.

    Every size painted at is marked; the last line names the settings. A pastiche without a trace has no plot.

    Raises:
        SettingsError: there is no style.
    """
    if not styles:
        raise SettingsError("style", "got no painting; a figure shows at least one")
    # Several paintings are small, and their names matter more than the word.
    roles = ["Style"] if len(styles) == 1 else [str(number) for number in range(1, len(styles) + 1)]
    panels = [
        _Panel("Content", content.name, content),
        *(_Panel(role, style.name, style) for role, style in zip(roles, styles, strict=True)),
        _Panel("Pastiche", "", pastiche.image),
    ]
    blocks, height = _arranged(panels)
    terms = loss_terms(pastiche.trace)
    plot_height = max(PLOT_HEIGHT, ENTRY_HEIGHT * (len(terms) + 1)) if pastiche.trace else 0.0
    notes = settings_notes(pastiche, len(styles))
    notes_height = LINE * len(notes) + 0.06
    between = ABOVE_PLOT + plot_height + BELOW_PLOT if plot_height else 0.06
    total = 2 * MARGIN + height + between + notes_height
    fig = new_figure(WIDTH, total)
    _draw_blocks(fig, blocks, height, top=total - MARGIN)
    if plot_height:
        draw_losses(fig, pastiche.trace, terms, bottom=MARGIN + notes_height + BELOW_PLOT, height=plot_height)
    for line, note in enumerate(reversed(notes)):
        put_text(fig, MARGIN, MARGIN + 0.02 + LINE * line, note, size=SMALL, color=GRAY)
    return fig


def grid_figure(images: Sequence[tuple[str, Image]], columns: int, *, width: float = WIDTH) -> Figure:
    """A sheet of pictures, each under its label, row by row.

    Args:
        images: labels and pictures, in reading order.
        columns: pictures a row, at least 1.
        width: of the sheet, in inches.

    Raises:
        SettingsError: there is no picture, or `columns` is less than 1.
    """
    if not images:
        raise SettingsError("images", "got none; a sheet shows at least one")
    if columns < 1:
        raise SettingsError("columns", f"got {columns}; it must be at least 1")
    cell = (width - 2 * MARGIN - GAP * (columns - 1)) / columns
    rows = [images[start : start + columns] for start in range(0, len(images), columns)]
    heights = [max(cell * image.height / image.width for _, image in row) for row in rows]
    total = 2 * MARGIN + sum(heights) + TITLE * len(rows) + GAP * (len(rows) - 1)
    fig = new_figure(width, total)
    top = total - MARGIN
    for row, height in zip(rows, heights, strict=True):
        for column, (label, image) in enumerate(row):
            left = MARGIN + column * (cell + GAP)
            _draw_panel(fig, _Panel(label, "", image), left, top, cell)
        top -= height + TITLE + GAP
    return fig


def save_figure(
    content: Image, styles: Sequence[Image], pastiche: Pastiche, path: str | os.PathLike[str], *, dpi: int = DPI
) -> Path:
    """Make `figure` and write it to `path`; see `write_figure`.

    Raises:
        ImageWriteError: it cannot be written there.
        SettingsError: there is no style.
    """
    check_figure_path(path)
    return write_figure(figure(content, styles, pastiche), path, dpi=dpi)


@dataclass(frozen=True)
class _Panel:
    """A picture with its role and its name."""

    role: str
    name: str
    image: Image

    @property
    def aspect(self) -> float:
        """Width by height."""
        return self.image.width / self.image.height


@dataclass(frozen=True)
class _Block:
    """Rows of panels; all rows are of one width, and the panels in a row are of one height."""

    rows: Sequence[Sequence[_Panel]]

    def _terms(self) -> tuple[float, float]:
        """Factor and constant of the block's height as a function of its width."""
        factor, constant = 0.0, GAP * (len(self.rows) - 1)
        for row in self.rows:
            aspects = sum(panel.aspect for panel in row)
            factor += 1 / aspects
            constant += TITLE - GAP * (len(row) - 1) / aspects
        return factor, constant

    def height(self, width: float) -> float:
        """Height of the block, titles included, in inches."""
        factor, constant = self._terms()
        return factor * width + constant

    def width(self, height: float) -> float:
        """Width of the block, in inches."""
        factor, constant = self._terms()
        return (height - constant) / factor


def _arranged(panels: Sequence[_Panel]) -> tuple[list[_Block], float]:
    """Blocks from left to right, and the height that makes them fill the page (or the most it may be)."""
    content, *styles, pastiche = panels
    # Paintings together make a block about as many rows as columns.
    rows = math.ceil(math.sqrt(len(styles)))
    columns = math.ceil(len(styles) / rows)
    painting = _Block([styles[start : start + columns] for start in range(0, len(styles), columns)])
    blocks = [_Block([[content]]), painting, _Block([[pastiche]])]
    height = _common_height(blocks)
    if height < LEAST_HEIGHT:
        blocks = [_Block([[content, *styles], [pastiche]])]
        height = _common_height(blocks)
    return blocks, min(height, MOST_HEIGHT)


def _common_height(blocks: Sequence[_Block]) -> float:
    """The height at which blocks side by side fill the page's width."""
    space = WIDTH - 2 * MARGIN - GAP * (len(blocks) - 1)
    # Each width is linear in the height, so two heights tell all.
    at_0, at_1 = (sum(block.width(height) for block in blocks) for height in (0.0, 1.0))
    return (space - at_0) / (at_1 - at_0)


def _draw_blocks(fig: Figure, blocks: Sequence[_Block], height: float, *, top: float) -> None:
    widths = [block.width(height) for block in blocks]
    left = (WIDTH - sum(widths) - GAP * (len(blocks) - 1)) / 2
    for block, width in zip(blocks, widths, strict=True):
        upper = top
        for row in block.rows:
            row_height = (width - GAP * (len(row) - 1)) / sum(panel.aspect for panel in row)
            x = left
            for panel in row:
                _draw_panel(fig, panel, x, upper, row_height * panel.aspect)
                x += row_height * panel.aspect + GAP
            upper -= TITLE + row_height + GAP
        left += width + GAP


def _draw_panel(fig: Figure, panel: _Panel, left: float, top: float, width: float) -> None:
    """A picture with its title above it; `top` is the title's."""
    height = width / panel.aspect
    axes = add_picture(fig, _shown(panel.image, width), left, top - TITLE - height, width, height)
    axes.set_label(f"{panel.role} {panel.name}".strip())
    baseline = top - TITLE + 0.06
    role = put_text(fig, left, baseline, panel.role, size=LARGE, color=INK, weight="bold", width=width)
    if panel.name:
        after = left + text_width(fig, role) + 0.07
        room = left + width - after
        name = panel.name.removeprefix("sample:")
        if width_of(fig, name, LARGE) > room and Path(name).suffix.lower() in _PICTURE_SUFFIXES:
            # The ending says least.
            name = name[: -len(Path(name).suffix)]
        put_text(fig, after, baseline, name, size=LARGE, color=GRAY, width=room)


def _shown(image: Image, width: float) -> Any:
    """Pixels as (height, width, 3) bytes, no more than twice as many as a PNG of the default size shows."""
    most = round(2 * DPI * width)
    if image.width > most:
        image = Image(resize(image.pixels, (max(1, round(image.height * most / image.width)), most)))
    return image.to_pil()
