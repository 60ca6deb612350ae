"""Settings become options, all of them, with nothing said twice; help is complete and needs no torch."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from impasto.cli import options
from impasto.cli.commands import COMMANDS, app
from impasto.cli.rerun import RecipeSettings  # type: ignore[attr-defined]
from impasto.cli.stylize import AllSettings  # type: ignore[attr-defined]
from impasto.errors import SettingsError
from impasto.images import WRITABLE_SUFFIXES
from impasto.presets import preset
from impasto.settings import GROUPS, OPTIONS, Settings
from tests.cli_running import make_pictures, run

HEAVY = ("torch", "numpy", "matplotlib", "PIL", "safetensors", "tifffile")


@pytest.fixture
def wide(monkeypatch):
    """Help in which no line is folded."""
    monkeypatch.setenv("COLUMNS", "1000")
    # The parser keeps the console of its first help, with its width, for as long as the process lives.
    for one in (app, *(app[name] for name in COMMANDS)):
        monkeypatch.setattr(one, "_fallback_console", None)


def help_of(*command: str) -> str:
    shown = run(*command, "--help")
    assert (shown.code, shown.err) == (0, "")
    return shown.out


def entries(text: str) -> dict[str, str]:
    """Help of each option by its name."""
    found = (re.match(r"│ (--[a-z-]+)(?: -\w)?(?: \S+)?  +(.*?) *│$", line) for line in text.splitlines())
    return {entry[1]: entry[2] for entry in found if entry}


def test_the_options_are_the_settings():
    assert [field.name for field in dataclasses.fields(AllSettings)] == list(OPTIONS)
    assert [field.name for field in dataclasses.fields(RecipeSettings)] == list(OPTIONS)
    assert AllSettings().given() == {}


@pytest.mark.parametrize("command", ["stylize", "rerun", "demo"])
def test_help_shows_meaning_range_unit_and_default_of_every_setting(wide, command):
    shown = entries(help_of(command))
    defaults = preset("default").settings().to_mapping()
    for name, (_, option) in OPTIONS.items():
        text = shown[options.option_name(name)]
        assert text.startswith(options.as_typed(option.meaning)), text
        assert option.range in text
        assert option.unit in text
        default = "as in the picture" if command == "rerun" else options.text(defaults[name])
        assert text.endswith(f"[default: {default}]"), text


def test_help_has_the_groups_of_the_settings_in_their_order():
    shown = help_of("stylize")
    places = [shown.index(f"─ {title} ─") for title in ("Arguments", "Output", *GROUPS)]
    assert places == sorted(places)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_explains_itself(wide, command):
    assert len(help_of(command).splitlines()[2]) > 20
    for argument in app[command].assemble_argument_collection():
        if argument.show:
            assert argument.parameter.help and argument.parameter.help[-1] in ".]", argument.name
            required = argument.required or argument.field_info.kind is argument.field_info.VAR_POSITIONAL
            assert required or argument.show_default or "[default: off]" in argument.parameter.help, argument.name


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_says_what_each_is_for(wide, command):
    line = next(line for line in help_of().splitlines() if f"│ {command} " in line)
    assert len(line.split(maxsplit=2)[2].rstrip("│ ")) > 20


def test_settings_of_two_words_are_called_as_they_are_typed():
    assert options.as_typed("raise content_weight, not my_content_weight or size") == (
        "raise --content-weight, not my_content_weight or size"
    )
    assert "coarse_size" not in help_of("stylize")


def test_the_formats_in_the_help_are_those_that_can_be_written(wide):
    shown = entries(help_of("stylize"))["--format"]
    words = re.search(r"\[(.*?)\]", shown)[1].split(", ")
    assert {WRITABLE_SUFFIXES[f".{word}"] for word in words} == set(WRITABLE_SUFFIXES.values())


def settings_from(tmp_path: Path, monkeypatch, *arguments: str) -> Settings:
    """The settings that `stylize` would paint with."""
    seen = []
    monkeypatch.setattr("impasto.cli.painting.paint", lambda *given, **_: seen.append(given[1]) or 0)
    make_pictures(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = run("stylize", "photo.png", "painting.png", *arguments)
    assert (done.code, done.err) == (0, "")
    return seen[0]


def test_options_reach_the_settings_in_every_form(tmp_path, monkeypatch):
    given = settings_from(
        tmp_path,
        monkeypatch,
        *("--size", "512.0", "--strength=0.7", "--content-weight", "1e3", "--init", "noise", "--seed", str(2**60 + 1)),
        *("--style-layers", "relu1_1=1,relu2_1=0.5", "--content-layers", "conv4_2", "--optimizer", "adam"),
    )
    assert given == Settings(
        size=512,
        strength=0.7,
        content_weight=1000,
        init="noise",
        seed=2**60 + 1,
        style_layers={"relu1_1": 1.0, "relu2_1": 0.5},
        content_layers={"conv4_2": 1.0},
        optimizer="adam",
    )


def test_what_is_given_overrides_a_preset_and_the_rest_of_it_stays(tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text('size = 100\nstrength = 0.9\nstyle_layers = "relu3_1"\n')
    given = settings_from(tmp_path, monkeypatch, "--preset", "mine.toml", "--size", "64")
    assert given == Settings(size=64, strength=0.9, style_layers="relu3_1")  # type: ignore[arg-type]


def test_a_default_that_is_given_overrides_a_preset_too(tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text("size = 100\nseed = 5\n")
    settings = settings_from(tmp_path, monkeypatch, "--preset", "mine.toml", "--size", "512", "--seed", "0")
    assert (settings.size, settings.seed) == (512, 0)


def test_a_mistake_in_a_preset_is_blamed_on_the_preset(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text("size = 5\n")
    with pytest.raises(SettingsError, match=r"^preset: size: got 5; .* \(in preset mine\.toml\)$"):
        options.settings_of("mine.toml", AllSettings(size=64))  # type: ignore[call-arg]


LIGHT = [
    ["--help"],
    ["--version"],
    ["stylize", "--help"],
    ["rerun", "--help"],
    ["demo", "-h"],
    ["doctor", "--help"],
    ["samples"],
    ["presets"],
    ["presets", "default"],
    ["stylize", "a", "b", "--size", "5"],
    ["stylize", "a", "b", "--sise", "5"],
    ["nonsense"],
]


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_what_computes_nothing_imports_nothing_heavy(arguments):
    code = f"""
import sys
from impasto.cli import main
assert main({arguments!r}) != 1
print("heavy:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_version():
    from impasto import __version__

    assert run("--version").out == f"impasto {__version__}\n"


def test_without_arguments_the_commands_are_shown():
    assert run().out == help_of()
