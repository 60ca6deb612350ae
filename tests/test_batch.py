"""A batch paints each output once, side by side, and goes on where it stopped; what cannot be painted is named."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from impasto import stylize
from impasto.batch import Executor, Item, LocalExecutor, read_manifest, run, workers_that_fit
from impasto.batch.claims import claimed
from impasto.batch.orders import FileFormat, Order, Picture, Result, paint
from impasto.errors import ImageWriteError, SettingsError
from impasto.images import read
from impasto.recipes import Recipe
from impasto.settings import Settings
from tests import cli_running

QUICK = Settings(
    size=32,
    scales=1,
    iterations=2,
    content_layers={"relu2_1": 1.0},
    style_layers={"relu1_1": 1.0},
    precision="float32",
    device="cpu",
)


class Here(Executor):
    """Paints in this process."""

    def run(self, orders):
        return map(paint, orders)


@pytest.fixture
def folder(photo, painting, tmp_path) -> Path:
    """Two photographs and a painting."""
    for number in (1, 2):
        photo(24 + 4 * number, 32).save(tmp_path / f"{number}.png")
    painting(30, 30).save(tmp_path / "style.png")
    return tmp_path


def items_in(folder: Path, **changes) -> list[Item]:
    style = str(folder / "style.png")
    return [
        Item(str(folder / f"{number}.png"), (style,), QUICK.replace(**changes), folder / "out" / f"{number}.png")
        for number in (1, 2)
    ]


def kinds(outcomes) -> list[str]:
    return [outcome.kind for outcome in sorted(outcomes, key=lambda outcome: outcome.item.output)]


def test_a_picture_of_a_batch_is_the_picture(folder):
    items = items_in(folder)
    assert kinds(run(items, Here())) == ["painted", "painted"]
    alone = stylize(items[0].content, items[0].styles[0], **QUICK.to_mapping())
    alone.save(folder / "alone.png")
    assert items[0].output.read_bytes() == (folder / "alone.png").read_bytes()
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["1.png", "2.png"]


def test_what_is_painted_is_kept_and_what_is_not_is_painted(folder):
    items = items_in(folder)
    list(run(items, Here()))
    items[1].output.unlink()
    assert kinds(run(items, Here())) == ["kept", "painted"]


def test_a_picture_of_other_settings_is_not_taken_for_this_one(folder):
    list(run(items_in(folder), Here()))
    others = items_in(folder, strength=0.3)
    before = others[0].output.read_bytes()
    outcomes = list(run(others, Here()))
    assert kinds(outcomes) == ["failed", "failed"]
    assert "--force" in outcomes[0].error
    assert others[0].output.read_bytes() == before
    assert kinds(run(others, Here(), overwrite=True)) == ["painted", "painted"]
    assert Recipe.of_file(others[0].output).settings.strength == 0.3


def test_a_damaged_photograph_fails_and_the_others_are_painted(folder):
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:60])
    outcomes = {outcome.item.output.name: outcome for outcome in run(items_in(folder), Here())}
    assert outcomes["1.png"].kind == "failed"
    assert outcomes["1.png"].error
    assert outcomes["2.png"].kind == "painted"


def test_a_bug_fails_one_picture_and_not_the_batch(folder, monkeypatch):
    def broken(pastiche, *_):
        if pastiche.size == (28, 32):
            raise ZeroDivisionError("division by zero")
        return ()

    monkeypatch.setattr("impasto.artifacts.find", broken)
    outcomes = {outcome.item.output.name: outcome for outcome in run(items_in(folder), Here())}
    assert outcomes["1.png"].kind == "failed"
    assert "this is a bug (ZeroDivisionError: division by zero)" in outcomes["1.png"].error
    assert outcomes["2.png"].kind == "painted"


def test_workers_are_as_many_as_cores_suffice_for(folder, monkeypatch):
    monkeypatch.setattr("impasto.batch.executors.cores", lambda: 8)
    many = items_in(folder) * 10
    assert workers_that_fit(many, torch.device("cpu")) == 8
    assert workers_that_fit(many, torch.device("cpu"), 3) == 2
    assert workers_that_fit(many[:1], torch.device("cpu")) == 1
    assert workers_that_fit(many, torch.device("cpu"), 16) == 1
    assert workers_that_fit(many, torch.device("meta")) == 1


def test_collisions_are_known_before_anything_is_painted(folder):
    one, two = items_in(folder)
    same = Item(two.content, two.styles, two.settings, one.output.with_name("1.PNG"), "jobs.csv, line 3")
    with pytest.raises(SettingsError, match=r"1\.png and jobs\.csv, line 3 would both be painted"):
        run([one, same], Here())
    with pytest.raises(SettingsError, match="is one of the inputs"):
        run([Item(one.content, one.styles, QUICK, Path(two.content)), two], Here())
    with pytest.raises(ImageWriteError):
        run([Item(one.content, one.styles, QUICK, folder / "picture.gif")], Here())
    with pytest.raises(SettingsError, match="in a batch"):
        run([Item(one.content, one.styles, QUICK.replace(init="start.png"), one.output)], Here())
    assert not one.output.exists()


def test_two_runs_at_once_paint_each_output_once(folder):
    items = items_in(folder)
    painted: list[str] = []
    both = threading.Barrier(2)

    class Slow(Here):
        def run(self, orders):
            for order in orders:
                painted.append(order.content.name)
                if len(painted) == 1:
                    both.wait(30)
                yield paint(order)

    def other() -> None:
        both.wait(30)
        outcomes.extend(run(items, Slow()))

    outcomes: list = []
    thread = threading.Thread(target=other)
    thread.start()
    outcomes.extend(run(items, Slow()))
    thread.join()
    assert sorted(painted) == ["1.png", "2.png"]
    assert sorted(outcome.kind for outcome in outcomes) == ["kept", "kept", "painted", "painted"]


def test_a_claim_is_held_by_one(tmp_path):
    output = tmp_path / ("a" * 250 + ".png")
    with claimed(output) as mine:
        assert mine
        with claimed(output) as also:
            assert not also
    with claimed(output) as mine:
        assert mine
    assert list(tmp_path.iterdir()) == []


# --- Manifests


def test_a_manifest_has_a_row_for_each_picture(folder):
    (folder / "jobs.csv").write_text(
        "content,style,output,strength,style_layers\n"
        "1.png,style.png,a.jpg,0.3,\n"
        '2.png,style.png; sample:the_scream,,,"relu1_1=1,relu2_1=2"\n',
        encoding="utf-8-sig",
    )
    one, two = read_manifest(folder / "jobs.csv", settings=QUICK, styles=(), folder=folder / "out")
    assert (one.content, one.styles) == (str(folder / "1.png"), (str(folder / "style.png"),))
    assert one.output == folder / "out" / "a.jpg"
    assert one.settings == QUICK.replace(strength=0.3)
    assert two.styles == (str(folder / "style.png"), "sample:the_scream")
    assert two.output == folder / "out" / "2.png"
    assert two.settings == QUICK.replace(style_layers={"relu1_1": 1, "relu2_1": 2})
    assert two.source.endswith("jobs.csv, line 3")


def test_a_manifest_in_json_lines(folder):
    rows = [{"content": "1.png", "style": ["style.png", "sample:the_scream"], "size": 40}, {"content": "2.png"}]
    (folder / "jobs.jsonl").write_text("\n\n".join(map(json.dumps, rows)), encoding="utf-8")
    one, two = read_manifest(folder / "jobs.jsonl", settings=QUICK, styles=["s.png"], folder=folder)
    assert one.settings.size == 40
    assert two.styles == ("s.png",)
    assert two.source.endswith("line 3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no row"),
        ("content\n", "has no row"),
        ("content,strenght\n1.png,1\n", "line 2: strenght"),
        ("content,strength\n1.png,2\n1.png,0.5\n1.png,-1\n", r"line 2: strength.*; line 4: strength"),
        ("content\n3.png\n", r"line 2: .*3\.png does not exist"),
        ("content\n1.png,2.png\n", "line 2: .*more values"),
        ("style\nstyle.png\n", "line 2: content: it is missing"),
        ("content,style\n1.png, ; \n", "line 2: style: it is missing"),
    ],
)
def test_rows_that_cannot_be_used_are_named_by_their_lines(folder, text, message):
    (folder / "jobs.csv").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        read_manifest(folder / "jobs.csv", settings=QUICK, styles=["style.png"], folder=folder)


@pytest.mark.parametrize("line", ["[]", "3", "{", '{"content": 3}', '{"content": "1.png", "output": 3}'])
def test_lines_that_are_no_rows(folder, line):
    (folder / "jobs.jsonl").write_text(line, encoding="utf-8")
    with pytest.raises(SettingsError, match="line 1"):
        read_manifest(folder / "jobs.jsonl", settings=QUICK, styles=["style.png"], folder=folder)


def test_no_manifest(tmp_path):
    (tmp_path / "jobs.csv").write_bytes(b"\xff\xfe\xfa")
    for name in ("jobs.csv", "none.csv"):
        with pytest.raises(SettingsError, match="cannot be read"):
            read_manifest(tmp_path / name, settings=QUICK, styles=(), folder=tmp_path)


# --- Processes


@pytest.mark.slow
def test_processes_paint_the_same_pictures(folder):
    items = items_in(folder)
    list(run(items, Here()))
    here = [item.output.read_bytes() for item in items]
    for item in items:
        item.output.unlink()
    assert kinds(run(items, LocalExecutor(2, 1))) == ["painted", "painted"]
    for item, before in zip(items, here, strict=True):
        (folder / "before.png").write_bytes(before)
        assert (read(item.output).pixels == read(folder / "before.png").pixels).all()


@pytest.mark.slow
def test_a_process_that_dies_is_replaced_and_a_picture_that_kills_is_given_up(folder, monkeypatch):
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    )
    executor = LocalExecutor(2, 1)
    orders = [
        Order(number, Picture(name, b""), (), QUICK, ".png", FileFormat()) for number, name in enumerate("abcabc")
    ]
    monkeypatch.setattr("impasto.batch.executors._paint", kill_at_b)
    results = {result.number: result for result in executor.run(iter(orders))}
    assert sorted(results) == list(range(6))
    assert {number for number, result in results.items() if result.error} == {1, 4}
    assert "died twice" in results[1].error


def kill_at_b(order: Order) -> Result:
    """In place of painting: kills its process at some orders."""
    if order.content.name == "b":
        os.kill(os.getpid(), signal.SIGKILL)
    return Result(order.number, b"picture")


# --- The command


def test_the_command(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("impasto.batch.LocalExecutor", lambda workers, threads: Here())
    (folder / "in").mkdir()
    for name in ("1.png", "2.png"):
        (folder / name).rename(folder / "in" / name)
    (folder / "in" / "notes.txt").write_text("no picture")
    options = ("--style", "style.png", "-o", "out", *cli_running.QUICK)
    done = cli_running.run("batch", "in", *options)
    assert done.code == 0, done.err
    assert done.out.split() == ["out/1.png", "out/2.png"]
    assert "notes.txt is skipped" in done.err
    assert "painted 2 pictures" in done.err
    again = cli_running.run("batch", "in", *options, "--json", "-q")
    record = json.loads(again.out)
    assert [picture["status"] for picture in record["pictures"]] == ["kept", "kept"]
    assert [skipped["file"] for skipped in record["skipped"]] == ["in/notes.txt"]
    other = cli_running.run("batch", "in", *options, "--strength", "0.2")
    assert other.code == 1
    assert "2 failed" in other.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("1.png", "-o", "out"), "--style"),
        (("1.png", "--style", "style.png"), "--out"),
        (("none.png", "--style", "style.png", "-o", "out"), "there is no such file"),
        (("1.png", "--style", "style.png", "-o", "2.png"), "is a file"),
        (("https://example.org/a.png", "--style", "style.png", "-o", "out"), "fetches nothing"),
    ],
)
def test_what_the_command_refuses(folder, monkeypatch, arguments, message):
    monkeypatch.chdir(folder)
    done = cli_running.run("batch", *arguments)
    assert done.code != 0
    assert message in done.error()


@pytest.mark.slow
def test_a_killed_batch_goes_on(folder):
    """Killed while it paints: the processes that it started end, and the same command paints what is missing."""
    command = [sys.executable, "-m", "impasto", "batch", "1.png", "2.png", "--style", "style.png", "-o", "out"]
    command += ["--workers", "1", "--size", "32", "--scales", "1", "--coarse-size", "32", "--iterations"]
    with subprocess.Popen([*command, "1000000", "--tolerance", "0"], cwd=folder, start_new_session=True) as begun:
        deadline = time.monotonic() + 120
        while not list((folder / "out").glob(".impasto-*.claim")) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(3)
        begun.kill()
    while processes_of(begun.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_of(begun.pid) == []
    done = subprocess.run([*command, "2"], cwd=folder, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == ["out/1.png", "out/2.png"]
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["1.png", "2.png"]


def processes_of(session: int) -> list[int]:
    """The processes of a session, but for dead ones."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(of) == session and state not in "ZX":
            found.append(int(path.parent.name))
    return found
