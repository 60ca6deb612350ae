"""Owns the progress bar on stderr, and how a time is said."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impasto.planning.forecast import Forecast, Position, SteadyForecast


def duration(seconds: float) -> str:
    """A time for people: `41 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


# Iterations before anything is said about time.
_FIRST_WORD = 3


@contextmanager
def bar(
    *,
    shown: bool,
    clock: Callable[[], float],
    noun: str = "scale",
    forecasting: type[Forecast] | type[SteadyForecast] | None = None,
) -> Iterator[Callable[[Position], None]]:
    """A progress bar on stderr, and the function that moves it. Where stderr is no terminal, nothing is drawn.

    Args:
        shown: whether it may be drawn at all.
        clock: gives seconds.
        noun: what the work is made up of.
        forecasting: what estimates the time left; `Forecast` if None.
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda position: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from impasto.planning import forecast as forecasts

    console = Console(file=sys.stderr, highlight=False)
    drawn = Progress(
        TextColumn("{task.fields[where]}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[how]}", markup=False),
        console=console,
        transient=True,
        refresh_per_second=5,
        # A terminal that cannot move its cursor would get a line each time.
        disable=console.is_dumb_terminal,
    )
    task = drawn.add_task("", total=None, where="preparing", how="")
    forecast = (forecasting or forecasts.Forecast)(clock())

    def move(position: Position) -> None:
        left = forecast.update(position, clock())
        height, width = position.size
        drawn.update(
            task,
            completed=position.work,
            total=position.total_work,
            where=f"{noun} {position.scale + 1}/{position.scales} {width}×{height}",
            how=f"{position.iteration}/{position.iterations} loss {position.value:.4g}"
            + (f", {duration(left)} left" if left is not None else ""),
        )

    with drawn:
        yield move
