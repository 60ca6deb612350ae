"""Whatever is wrong, the command says so in one line, with the right exit code, before time is spent on painting."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import PIL.Image
import pytest
import torch

import impasto.cli.painting
from impasto import api
from impasto.cli import reporting
from impasto.cli.commands import COMMANDS
from impasto.cli.outputs import Output
from impasto.errors import OptimizationError
from impasto.images import read
from tests.cli_running import QUICK, make_pictures, run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_pictures(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_painting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Painting fails the test: what is wrong must be found before."""

    def paint(*_: object, **__: object) -> None:
        pytest.fail("painting began")

    monkeypatch.setattr(api, "begin", paint)


P = ("photo.png", "painting.png")

WRONG_OPTIONS = [
    ((*P, "--size", "-5"), r"--size: got -5; it must be 32 to 32768 px"),
    ((*P, "--size=31"), r"--size: got 31; it must be 32 to 32768 px"),
    ((*P, "--size", "1000000000"), r"--size: got 1e\+09; it must be 32 to 32768 px"),
    ((*P, "--size", "nan"), r"--size: got nan"),
    ((*P, "--size", "abc"), r"--size: got 'abc'; it must be a whole number, 32 to 32768"),
    ((*P, "--size", "100.5"), r"--size: got 100.5; it must be a whole number"),
    ((*P, "--size", ""), r"--size: got ''; it must be a whole number"),
    ((*P, "--size"), r"--size: got no value; see impasto stylize --help"),
    ((*P, "--strength", "nan"), r"--strength: got nan; it must be 0 to 1"),
    ((*P, "--strength", "1.5"), r"--strength: got 1.5; it must be 0 to 1"),
    ((*P, "--content-weight", "-inf"), r"--content-weight: got -inf"),
    ((*P, "--style-weight", "1e300"), r"--style-weight: got 1e\+300"),
    ((*P, "--style-weight", "0", "--content-weight", "0"), r"--style-weight: --content-weight is 0 as well"),
    ((*P, "--seed", "-1"), r"--seed: got -1"),
    ((*P, "--optimizer", "sgd"), r"--optimizer: got 'sgd'; it must be one of lbfgs, adam"),
    ((*P, "--pooling", "min"), r"--pooling: got 'min'"),
    ((*P, "--style-layers", "relu9_9"), r"--style-layers: .*relu9_9"),
    ((*P, "--content-layers", "relu1_1=x"), r"--content-layers: 'x' is not a number"),
    ((*P, "--style-layers", "relu1_1=0"), r"--style-layers: every layer has weight 0"),
    ((*P, "--style-layers", "relu1_1=-1"), r"--style-layers: got -1(.0)? as the weight of .?relu1_1"),
    ((*P, "--preset", "fastest"), r"--preset: there is none called 'fastest'; "),
    ((*P, "--preset", "mine.toml"), r"--preset: there is no file mine.toml; check the path"),
    ((*P, "--preset", "broken.toml"), r"--preset: broken.toml is not valid TOML"),
    (
        (*P, "--preset", "wrong.toml"),
        r"--preset: sise: there is no such setting; did you mean size\? \(in preset wrong.toml\)",
    ),
    (
        (*P, "--preset", "near.toml"),
        r"--preset: content_wait: there is no such setting; did you mean content_weight\? \(in preset near.toml\)",
    ),
    (
        (*P, "--preset", "table.toml"),
        r"--preset: x: there is no such setting; the settings are size, .*, style_weight, ",
    ),
    ((*P, "--threads", "0"), r"--threads: got 0; it must be a whole number, 1 to 4096"),
    ((*P, "--threads", "two"), r"--threads: got two; it must be a whole number, 1 to 4096"),
    ((*P, "--quality", "101"), r"--quality: got 101; it must be a whole number, 1 to 100"),
    ((*P, "--bit-depth", "12"), r"--bit-depth: got 12; it must be 8 or 16 bits"),
    ((*P, "--save-every", "0"), r"--save-every: got 0; it must be a whole number, at least 1 iterations"),
    ((*P, "--format", "gif"), r"--format: got gif; it must be one of png, jpg"),
    ((*P, "--format", "jpeg", "-o", "x.png"), r"--format: got jpeg, but the suffix of x.png means PNG"),
    ((*P, "--json", "-o", "-"), r"--json: --json and --out - both write to standard output"),
    ((*P, "--save-every", "1", "-o", "-"), r"--save-every: it adds numbers to the picture's name"),
    ((*P, "--sise", "5"), r"unknown option: --sise. Did you mean --size\?"),
    ((*P, "--size", "64", "--size", "65"), r"parameter --size specified multiple times"),
    ((*P, "--json=maybe"), r'invalid value for --json: unable to convert "maybe" into bool'),
    (("photo.png",), r"STYLE is missing; see impasto stylize --help"),
    ((), r"CONTENT is missing; see impasto stylize --help"),
    (("-", "-"), r"-: standard input can be read only once"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), WRONG_OPTIONS, ids=lambda value: " ".join(value[2:]) if isinstance(value, tuple) else ""
)
@pytest.mark.usefixtures("no_painting")
def test_wrong_options(arguments, message):
    Path("broken.toml").write_text("size = ")
    Path("wrong.toml").write_text("sise = 64")
    Path("near.toml").write_text("content_wait = 1")
    Path("table.toml").write_text("[x]\nsize = 64")
    refused = run("stylize", *arguments)
    assert refused.code == 2
    assert_matches(message, refused.error())


