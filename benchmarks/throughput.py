"""Floating-point operations per second of value and gradient with Gram matrices, compared with a matrix product."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable

import torch

from benchmarks import tables
from benchmarks.baseline import PlainObjective
from benchmarks.store import Row, Store
from impasto import planning
from impasto.backbones import VGG19
from impasto.losses import ColorRange
from impasto.objective import Objective, StyleTarget, evaluate
from impasto.representations import Moments
from impasto.settings import Settings

_SIDES = (256, 512, 1024)
_THREADS = (1, 2)
_REPEATS = 5
_MATRIX = 2048
_PEAK, _HALF_PEAK = "matrix product, float32", "matrix product, bfloat16"


def measure(store: Store, *, again: bool = False) -> list[Row]:
    """Measure a row for each size and number of threads."""
    found = []
    for side, threads in itertools.product(_SIDES, _THREADS):
        found.append(store.measure({"side": side, "threads": threads}, lambda: _compare(side, threads), again=again))  # noqa: B023
    return found


def _compare(side: int, threads: int) -> dict[str, list[float]]:
    """Seconds of each program; programs alternate, so that disturbances affect all of them."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        settings = Settings()
        image = torch.rand((1, 3, side, side), generator=torch.Generator().manual_seed(side))
        networks = {dtype: VGG19("relu5_1", dtype=dtype) for dtype in (torch.float32, torch.bfloat16)}
        objectives = {dtype: _objective(network, image, settings) for dtype, network in networks.items()}
        plain = PlainObjective(objectives[torch.float32], networks[torch.float32])
        matrix = torch.rand((_MATRIX, _MATRIX), generator=torch.Generator().manual_seed(1))
        half = matrix.bfloat16()
        product, half_product = torch.empty_like(matrix), torch.empty_like(half)
        contestants: dict[str, Callable[[], object]] = {
            _PEAK: lambda: torch.mm(matrix, matrix, out=product),
            _HALF_PEAK: lambda: torch.mm(half, half, out=half_product),
            "plain PyTorch": lambda: _plain(plain, image),
            "Impasto, float32": lambda: evaluate(objectives[torch.float32], image),
            "Impasto, bfloat16": lambda: evaluate(objectives[torch.bfloat16], image),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for turn in range(_REPEATS + 1):
            for name, run in contestants.items():
                begin = time.perf_counter()
                run()
                # The first turn is a warm-up: it allocates memory and selects kernels.
                if turn:
                    seconds[name].append(round(time.perf_counter() - begin, 5))
        return seconds
    finally:
        torch.set_num_threads(before)


def _plain(objective: PlainObjective, image: torch.Tensor) -> torch.Tensor:
    leaf = image.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(objective(leaf), leaf)
    return gradient


def _objective(network: VGG19, image: torch.Tensor, settings: Settings) -> Objective:
    content, style = settings.content_layers, settings.style_layers
    with torch.no_grad():
        features = network(image.flip(-1), [*content, *style])
    return Objective(
        backbone=network,
        content={layer: features[layer] for layer in content},
        regions=[StyleTarget(style={layer: Moments.of(features[layer]) for layer in style})],
        content_weights=content,
        style_weights=style,
        image_terms=[ColorRange(1.0)],
    )


def write(rows: list[Row]) -> None:
    """Write the table: GFLOP/s, also relative to the float32 matrix product in the same turn."""
    layers = Settings().style_layers
    multiply_adds = planning.multiply_adds(layers, gradient=True) + planning.gram_multiply_adds(layers, gradient=True)
    names = ["plain PyTorch", "Impasto, float32", "Impasto, bfloat16"]
    body = []
    for row in rows:
        work = 2 * multiply_adds * row["side"] ** 2
        speeds = {name: [work / seconds / 1e9 for seconds in row[name]] for name in names}
        peak, half_peak = ([2 * _MATRIX**3 / s / 1e9 for s in row[name]] for name in (_PEAK, _HALF_PEAK))
        cells = [tables.spread(peak, 0), tables.spread(half_peak, 0)]
        for name in names:
            share = statistics.median(speed / best for speed, best in zip(speeds[name], peak, strict=True))
            cells.append(f"{tables.spread(speeds[name], 0)}, {share:.2f}")
        body.append([f"{row['side']} × {row['side']} px", str(row["threads"]), *cells])
    headings = ["size", "threads", _PEAK, _HALF_PEAK, *(f"{name}, share" for name in names)]
    text = (
        f"{tables.table(headings, body)}\n\nGFLOP/s, median (least–largest) of {_REPEATS} turns; the share is of the "
        f"float32 product of two matrices of {_MATRIX} × {_MATRIX} in the same turn. {tables.measured_on(rows)}"
    )
    tables.write("throughput", text)
