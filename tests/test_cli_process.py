"""The command as a process: signals, pipes, terminals, limits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from impasto.cli import main
from impasto.cli.signals import Interruption, Signals
from impasto.images import read
from impasto.recipes import Recipe
from tests.cli_running import ENDLESS, QUICK, Run, finish, make_pictures, start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals are POSIX's")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_pictures(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def wait_for(path: str, process: subprocess.Popen[bytes]) -> None:
    """Waits until the command has made the file."""
    while not Path(path).exists():
        assert process.poll() is None, finish(process)
        time.sleep(0.05)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "kill"])
def test_a_signal_ends_the_painting_and_keeps_the_best(number, code):
    process = start("stylize", "photo.png", "painting.png", *ENDLESS, "-o", "out.png", "--save-every", "1")
    wait_for("out-0002.png", process)
    process.send_signal(number)
    ended = finish(process)
    assert (ended.code, ended.out) == (code, "out.png\n")
    assert ended.err == "impasto: interrupted at scale 1 of 1; the best picture so far is saved in out.png\n"
    assert read("out.png").size == (24, 32)
    assert Recipe.of_file("out.png").content.name == "photo.png"


def test_a_signal_that_is_ignored_stays_ignored():
    process = start(
        *(
            "stylize",
            "photo.png",
            "painting.png",
            "--size",
            "32",
            "--iterations",
            "8",
            "-o",
            "out.png",
            "--save-every",
            "1",
        ),
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    wait_for("out-0001.png", process)
    process.send_signal(signal.SIGHUP)
    ended = finish(process)
    assert (ended.code, ended.out) == (0, "out.png\n")


def test_a_signal_before_anything_is_painted(tmp_path):
    os.mkfifo("pipe.png")
    process = start("stylize", "pipe.png", "painting.png", *QUICK)
    # The pipe opens for writing once the command waits for what comes.
    with Path("pipe.png").open("wb"):
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        ended = finish(process)
    assert (ended.code, ended.out) == (130, "")
    assert ended.err == "impasto: interrupted before anything was painted\n"


def test_the_first_signal_while_saving_waits_and_the_second_does_not():
    before = signal.getsignal(signal.SIGTERM)
    with Signals.caught() as signals:
        signals.hold()
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interruption) as second:
            signal.raise_signal(signal.SIGINT)
        assert second.value.code == 130
        with pytest.raises(Interruption) as first:
            signals.release()
        assert first.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_while_painting_is_the_first_of_two():
    with Signals.caught() as signals:
        with pytest.raises(Interruption):
            signal.raise_signal(signal.SIGINT)
        signals.hold()
        with pytest.raises(Interruption):
            signal.raise_signal(signal.SIGINT)


def test_nothing_waits_if_nothing_came():
    with Signals.caught() as signals:
        signals.hold()
        signals.release()
        with pytest.raises(Interruption):
            signal.raise_signal(signal.SIGTERM)


def test_pictures_through_pipes():
    process = start("stylize", "-", "painting.png", *QUICK, "-q", "-o", "-", "--format", "webp", stdin=-1)
    done = finish(process, Path("photo.png").read_bytes())
    assert (done.code, done.err) == (0, "")
    assert read(done.bytes).format == "WebP"


def test_nothing_from_a_pipe_is_one_line():
    done = finish(start("stylize", "-", "painting.png", *QUICK, stdin=-1), b"")
    assert done.code == 1
    assert done.error().endswith("the file is empty (0 bytes); allowed are PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF, HEIC")


def test_a_reader_that_has_enough_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    process = start("presets", "default", stdout=writing)
    os.close(writing)
    done = finish(process)
    assert (done.code, done.err) == (141, "")


@pytest.mark.parametrize("command", [(), ("samples",), ("stylize",)], ids=lambda command: " ".join(command))
def test_a_reader_that_has_enough_of_help_is_no_error(command):
    reading, writing = os.pipe()
    os.close(reading)
    process = start(*command, "--help", stdout=writing)
    os.close(writing)
    done = finish(process)
    assert (done.code, done.err) == (141, "")


@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)], ids=str)
def test_closed_streams_are_no_error(closed):
    line = ("stylize", "photo.png", "painting.png", *QUICK, "-o", "out.png")
    done = finish(start(*line, preexec_fn=lambda: [os.close(number) for number in closed]))
    assert done.code == 0
    assert done.out == ("" if 1 in closed else "out.png\n")
    assert done.err.startswith("" if 2 in closed else "impasto: painted 32 × 24 px")
    assert read("out.png").size == (24, 32)


def test_a_list_for_nobody_is_no_error():
    done = finish(start("samples", preexec_fn=lambda: os.close(1)))
    assert (done.code, done.out, done.err) == (0, "", "")


def test_a_picture_for_nobody_is_refused():
    done = finish(start("stylize", "photo.png", "painting.png", "-o", "-", preexec_fn=lambda: os.close(1)))
    assert (done.code, done.error()) == (2, "out: standard output is closed; give --out a file")


def test_a_picture_from_nobody_is_refused():
    done = finish(start("stylize", "-", "painting.png", preexec_fn=lambda: os.close(0)))
    assert (done.code, done.error()[:42]) == (1, "- is standard input, which is closed; pipe")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux's own")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [(), ("--version",), ("samples",), ("presets", "--json")], ids=" ".join)
def test_a_full_standard_output_is_named(command, unbuffered):
    with Path("/dev/full").open("wb") as full:
        done = finish(start(*command, stdout=full, env={"PYTHONUNBUFFERED": unbuffered}))
    message = "standard output: no space left on device; free space, or redirect it elsewhere"
    assert (done.code, done.error()) == (1, message)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux's own")
def test_a_picture_that_standard_output_does_not_take_is_kept(tmp_path):
    line = ("stylize", "photo.png", "painting.png", *QUICK, "-o", "-")
    with Path("/dev/full").open("wb") as full:
        done = finish(start(*line, stdout=full, env={"TMPDIR": str(tmp_path)}))
    message, _, kept = done.error().partition("; the picture was saved as ")
    assert (done.code, message.partition(";")[0]) == (1, "standard output: no space left on device")
    assert read(kept).size == (24, 32)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux's own")
def test_notes_that_cannot_be_written_stop_nothing():
    line = ("stylize", "photo.png", "painting.png", *QUICK, "-o", "out.png")
    with Path("/dev/full").open("wb") as full:
        done = finish(start(*line, stderr=full))
    assert (done.code, done.out) == (0, "out.png\n")


@pytest.mark.promise("disk-full")
def test_a_full_disk_costs_no_older_file_and_leaves_no_part(folder, tmp_path):
    resource = pytest.importorskip("resource")
    Path("out.png").write_bytes(Path("other.png").read_bytes())
    refuge = tmp_path / "tmp"
    refuge.mkdir()
    process = start(
        *("stylize", "photo.png", "painting.png", *QUICK, "-o", "out.png", "--force"),
        env={"TMPDIR": str(refuge), "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200)),
    )
    failed = finish(process)
    assert failed.code == 1
    assert failed.error().startswith("out.png: the file would be larger than the system allows")
    assert Path("out.png").read_bytes() == Path("other.png").read_bytes()
    assert {path.name for path in folder.iterdir()} == {"photo.png", "painting.png", "other.png", "out.png", "tmp"}
    assert [path for path in refuge.rglob("*") if path.is_file()] == []


def on_terminal(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Runs the command with stderr on a terminal: exit code, stdout, and what the terminal was sent."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    process = start(*arguments, stderr=theirs, env={"TERM": "xterm-256color", "COLUMNS": "120", **environment})
    os.close(theirs)
    sent = b""
    # Linux reports the other end's closing as an error.
    while True:
        try:
            block = os.read(ours, 4096)
        except OSError:
            break
        if not block:
            break
        sent += block
    os.close(ours)
    done = finish(process)
    return done.code, done.out, sent.decode()


COLOR = "\x1b[38;5;"


def test_a_terminal_gets_a_bar_and_stdout_only_the_result(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    code, out, sent = on_terminal("stylize", "photo.png", "painting.png", *QUICK, "-o", "out.png")
    assert (code, out) == (0, "out.png\n")
    assert "scale 1/1 32×" in sent
    assert COLOR in sent
    assert sent.endswith(" on cpu\r\n")


def test_no_color_is_honoured():
    code, out, sent = on_terminal("stylize", "photo.png", "painting.png", *QUICK, "-o", "out.png", NO_COLOR="1")
    assert (code, out) == (0, "out.png\n")
    assert "scale 1/1 32×" in sent
    assert COLOR not in sent


def test_quiet_draws_nothing_on_a_terminal():
    code, out, sent = on_terminal("stylize", "photo.png", "painting.png", *QUICK, "-o", "out.png", "--quiet")
    assert (code, out, sent) == (0, "out.png\n", "")


def test_help_on_a_terminal_without_unicode_is_no_error():
    done = finish(start("stylize", "--help", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}))
    assert (done.code, done.err) == (0, "")
    assert "--style-scale" in done.out


@pytest.mark.parametrize(
    ("said", "then"),
    [
        ({}, {"THP_MEM_ALLOC_ENABLE": "1", "GOMP_SPINCOUNT": "2000"}),
        ({"THP_MEM_ALLOC_ENABLE": "0", "GOMP_SPINCOUNT": "7"}, {"THP_MEM_ALLOC_ENABLE": "0", "GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "active"}, {"THP_MEM_ALLOC_ENABLE": "1", "OMP_WAIT_POLICY": "active"}),
    ],
    ids=["nothing", "both", "how threads wait"],
)
def test_torch_has_large_pages_and_short_waits_unless_the_user_says_otherwise(said, then, monkeypatch):
    variables = ("THP_MEM_ALLOC_ENABLE", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    with monkeypatch.context() as context:
        for name in variables:
            # Set first, so that what the command sets is taken back.
            context.setenv(name, "")
            context.delenv(name)
        for name, value in said.items():
            context.setenv(name, value)
        assert main(["presets"]) == 0
        assert {name: os.environ[name] for name in variables if name in os.environ} == then


#: A command whose module swallows what is raised while it is imported, as modules in C may.
SWALLOWING = """
import signal, sys, types
import impasto.cli
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "impasto.cli.painting":
            try:
                signal.raise_signal({number})
            except BaseException:
                pass