def assert_matches(pattern: str, text: str) -> None:
    __tracebackhide__ = True
    if re.match(pattern, text) is None:
        pytest.fail(f"{text!r} does not begin like {pattern!r}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], f"unknown command 'nonsense'; there are {', '.join(COMMANDS)}; see impasto --help"),
        (["help"], "unknown command 'help'; there are stylize, "),
        (["stylise"], "unknown command 'stylise'; did you mean impasto stylize?"),
        (["-"], "unknown command '-'; there are stylize, "),
        (["--nonsense"], "unknown command '--nonsense'; there are "),
        (["samples", "starry_night"], "unexpected argument 'starry_night'; see impasto samples --help"),
        (["presets", "nonsense"], "preset: there is none called 'nonsense'"),
        (["rerun"], "PICTURE is missing"),
        (["demo", "--size", "1"], "--size: got 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_commands(arguments, message):
    refused = run(*arguments)
    assert refused.code == 2
    assert refused.error().startswith(message)


WRONG_PICTURES = [
    ("missing.png", "missing.png: there is no such file; check its name and folder"),
    ("empty.png", "empty.png: the file is empty"),
    ("cut.png", "cut.png: the file is damaged or cut short"),
    ("text.jpg", "text.jpg: it is not a picture that Impasto reads"),
    ("dot.png", "dot.png: "),
    ("a_folder", "a_folder: this is a folder; give a picture file in it"),
    ("", ""),
    ("line\nbreak\x1b[31m.png", "line?break?[31m.png: there is no such file"),
    ("sample:nonsense", "no sample picture is called 'nonsense'; there are "),
    ("-", ": the file is empty"),
]


@pytest.mark.parametrize(
    ("role", "name", "message"),
    [
        pytest.param(role, name, message, id=f"{role} {name!r}")
        for role in ("content", "style", "init")
        for name, message in WRONG_PICTURES
        # No picture to start from has these names.
        if role != "init" or name not in ("", "-")
        # A folder of photographs is a batch.
        if (role, name) != ("content", "a_folder")
    ],
)
def test_wrong_pictures(role, name, message):
    Path("empty.png").touch()
    Path("cut.png").write_bytes(Path("photo.png").read_bytes()[:-400])
    Path("text.jpg").write_text("To whom it may concern")
    PIL.Image.new("RGB", (1, 1)).save("dot.png")
    Path("a_folder").mkdir()
    pictures = {"content": (name, "painting.png"), "style": ("photo.png", name), "init": (*P, "--init", name)}[role]
    before = set(Path.cwd().iterdir())
    refused = run("stylize", *pictures, *QUICK, "-o", "out.png")
    assert refused.code == 1
    assert message in refused.error()
    assert set(Path.cwd().iterdir()) == before


def test_a_folder_without_pictures():
    Path("a_folder").mkdir()
    refused = run("stylize", "a_folder", "painting.png", *QUICK, "-o", "out")
    assert (refused.code, refused.error()) == (
        2,
        "content: there is no picture in a_folder; name a folder or a pattern that has some",
    )


WRONG_OUTPUTS = [
    (("-o", "photo.png"), "photo.png: it is an input"),
    (("-o", "photo.png", "--force"), "photo.png: it is an input"),
    (("-o", "linked.png", "--force"), "linked.png: it is an input"),
    (("-o", "nowhere/out.png"), "nowhere/out.png: there is no folder"),
    (("-o", "nowhere/"), "nowhere/photo-painting.png: there is no folder"),
    (("-o", "out.xyz"), "out.xyz: the suffix says which format to write: received '.xyz'"),
    (("-o", "out"), "out: the suffix says which format to write: it has none"),
    (("-o", ""), ""),
    (("-o", "out.jpg", "--bit-depth", "16"), "JPEG holds 8 bits a channel"),
    (("--figure", "painting.png", "-f"), "painting.png: it is an input, and would be lost"),
    (("--figure", "old.png"), "old.png: the file exists; add --force"),
    (("--figure", "out.png", "-o", "out.png"), "out.png: the picture itself is written there"),
    (("--figure", "out.gif"), "out.gif: the suffix determines the format of a figure"),
    (("--figure", "nowhere/figure.png"), "nowhere/figure.png: there is no folder"),
]


@pytest.mark.parametrize(
    ("options", "message"), WRONG_OUTPUTS, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
@pytest.mark.usefixtures("no_painting")
def test_wrong_outputs_are_found_before_painting(options, message):
    Path("a_folder").mkdir()
    Path("a_folder.png").mkdir()
    Path("linked.png").symlink_to("photo.png")
    Path("old.png").write_text("mine")
    before = {path: path.read_bytes() for path in Path.cwd().iterdir() if path.is_file()}
    refused = run("stylize", *P, *QUICK, *options)
    assert refused.code == 1
    assert refused.error().startswith(message)
    assert {path: path.read_bytes() for path in Path.cwd().iterdir() if path.is_file()} == before


LONG = f"{300 * 'a'}.png"


@pytest.mark.parametrize(
    "line",
    [
        ("stylize", *P, "-o", LONG),
        ("stylize", *P, "--figure", LONG),
        ("stylize", LONG, "painting.png"),
        ("fast", LONG, "starry_night"),
        ("explain", "gram", "painting.png", "-o", LONG),
    ],
    ids=lambda line: " ".join(line).replace(LONG, "LONG"),
)
@pytest.mark.usefixtures("no_painting")
def test_a_name_that_is_too_long(line):
    refused = run(*line)
    assert refused.code == 1
    assert refused.error().startswith("aaaaaaaa")
    assert "report" not in refused.error()
    assert "long" in refused.error()


@pytest.mark.parametrize("option", ["-o", "--figure"])
@pytest.mark.usefixtures("no_painting")
def test_a_folder_that_may_not_be_written_in(monkeypatch, option):
    Path("mine").mkdir(mode=0o500)
    # Root, as whom tests may run, is let in everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: not (mode & os.W_OK and str(path).endswith("mine")))
    refused = run("stylize", *P, *QUICK, option, "mine/out.png")
    assert refused.code == 1
    assert refused.error().startswith("mine/out.png: there is no permission to write in ")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
@pytest.mark.parametrize("device", ["cuda", "cuda:7", "tpu"])
@pytest.mark.usefixtures("no_painting")
def test_a_device_that_is_not_here(device):
    refused = run("stylize", *P, *QUICK, "--device", device)
    assert refused.code == 1
    assert refused.error().startswith(f"device '{device}' is not on this machine; choose auto or one of ")


@pytest.mark.promise("out-of-memory")
@pytest.mark.usefixtures("no_painting")
def test_a_size_that_no_memory_holds(monkeypatch):
    from impasto import devices, planning

    monkeypatch.setattr(devices, "memory", lambda device: devices.Memory(total=2 * 2**30, available=2**30))
    refused = run("stylize", *P, "--size", "32768")
    assert refused.code == 1
    found = re.match(
        r"--size 32768 takes about \d+\.\d GiB of memory, even in tiles, and cpu has 2\.0 GiB; "
        r"the largest that fits is about (\d+)$",
        refused.error(),
    )
    fits = int(found[1])
    settings = api.settings_for()
    assert planning.plan((48, 64), settings.replace(size=fits), budget=2 * 2**30).fits
    assert not planning.plan((48, 64), settings.replace(size=fits + 32), budget=2 * 2**30).fits


@pytest.mark.promise("out-of-memory")
def test_a_size_that_free_memory_does_not_hold_is_warned_of(monkeypatch):
    from impasto import devices

    monkeypatch.setattr(devices, "memory", lambda device: devices.Memory(total=2**40, available=1))
    done = run("stylize", *P, *QUICK, "-q")
    assert done.code == 0
    assert done.err.startswith("impasto: warning: --size 32 takes about ")


def failing_after(steps: int, failure: BaseException, monkeypatch: pytest.MonkeyPatch, act=lambda: None) -> None:
    """Makes the painting fail after so many iterations."""
    real = api.begin

    def begin(*arguments, **options):
        for count, progress in enumerate(real(*arguments, **options)):
            if count == steps:
                break
            yield progress
        act()
        if failure is not None:
            raise failure

    monkeypatch.setattr(api, "begin", begin)


@pytest.mark.promise("bad-gradients")
def test_an_optimisation_that_cannot_go_on_keeps_the_best(monkeypatch):
    failing_after(1, OptimizationError("the loss stayed infinite"), monkeypatch)
    failed = run("stylize", *P, *QUICK, "-o", "out.png", "--figure", "figure.png")
    assert (failed.code, failed.out) == (1, "out.png\n")
    assert failed.err == ("impasto: error: the loss stayed infinite; the best picture so far is saved in out.png\n")
    assert read("out.png").size == (24, 32)
    assert not Path("figure.png").exists()


def test_an_optimisation_that_cannot_begin_saves_nothing(monkeypatch):
    failing_after(0, OptimizationError("the loss is inf at the start"), monkeypatch)
    failed = run("stylize", *P, *QUICK, "-o", "out.png")
    assert failed.code == 1
    assert failed.error() == "the loss is inf at the start"
    assert not Path("out.png").exists()


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (MemoryError(), "there is not enough memory; choose a smaller --size"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
            "there is not enough memory on the device",
        ),
        (RuntimeError("CUDA out of memory. Tried"), "there is not enough memory on the device"),
        (ZeroDivisionError("division\nby zero"), "this is a bug (ZeroDivisionError: division by zero"),
    ],
)
def test_whatever_else_happens_is_one_line_and_the_best_is_kept(monkeypatch, failure, message):
    failing_after(1, failure, monkeypatch)
    failed = run("stylize", *P, *QUICK, "-o", "out.png")
    assert (failed.code, failed.out) == (1, "out.png\n")
    assert failed.err.startswith(f"impasto: error: {message}")
    assert failed.err.endswith("; " + "the best picture so far is saved in out.png\n")
    assert failed.err.count("\n") == 1
    assert read("out.png").size == (24, 32)


def test_where_an_error_comes_from_is_shown_when_asked_for(monkeypatch):
    monkeypatch.setenv(reporting.DEBUG_VARIABLE, "1")
    failing_after(0, ZeroDivisionError("by design"), monkeypatch)
    failed = run("stylize", *P, *QUICK)
    assert failed.code == 1
    assert failed.err.startswith("Traceback (most recent call last):")
    assert "ZeroDivisionError: by design" in failed.err


def test_a_picture_whose_place_is_gone_is_kept_elsewhere(monkeypatch, tmp_path):
    refuge = tmp_path / "refuge"
    refuge.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(refuge))
    Path("results").mkdir()
    failing_after(2, None, monkeypatch, act=lambda: shutil.rmtree("results"))
    failed = run("stylize", *P, *QUICK, "-o", "results/out.jpg", "--force")
    assert failed.code == 1
    message, _, kept = failed.error().partition("; the picture was saved as ")
    assert message.startswith("results/out.jpg: there is no folder")
    assert Path(kept).parent.parent == refuge
    assert read(kept).size == (24, 32)


