"""Takes what came back from a machine with a GPU: checks it, judges the model, and keeps it only if it is better.

    python tools/gpu/take.py RESULTS [--state build/gpu/state]

The model paints the twelve pairs of the benchmarks, as the bundled one does, at several strengths. It is better if its
style distance is less at the same content distance, and no more of its pictures have faults. Then it becomes the
bundled model `any`. The learning curve is added to `benchmarks/results/training.jsonl`, and the state, from which the
next training goes on, is copied in any case.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import packs
import results

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT), str(ROOT / "tools")]

from benchmarks import gpu, pairs  # noqa: E402
from benchmarks.pairs import Pair  # noqa: E402
from benchmarks.store import Store  # noqa: E402
from impasto import loading  # noqa: E402
from impasto.fast.models import ANY, FastModel  # noqa: E402
from impasto.images import fit  # noqa: E402
from impasto.metrics import Judge  # noqa: E402

_SIDE, _STRENGTHS = 256, (0.5, 0.75, 1.0)
# Difference in style distance that counts.
_LEAST_GAIN = 0.005


@dataclass(frozen=True)
class Verdict:
    """What the judge says of a model.

    Attributes:
        points: mean (content, style) distance at each strength, from weak to strong.
        faults: pictures with faults, at full strength.
    """

    points: Sequence[tuple[float, float]]
    faults: int


def judged(model: FastModel, chosen: Sequence[Pair], side: int = _SIDE) -> Verdict:
    """Paint the pairs with a model of any painting, and judge them."""
    judges = [(pair, Judge(loading.load(pair.content), [loading.load(pair.style)])) for pair in chosen]
    points, faults = [], 0
    for strength in _STRENGTHS:
        found = []
        for pair, judge in judges:
            content = loading.load(pair.content)
            content = content.resized(fit(content.size, side))
            found.append(judge.judge(model.stylize(content, pair.style, strength=strength)))
        points.append((statistics.mean(j.content for j in found), statistics.mean(j.style for j in found)))
        faults = sum(bool(j.artifacts) for j in found)
    return Verdict(points, faults)


def better(new: Verdict, old: Verdict) -> tuple[bool, float]:
    """Whether a model is better than another, and by how much its style distance is less at equal content.

    Where the curves of the two share no content distance, they are compared by the sum of both distances.
    """
    ours, theirs = sorted(new.points), sorted(old.points)
    low, high = max(ours[0][0], theirs[0][0]), min(ours[-1][0], theirs[-1][0])
    if low < high:
        at = np.linspace(low, high, 9)
        curves = [np.interp(at, [c for c, _ in points], [s for _, s in points]) for points in (ours, theirs)]
        gain = float((curves[1] - curves[0]).mean())
    else:
        gain = min(map(sum, theirs)) - min(map(sum, ours))
    return gain > _LEAST_GAIN and new.faults <= old.faults, gain


def main(arguments: Sequence[str] | None = None) -> None:
    """Check, judge, and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder of the results")
    parser.add_argument("--state", type=Path, default=ROOT / "build" / "gpu" / "state", help="default: build/gpu/state")
    chosen = parser.parse_args(arguments)
    results.check(chosen.results)
    figures = results.read_figures(chosen.results)
    for part in ("tests", "benchmarks"):
        print(f"{part}: {figures.get(part, {}).get('code', 'not run')}")
    if rows := [row for row in figures.get("benchmarks", {}).get("rows", []) if row["card"] != "none"]:
        _store(rows)
    if curve := figures.get("training", {}).get("curve"):
        _note_curve(curve, figures)
    if not (chosen.results / results.MODEL).exists():
        print(f"no model came back: {figures.get('training', {}).get('error', 'training was not asked for')}")
        return
    model = FastModel.load(chosen.results / results.MODEL)
    _keep_state(chosen.results, chosen.state)
    if not (found := pairs.classic()):
        raise SystemExit("without the twelve pairs, the model cannot be judged")
    verdicts = [judged(one, found) for one in (model, FastModel.load(ANY))]
    is_better, gain = better(*verdicts)
    for name, verdict in zip(("new", "bundled"), verdicts, strict=True):
        curve = ", ".join(f"{style:.3f} at {content:.3f}" for content, style in verdict.points)
        print(f"{name}: style {curve}; faults in {verdict.faults} of {len(found)}")
    print(f"style distance is less by {gain:.4f}: {'kept' if is_better else 'not kept'}")
    if is_better:
        _bundle(chosen.results / results.MODEL)


def _store(rows: Sequence[dict[str, object]]) -> None:
    """Add the benchmarks' rows to those in the repository, and write the table."""
    store = Store("gpu", ("card", "side"))
    with store.path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    gpu.write(store.of_one_machine())


def _note_curve(curve: Sequence[Mapping[str, object]], figures: Mapping[str, Mapping[str, object]]) -> None:
    """Add the learning curve on held-out pairs to those in the repository."""
    about = {**figures["about"], "crops a second": figures["training"]["crops a second"]}
    path = Store("training", ("card", "step")).path
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({**about, **point}) + "\n" for point in curve)


def _keep_state(found: Path, folder: Path) -> None:
    """Copy the model and the state to where `pack.py --state` takes them from."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in packs.checked(found):
        if path.suffix == ".safetensors":
            shutil.copy(path, folder)


def _bundle(model: Path) -> None:
    """Make the model the bundled one."""
    import make_models

    shutil.copy(model, make_models.FOLDER / f"{ANY}.safetensors")
    make_models.record()


if __name__ == "__main__":
    main()
