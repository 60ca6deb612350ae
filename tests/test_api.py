"""The one-line verbs: pictures in every form, settings by name, and no path of a stranger's followed."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import impasto
from impasto import assets, method
from impasto.api import settings_for, stylization, stylize
from impasto.errors import AssetError, DeviceError, ImageReadError, ImpastoError, SettingsError
from impasto.fast import FastModel
from impasto.images import Image
from impasto.inputs import Inputs
from impasto.loading import load
from impasto.recipes import Fingerprint, Recipe, find_picture
from impasto.settings import Settings

FAST: dict[str, Any] = {
    "size": 40,
    "scales": 1,
    "iterations": 2,
    "content_layers": "relu2_1",
    "style_layers": "relu1_1",
    "device": "cpu",
    "precision": "float32",
}


@pytest.fixture
def files(photo, painting, tmp_path) -> tuple[Path, Path]:
    """A photograph and a painting on disk."""
    return photo(30, 40).save(tmp_path / "photo.png"), painting(33, 30).save(tmp_path / "painting.png")


# --- stylize


def test_stylize(files, tmp_path):
    pastiche = stylize(*files, **FAST, strength=0.7)
    assert pastiche.image.size == (30, 40)
    assert pastiche.settings == settings_for("default", **FAST, strength=0.7)
    recipe = Recipe.of_file(pastiche.save(tmp_path / "out.png"))
    assert recipe == pastiche.recipe
    assert recipe.content == Fingerprint("photo.png", load(files[0]).sha256)
    assert recipe.styles == (Fingerprint("painting.png", load(files[1]).sha256),)


def test_it_is_the_public_verb():
    assert impasto.stylize is stylize
    assert impasto.load is load


def test_options_override_the_preset(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("size = 300\nstrength = 0.2\n")
    assert settings_for(str(path)) == Settings(size=300, strength=0.2)
    assert settings_for(str(path), strength=0.9) == Settings(size=300, strength=0.9)


def test_the_device_that_was_taken_is_noted(files):
    settings = Settings(**(FAST | {"device": "auto"}))
    noted = next(stylization(*files, settings)).pastiche().settings.device
    assert noted != "auto"
    assert torch.device(noted)


def test_the_precision_that_was_taken_is_noted(files):
    for asked in ("auto", "float32", "bfloat16"):
        settings = Settings(**(FAST | {"precision": asked}))
        noted = next(stylization(*files, settings)).pastiche().settings.precision
        assert noted == asked or (asked == "auto" and noted in ("float32", "bfloat16"))


@pytest.mark.parametrize("kind", [list, tuple])
def test_several_styles(files, kind):
    pastiche = stylize(files[0], kind([files[1], files[0]]), **FAST)
    assert [style.name for style in pastiche.recipe.styles] == ["painting.png", "photo.png"]


def test_a_picture_to_start_from(files):
    pastiche = stylize(*files, init=files[1], **FAST)
    assert pastiche.settings.init == "painting.png"
    assert pastiche.recipe.init == Fingerprint("painting.png", load(files[1]).sha256)
    # By its path among the settings as well; in memory it has no name.
    assert stylize(*files, preset="default", **(FAST | {"init": str(files[1])})).recipe == pastiche.recipe
    assert stylize(*files, init=load(files[1]).pixels, **FAST).settings.init == "a picture"


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes are Linux's")
def test_a_file_name_that_is_no_text_spoils_nothing(files, tmp_path):
    odd = tmp_path / os.fsdecode(b"br\xfccke\n.png")
    files[0].rename(odd)
    pastiche = stylize(odd, files[1], **FAST)
    recipe = Recipe.of_file(pastiche.save(tmp_path / "out.png"))
    assert recipe == pastiche.recipe
    assert recipe.content.name.isprintable()


@pytest.mark.parametrize("init", ["content", "noise", "style", "fast"])
def test_a_word_to_start_from(files, init):
    pastiche = stylize(*files, init=init, **FAST)
    assert pastiche.settings.init == init
    assert pastiche.recipe.init is None


def test_the_fast_engine_makes_the_start(photo, painting):
    photograph, style = photo(64, 80), painting(60, 50)
    made = FastModel.load().stylize(photograph, style, style_size=72, precision="float32")
    settings = settings_for(**{**FAST, "size": 80}, init="fast", optimizer="adam", learning_rate=1e-4)
    begun = next(iter(stylization(photograph, style, settings))).pastiche().image
    assert (begun.pixels - made.pixels).abs().mean() < 0.01 < (begun.pixels - photograph.pixels).abs().mean()
    with pytest.raises(SettingsError, match=r"init: .*impasto\.stylize"):
        method.stylization(Inputs(photograph, [style]), settings)


def test_pictures_in_memory_need_no_files(photo, painting):
    pastiche = stylize(photo(30, 40).pixels, painting(30, 30).to_pil(), **FAST)
    assert pastiche.image.size == (30, 40)
    assert len(pastiche.recipe.content.sha256) == 64


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"strength": 2}, SettingsError, "strength"),
        ({"strenght": 0.5}, SettingsError, "did you mean strength"),
        ({"preset": "defualt"}, SettingsError, "did you mean default"),
        ({"style_layers": "relu9_1"}, SettingsError, "relu9_1"),
        ({"device": "quantum"}, DeviceError, "cpu"),
        ({"device": "cuda:99"}, DeviceError, "cpu"),
        ({"init": "missing.png"}, ImageReadError, "missing.png"),
        ({"content": "missing.png"}, ImageReadError, "missing.png"),
        ({"style": "missing.png"}, ImageReadError, "missing.png"),
        ({"style": []}, SettingsError, "at least one"),
        ({"style": ["missing.png"]}, ImageReadError, "missing.png"),
        ({"content": "sample:nobody"}, AssetError, "nobody"),
    ],
    ids=str,
)
def test_errors_come_before_any_work_and_say_what(files, changes, error, said, monkeypatch):
    monkeypatch.setattr("impasto.objective.evaluate", None)
    given = {"content": files[0], "style": files[1]} | FAST | changes
    with pytest.raises(error, match=said) as caught:
        stylize(given.pop("content"), given.pop("style"), **given)
    assert isinstance(caught.value, ImpastoError)
    assert "\n" not in str(caught.value)


def test_stylization_reads_everything_before_the_first_step(files):
    iterator = stylization(*files, Settings(**FAST))
    for path in files:
        path.unlink()
    assert len(list(iterator)) == 2


def test_stylization_without_settings_is_the_default_preset(photo, painting):
    progress = next(stylization(photo(30, 40), painting(200, 180)))
    assert progress.pastiche().settings.replace(device="auto", precision="auto") == settings_for()


# --- finding the pictures of a recipe


def test_an_input_is_found_by_its_bare_name(files, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    found = find_picture(Fingerprint.of(load(files[0])), [empty, tmp_path])
    assert torch.equal(found.pixels, load(files[0]).pixels)


def test_the_right_file_of_two_of_one_name(files, photo, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    photo(20, 20).save(other / "photo.png")
    assert find_picture(Fingerprint.of(load(files[0])), [other, tmp_path]).size == (30, 40)


def test_a_sample_is_found(tmp_path):
    sample = load(f"sample:{assets.samples()[0].name}")
    assert find_picture(Fingerprint.of(sample), [tmp_path]).name == sample.name
    with pytest.raises(ImageReadError, match="not the picture it was"):
        find_picture(Fingerprint(sample.name, "0" * 64), [tmp_path])


def test_a_file_that_has_changed_is_refused(files, painting, tmp_path):
    note = Fingerprint.of(load(files[0]))
    painting(30, 40).save(files[0])
    with pytest.raises(ImageReadError, match=r"photo\.png is not the picture it was"):
        find_picture(note, [tmp_path])


def test_a_file_that_is_gone_is_named(files, tmp_path):
    note = Fingerprint.of(load(files[1]))
    files[1].unlink()
    with pytest.raises(ImageReadError, match=r"painting\.png is not in"):
        find_picture(note, [tmp_path])


@pytest.mark.promise("hostile-settings")
@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..\\..\\etc\\passwd",
        "C:\\Windows\\win.ini",
        "outside/secret.png",
        "..",
        ".",
        "",
        "/",
        "a\0b",
        "\ud800",
        "x" * 5000,
        "file:///etc/passwd",
        "http://localhost/photo.png",
    ],
    ids=lambda name: ascii(name)[:24],
)
def test_no_path_in_a_recipe_is_followed(files, photo, tmp_path, name, monkeypatch):
    inside = tmp_path / "inside"
    inside.mkdir()
    secret = photo(30, 30).save(tmp_path / "secret.png")
    (tmp_path / "outside").mkdir()
    secret.rename(tmp_path / "outside" / "secret.png")
    monkeypatch.chdir(tmp_path)
    looked_at: list[Path] = []
    real = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda path: looked_at.append(path) or real(path))
    wanted = Fingerprint(name, load(tmp_path / "outside" / "secret.png").sha256)
    with pytest.raises(ImageReadError):
        find_picture(wanted, [inside])
    # Nothing but a name directly in the folder that was named.
    assert all(path.parent == inside for path in looked_at)


def test_an_unknown_sample_in_a_recipe_is_refused(tmp_path):
    with pytest.raises(ImpastoError, match="nobody"):
        find_picture(Fingerprint("sample:nobody", "0" * 64), [tmp_path])


def test_a_picture_from_memory_cannot_be_found_again(photo, tmp_path):
    in_memory = Fingerprint.of(Image(photo(20, 20).pixels))
    with pytest.raises(ImageReadError):
        find_picture(in_memory, [tmp_path])


def test_a_setting_without_effect_warns():
    with pytest.warns(impasto.SettingsWarning) as said:
        impasto.stylization("sample:coffee", "sample:the_scream", impasto.Settings(learning_rate=0.5))
    (warning,) = (one.message for one in said)
    assert str(warning) == "learning_rate has no effect: it belongs to Adam, and optimizer is lbfgs"
    assert isinstance(warning, impasto.SettingsWarning)
    assert warning.setting == "learning_rate"


@pytest.mark.parametrize(
    "failure",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        torch.OutOfMemoryError("CUDA out of memory"),
    ],
)
def test_memory_that_is_used_up_is_told(failure, monkeypatch):
    def used_up(*_, **__):
        raise failure

    monkeypatch.setattr("impasto.task.objective_at", used_up)
    with pytest.raises(DeviceError, match="choose a smaller size than 48"):
        impasto.stylize("sample:coffee", "sample:the_scream", size=48)


def test_another_runtime_error_is_left_alone(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr("impasto.task.objective_at", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        impasto.stylize("sample:coffee", "sample:the_scream", size=48)


def test_a_layer_named_twice_is_refused():
    settings = settings_for(content_layers="relu4_2=1,block4_conv2=2")
    with pytest.raises(SettingsError, match="block4_conv2 is relu4_2, which is named already"):
        stylization("sample:coffee", "sample:the_scream", settings)
