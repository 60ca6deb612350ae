"""Owns the plot of the losses by iteration."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from impasto.plots.page import (
    FAINT,
    FONT,
    GRAY,
    INK,
    LARGE,
    MARGIN,
    SMALL,
    WIDTH,
    add_axes,
    number_in_words,
    put_text,
    text_width,
    width_of,
)
from impasto.trace import TracePoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Ends of colour ramps from shallow to deep layers: dark enough for a white background, light enough to differ from the
# total's black, and of evenly falling lightness, so that they can be distinguished without colour vision.
_STYLE_COLORS = ("#6fc5b9", "#42a1bb", "#3c78b4", "#4c4fa3", "#54277f")
_CONTENT_COLORS = ("#e0701a", "#b03a0c")
_OTHER_STYLES = ((0, (1, 1.5)), (0, (4, 1.5)))
# Values below this share of the total are not shown.
_NEGLIGIBLE = 1e-6


@dataclass(frozen=True)
class _Term:
    """How a term of the loss is drawn."""

    name: str
    label: str
    color: str
    style: Any = "-"


def loss_terms(trace: Sequence[TracePoint]) -> list[_Term]:
    """The terms to draw, in the order of the legend: content, style from shallow to deep, losses on pixels."""
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
    # The alphabetical order of layer names is their order in the network.
    terms += [_Term(n, n.capitalize(), c) for n, c in zip(sorted(style), _ramp(_STYLE_COLORS, len(style)), strict=True)]
    labels = {"tv": "Total variation", "range": "Range"}
    for index, name in enumerate(other):
        terms.append(_Term(name, labels.get(name, name), GRAY, _OTHER_STYLES[index % len(_OTHER_STYLES)]))
    return terms


def _positive(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value) and value > 0]


def _ramp(colors: Sequence[str], count: int) -> list[str]:
    """`count` colours from the first to the last; the middle one if `count` is 1."""
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    ramp = LinearSegmentedColormap.from_list("ramp", list(colors))
    return [to_hex(ramp(0.5 if count == 1 else index / (count - 1))) for index in range(count)]


def draw_losses(
    fig: Figure, trace: Sequence[TracePoint], terms: Sequence[_Term], *, bottom: float, height: float
) -> None:
    from matplotlib.font_manager import FontProperties

    total = _Term("", "Total", INK)
    left, legend = MARGIN + 0.36, 0.32 + max(width_of(fig, term.label, SMALL + 0.5) for term in (*terms, total))
    axes = add_axes(fig, left, bottom, WIDTH - left - MARGIN - legend, height)
    axes.set_label("losses")
    axes.set_yscale("log")
    # Curves are interrupted between scales, because losses at different sizes are not comparable.
    starts = [index for index, point in enumerate(trace) if index == 0 or point.scale != trace[index - 1].scale]
    runs = [range(a, b) for a, b in zip(starts, [*starts[1:], len(trace)], strict=True)]
    # They are also interrupted where settings changed.
    changes = [index for index, point in enumerate(trace) if point.changed]
    cuts = sorted({*starts, *changes})
    pieces = [range(a, b) for a, b in zip(cuts, [*cuts[1:], len(trace)], strict=True)]
    for term in [*terms, total]:
        values = [point.terms.get(term.name) if term.name else point.value for point in trace]
        _draw_line(axes, term, values, pieces, width=1.8 if term is total else 1.0)
    for index in changes:
        axes.axvline(index + 0.5, color=GRAY, linewidth=0.7, linestyle=(0, (2, 2)), zorder=0)
    last = max(len(trace), 2)
    axes.set_xlim(0.5, last + 0.5)
    _set_loss_range(axes, trace, terms)
    put_text(fig, MARGIN, bottom + height + 0.06, "Loss", size=LARGE, color=INK, weight="bold")
    _mark_scales(fig, axes, trace, runs, top=bottom + height)
    axes.set_xticks([tick for tick in axes.get_xticks() if 1 <= tick <= last and float(tick).is_integer()])
    axes.set_xlim(0.5, last + 0.5)
    axes.tick_params(length=2, width=0.5, color=GRAY, labelcolor=GRAY, labelsize=SMALL, labelfontfamily=FONT, pad=2)
    axes.tick_params(axis="y", length=0, pad=4)
    axes.set_xlabel("iteration", fontsize=LARGE, color=INK, fontfamily=FONT, labelpad=2)
    axes.grid(axis="y", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set(visible=side == "bottom", linewidth=0.5, color=GRAY)
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
        labelcolor=INK,
        prop=FontProperties(family=FONT, size=SMALL + 0.5),
    )


def _draw_line(axes: Axes, term: _Term, values: Sequence[float | None], runs: Sequence[range], *, width: float) -> None:
    x: list[float] = []
    y: list[float] = []
    single: list[int] = []
    for run in runs:
        if len(run) == 1:
            single.append(len(x))
        for index in run:
            value = values[index]
            x.append(index + 1)
            y.append(value if value is not None and math.isfinite(value) and value > 0 else math.nan)
        x.append(math.nan)
        y.append(math.nan)
    (line,) = axes.plot(
        x, y, label=term.label, color=term.color, linestyle=term.style, linewidth=width, solid_capstyle="round"
    )
    if single:
        # A run of one point has no line, so it gets a marker.
        line.set(marker="o", markersize=width + 2.0, markeredgewidth=0, markevery=single)


def _range(trace: Sequence[TracePoint], main: Iterable[str]) -> tuple[float, float]:
    """The least and the greatest loss to show, from the total without outliers and the terms named `main`."""
    totals = sorted(_positive(point.value for point in trace)) or [1.0]
    middle = totals[len(totals) // 2]
    values = _positive(point.terms.get(name) for name in main for point in trace)
    # A term may start within rounding of zero, and the loss of a rejected step may be arbitrarily large.
    return max(min([*values, totals[0]]), _NEGLIGIBLE * middle), min(totals[-1], 100 * middle)


def _set_loss_range(axes: Axes, trace: Sequence[TracePoint], terms: Sequence[_Term]) -> None:
    """Set the range of the loss axis, and its ticks at 1, 2, 5 or at powers of ten."""
    low, high = _range(trace, [term.name for term in terms if term.style == "-"])
    room = max((high / low) ** 0.04, 1.05)
    low, high = low / room, high * room
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if math.log10(high / low) > 2.5 else (1, 3) if math.log10(high / low) > 1.5 else (1, 2, 5)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    ticks = [tick for tick in ticks if low <= tick <= high]
    ticks = ticks[:: math.ceil(len(ticks) / 8)] if ticks else [low, high]
    axes.set_ylim(low, high)
    axes.set_yticks(ticks, labels=[number_in_words(tick) for tick in ticks])
    axes.minorticks_off()


def _mark_scales(fig: Figure, axes: Axes, trace: Sequence[TracePoint], runs: Sequence[range], *, top: float) -> None:
    """Mark the start of each scale with a thin line, and label it with its long side in pixels."""
    for run in runs[1:]:
        axes.axvline(run.start + 0.5, color=FAINT, linewidth=0.7, zorder=0)
    box = axes.get_position()
    width = fig.get_figwidth()
    low, high = axes.get_xlim()
    # From the last scale, which matters most, to the first; labels without enough room are left out.
    free = math.inf
    for run in reversed(runs):
        middle = (run.start + run.stop + 1) / 2
        x = width * (box.x0 + box.width * (middle - low) / (high - low))
        unit = " px" if run is runs[-1] else ""
        text = put_text(
            fig, x, top + 0.06, f"{max(trace[run.start].size)}{unit}", size=SMALL, color=GRAY, align="center"
        )
        half = text_width(fig, text) / 2
        if x + half > free:
            text.remove()
            continue
        free = x - half - 0.06