sys.meta_path.insert(0, Finder())
sys.exit(impasto.cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "kill"])
def test_a_signal_is_not_lost_on_a_module_that_is_being_imported(number):
    line = ("stylize", "photo.png", "painting.png", *QUICK, "-o", "out.png")
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWING.format(number=int(number)), *line], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (128 + number, "")
    assert done.stderr == "impasto: interrupted before anything was painted\n"
    assert not Path("out.png").exists()


#: The command, which says when it begins.
BEGINNING = """
import os, sys
from impasto.cli import main
os.write(1, b"begins\\n")
sys.exit(main(sys.argv[1:]))
"""


def interrupted_after(seconds: float, *arguments: str) -> Run:
    """Runs the command until Ctrl-C is pressed so long after it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", BEGINNING, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout.readline() == b"begins\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    return finish(process)


# While the parser is imported, while torch is, and when it paints.
@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.4, 0.8])
def test_whenever_a_signal_comes_it_ends_the_command(seconds):
    ended = interrupted_after(seconds, "stylize", "photo.png", "painting.png", *ENDLESS, "-o", "out.png")
    assert ended.code == 130
    assert ended.err.count("\n") == 1, ended.err
    assert ended.err.startswith("impasto: interrupted ")


@pytest.mark.parametrize("command", [("judge", "photo.png", "painting.png", "other.png"), ("doctor",)], ids=" ".join)
def test_a_command_that_paints_nothing_says_only_that_it_was_interrupted(command):
    # Importing torch takes it longer.
    ended = interrupted_after(0.2, *command)
    assert (ended.code, ended.out, ended.err) == (130, "", "impasto: interrupted\n")


def test_importing_impasto_handles_no_signal():
    code = (
        "import signal; before = signal.getsignal(signal.SIGINT); import impasto, impasto.cli.commands; "
        "assert signal.getsignal(signal.SIGINT) is before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
