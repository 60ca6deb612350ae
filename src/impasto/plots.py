"""Owns figures: what went in, what came out and how the losses fell, on one page; and labelled sheets of pictures.

Figures are Matplotlib's, made without pyplot: no window, no global state, no backend chosen for anybody else.
Matplotlib is imported when the first figure is made. Lengths are inches. Colours can be told apart by the colour-blind.
"""

from __future__ import annotations

import bisect
import errno
import io
import math
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto._version import __version__
from impasto.errors import ImageWriteError, SettingsError
from impasto.images import Image, resize
from impasto.images.messages import printable, reason
from impasto.pastiche import Pastiche, TracePoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

#: Suffixes that a figure can be written with, and the format each means.
FIGURE_SUFFIXES: Mapping[str, str] = {".png": "png", ".pdf": "pdf", ".svg": "svg"}

#: Pixels an inch of a PNG.
DPI = 200

_WIDTH = 7.2  # of a page's two columns
_MARGIN, _GAP, _TITLE = 0.12, 0.12, 0.2
_MOST_HEIGHT = 4.2  # of the pictures
_LEAST_HEIGHT = 1.3  # of pictures side by side; panoramas go under one another
_PLOT_HEIGHT, _ENTRY_HEIGHT = 2.0, 0.145
_ABOVE_PLOT, _BELOW_PLOT, _LINE = 0.38, 0.4, 0.135

_FONT = "DejaVu Sans"  # comes with Matplotlib, so that figures are alike everywhere
_SMALL, _LARGE = 6.5, 7.5
_INK, _GRAY, _FAINT = "#1a1a1a", "#6b6b6b", "#dedede"
# Dark enough to be seen on white at one end, light enough to be told from the total's black at the other; lightness
# falls evenly from shallow layers to deep ones, which needs no colour vision.
_STYLE_COLORS = ("#6fc5b9", "#42a1bb", "#3c78b4", "#4c4fa3", "#54277f")
_CONTENT_COLORS = ("#e0701a", "#b03a0c")
_OTHER_STYLES = ((0, (1, 1.5)), (0, (4, 1.5)))
# What this far under the total does not stretch the axis.
_NEGLIGIBLE = 1e-6
_LINE_LENGTH = 140  # characters of the notes
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
    terms = _terms(pastiche.trace)
    plot_height = max(_PLOT_HEIGHT, _ENTRY_HEIGHT * (len(terms) + 1)) if pastiche.trace else 0.0
    notes = _notes(pastiche, len(styles))
    notes_height = _LINE * len(notes) + 0.06
    between = _ABOVE_PLOT + plot_height + _BELOW_PLOT if plot_height else 0.06
    total = 2 * _MARGIN + height + between + notes_height
    fig = _new_figure(_WIDTH, total)
    _draw_blocks(fig, blocks, height, top=total - _MARGIN)
    if plot_height:
        _draw_losses(fig, pastiche.trace, terms, bottom=_MARGIN + notes_height + _BELOW_PLOT, height=plot_height)
    for line, note in enumerate(reversed(notes)):
        _text(fig, _MARGIN, _MARGIN + 0.02 + _LINE * line, note, size=_SMALL, color=_GRAY)
    return fig


def grid_figure(images: Sequence[tuple[str, Image]], columns: int, *, width: float = _WIDTH) -> Figure:
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
    cell = (width - 2 * _MARGIN - _GAP * (columns - 1)) / columns
    rows = [images[start : start + columns] for start in range(0, len(images), columns)]
    heights = [max(cell * image.height / image.width for _, image in row) for row in rows]
    total = 2 * _MARGIN + sum(heights) + _TITLE * len(rows) + _GAP * (len(rows) - 1)
    fig = _new_figure(width, total)
    top = total - _MARGIN
    for row, height in zip(rows, heights, strict=True):
        for column, (label, image) in enumerate(row):
            left = _MARGIN + column * (cell + _GAP)
            _draw_panel(fig, _Panel(label, "", image), left, top, cell)
        top -= height + _TITLE + _GAP
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


