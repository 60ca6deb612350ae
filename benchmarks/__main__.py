"""Measures, and writes the tables: `python -m benchmarks [NAME …]`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import (
    ablation,
    beside,
    command,
    designs,
    export,
    fast,
    gpu,
    manner,
    memory,
    newstyle,
    quality,
    race,
    start,
    startup,
    strength,
    throughput,
    warm,
    wasserstein,
)
from benchmarks.store import Row, Store


@dataclass(frozen=True)
class _Benchmark:
    """A benchmark: the key of its rows, how it is run with the command's options, and how its tables are written."""

    key: tuple[str, ...]
    measure: Callable[[Store, argparse.Namespace], object]
    write: Callable[[list[Row]], None]


_BENCHMARKS = {
    "startup": _Benchmark(("what",), lambda store, options: startup.measure(store, again=options.again), startup.write),
    "warm": _Benchmark(("what",), lambda store, options: warm.measure(store, again=options.again), warm.write),
    "throughput": _Benchmark(
        ("side", "threads"), lambda store, options: throughput.measure(store, again=options.again), throughput.write
    ),
    "command": _Benchmark(
        ("program", "side"),
        lambda store, options: command.measure(store, peers=not options.no_peers, again=options.again),
        command.write,
    ),
    "beside": _Benchmark(("beside",), lambda store, options: beside.measure(store, again=options.again), beside.write),
    "memory": _Benchmark(
        ("side", "precision"), lambda store, options: memory.measure(store, again=options.again), memory.write
    ),
    "race": _Benchmark(
        ("program", "pair", "side", "threads"),
        lambda store, options: race.measure(store, side=options.side, pairs=options.pairs, again=options.again),
        race.write,
    ),
    "fast": _Benchmark(
        ("program", "turn"), lambda store, options: fast.measure(store, again=options.again), fast.write
    ),
    "designs": _Benchmark(
        ("design", "steps"), lambda store, options: designs.measure(store, again=options.again), designs.write
    ),
    "gpu": _Benchmark(("card", "side"), lambda store, options: gpu.measure(store, again=options.again), gpu.write),
    "export": _Benchmark(
        ("model", "form", "turn"), lambda store, options: export.measure(store, again=options.again), export.write
    ),
    "newstyle": _Benchmark(
        ("style", "by"), lambda store, options: newstyle.measure(store, again=options.again), newstyle.write
    ),
    "start": _Benchmark(
        ("pair", "start", "share", "model"),
        lambda store, options: start.measure(store, pairs=options.pairs, again=options.again),
        start.write,
    ),
    "ablation": _Benchmark(
        ("change", "pair"), lambda store, options: ablation.measure(store, again=options.again), ablation.write
    ),
    "strength": _Benchmark(
        ("pair", "strength"), lambda store, options: strength.measure(store, again=options.again), strength.write
    ),
    "manner": _Benchmark(
        ("variant", "pair", "strength", "side"),
        lambda store, options: manner.measure(store, again=options.again),
        manner.write,
    ),
    "quality": _Benchmark(
        ("program", "pair", "side"),
        lambda store, options: quality.measure(
            store, programs=_programs(options), pairs=options.pairs, again=options.again
        ),
        quality.write,
    ),
    "wasserstein": _Benchmark(
        ("program", "pair", "side"),
        lambda store, options: wasserstein.measure(store, side=options.side, again=options.again),
        wasserstein.write,
    ),
}


def main() -> None:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"benchmarks: {', '.join(_BENCHMARKS)}; all by default"
    )
    parser.add_argument(
        "--again", action="store_true", help="measure rows again that this machine has already measured"
    )
    parser.add_argument("--tables", action="store_true", help="only write the tables of the measured rows")
    parser.add_argument("--no-peers", action="store_true", help="leave out the other programs, which take hours")
    parser.add_argument("--pairs", type=int, help="limit the pairs for programs that take minutes per picture")
    parser.add_argument("--side", type=int, default=512, help="long side in race and wasserstein, in pixels")
    parser.add_argument("--programs", nargs="+", metavar="PROGRAM", help="limit quality to these programs")
    chosen = parser.parse_args()
    names = chosen.names or list(_BENCHMARKS)
    if wrong := set(names) - set(_BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(wrong))}; there are {', '.join(_BENCHMARKS)}")
    for name in names:
        benchmark = _BENCHMARKS[name]
        store = Store(name, benchmark.key)
        if not chosen.tables:
            benchmark.measure(store, chosen)
        if rows := store.of_one_machine():
            benchmark.write(rows)


def _programs(options: argparse.Namespace) -> list[str] | None:
    """The programs whose quality is measured; None for all."""
    return options.programs or ([*quality.ours()] if options.no_peers else None)


if __name__ == "__main__":
    main()
