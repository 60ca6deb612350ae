"""The time left is honest, and the bar is drawn for people only."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass

import pytest

from impasto.cli.progress import bar, duration
from impasto.planning.forecast import Forecast, Position, SteadyForecast
from impasto.pyramid import pyramid
from impasto.settings import Settings


@dataclass(frozen=True)
class Place:
    """A position without a painting."""

    scale: int
    scales: int
    size: tuple[int, int]
    iteration: int
    iterations: int
    work: int
    total_work: int
    value: float = 1.0


def places(settings: Settings, size: tuple[int, int] = (600, 800)) -> list[Place]:
    scales = pyramid(size, settings, min_side=16)
    total = sum(scale.work for scale in scales)
    found, done = [], 0
    for index, scale in enumerate(scales):
        for iteration in range(1, scale.iterations + 1):
            work = done + scale.work * iteration // scale.iterations
            found.append(Place(index, len(scales), scale.size, iteration, scale.iterations, work, total))
        done += scale.work
    return found


def forecasts(
    settings: Settings, *, fixed: float, per_pixel: float, setup: float = 0.0
) -> list[tuple[Place, float | None, float]]:
    """Each position, what was said of the time left, and what was true, on a machine of constant speed."""
    along = places(settings)
    times = []
    for place in along:
        pixels = place.size[0] * place.size[1]
        times.append(fixed + per_pixel * pixels + (setup * pixels if place.iteration == 1 else 0.0))
    forecast = Forecast(0.0)
    now, said = 0.0, []
    for index, place in enumerate(along):
        now += times[index]
        said.append((place, forecast.update(place, now), sum(times[index + 1 :])))
    return said


# A CPU, a GPU that small pictures do not fill, and a machine without any fixed time.
@pytest.mark.parametrize("fixed", [0.03, 0.5, 0.0])
@pytest.mark.parametrize("setup", [1e-5, 1e-4])
def test_the_time_left_is_right_once_two_scales_have_been_seen(fixed, setup):
    for place, said, true in forecasts(Settings(size=1024), fixed=fixed, per_pixel=7e-6, setup=setup):
        if place.scale == 0 and place.iteration < 3:
            assert said is None
        elif place.scale >= 2 and place.iteration > 1:
            assert said == pytest.approx(true, rel=0.1, abs=0.05), place


def test_without_a_terminal_there_is_a_line_every_30_seconds(monkeypatch):
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    now = 0.0
    along = places(Settings(size=512))
    with bar(shown=True, clock=lambda: now) as show:
        for place in along:
            now += 1.0
            show(place)
    lines = err.getvalue().splitlines()
    assert len(lines) == len(along) // 30
    assert all(line.startswith("impasto: scale ") and line.endswith(" left") for line in lines)
    assert lines[0].startswith(f"impasto: scale 1/{along[0].scales} ")
    assert ", iteration 30 of 35, " in lines[0]


def test_a_quiet_command_writes_no_progress(monkeypatch):
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    now = 0.0
    with bar(shown=False, clock=lambda: now) as show:
        for place in places(Settings(size=512)):
            now += 100.0
            show(place)
    assert err.getvalue() == ""


def test_work_at_one_speed_is_estimated_from_its_beginning():
    forecast = SteadyForecast(10.0)
    for iteration in range(1, 9):
        place = Place(iteration // 5, 2, (32, 32), iteration % 5, 4, work=100 * iteration, total_work=800)
        said = forecast.update(place, 10.0 + 3.0 * iteration)
        assert said == (None if iteration < 3 else pytest.approx(3.0 * (8 - iteration)))


def test_the_time_left_is_near_from_the_first_scale_on():
    for place, said, true in forecasts(Settings(size=512), fixed=0.03, per_pixel=7e-6, setup=1e-5):
        if said is not None:
            assert 0.6 * true - 0.1 <= said <= 1.7 * true + 0.1, place


def test_at_the_end_nothing_is_left():
    assert forecasts(Settings(size=128), fixed=0.1, per_pixel=1e-5)[-1][1] == pytest.approx(0, abs=1e-9)


def test_a_machine_that_gets_busy_is_noticed():
    along = places(Settings(size=64, scales=1, iterations=100))
    forecast = Forecast(0.0)
    now = 0.0
    for place in along[:70]:
        now += 1.0 if place.iteration <= 50 else 3.0
        said = forecast.update(place, now)
    assert said == pytest.approx(30 * 3.0)


def test_a_single_iteration_a_scale_is_no_trouble():
    for place, said, _ in forecasts(Settings(size=512, iterations=1, coarse_iterations=1), fixed=0.1, per_pixel=1e-6):
        assert said is None or said >= 0, place


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (41, "41 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3600, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_durations_for_people(seconds, words):
    assert duration(seconds) == words


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(monkeypatch, stream: io.StringIO, *, shown: bool = True) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    along = places(Settings(size=64, scales=1, iterations=3))
    with bar(shown=shown, clock=lambda: 0.0) as show:
        for place in along:
            assert isinstance(place, Position)
            show(place)
    return stream.getvalue()


def test_the_bar_says_where_the_painting_is(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    text = drawn(monkeypatch, Terminal())
    for words in ("scale 1/1", "64×48", "3/3", "loss 1", "0 s left"):
        assert words in text


@pytest.mark.parametrize(("stream", "shown"), [(io.StringIO(), True), (Terminal(), False)])
def test_no_bar_where_nobody_looks(monkeypatch, stream, shown):
    monkeypatch.setenv("TERM", "xterm")
    assert drawn(monkeypatch, stream, shown=shown) == ""


def test_no_bar_on_a_terminal_that_cannot_redraw(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert drawn(monkeypatch, Terminal()) == ""