def write_figure(fig: Figure, path: str | os.PathLike[str], *, dpi: int = DPI) -> Path:
    """Write a figure, whole or not at all, in the format that the suffix names. Nothing in the file says when that was.

    Args:
        fig: from `figure` or `grid_figure`.
        path: ends in .png, .pdf or .svg. Its folder must exist; a file that is there is replaced.
        dpi: pixels an inch, of a PNG and of the pictures inside a PDF or SVG.

    Returns:
        The path as given.

    Raises:
        ImageWriteError: it cannot be written there.
    """
    kind, target = check_figure_path(path)
    program = f"Impasto {__version__}"
    metadata: dict[str, dict[str, str | None]] = {
        "png": {"Software": program},
        "pdf": {"Creator": program, "CreationDate": None},
        "svg": {"Creator": program, "Date": None},
    }
    out = io.BytesIO()
    fig.savefig(out, format=kind, dpi=dpi, metadata=metadata[kind], facecolor="white")
    beside = target.with_name(f".impasto-{secrets.token_hex(8)}.tmp")
    try:
        try:
            beside.write_bytes(out.getvalue())
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ImageWriteError(f"{_label(path)}: {_why_not_written(error, target)}") from error
    return Path(path)


def check_figure_path(path: str | os.PathLike[str]) -> tuple[str, Path]:
    """Refuse what `write_figure` would refuse, without writing: to be called before long work begins.

    Returns:
        The format, one of the values of `FIGURE_SUFFIXES`, and the file, symbolic links followed.

    Raises:
        ImageWriteError: a figure cannot be written there.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in FIGURE_SUFFIXES:
        received = f"got {printable(suffix)!r}" if suffix else "it has none"
        raise ImageWriteError(
            f"{_label(path)}: the suffix says how to write a figure: {received}; "
            f"allowed are {', '.join(FIGURE_SUFFIXES)}"
        )
    try:
        target = Path(os.path.realpath(path))
        folder = target.parent
        if not folder.is_dir():
            raise ImageWriteError(f"{_label(path)}: there is no folder {_label(folder)}; make it first")
        if target.exists() and not target.is_file():
            what = "a folder; name a file in it" if target.is_dir() else "a device or a pipe; name a file"
            raise ImageWriteError(f"{_label(path)}: this is {what}")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ImageWriteError(f"{_label(path)}: {_why_not_written(PermissionError(errno.EACCES, ''), target)}")
    except (OSError, ValueError) as error:
        raise ImageWriteError(f"{_label(path)}: it cannot be written there ({reason(error)})") from error
    return FIGURE_SUFFIXES[suffix.lower()], target


def _why_not_written(error: OSError, target: Path) -> str:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "the disk is full; make room, or choose another folder"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"there is no permission to write in {_label(target.parent)}; choose another folder"
        case errno.ENAMETOOLONG:
            return "the name is too long; choose a shorter one"
        case _:
            return f"it could not be written ({reason(error)})"


def _label(path: str | os.PathLike[str]) -> str:
    return printable(os.fspath(path), 240)


# --- Pictures ---------------------------------------------------------------------------------------------------------


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
        factor, constant = 0.0, _GAP * (len(self.rows) - 1)
        for row in self.rows:
            aspects = sum(panel.aspect for panel in row)
            factor += 1 / aspects
            constant += _TITLE - _GAP * (len(row) - 1) / aspects
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
    if height < _LEAST_HEIGHT:
        blocks = [_Block([[content, *styles], [pastiche]])]
        height = _common_height(blocks)
    return blocks, min(height, _MOST_HEIGHT)


def _common_height(blocks: Sequence[_Block]) -> float:
    """The height at which blocks side by side fill the page's width."""
    space = _WIDTH - 2 * _MARGIN - _GAP * (len(blocks) - 1)
    # Each width is linear in the height, so two heights tell all.
    at_0, at_1 = (sum(block.width(height) for block in blocks) for height in (0.0, 1.0))
    return (space - at_0) / (at_1 - at_0)


def _draw_blocks(fig: Figure, blocks: Sequence[_Block], height: float, *, top: float) -> None:
    widths = [block.width(height) for block in blocks]
    left = (_WIDTH - sum(widths) - _GAP * (len(blocks) - 1)) / 2
    for block, width in zip(blocks, widths, strict=True):
        upper = top
        for row in block.rows:
            row_height = (width - _GAP * (len(row) - 1)) / sum(panel.aspect for panel in row)
            x = left
            for panel in row:
                _draw_panel(fig, panel, x, upper, row_height * panel.aspect)
                x += row_height * panel.aspect + _GAP
            upper -= _TITLE + row_height + _GAP
        left += width + _GAP


