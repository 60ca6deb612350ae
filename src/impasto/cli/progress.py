"""Owns the display of progress on stderr: a bar on a terminal, plain lines elsewhere; and how durations are written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from impasto.cli import reporting

if TYPE_CHECKING:
    from impasto.planning.forecast import Forecast, Position, SteadyForecast


def duration(seconds: float) -> str:
    """A duration for people: `41 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


#: Seconds between two lines of progress where there is no terminal.
LINE_SECONDS = 30


@contextmanager
def bar(
    *,
    shown: bool,
    clock: Callable[[], float],
    noun: str = "scale",
    forecasting: type[Forecast] | type[SteadyForecast] | None = None,
) -> Iterator[Callable[[Position], None]]:
    """Shows progress on stderr; yields the function that updates it.

    On a terminal it is a bar, elsewhere one plain line every 30 seconds.

    Args:
        shown: whether to show anything.
        clock: the time in seconds.
        noun: the name of one part of the work.
        forecasting: estimates the time left; `Forecast` if None.
    """
    if not shown:
        yield lambda position: None
        return
    from impasto.planning import forecast as forecasts

    forecast = (forecasting or forecasts.Forecast)(clock())
    if not sys.stderr.isatty():
        yield _lines(noun, forecast, clock)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(file=sys.stderr, highlight=False)
    drawn = Progress(
        TextColumn("{task.fields[where]}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[how]}", markup=False),
        console=console,
        transient=True,
        refresh_per_second=5,
        # A terminal that cannot move its cursor would get a new line for every update.
        disable=console.is_dumb_terminal,
    )
    task = drawn.add_task("", total=None, where="preparing", how="")

    def move(position: Position) -> None:
        left = forecast.update(position, clock())
        drawn.update(
            task,
            completed=position.work,
            total=position.total_work,
            where=_where(noun, position),
            how=f"{position.iteration}/{position.iterations} loss {position.value:.4g}{_left(left)}",
        )

    with drawn:
        yield move


def _lines(noun: str, forecast: Forecast | SteadyForecast, clock: Callable[[], float]) -> Callable[[Position], None]:
    """The function that writes a line of progress when 30 seconds have passed since the last one."""
    last = clock()

    def write(position: Position) -> None:
        nonlocal last
        now = clock()
        left = forecast.update(position, now)
        if now - last >= LINE_SECONDS:
            last = now
            where = _where(noun, position)
            reporting.note(f"{where}, iteration {position.iteration} of {position.iterations}{_left(left)}")

    return write


def _where(noun: str, position: Position) -> str:
    height, width = position.size
    return f"{noun} {position.scale + 1}/{position.scales} {width}×{height}"


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f", {duration(seconds)} left"
