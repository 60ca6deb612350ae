"""Every option is documented, and only allowed values are accepted."""

import dataclasses
import json
import math
import tomllib
from typing import Any, Literal, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.errors import SettingsError
from impasto.presets import presets
from impasto.settings import GROUPS, OPTIONS, LayerWeights, Option, Settings, Shares, parse_layers
from impasto.task import without_effect

NUMBERS = {name: (kind, option) for name, (kind, option) in OPTIONS.items() if kind in (int, float)}
CHOICES = {name: get_args(kind) for name, (kind, _) in OPTIONS.items() if get_origin(kind) is Literal}
TEXTS = [name for name, (kind, _) in OPTIONS.items() if kind is str]
SHARES = [name for name, (kind, _) in OPTIONS.items() if kind == Shares]
LAYERS = [name for name, (kind, _) in OPTIONS.items() if kind == LayerWeights]


def in_range(name: str) -> st.SearchStrategy[Any]:
    kind, option = NUMBERS[name]
    if kind is int:
        return st.integers(int(option.low), int(option.high))
    return st.floats(option.low, option.high)


LAYER_WEIGHTS = st.dictionaries(
    st.sampled_from(["relu1_1", "relu2_1", "conv4_2", "block5_conv1", "pool3"]), st.floats(1e-3, 1e6), min_size=1
)
VALUES = {
    **{name: in_range(name) for name in NUMBERS},
    **{name: st.sampled_from(choices) for name, choices in CHOICES.items()},
    **dict.fromkeys(LAYERS, LAYER_WEIGHTS),
    **{name: st.lists(st.floats(1e-3, OPTIONS[name][1].high or 1e6), max_size=4).map(tuple) for name in SHARES},
    "init": st.sampled_from(["content", "noise", "style", "fast", "a picture.png"]),
    "backbone": st.sampled_from(["vgg19", "torchvision:resnet50"]),
    "device": st.sampled_from(["auto", "cpu", "cuda:1"]),
}


def agreeing(values: dict[str, Any]) -> dict[str, Any]:
    """The values, changed where they exclude each other."""
    if "style_scale" in values:
        # Only one setting may determine the size of strokes.
        values = {**values, "stroke_size": 0.0}
    if values.get("style_loss") == "cross_gram" and len(values.get("style_layers", "ab")) < 2:
        # cross_gram needs two layers.
        values = {**values, "style_loss": "gram"}
    return values


# At least one of the two weights is above 0.
SETTINGS = (
    st.fixed_dictionaries({}, optional=VALUES)
    .filter(lambda values: values.get("content_weight", 1) or values.get("style_weight", 1))
    .map(agreeing)
)


def refused(name: str, value: Any) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        Settings(**{name: value})
    assert caught.value.setting == name
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)
    return caught.value


# --- Documentation


def test_all_kinds_of_setting_are_tested_here():
    assert {*NUMBERS, *CHOICES, *TEXTS, *LAYERS, *SHARES} == set(OPTIONS)
    assert set(VALUES) == set(OPTIONS)
    assert [field.name for field in dataclasses.fields(Settings)] == list(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_documented(name):
    kind, option = OPTIONS[name]
    assert isinstance(option, Option)
    assert option.meaning.endswith(".")
    assert option.meaning[0].isupper()
    assert "\n" not in option.meaning
    assert option.group in GROUPS
    if name in NUMBERS:
        assert option.low is not None
        assert option.high is not None
        assert option.low < option.high
        assert option.low <= getattr(Settings(), name) <= option.high
        assert option.range
    elif name in TEXTS:
        assert getattr(Settings(), name) in option.words
        assert option.range
    elif name in CHOICES:
        assert get_origin(kind) is not None


def test_every_group_has_options_and_they_stand_together():
    groups = [option.group for _, option in OPTIONS.values()]
    assert list(dict.fromkeys(groups)) == list(GROUPS)
    assert groups == sorted(groups, key=GROUPS.index)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (Option("M.", "Method", low=0, high=1), "0 to 1"),
        (Option("M.", "Method", low=0.5), "at least 0.5"),
        (Option("M.", "Method"), ""),
        (Option("M.", "Method", words=("a", "b")), "a, b"),
        (Option("M.", "Method", words=("a", "b"), open_ended=True), "a, b, …"),
    ],
)
def test_ranges_in_words(option, words):
    assert option.range == words


# --- Accepted values


@given(SETTINGS)
def test_what_is_in_range_is_taken_and_survives_toml_and_json(values):
    settings = Settings(**values)
    for name, value in values.items():
        assert getattr(settings, name) == value
    assert Settings.from_mapping(settings.to_mapping()) == settings
    assert Settings.from_mapping(json.loads(json.dumps(settings.to_mapping()))) == settings
    assert Settings.from_mapping(tomllib.loads(toml(settings.to_mapping()))) == settings
    assert Settings(**settings.changed()) == settings


