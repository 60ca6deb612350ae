"""Measure and write the tables: `python -m benchmarks [NAME …]`."""

from __future__ import annotations

import argparse

from benchmarks import (
    ablation,
    beside,
    command,
    export,
    fast,
    memory,
    newstyle,
    quality,
    race,
    start,
    startup,
    strength,
    throughput,
    wasserstein,
)
from benchmarks.store import Store

# What a row is about, by benchmark.
_KEYS = {
    "startup": ("what",),
    "throughput": ("side", "threads"),
    "command": ("program", "side"),
    "beside": ("beside",),
    "memory": ("side", "precision"),
    "race": ("program", "pair", "side", "threads"),
    "fast": ("program", "turn"),
    "export": ("model", "form", "turn"),
    "newstyle": ("style", "by"),
    "start": ("pair", "start", "share", "model"),
    "ablation": ("change", "pair"),
    "strength": ("pair", "strength"),
    "quality": ("program", "pair", "side"),
    "wasserstein": ("program", "pair", "side"),
}


def main() -> None:
    """Run the benchmarks that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(_KEYS)}; all by default")
    parser.add_argument("--again", action="store_true", help="measure anew what this machine has measured already")
    parser.add_argument("--tables", action="store_true", help="only write the tables of what was measured")
    parser.add_argument("--no-peers", action="store_true", help="leave out the peers, which take hours")
    parser.add_argument("--pairs", type=int, help="paint no more pairs than this with what takes minutes a picture")
    parser.add_argument("--side", type=int, default=512, help="long side of race and wasserstein, in pixels")
    parser.add_argument("--programs", nargs="+", metavar="PROGRAM", help="of quality, only these")
    chosen = parser.parse_args()
    names = chosen.names or list(_KEYS)
    if wrong := set(names) - set(_KEYS):
        parser.error(f"there is no benchmark {', '.join(sorted(wrong))}; there are {', '.join(_KEYS)}")
    for name in names:
        store = Store(name, _KEYS[name])
        if not chosen.tables:
            _measure(name, store, chosen)
        if rows := store.of_one_machine():
            _WRITE[name](rows)


def _measure(name: str, store: Store, chosen: argparse.Namespace) -> None:
    if name == "startup":
        startup.measure(store, again=chosen.again)
    elif name == "throughput":
        throughput.measure(store, again=chosen.again)
    elif name == "command":
        command.measure(store, peers=not chosen.no_peers, again=chosen.again)
    elif name == "beside":
        beside.measure(store, again=chosen.again)
    elif name == "ablation":
        ablation.measure(store, again=chosen.again)
    elif name == "strength":
        strength.measure(store, again=chosen.again)
    elif name == "memory":
        memory.measure(store, again=chosen.again)
    elif name == "fast":
        fast.measure(store, again=chosen.again)
    elif name == "export":
        export.measure(store, again=chosen.again)
    elif name == "newstyle":
        newstyle.measure(store, again=chosen.again)
    elif name == "start":
        start.measure(store, pairs=chosen.pairs, again=chosen.again)
    elif name == "race":
        race.measure(store, side=chosen.side, pairs=chosen.pairs, again=chosen.again)
    elif name == "wasserstein":
        wasserstein.measure(store, side=chosen.side, again=chosen.again)
    else:
        programs = chosen.programs or ([*quality.ours()] if chosen.no_peers else None)
        quality.measure(store, programs=programs, pairs=chosen.pairs, again=chosen.again)


_WRITE = {
    "startup": startup.write,
    "throughput": throughput.write,
    "command": command.write,
    "beside": beside.write,
    "memory": memory.write,
    "race": race.write,
    "fast": fast.write,
    "export": export.write,
    "newstyle": newstyle.write,
    "start": start.write,
    "ablation": ablation.write,
    "strength": strength.write,
    "quality": quality.write,
    "wasserstein": wasserstein.write,
}

if __name__ == "__main__":
    main()