def _draw_panel(fig: Figure, panel: _Panel, left: float, top: float, width: float) -> None:
    """A picture with its title above it; `top` is the title's."""
    height = width / panel.aspect
    axes = _axes(fig, left, top - _TITLE - height, width, height)
    axes.set_label(f"{panel.role} {panel.name}".strip())
    axes.imshow(_shown(panel.image, width), interpolation="bicubic", aspect="auto")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        # Where a picture is white it must still have an edge.
        spine.set(linewidth=0.4, color=_GRAY)
    baseline = top - _TITLE + 0.06
    role = _text(fig, left, baseline, panel.role, size=_LARGE, color=_INK, weight="bold", width=width)
    if panel.name:
        after = left + _text_width(fig, role) + 0.07
        room = left + width - after
        name = panel.name.removeprefix("sample:")
        if _width_of(fig, name, _LARGE) > room and Path(name).suffix.lower() in _PICTURE_SUFFIXES:
            # The ending says least.
            name = name[: -len(Path(name).suffix)]
        _text(fig, after, baseline, name, size=_LARGE, color=_GRAY, width=room)


def _shown(image: Image, width: float) -> Any:
    """Pixels as (height, width, 3) bytes, no more than twice as many as a PNG of the default size shows."""
    most = round(2 * DPI * width)
    if image.width > most:
        image = Image(resize(image.pixels, (max(1, round(image.height * most / image.width)), most)))
    return image.to_pil()


# --- Losses -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Term:
    """How a term of the loss is drawn."""

    name: str
    label: str
    color: str
    style: Any = "-"


def _terms(trace: Sequence[TracePoint]) -> list[_Term]:
    """The terms to draw, in the order of the legend: content, style from shallow to deep, what acts on the pixels."""
    names = list(dict.fromkeys(name for point in trace for name in point.terms))
    content = [name for name in names if name.startswith("content ")]
    style = [name for name in names if name.startswith("style ")]
    low, _ = _range(trace, content + style)
    other = [
        name
        for name in names
        if name not in content + style and max(_positive(point.terms.get(name) for point in trace), default=0.0) > low
    ]
    terms = [_Term(n, n.capitalize(), c) for n, c in zip(content, _ramp(_CONTENT_COLORS, len(content)), strict=True)]
    # Layer names sort as the network runs.
    terms += [_Term(n, n.capitalize(), c) for n, c in zip(sorted(style), _ramp(_STYLE_COLORS, len(style)), strict=True)]
    labels = {"tv": "Total variation", "range": "Range"}
    for index, name in enumerate(other):
        terms.append(_Term(name, labels.get(name, name), _GRAY, _OTHER_STYLES[index % len(_OTHER_STYLES)]))
    return terms


def _positive(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value) and value > 0]


def _ramp(colors: Sequence[str], count: int) -> list[str]:
    """`count` colours from the first to the last; the middle one, if it is only one."""
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    ramp = LinearSegmentedColormap.from_list("ramp", list(colors))
    return [to_hex(ramp(0.5 if count == 1 else index / (count - 1))) for index in range(count)]


