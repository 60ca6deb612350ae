"""What `planning` foretells: arithmetic against the known figure, monotone costs, lines through known points."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from impasto import planning
from impasto.errors import SettingsError
from impasto.planning import Line, MachineSpeed
from impasto.settings import Settings

FIVE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
SPEED = MachineSpeed(
    device="cpu",
    threads=2,
    setup=0.5,
    evaluation=Line(0.01, 1e-6),
    features=Line(0.005, 4e-7),
    step=Line(0.0, 1e-8),
    flops=1e11,
    matrix_flops=2e11,
    samples={},
)


def test_multiply_adds_to_conv5_1_are_361_thousand_a_pixel() -> None:
    # Counted by hand: nine taps, channels in and out, divided by the square of the stride.
    blocks = [(1, [(3, 64), (64, 64)]), (2, [(64, 128), (128, 128)]), (4, [(128, 256), *[(256, 256)] * 3])]
    blocks += [(8, [(256, 512), *[(512, 512)] * 3]), (16, [(512, 512)])]
    by_hand = sum(9 * a * b / stride**2 for stride, pairs in blocks for a, b in pairs)
    assert planning.multiply_adds(["conv5_1"]) == pytest.approx(by_hand)
    assert planning.multiply_adds(["relu5_1"]) == pytest.approx(361_000, rel=0.01)
    assert planning.multiply_adds(FIVE, gradient=True) == pytest.approx(2 * by_hand)


def test_gram_multiply_adds() -> None:
    assert planning.gram_multiply_adds(["relu2_1"]) == 128**2 / 4
    assert planning.gram_multiply_adds(["relu2_1"], gradient=True) == 3 * 128**2 / 4
    with pytest.raises(SettingsError):
        planning.gram_multiply_adds(["relu9_1"])
    with pytest.raises(SettingsError):
        planning.multiply_adds([])


def test_a_line_is_found_again_from_its_points() -> None:
    line = Line(0.02, 3e-6)
    found = Line.through({pixels: line(pixels) for pixels in (3_000, 12_000, 50_000)})
    assert found.fixed == pytest.approx(0.02)
    assert found.per_pixel == pytest.approx(3e-6)


def test_a_line_never_foretells_less_than_nothing() -> None:
    found = Line.through({1_000: 0.001, 10_000: 0.02})
    assert found.fixed == 0
    assert found.per_pixel > 0
    with pytest.raises(ValueError, match="two sizes"):
        Line.through({1_000: 0.1})


def test_larger_and_longer_costs_more() -> None:
    def cost(**options: object) -> planning.Estimate:
        return planning.estimate((400, 600), Settings.from_mapping(options), SPEED)

    small, large = cost(size=256), cost(size=512)
    assert large.seconds > 2 * small.seconds
    assert large.peak_bytes > small.peak_bytes
    assert cost(size=256, iterations=30).seconds > small.seconds
    assert cost(size=256, style_layers="relu1_1", content_layers="relu1_1").seconds < small.seconds
    assert cost(size=256, style_layers="relu1_1", content_layers="relu1_1").peak_bytes < small.peak_bytes
    assert cost(size=512, style_scale=2.0).seconds > large.seconds


def test_seconds_add_up() -> None:
    settings = Settings(size=64, scales=1, iterations=7)
    pixels = 64 * 48
    expected = 0.5 + 2 * SPEED.features(pixels) + 7 * (SPEED.evaluation(pixels) + SPEED.step(pixels))
    assert planning.estimate((48, 64), settings, SPEED).seconds == pytest.approx(expected)


def test_measure_measures() -> None:
    speed = planning.measure(seconds=0.5, sides=(32, 48, 64))
    assert len(speed.samples) >= 2
    assert speed.flops > 0
    assert speed.matrix_flops > 0
    assert speed.evaluation(10_000) > 0


_PEAK = """
import json, resource, sys
import impasto
size = int(sys.argv[1])
photo = impasto.load("sample:neuschwanstein")
impasto.stylize(photo, photo, size=size, scales=1, iterations=4)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
from impasto import planning
print(json.dumps([peak, planning.peak_bytes(photo.size, impasto.Settings(size=size, scales=1, iterations=4))]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is counted in other units elsewhere")
@pytest.mark.parametrize("size", [256, 512])
def test_memory_is_foretold_within_a_third(size: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, str(size)], capture_output=True, text=True, check=True, timeout=600
    )
    measured, foretold = json.loads(done.stdout)
    assert foretold == pytest.approx(measured, rel=0.33)