def test_a_file_made_while_painting_is_not_replaced(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing_after(2, None, monkeypatch, act=lambda: Path("out.png").write_text("mine"))
    failed = run("stylize", *P, *QUICK, "-o", "out.png")
    assert failed.code == 1
    assert "out.png: the file exists already" in failed.error()
    assert Path("out.png").read_text() == "mine"


def interrupting(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has Ctrl-C pressed just before an Output's method does its work."""
    real = getattr(Output, method)

    def interrupted(self, *arguments):
        signal.raise_signal(signal.SIGINT)
        return real(self, *arguments)

    monkeypatch.setattr(Output, method, interrupted)


def test_a_signal_while_saving_lets_the_saving_end(monkeypatch):
    interrupting("save", monkeypatch)
    done = run("stylize", *P, *QUICK, "-o", "out.png")
    assert (done.code, done.out) == (0, "out.png\n")
    assert read("out.png").size == (24, 32)


def test_after_a_signal_while_saving_no_figure_is_drawn(monkeypatch):
    interrupting("save", monkeypatch)
    done = run("stylize", *P, *QUICK, "-o", "out.png", "--figure", "figure.png")
    assert (done.code, done.out) == (130, "out.png\n")
    assert done.err == "impasto: interrupted at scale 1 of 1; the picture is saved in out.png\n"
    assert not Path("figure.png").exists()


def test_a_painting_that_failed_and_cannot_be_saved_says_both(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    Path("results").mkdir()
    failing_after(1, OptimizationError("the loss stayed infinite"), monkeypatch, act=lambda: shutil.rmtree("results"))
    failed = run("stylize", *P, *QUICK, "-o", "results/out.png")
    assert failed.code == 1
    assert failed.error().startswith("results/out.png: there is no folder")
    assert "; the picture was saved as " in failed.error()
    assert failed.error().endswith("; before that, the painting failed: the loss stayed infinite")


def test_a_figure_that_fails_does_not_cost_the_picture(monkeypatch):
    Path("figures").mkdir()
    failing_after(2, None, monkeypatch, act=lambda: Path("figures").rmdir())
    failed = run("stylize", *P, *QUICK, "-o", "out.png", "--figure", "figures/figure.png")
    assert (failed.code, failed.out) == (1, "out.png\n")
    assert failed.err.startswith("impasto: error: figures/figure.png: ")
    assert failed.err.endswith("; the picture is saved in out.png\n")
    assert read("out.png").size == (24, 32)


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("no_painting")
def test_standard_streams_that_are_a_terminal_are_not_used(monkeypatch):
    monkeypatch.setattr("tests.cli_running.io.TextIOWrapper", Terminal)
    refused = run("stylize", "-", "painting.png", *QUICK)
    assert refused.code == 1
    assert refused.error() == "- is standard input, which is the keyboard; pipe a picture into it, or name a file"
    refused = run("stylize", *P, *QUICK, "-o", "-")
    assert refused.code == 2
    assert "standard output is the terminal" in refused.error()


def test_painting_is_where_it_is_expected():
    """Guards the fixtures above, which replace what the command calls."""
    assert impasto.cli.painting.api is api  # type: ignore[attr-defined]
    assert "impasto.cli.stylize" in sys.modules