def _draw_losses(
    fig: Figure, trace: Sequence[TracePoint], terms: Sequence[_Term], *, bottom: float, height: float
) -> None:
    from matplotlib.font_manager import FontProperties

    total = _Term("", "Total", _INK)
    left, legend = _MARGIN + 0.36, 0.32 + max(_width_of(fig, term.label, _SMALL + 0.5) for term in (*terms, total))
    axes = _axes(fig, left, bottom, _WIDTH - left - _MARGIN - legend, height)
    axes.set_label("losses")
    axes.set_yscale("log")
    # A gap between scales: losses of different sizes are not one curve.
    starts = [index for index, point in enumerate(trace) if index == 0 or point.scale != trace[index - 1].scale]
    runs = [range(a, b) for a, b in zip(starts, [*starts[1:], len(trace)], strict=True)]
    for term in [*terms, total]:
        values = [point.terms.get(term.name) if term.name else point.value for point in trace]
        _draw_line(axes, term, values, runs, width=1.8 if term is total else 1.0)
    last = max(len(trace), 2)
    axes.set_xlim(0.5, last + 0.5)
    _set_loss_range(axes, trace, terms)
    _text(fig, _MARGIN, bottom + height + 0.06, "Loss", size=_LARGE, color=_INK, weight="bold")
    _mark_scales(fig, axes, trace, runs, top=bottom + height)
    axes.set_xticks([tick for tick in axes.get_xticks() if 1 <= tick <= last and float(tick).is_integer()])
    axes.set_xlim(0.5, last + 0.5)
    axes.tick_params(length=2, width=0.5, color=_GRAY, labelcolor=_GRAY, labelsize=_SMALL, labelfontfamily=_FONT, pad=2)
    axes.tick_params(axis="y", length=0, pad=4)
    axes.set_xlabel("iteration", fontsize=_LARGE, color=_INK, fontfamily=_FONT, labelpad=2)
    axes.grid(axis="y", color=_FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set(visible=side == "bottom", linewidth=0.5, color=_GRAY)
    lines = axes.get_lines()
    axes.legend(
        handles=[lines[len(terms)], *lines[: len(terms)]],
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.4,
        bbox_transform=axes.transAxes,
        frameon=False,
        handlelength=1.4,
        handletextpad=0.6,
        labelspacing=0.45,
        labelcolor=_INK,
        prop=FontProperties(family=_FONT, size=_SMALL + 0.5),
    )


def _draw_line(axes: Axes, term: _Term, values: Sequence[float | None], runs: Sequence[range], *, width: float) -> None:
    x: list[float] = []
    y: list[float] = []
    lonely: list[int] = []
    for run in runs:
        if len(run) == 1:
            lonely.append(len(x))
        for index in run:
            value = values[index]
            x.append(index + 1)
            y.append(value if value is not None and math.isfinite(value) and value > 0 else math.nan)
        x.append(math.nan)
        y.append(math.nan)
    (line,) = axes.plot(
        x, y, label=term.label, color=term.color, linestyle=term.style, linewidth=width, solid_capstyle="round"
    )
    if lonely:
        # A run of one has no line to be seen by.
        line.set(marker="o", markersize=width + 2.0, markeredgewidth=0, markevery=lonely)


def _range(trace: Sequence[TracePoint], main: Iterable[str]) -> tuple[float, float]:
    """The least and the greatest loss to show: the terms called `main`, and the total but for wild leaps."""
    totals = sorted(_positive(point.value for point in trace)) or [1.0]
    middle = totals[len(totals) // 2]
    values = _positive(point.terms.get(name) for name in main for point in trace)
    # A term may begin a rounding error away from zero, and a rejected step may have had any loss.
    return max(min([*values, totals[0]]), _NEGLIGIBLE * middle), min(totals[-1], 100 * middle)


def _set_loss_range(axes: Axes, trace: Sequence[TracePoint], terms: Sequence[_Term]) -> None:
    """Room for the losses to show; ticks at 1, 2, 5 or at powers of ten."""
    low, high = _range(trace, [term.name for term in terms if term.style == "-"])
    room = max((high / low) ** 0.04, 1.05)
    low, high = low / room, high * room
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if math.log10(high / low) > 2.5 else (1, 3) if math.log10(high / low) > 1.5 else (1, 2, 5)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    ticks = [tick for tick in ticks if low <= tick <= high]
    ticks = ticks[:: math.ceil(len(ticks) / 8)] if ticks else [low, high]
    axes.set_ylim(low, high)
    axes.set_yticks(ticks, labels=[_number(tick) for tick in ticks])
    axes.minorticks_off()


def _number(value: float) -> str:
    """A number as it is read most easily: 0.02, 500, 3·10⁷."""
    if value == 0 or 1e-3 <= value < 1e5:
        return f"{value:.4g}" if value < 1e4 else f"{value:.0f}"
    mantissa, exponent = f"{value:e}".split("e")
    mantissa = f"{float(mantissa):.3g}"
    power = "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if mantissa == "1" else f"{mantissa}·{power}"


def _mark_scales(fig: Figure, axes: Axes, trace: Sequence[TracePoint], runs: Sequence[range], *, top: float) -> None:
    """A thin line where a size begins, and its long side in pixels above it."""
    for run in runs[1:]:
        axes.axvline(run.start + 0.5, color=_FAINT, linewidth=0.7, zorder=0)
    box = axes.get_position()
    width = fig.get_figwidth()
    low, high = axes.get_xlim()
    # From the last, which matters most, to the first; where there is no room, a size goes without its label.
    free = math.inf
    for run in reversed(runs):
        middle = (run.start + run.stop + 1) / 2
        x = width * (box.x0 + box.width * (middle - low) / (high - low))
        unit = " px" if run is runs[-1] else ""
        text = _text(
            fig, x, top + 0.06, f"{max(trace[run.start].size)}{unit}", size=_SMALL, color=_GRAY, align="center"
        )
        half = _text_width(fig, text) / 2
        if x + half > free:
            text.remove()
            continue
        free = x - half - 0.06


# --- Words ------------------------------------------------------------------------------------------------------------


def _notes(pastiche: Pastiche, styles: int) -> list[str]:
    """The key settings, in lines that fit the page."""
    settings, image, trace = pastiche.settings, pastiche.image, pastiche.trace
    method = {"lbfgs": "L-BFGS", "adam": "Adam"}[settings.optimizer]
    if trace:
        method += f", {_count(len(trace), 'iteration')} at {_count(len({point.scale for point in trace}), 'scale')}"
    parts = [
        f"{image.width} × {image.height} px",
        *([f"{styles} styles in equal parts"] if styles > 1 else []),
        f"strength {settings.strength:g}",
        f"content weight {_number(settings.content_weight)}",
        f"style weight {_number(settings.style_weight)}",
        method,
    ]
    said = {"size", "strength", "content_weight", "style_weight", "optimizer", "scales", "device"}
    for name, value in settings.changed().items():
        if name not in said and not isinstance(value, Mapping):  # layers are named in the legend
            parts.append(f"{name.replace('_', ' ')} {value if isinstance(value, str) else _number(value)}")
    versions = pastiche.recipe.versions
    parts.append(f"Impasto {versions.get('impasto', '?')}, torch {versions.get('torch', '?')}, {settings.device}")
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(part) <= _LINE_LENGTH:
            lines[-1] += f"  ·  {part}"
        else:
            lines.append(part)
    return lines


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _text(
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
    """Words on the figure, their baseline `x` and `y` inches from its lower left corner; cut to `width` inches."""
    text = fig.text(
        x / fig.get_figwidth(),
        y / fig.get_figheight(),
        _drawable(words, weight),
        fontsize=size,
        color=color,
        fontfamily=_FONT,
        fontweight=weight,
        horizontalalignment=align,
        parse_math=False,  # a file may be called $x$.jpg
        usetex=False,
    )
    if _text_width(fig, text) > width:
        whole = text.get_text()

        def fits(length: int) -> bool:
            text.set_text(whole[:length].rstrip() + "…")
            return _text_width(fig, text) <= width

        # The longest beginning that fits; the widths of beginnings ascend.
        length = bisect.bisect_left(range(1, len(whole)), True, key=lambda n: not fits(n))
        text.set_text(whole[:length].rstrip() + "…" if length else "")
    return text


def _drawable(words: str, weight: str) -> str:
    """The words with a question mark for what the font does not have, instead of a warning and a box."""
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties(family=_FONT, weight=weight)))
    known = font.get_charmap()
    return "".join(character if ord(character) in known else "?" for character in printable(words, 2 * _LINE_LENGTH))


def _width_of(fig: Figure, words: str, size: float) -> float:
    text = _text(fig, 0, 0, words, size=size, color=_INK)
    width = _text_width(fig, text)
    text.remove()
    return width


def _text_width(fig: Figure, text: Text) -> float:
    return float(text.get_window_extent().width) / fig.dpi


def _new_figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout=None)
    FigureCanvasAgg(fig)
    return fig


def _axes(fig: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    across, down = fig.get_figwidth(), fig.get_figheight()
    return fig.add_axes((left / across, bottom / down, width / across, height / down), facecolor="white")
