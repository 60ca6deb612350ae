"""Bundled presets are valid; a preset from a file is valid, or the error names it."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto import assets
from impasto.errors import SettingsError
from impasto.presets import DEFAULT, Preset, preset, presets
from impasto.settings import Settings


def written(folder: Path, text: str | bytes, name: str = "mine.toml") -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.mark.parametrize("name", assets.presets())
def test_bundled_presets(name):
    found = preset(name)
    assert found.name == name
    assert found.description.endswith(".")
    assert found.description[0].isupper()
    assert "\n" not in found.description
    assert isinstance(found.settings(), Settings)
    for setting, value in found.values.items():
        assert getattr(found.settings(), setting) == value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_presets_as_editors_on_windows_write_them(tmp_path, encoding):
    mark = "\ufeff" if encoding.endswith("e") else ""
    text = f'{mark}description = "Grün."\r\nstrength = 0.5\r\n'
    found = preset(written(tmp_path, text.encode(encoding), "MINE.TOML"))
    assert (found.description, found.values) == ("Grün.", {"strength": 0.5})


def test_a_preset_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    written(tmp_path, "strength = 0.5")
    assert preset("~/mine.toml").values == {"strength": 0.5}


def test_there_is_a_default_and_each_name_once():
    names = [found.name for found in presets()]
    assert DEFAULT in names
    assert names == sorted(set(names)) == assets.presets()
    assert len({found.description for found in presets()}) == len(names)


def test_overrides_win(tmp_path):
    found = preset(written(tmp_path, "size = 300\nstrength = 0.2\n"))
    assert found.settings() == Settings(size=300, strength=0.2)
    assert found.settings(strength=0.9) == Settings(size=300, strength=0.9)
    with pytest.raises(SettingsError, match="strength"):
        found.settings(strength=9)
    with pytest.raises(SettingsError, match="did you mean strength"):
        found.settings(strenght=0.9)


def test_a_file_of_ones_own(tmp_path):
    path = written(tmp_path, 'description = "Mine."\nsize = 300\nstyle_layers = { relu1_1 = 2, relu2_1 = 1 }\n')
    assert preset(path) == Preset(path, "Mine.", {"size": 300, "style_layers": {"relu1_1": 2, "relu2_1": 1}})


def test_a_file_may_be_empty(tmp_path):
    assert preset(written(tmp_path, "")).settings() == Settings()


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(SettingsError, match="did you mean default") as caught:
        preset("defualt")
    assert caught.value.setting == "preset"
    with pytest.raises(SettingsError, match=r"default.*\.toml file"):
        preset("zzz")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../assets/presets/default", "/etc/passwd", "presets/default", "default.toml/", "default\0"]
)
def test_a_name_is_not_a_path(name):
    with pytest.raises(SettingsError) as caught:
        preset(name)
    assert caught.value.setting == "preset"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("size = ", "not valid TOML"),
        ("size 3", "not valid TOML"),
        ("size = 300\nsize = 301", "not valid TOML"),
        (b"\xff\xfe\x00", "UTF-8"),
        ("description = 3", "description"),
        ("size = 3", "size: got 3"),
        ("size = true", "size: got True"),
        ("size = nan", "size: got nan"),
        ('size = "large"', "size: got 'large'"),
        ("size = 2020-01-01", "size: got"),
        ("size = [300]", "size: got"),
        ("[size]\nvalue = 3", "size: got"),
        ("strength = 1e999", "strength: got inf"),
        ("strenght = 0.5", "did you mean strength"),
        ("[settings]\nsize = 300", "there is no such setting"),
        ("size = " + 1000 * "9", "size: got"),
        ("size = " + 5000 * "9", "preset"),
        ("style_layers = { relu1_1 = " + 1000 * "9" + " }", "style_layers: got"),
        ('style_layers = [["relu1_1"]]', "style_layers: got"),
        ("a = " + 20_000 * "[", "preset"),
        ("a = " + 20_000 * "{a=", "preset"),
        (500 * "a." + "b = 1", "no such setting"),
    ],
    ids=lambda value: str(value)[:24].replace("\n", " "),
)
def test_a_file_that_is_no_preset(tmp_path, text, said):
    with pytest.raises(SettingsError, match=said):
        preset(written(tmp_path, text))


def test_an_error_in_a_file_names_setting_and_file(tmp_path):
    path = written(tmp_path, "strength = 7")
    with pytest.raises(SettingsError, match=r"0 to 1.*mine\.toml") as caught:
        preset(path)
    assert caught.value.setting == "strength"


def test_files_that_cannot_be_read(tmp_path):
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        preset(str(folder))
    with pytest.raises(SettingsError, match="there is no file"):
        preset(str(tmp_path / "missing.toml"))
    with pytest.raises(SettingsError, match="preset"):
        preset("nul\0.toml")
    with pytest.raises(SettingsError, match="preset"):
        preset(str(tmp_path / (300 * "x" + ".toml")))


@given(st.binary(max_size=200) | st.text(alphabet='size=0.[]{}"\n\\a1', max_size=60).map(str.encode))
def test_any_file_is_a_preset_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    with contextlib.suppress(SettingsError):
        assert isinstance(preset(str(path)).settings(), Settings)
