"""Owns the figures of reconstructions: the picture, and what was painted from each layer, in reading order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.explanations.drawing import BREAK, TITLE, heading_height, put_heading, put_picture, put_title
from impasto.explanations.reconstructions import Reconstruction
from impasto.explanations.seeing import answers_to
from impasto.images import Image
from impasto.plots.page import GAP, MARGIN, WIDTH, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 3
# Side of a close-up as a share of the picture's shorter side.
_CLOSE = 0.3

_WORDS = {
    "content": (
        "What each layer knows of a photograph",
        (
            "Each picture began as noise; its pixels were moved until one layer of the network answered to it as to "
            "the photograph.",
            "What came back is what the layer holds. Deep layers know what is where, but not in which shade and "
            "stroke: that is free to be painted.",
            "(px: how far one feature sees. dB: how like the photograph; 6 dB more is half the difference.)",
        ),
    ),
    "style": (
        "What the statistics of each layer know of a painting",
        (
            "Each picture began as noise, and its pixels were moved until the Gram matrices of the first one, two, … "
            "layers were the painting's.",
            "They say which features occur together, and not where: the manner comes back, from grain to brushwork to "
            "large forms, and not the",
            "scene. (px: how far one feature sees. Where that is most of the picture, a little of the scene is "
            "remembered after all.)",
        ),
    ),
}
_CLOSE_UP = "The same detail, close up"


def reconstruction_figure(
    subject: str, image: Image, whole: Tensor, reconstructions: Sequence[Reconstruction]
) -> Figure:
    """The picture first, then what was painted from each layer; of content also one detail of each, close up.

    Args:
        subject: `content` or `style`.
        image: the picture as given, for its name.
        whole: it at the size it was explained at, (1, 3, height, width).
        reconstructions: in the order of the network.
    """
    title, lines = _WORDS[subject]
    original = "Photograph" if subject == "content" else "Painting"
    panels = [(original, image.name.removeprefix("sample:"), whole)]
    panels += [(*_named(subject, one), one.image.pixels) for one in reconstructions]
    cell = (WIDTH - 2 * MARGIN - GAP * (_COLUMNS - 1)) / _COLUMNS
    row_height = TITLE + cell * whole.shape[-2] / whole.shape[-1]
    rows = [panels[start : start + _COLUMNS] for start in range(0, len(panels), _COLUMNS)]
    total = 2 * MARGIN + heading_height(lines) + len(rows) * (row_height + GAP) - GAP
    close = (WIDTH - 2 * MARGIN - GAP * (len(panels) - 1)) / len(panels)
    if subject == "content":
        total += BREAK + TITLE + close
    fig = new_figure(WIDTH, total)
    top = put_heading(fig, total - MARGIN, title, lines)
    for row in rows:
        for column, (name, beside, pixels) in enumerate(row):
            put_picture(fig, pixels, MARGIN + column * (cell + GAP), top, cell, title=name, beside=beside)
        top -= row_height + GAP
    if subject == "content":
        top += GAP - BREAK
        put_title(fig, MARGIN, top + 0.06, WIDTH, _CLOSE_UP)
        rows_, columns_ = busiest(whole)
        for column, (name, _, pixels) in enumerate(panels):
            detail = pixels[..., rows_, columns_]
            put_picture(fig, detail, MARGIN + column * (close + GAP), top, close, title="", beside=name)
    return fig


def _named(subject: str, one: Reconstruction) -> tuple[str, str]:
    """What stands over a reconstruction."""
    deepest = one.layers[-1]
    if subject == "content":
        return deepest.name, f"sees {deepest.receptive_field} px; {one.likeness:.0f} dB"
    plus = "+ " if len(one.layers) > 1 else ""
    return f"{plus}{deepest.name}", f"{deepest.receptive_field} px: {answers_to(deepest)}"


def busiest(picture: Tensor) -> tuple[slice, slice]:
    """Rows and columns of the square in which neighbouring pixels differ most."""
    side = max(8, round(_CLOSE * min(picture.shape[-2:])))
    gray = picture.mean(1, keepdim=True)
    change = F.pad(gray.diff(dim=2).abs(), (0, 0, 0, 1)) + F.pad(gray.diff(dim=3).abs(), (0, 1))
    amounts = F.avg_pool2d(change, side, stride=1)[0, 0]
    row, column = divmod(int(torch.argmax(amounts)), amounts.shape[1])
    return slice(row, row + side), slice(column, column + side)
