"""Estimates: arithmetic against the known figure, monotone costs, lines through known points."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from impasto import devices, planning
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
    # Calculated by hand: nine taps, channels in and out, divided by the square of the stride.
    blocks = [(1, [(3, 64), (64, 64)]), (2, [(64, 128), (128, 128)]), (4, [(128, 256), *[(256, 256)] * 3])]
    blocks += [(8, [(256, 512), *[(512, 512)] * 3]), (16, [(512, 512)])]
    by_hand = sum(9 * a * b / stride**2 for stride, pairs in blocks for a, b in pairs)
    assert planning.multiply_adds(["conv5_1"]) == pytest.approx(by_hand)
    assert planning.multiply_adds(["relu5_1"]) == pytest.approx(361_000, rel=0.01)
    assert planning.multiply_adds(FIVE, gradient=True) == pytest.approx(2 * by_hand)


def test_gram_multiply_adds() -> None:
    assert planning.gram_multiply_adds(["relu2_1"]) == 128**2 / 4
    assert planning.gram_multiply_adds(["relu2_1"], gradient=True) == 2 * 128**2 / 4
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
    settings = Settings(size=64, scales=1, iterations=7, largest_form=0)
    pixels = 64 * 48
    expected = 0.5 + 2 * SPEED.features(pixels) + 7 * (SPEED.evaluation(pixels) + SPEED.step(pixels))
    assert planning.estimate((48, 64), settings, SPEED).seconds == pytest.approx(expected)


def test_every_style_is_looked_at_once_a_scale() -> None:
    settings = Settings(size=64, scales=1, iterations=7, largest_form=0)
    one, three = (planning.estimate((48, 64), settings, SPEED, styles=count) for count in (1, 3))
    assert three.seconds - one.seconds == pytest.approx(2 * SPEED.features(64 * 48))
    assert three.peak_bytes > one.peak_bytes
    assert [scale.size for scale in one.scales] == [(48, 64)]


def bytes_a_pixel(**options: object) -> float:
    """Bytes per additional pixel, at sizes without rounding."""
    common = {"scales": 1, "iterations": 1, "precision": "float32", **options}
    settings = [Settings.from_mapping({**common, "size": size}) for size in (512, 1024)]
    small, large = (planning.peak_bytes((512, 512), one) for one in settings)
    return (large - small) / (1024**2 - 512**2)


def test_memory_of_one_layer_by_hand() -> None:
    # conv1_1 keeps the picture less its mean colour, that with its border, and 64 maps; the content's target and the
    # difference from it are 64 maps each, and so are the gradient that the Gram matrix sends back and those on both
    # sides of the ReLU. The rest are pictures: see `_PICTURES_IN_HAND`; L-BFGS has one pair; painting and photo.
    pictures = 12 * (2 + 16 + 2 + 1 + 1)
    layers = {"content_layers": "relu1_1", "style_layers": "relu1_1"}
    assert bytes_a_pixel(**layers) == pytest.approx(4 * 64 * (1 + 2 + 3) + pictures)
    # In bfloat16 all but the difference takes half of that.
    half = bytes_a_pixel(**layers, precision="bfloat16")
    assert half == pytest.approx(2 * 64 * (1 + 1 + 3) + 4 * 64 + pictures)
    # The features before and after the ReLU are separate.
    before = {"content_layers": "conv1_1", "style_layers": "relu1_1"}
    assert bytes_a_pixel(**before) - bytes_a_pixel(**layers) == pytest.approx(4 * 64)


def test_memory_depends_on_what_is_kept() -> None:
    default = bytes_a_pixel()
    # The default saves about 1.3 KB of features per pixel, no indices of maxima, and one layer's gradients at a time.
    assert 1400 < default < 1900
    assert bytes_a_pixel(precision="bfloat16") < 0.7 * default
    assert bytes_a_pixel(pooling="average") < default < bytes_a_pixel(pooling="l2")
    assert bytes_a_pixel(style_scale=4) > 2 * default
    assert bytes_a_pixel(iterations=100, history=100) == pytest.approx(default + 99 * 2 * 12)
    assert bytes_a_pixel(style_layers="relu3_4") > bytes_a_pixel(style_layers="relu2_2")
    # The deepest layers have 1/256 of the pixels, so the peak is at shallower layers.
    assert bytes_a_pixel(style_layers="relu5_4") == bytes_a_pixel(style_layers="relu5_1")
    # A content target is as large as its layer.
    assert bytes_a_pixel(content_layers="relu1_1") > default


@pytest.mark.parametrize("name", ["sliced_wasserstein", "histogram", "nearest"])
def test_losses_that_sort_or_match_keep_a_gradient_of_each_layer(name: str) -> None:
    layers = {"content_layers": "relu1_1", "style_layers": "relu1_1"}
    more = bytes_a_pixel(**layers, style_loss=name) - bytes_a_pixel(**layers)
    # 64 maps: the saved gradient, and features and gradient in float32 while it is computed.
    assert more == pytest.approx(4 * 64 * 3)


def test_a_large_photograph_counts_as_it_is_read() -> None:
    settings = Settings(size=256)
    small, large = (planning.peak_bytes(size, settings) for size in ((300, 400), (3000, 4000)))
    # Photograph and painting of the same size, in float32.
    assert large - small == pytest.approx(2 * 12 * (3000 * 4000 - 300 * 400))


def test_the_memory_of_this_machine() -> None:
    memory = devices.memory()
    if memory is None:
        assert sys.platform != "linux"
    else:
        assert 0 < memory.available <= memory.total


@pytest.mark.parametrize("limit", ["max", "1000000"])
def test_the_memory_of_a_container(tmp_path: Path, limit: str) -> None:
    (tmp_path / "memory.max").write_text(limit + "\n")
    (tmp_path / "memory.current").write_text("700000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 100000\nslab 2\n")
    expected = None if limit == "max" else devices.Memory(1_000_000, 400_000)
    assert devices._container_memory(tmp_path) == expected
    assert devices._container_memory(tmp_path / "none") is None


def test_measure_measures() -> None:
    threads = torch.get_num_threads()
    chance = torch.random.get_rng_state()
    speed = planning.measure(threads=1, seconds=0.0, sides=(32, 48, 64))
    # Two sizes for a line, and no third after the time limit.
    assert list(speed.samples) == [32 * 24, 48 * 36]
    assert (speed.device, speed.threads) == ("cpu", 1)
    assert speed.flops > 0
    assert speed.matrix_flops > 0
    assert speed.evaluation(10_000) > 0
    assert speed.features(10_000) > 0
    assert speed.step(10_000) > 0
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), chance)


def test_measure_goes_on_while_there_is_time() -> None:
    assert len(planning.measure(seconds=60.0, sides=(32, 40, 48)).samples) == 3


# The peak is read from the system: `getrusage` in a child begins with that of its parent.
_PEAK = """
import json, pathlib, re, sys
import impasto
from impasto import planning
size = int(sys.argv[1])
photo = impasto.load("sample:neuschwanstein")
settings = impasto.Settings(size=size, scales=1, iterations=4)
for _ in impasto.stylization(photo, photo, settings):
    pass
status = pathlib.Path("/proc/self/status").read_text()
print(json.dumps([int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) * 1024, planning.peak_bytes(photo.size, settings)]))
"""


@pytest.mark.promise("out-of-memory")
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("size", [256, 512])
def test_memory_is_foretold_within_a_quarter(size: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, str(size)], capture_output=True, text=True, check=True, timeout=600
    )
    measured, estimated = json.loads(done.stdout)
    assert estimated == pytest.approx(measured, rel=0.25)
