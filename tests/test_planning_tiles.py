"""The plan of a painting within a budget of memory: as a whole, in tiles, with a shorter history, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import impasto
from impasto import devices, planning
from impasto.errors import DeviceError, ImpastoWarning, SettingsError
from impasto.planning import tiles
from impasto.settings import Settings

PHOTO = (3000, 4000)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop with 8 GiB, 6 of them free."""
    monkeypatch.setattr(devices, "memory", lambda device=None: devices.Memory(8 * 2**30, 6 * 2**30))


def test_what_fits_is_painted_as_a_whole() -> None:
    chosen = planning.plan(PHOTO, Settings(size=1024))
    assert chosen.fits
    assert all(scale.side is None for scale in chosen.scales)
    assert chosen.peak_bytes == chosen.whole_bytes
    assert chosen.evaluator().whole > 10**12


def test_what_does_not_fit_is_painted_in_tiles() -> None:
    settings = Settings(size=3000, precision="float32")
    chosen = planning.plan(PHOTO, settings)
    assert chosen.fits
    assert chosen.scales[0].side is None
    assert chosen.side is not None
    assert chosen.peak_bytes < 6 * 2**30 < chosen.whole_bytes
    evaluator = chosen.evaluator()
    last = chosen.scales[-1].scale.size
    assert evaluator.side == min(scale.side for scale in chosen.scales if scale.side)
    # Those of the scales before that are painted as a whole.
    assert evaluator.whole < last[0] * last[1]


def test_less_memory_means_smaller_tiles() -> None:
    sides = [planning.plan(PHOTO, Settings(size=3000), budget=budget * 10**9).side for budget in (8, 6)]
    assert all(sides)
    assert sides == sorted(sides, reverse=True)
    assert sides[0] > sides[-1]


def test_a_shorter_history_is_the_last_resort_before_refusal() -> None:
    chosen = planning.plan(PHOTO, Settings(size=4000), budget=5 * 10**9)
    assert chosen.fits
    assert chosen.settings.history < 20
    assert chosen.settings.replace(history=20) == Settings(size=4000)


def test_giants_fit_the_goals() -> None:
    square = (4000, 4000)
    assert planning.plan(square, Settings(size=8000, precision="bfloat16"), budget=8 * 10**9).fits
    assert planning.plan((8165, 12247), Settings(size=12247, precision="bfloat16"), budget=12 * 10**9).fits


def test_the_side_of_tiles_can_be_chosen() -> None:
    chosen = planning.plan(PHOTO, Settings(size=1024), tile=256)
    assert [scale.side for scale in chosen.scales if scale.scale.size[1] > 300] == [256] * 3
    assert chosen.scales[0].side is None
    with pytest.raises(SettingsError, match="tile_size: got 64 px, and the network sees up to 80 px"):
        planning.plan(PHOTO, Settings(size=1024), tile=64)


def test_losses_that_are_no_sums_are_planned_as_a_whole() -> None:
    chosen = planning.plan(PHOTO, Settings(size=4000, style_loss="nearest"))
    assert not chosen.fits
    assert chosen.side is None


def test_a_refusal_says_what_would_fit() -> None:
    with pytest.raises(
        DeviceError, match=r"takes about .* even in tiles, and the budget is 1\.9 GiB; the largest"
    ) as e:
        planning.checked_plan(PHOTO, Settings(size=12000), budget=2 * 10**9)
    size = int(str(e.value).rsplit(" ", 1)[1])
    assert planning.plan(PHOTO, Settings(size=size), budget=2 * 10**9).fits
    assert not planning.plan(PHOTO, Settings(size=size + 32), budget=2 * 10**9).fits


def test_what_the_machine_has_but_is_not_free_is_not_refused() -> None:
    settings = Settings(size=2230, style_loss="nearest")
    needed = planning.plan(PHOTO, settings).peak_bytes
    assert 6 * 2**30 < needed < 8 * 2**30
    chosen = planning.checked_plan(PHOTO, settings)
    assert not chosen.fits


@pytest.mark.parametrize(
    ("text", "size"), [("4GB", 4 * 10**9), ("3.5 GiB", 3.5 * 2**30), ("800M", 8 * 10**8), ("17", 17), (99, 99)]
)
def test_sizes_of_memory(text: str | int, size: float) -> None:
    assert tiles.parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "4 pounds", "-3GB", "0GB"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"memory: got .*; write a size such as 4GB"):
        tiles.parse_bytes(text)


def test_the_limit_of_the_address_space(tmp_path: Path) -> None:
    (tmp_path / "limits").write_text(
        "Limit Soft Hard Units\nMax address space         4000000000   unlimited   bytes\n"
    )
    (tmp_path / "statm").write_text("100 50 3\n")
    found = devices._process_memory(tmp_path)
    assert found is not None
    assert (found.total, found.available) == (4 * 10**9, 4 * 10**9 - 100 * 4096)
    (tmp_path / "limits").write_text("Max address space         unlimited   unlimited   bytes\n")
    assert devices._process_memory(tmp_path) is None
    assert devices._process_memory(tmp_path / "none") is None


def test_control_groups_lie_in_each_other(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/user.slice/job.scope\n")
    found = devices._control_groups(tmp_path / "cgroup", tmp_path)
    assert found == [tmp_path / "user.slice" / "job.scope", tmp_path / "user.slice", tmp_path]
    (tmp_path / "cgroup").write_text("0::/\n")
    assert devices._control_groups(tmp_path / "cgroup", tmp_path) == [tmp_path]
    assert devices._control_groups(tmp_path / "none", tmp_path) == [tmp_path]


def test_a_picture_in_tiles_is_that_of_the_whole(photo, painting) -> None:
    settings: dict[str, Any] = {"size": 200, "scales": 1, "iterations": 2, "precision": "float32", "device": "cpu"}
    whole = impasto.stylize(photo(150, 200), painting(64, 72), **settings)
    tiled = impasto.stylize(photo(150, 200), painting(64, 72), tile_size=96, **settings)
    assert float((tiled.image.pixels - whole.image.pixels).abs().max()) < 1e-3
    assert tiled.recipe == whole.recipe


def test_a_history_that_was_shortened_is_in_the_recipe(photo, painting) -> None:
    # The budget is of a picture of a few megapixels: no size of a test needs so much.
    settings = Settings(size=3000, iterations=40, scales=1, device="cpu")
    inputs = impasto.inputs.Inputs(photo(60, 80), (painting(1000, 1000),))
    with pytest.warns(ImpastoWarning, match=r"L-BFGS uses \d+ past steps instead of 20, to fit the memory"):
        steps = impasto.api.begin(inputs, settings, memory="4GB")
    assert steps.settings.history < 20


def test_an_evaluator_of_ones_own_has_no_budget(photo, painting) -> None:
    with pytest.raises(SettingsError, match="memory: an evaluator of your own decides"):
        impasto.stylize(
            photo(60, 80), painting(64, 72), evaluator=impasto.evaluators.Evaluator(), memory="4GB", size=64
        )