def toml(mapping: dict[str, Any]) -> str:
    """TOML text; for these types it equals JSON, except for tables."""
    lines = []
    for name, value in mapping.items():
        if isinstance(value, dict):
            lines.append(f"{name} = {{ {', '.join(f'{key} = {number!r}' for key, number in value.items())} }}")
        else:
            lines.append(f"{name} = {json.dumps(value)}")
    return "\n".join(lines)


def test_types_are_made_one():
    settings = Settings(size=512.0, strength=1, style_layers={"relu1_1": 1}, content_layers="relu4_2=2, relu3_2")  # type: ignore[arg-type]
    assert (settings.size, type(settings.size)) == (512, int)
    assert (settings.strength, type(settings.strength)) == (1.0, float)
    assert settings.style_layers == {"relu1_1": 1.0}
    assert settings.content_layers == {"relu4_2": 2.0, "relu3_2": 1.0}
    assert Settings(style_layers=["relu1_1", "relu2_1"]).style_layers == {"relu1_1": 1.0, "relu2_1": 1.0}  # type: ignore[arg-type]


def test_defaults_have_not_changed_anything():
    assert Settings().changed() == {}
    assert Settings(size=700).changed() == {"size": 700}


def test_they_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().size = 100  # type: ignore[misc]
    given_layers = {"relu1_1": 1.0}
    settings = Settings(style_layers=given_layers)
    given_layers["relu1_1"] = -5.0
    settings.to_mapping()["style_layers"]["relu1_1"] = -5.0
    assert settings.style_layers == {"relu1_1": 1.0}
    assert Settings(style_layers={"relu1_1": 2.0}) != Settings(style_layers={"relu1_1": 1.0})


def test_they_have_no_positions():
    with pytest.raises(TypeError):
        Settings(512)  # type: ignore[call-arg]


def test_replace_checks_again():
    assert Settings(size=300).replace(strength=0.1) == Settings(size=300, strength=0.1)
    with pytest.raises(SettingsError, match="strength"):
        Settings().replace(strength=2)
    with pytest.raises(SettingsError, match="strenght"):
        Settings().replace(strenght=0.5)


# --- Rejected values


@pytest.mark.promise("finite")
@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, True, False, None, "1", "", [1], {}, 1j, -1, -0.5, 10**400, -(10**400), 1e308],
    ids=repr_of if (repr_of := lambda value: str(value)[:8]) else None,
)
def test_bad_numbers(name, value):
    error = refused(name, value)
    assert NUMBERS[name][1].range in error.message


@pytest.mark.parametrize("name", NUMBERS)
def test_the_ends_of_a_range_are_in_it_and_what_follows_is_not(name):
    kind, option = NUMBERS[name]
    for bound, away in ((option.low, -math.inf), (option.high, math.inf)):
        assert getattr(Settings(**{name: bound}), name) == bound  # type: ignore[arg-type]
        beyond = int(bound) + (1 if away > 0 else -1) if kind is int else math.nextafter(bound, away)
        refused(name, beyond)


@pytest.mark.parametrize("name", [name for name, (kind, _) in NUMBERS.items() if kind is int])
def test_a_fraction_is_no_whole_number(name):
    assert "whole number" in refused(name, 40.5).message


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("value", ["", "MAX", "nothing", None, 0, True, ["max"], {}])
def test_bad_choices(name, value):
    assert all(choice in refused(name, value).message for choice in CHOICES[name])


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", ["", "  ", None, 0, True, ["cpu"], b"cpu"])
def test_bad_texts(name, value):
    refused(name, value)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        True,
        "",
        {},
        [],
        ",",
        "relu1_1=",
        "=1",
        "relu1_1=a",
        "relu1_1=nan",
        "relu1_1=inf",
        "relu1_1=-1",
        "relu1_1=0",
        "relu1_1,relu1_1",
        {"relu1_1": math.nan},
        {"relu1_1": math.inf},
        {"relu1_1": -1},
        {"relu1_1": True},
        {"relu1_1": "1"},
        {"relu1_1": None},
        {"relu1_1": 0.0},
        {"relu1_1": 10**400},
        {1: 1.0},
        [1, 2],
        [["relu1_1"]],
        [{}],
    ],
    ids=lambda value: str(value)[:20],
)
def test_bad_layers(name, value):
    refused(name, value)


@pytest.mark.promise("finite", "hostile-settings")
@given(st.sampled_from(list(OPTIONS)), st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
))  # fmt: skip
def test_whatever_comes_is_taken_or_refused_by_name(name, value):
    try:
        settings = Settings(**{name: value})
    except SettingsError as error:
        assert error.setting in (name, "style_weight")
    else:
        assert Settings.from_mapping(settings.to_mapping()) == settings


