"""A GPU: seconds and memory of the default by size, and how much of the card's matrix product it uses.

`python -m benchmarks.gpu --rows FILE` measures without the store, for a machine to which nothing but the repository
comes; `tools/gpu/take.py` stores its rows.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks import tables
from benchmarks.machine import commit, machine, threads, versions
from benchmarks.pairs import bundled
from benchmarks.store import Row, Store
from impasto import api, devices, loading, planning
from impasto.planning.arithmetic import settings_multiply_adds

SIDES = (512, 1024, 2048, 4096)
_MATRIX = {"cuda": 8192}
_PRODUCTS = 10
# Largest side that is tried in the forecast, and the step between two.
_LARGEST, _STEP = 32768, 256


def measure(store: Store, *, again: bool = False) -> list[Row]:
    """Measure a row for each size on this machine's GPU; none without one."""
    card = card_name("auto")
    if card is None:
        print("gpu: there is no GPU on this machine; the table stays as it is")
        return []
    return [store.measure({"card": card, "side": side}, partial(measured, side, "auto"), again=again) for side in SIDES]


def card_name(device: str) -> str | None:
    """Name of the GPU; None if the device is a CPU."""
    found = devices.resolve(device)
    if found.type == "cpu":
        return None
    return torch.cuda.get_device_name(found) if found.type == "cuda" else "Apple GPU"


def measured(side: int, device: str) -> dict[str, Any]:
    """Seconds, memory and share of the matrix product of one picture with the default settings."""
    pair = bundled()[0]
    content, style = loading.load(pair.content), loading.load(pair.style)
    found = devices.resolve(device)
    settings = api.settings_for(size=side, device=device)
    # The first picture loads kernels.
    api.stylize(content, style, size=min(side, 128), iterations=1, coarse_iterations=1, device=device)
    if found.type == "cuda":
        torch.cuda.reset_peak_memory_stats(found)
    begin = time.perf_counter()
    pastiche = api.stylize(content, style, size=side, device=device)
    seconds = time.perf_counter() - begin
    evaluated = sum(point.size[0] * point.size[1] for point in pastiche.trace)
    operations = 2 * settings_multiply_adds(settings, gradient=True) * evaluated
    product = matrix_product(found, devices.precision(settings.precision, found))
    return {
        "seconds": round(seconds, 3),
        "peak": torch.cuda.max_memory_allocated(found) if found.type == "cuda" else None,
        "forecast": planning.peak_bytes(content.size, settings),
        "product": round(product / 1e12, 2),
        "share": round(operations / seconds / product, 4),
        "largest": _largest(content.size, device),
    }


def matrix_product(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations per second of a large product of matrices: the best of several."""
    side = _MATRIX.get(device.type, 1024)
    matrix = torch.rand((side, side), generator=torch.Generator().manual_seed(side)).to(device, dtype)
    best = float("inf")
    for _ in range(_PRODUCTS):
        begin = time.perf_counter()
        matrix @ matrix
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        best = min(best, time.perf_counter() - begin)
    return float(2 * side**3 / best)


def _largest(content: tuple[int, int], device: str) -> int | None:
    """Long side of the largest picture whose forecast fits into the device's memory; None if that is unknown."""
    memory = devices.memory(devices.resolve(device))
    if memory is None:
        return None
    fitting = 0
    for side in range(_STEP, _LARGEST + 1, _STEP):
        if planning.peak_bytes(content, api.settings_for(size=side, device=device)) > memory.total:
            break
        fitting = side
    return fitting


def write(rows: Sequence[Row]) -> None:
    """Write the table, by the card's name."""
    body = []
    for row in tables.in_order(rows, "side", SIDES):
        peak = f"{row['peak'] / 2**30:.2f}" if row["peak"] else ""
        body.append(
            [
                row["card"],
                f"{row['side']} px",
                f"{row['seconds']:.2f}",
                peak,
                f"{row['forecast'] / 2**30:.2f}",
                f"{row['share']:.1%} of {row['product']:.0f} TFLOP/s",
                f"{row['largest']} px" if row["largest"] else "",
            ]
        )
    headings = ["card", "long side", "seconds", "peak, GiB", "forecast, GiB", "of its matrix product", "largest"]
    pair = bundled()[0].name
    tables.write(
        "gpu",
        f"{tables.table(headings, body)}\n\n{pair}, in process, after a first picture, all scales. The matrix product "
        f"is that of the features' number type; *largest* is the long side of the largest picture whose forecast fits "
        f"into the card's memory. {tables.measured_on(list(rows))}",
    )


def main() -> None:
    """Measure, and write each row at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True, help="file for the rows")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIDES))
    chosen = parser.parse_args()
    about = {"machine": machine(), "threads": threads(), "versions": versions(), "commit": commit()}
    for side in chosen.sizes:
        card = card_name(chosen.device) or "none"
        row = {**about, "card": card, "side": side, **measured(side, chosen.device)}
        with chosen.rows.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
