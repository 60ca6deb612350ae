"""Owns the page of a figure: its dimensions, colours, fonts and text."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from impasto.messages import printable
from impasto.pastiche import Pastiche

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

#: Default pixels per inch.
DPI = 200

WIDTH = 7.2  # inches: the two columns of a journal page
MARGIN, GAP, TITLE = 0.12, 0.12, 0.2
MOST_HEIGHT = 4.2  # largest height of the pictures
LEAST_HEIGHT = 1.3  # smallest height of pictures side by side; below it, the pastiche goes under the others
PLOT_HEIGHT, ENTRY_HEIGHT = 2.0, 0.145
ABOVE_PLOT, BELOW_PLOT, LINE = 0.38, 0.4, 0.135

FONT = "DejaVu Sans"  # bundled with Matplotlib, so that figures look the same on every machine
SMALL, LARGE = 6.5, 7.5
INK, GRAY, FAINT = "#1a1a1a", "#6b6b6b", "#dedede"
_LINE_LENGTH = 140  # characters per line of the settings


def settings_notes(pastiche: Pastiche, styles: int) -> list[str]:
    """The key settings as text, in lines that fit the page."""
    settings, image, trace = pastiche.settings, pastiche.image, pastiche.trace
    method = {"lbfgs": "L-BFGS", "adam": "Adam"}[settings.optimizer]
    if trace:
        method += f", {_count(len(trace), 'iteration')} at {_count(len({point.scale for point in trace}), 'scale')}"
    # Not with shares, which are listed, nor with masks, where each region may have its own style.
    equal = not settings.blend and not pastiche.recipe.masks
    parts = [
        f"{image.width} × {image.height} px",
        *([f"{styles} styles" + " in equal parts" * equal] if styles > 1 else []),
        f"strength {settings.strength:g}",
        f"content weight {number_in_words(settings.content_weight)}",
        f"style weight {number_in_words(settings.style_weight)}",
        method,
    ]
    said = {"size", "strength", "content_weight", "style_weight", "optimizer", "scales", "device"}
    for name, value in settings.changed().items():
        if name not in said and not isinstance(value, Mapping):  # the legend names the layers
            parts.append(f"{name.replace('_', ' ')} {_in_words(value)}")
    versions = pastiche.recipe.versions
    parts.append(f"Impasto {versions.get('impasto', '?')}, torch {versions.get('torch', '?')}, {settings.device}")
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(part) <= _LINE_LENGTH:
            lines[-1] += f"  ·  {part}"
        else:
            lines.append(part)
    return lines


def _in_words(value: Any) -> str:
    if isinstance(value, str):
        return value
    return ", ".join(map(number_in_words, value)) if isinstance(value, Sequence) else number_in_words(value)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def put_text(
    fig: Figure,
    x: float,
    y: float,
    words: str,
    *,
    size: float,
    color: str,
    weight: str = "normal",
    align: str = "left",
    width: float = math.inf,
) -> Text:
    """Text on the figure, its baseline `x` and `y` inches from the lower left corner; shortened to `width` inches."""
    text = fig.text(
        x / fig.get_figwidth(),
        y / fig.get_figheight(),
        _drawable(words, weight),
        fontsize=size,
        color=color,
        fontfamily=FONT,
        fontweight=weight,
        horizontalalignment=align,
        parse_math=False,  # a file may be called $x$.jpg
        usetex=False,
    )
    if text_width(fig, text) > width:
        whole = text.get_text()

        def fits(length: int) -> bool:
            text.set_text(whole[:length].rstrip() + "…")
            return text_width(fig, text) <= width

        # The longest beginning that fits, by bisection.
        length = bisect.bisect_left(range(1, len(whole)), True, key=lambda n: not fits(n))
        text.set_text(whole[:length].rstrip() + "…" if length else "")
    return text


def _drawable(words: str, weight: str) -> str:
    """The text with question marks for characters that the font lacks; Matplotlib would warn and draw boxes."""
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties(family=FONT, weight=weight)))
    known = font.get_charmap()
    return "".join(character if ord(character) in known else "?" for character in printable(words, 2 * _LINE_LENGTH))


def width_of(fig: Figure, words: str, size: float) -> float:
    """Width of a text, in inches, without leaving it on the figure."""
    text = put_text(fig, 0, 0, words, size=size, color=INK)
    width = text_width(fig, text)
    text.remove()
    return width


def text_width(fig: Figure, text: Text) -> float:
    """Width of a text on the figure, in inches."""
    return float(text.get_window_extent().width) / fig.dpi


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, sizes in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout=None)
    FigureCanvasAgg(fig)
    return fig


def add_axes(fig: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a position in inches."""
    across, down = fig.get_figwidth(), fig.get_figheight()
    return fig.add_axes((left / across, bottom / down, width / across, height / down), facecolor="white")


def add_picture(fig: Figure, pixels: Any, left: float, bottom: float, width: float, height: float, **how: Any) -> Axes:
    """Axes filled by a picture or by a map in false colours; `how` has further arguments of Matplotlib's `imshow`."""
    axes = add_axes(fig, left, bottom, width, height)
    axes.imshow(pixels, aspect="auto", **{"interpolation": "bicubic", **how})
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        # A frame, because a picture may be white at its border.
        spine.set(linewidth=0.4, color=GRAY)
    return axes


def number_in_words(value: float) -> str:
    """A number in readable form: 0.02, 500, 3·10⁷."""
    if value == 0 or 1e-3 <= value < 1e5:
        return f"{value:.4g}" if value < 1e4 else f"{value:.0f}"
    mantissa, exponent = f"{value:e}".split("e")
    mantissa = f"{float(mantissa):.3g}"
    power = "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if mantissa == "1" else f"{mantissa}·{power}"