def test_nothing_to_paint():
    with pytest.raises(SettingsError, match="nothing to paint"):
        Settings(content_weight=0, style_weight=0)


@pytest.mark.parametrize(
    ("name", "near"), [("strenght", "strength"), ("style-weight", "style_weight"), ("Size", "size")]
)
def test_an_unknown_name_suggests_the_nearest(name, near):
    with pytest.raises(SettingsError, match=f"did you mean {near}\\?") as caught:
        Settings.from_mapping({name: 1})
    assert caught.value.setting == name


def test_a_name_like_no_other_lists_them_all():
    with pytest.raises(SettingsError) as caught:
        Settings.from_mapping({"zzz": 1})
    assert all(name in caught.value.message for name in OPTIONS)


# --- Layers as text


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("relu1_1", {"relu1_1": 1.0}),
        ("relu1_1=1,relu2_1=0.5", {"relu1_1": 1.0, "relu2_1": 0.5}),
        (" relu1_1 = 2 , relu2_1 ", {"relu1_1": 2.0, "relu2_1": 1.0}),
        ("relu1_1=1e3", {"relu1_1": 1000.0}),
    ],
)
def test_layers_as_text(text, layers):
    assert parse_layers(text) == layers


@given(LAYER_WEIGHTS)
def test_layers_survive_being_written_as_text(layers):
    assert parse_layers(",".join(f"{name}={weight!r}" for name, weight in layers.items())) == layers


@pytest.mark.parametrize(
    "text", ["", ",", "relu1_1,", "=1", "relu1_1=", "relu1_1=x", "relu1_1=1=2", "relu1_1,relu1_1=2"]
)
def test_text_that_is_not_layers(text):
    with pytest.raises(ValueError, match=r"relu1_1|layers"):
        parse_layers(text)


@given(st.text(max_size=30))
def test_any_text_is_layers_or_a_value_error(text):
    try:
        layers = parse_layers(text)
    except ValueError:
        return
    assert all(isinstance(weight, float) for weight in layers.values())


@pytest.mark.parametrize(
    ("chosen", "idle"),
    [
        ({}, set()),
        ({"optimizer": "adam", "learning_rate": 0.05, "averaging": 0.5}, set()),
        ({"learning_rate": 0.05, "averaging": 0.5}, {"learning_rate", "averaging"}),
        ({"optimizer": "adam", "history": 5}, {"history"}),
        ({"scales": 1, "grain": 0.1, "detail": 0.7, "coarse_size": 128}, {"grain", "detail", "coarse_size"}),
        ({"scales": 2, "grain": 0.1}, set()),
    ],
)
def test_a_setting_without_effect_is_known(chosen, idle):
    assert set(without_effect(Settings(**chosen), masked=True)) == idle


def test_no_preset_sets_what_has_no_effect():
    for preset in presets():
        assert not preset.settings().without_effect(), preset.name


@pytest.mark.parametrize(
    ("given", "shares"),
    [
        ("0.7,0.3", (0.7, 0.3)),
        ([2, 1], (2.0, 1.0)),
        ("1", (1.0,)),
        ((), ()),
        ("", ()),
        ("none", ()),
        (["1", "0"], (1.0, 0.0)),
    ],
)
def test_shares(given, shares):
    settings = Settings(blend=given)
    assert settings.blend == shares
    assert Settings.from_mapping(settings.to_mapping()) == settings


@pytest.mark.parametrize(("given", "strengths"), [("0", (0.0,)), ("0,0", (0.0, 0.0)), ("0.3,1", (0.3, 1.0))])
def test_strengths_of_regions_may_be_0_each(given, strengths):
    assert Settings(region_strength=given).region_strength == strengths


@pytest.mark.parametrize("given", ["1.1", "-0.1,0.5", (0.5, 2)])
def test_strengths_of_regions_are_0_to_1(given):
    with pytest.raises(SettingsError, match=r"region_strength: got .*each must be a number, 0 to 1"):
        Settings(region_strength=given)


@pytest.mark.parametrize("given", ["0.7;0.3", "-1,2", "nan", [True], "0,0", 3, {"a": 1}, [None], "1,", [10**400]])
def test_what_is_no_shares(given):
    with pytest.raises(SettingsError, match="blend"):
        Settings(blend=given)


def test_colour_settings_without_effect_are_known():
    assert set(Settings(keep_color_amount=0.5).without_effect()) == {"keep_color_amount"}
    assert Settings(keep_color="histogram", keep_color_amount=0.5).without_effect() == {}
