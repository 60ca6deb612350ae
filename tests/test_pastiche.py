"""A recipe survives its file; a stranger's recipe is a recipe, or refused."""

import dataclasses
import hashlib
import json
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from impasto import __version__
from impasto.errors import ImageReadError, SettingsError
from impasto.images import Image, read, read_metadata
from impasto.initialization import detail_share
from impasto.pastiche import Pastiche
from impasto.recipes import METADATA_KEY, Fingerprint, Recipe
from impasto.settings import Settings, style_balance
from impasto.trace import TracePoint
from impasto.weighting import balance


def recipe(**changes) -> Recipe:
    parts: dict[str, Any] = {
        "settings": Settings(size=300, style_layers={"relu1_1": 0.1, "relu2_1": 3.0}, init="start.png", device="cpu"),
        "content": Fingerprint("Brücke am Abend.jpg", "0" * 64),
        "styles": (Fingerprint("sample:starry_night", "1" * 64), Fingerprint("b.png", "2" * 64)),
        "init": Fingerprint("start.png", "3" * 64),
    }
    return Recipe(**(parts | changes))


def record(**changes) -> dict:
    return json.loads(recipe().to_json()) | changes


def pastiche() -> Pastiche:
    pixels = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    return Pastiche(Image(pixels), recipe(), (TracePoint(0, (20, 30), 1, 2.0, {"tv": 2.0}),))


# --- Round trips


@pytest.mark.parametrize("changes", [{}, {"init": None}, {"threads": 1}, {"versions": {}}, {"stopped": 7}])
def test_a_recipe_survives_json(changes):
    assert Recipe.from_json(recipe(**changes).to_json()) == recipe(**changes)


def test_a_recipe_knows_where_it_was_made():
    assert recipe().threads == torch.get_num_threads()
    assert recipe().versions["impasto"] == __version__
    assert recipe().versions["torch"] == torch.__version__


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
def test_a_recipe_survives_a_file(tmp_path, suffix):
    path = pastiche().save(tmp_path / f"out.{suffix}")
    assert Recipe.of_file(path) == recipe()
    assert Recipe.of_file(str(path)) == recipe()
    assert read(path).size == (20, 30)


def test_the_picture_in_a_png_is_the_picture(tmp_path):
    # 16 bits: half a level is 1 / 131070.
    path = pastiche().save(tmp_path / "out.png", bit_depth=16)
    torch.testing.assert_close(read(path).pixels, pastiche().image.pixels, rtol=0, atol=1 / 131_000)


def test_a_file_without_its_recipe(tmp_path):
    path = pastiche().save(tmp_path / "out.png", with_recipe=False)
    assert METADATA_KEY not in read_metadata(path)
    with pytest.raises(ImageReadError, match="holds no recipe"):
        Recipe.of_file(path)


def test_a_file_that_is_not_a_picture_or_not_there(tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    for name in ("a.png", "missing.png"):
        with pytest.raises(ImageReadError):
            Recipe.of_file(tmp_path / name)


def test_a_strangers_entry_in_a_picture(tmp_path):
    path = Image(torch.zeros(1, 3, 8, 8)).save(tmp_path / "a.png", metadata={METADATA_KEY: "[1, 2"})
    with pytest.raises(ImageReadError, match="not a recipe"):
        Recipe.of_file(path)


def test_what_a_notebook_shows():
    assert pastiche()._repr_png_().startswith(b"\x89PNG")


def test_settings_are_those_of_the_recipe():
    assert pastiche().settings == recipe().settings
    assert f"Impasto {__version__}" in pastiche().metadata().values()


# --- Inputs


def test_an_input_is_told_by_its_file_or_else_by_its_pixels():
    pixels = torch.rand(1, 3, 4, 5)
    assert Fingerprint.of(Image(pixels, name="a.png", sha256="abc")) == Fingerprint("a.png", "abc")
    expected = hashlib.sha256(pixels.numpy().tobytes()).hexdigest()
    assert Fingerprint.of(Image(pixels)) == Fingerprint("", expected)
    # However they lie in memory.
    assert Fingerprint.of(Image(pixels.to(memory_format=torch.channels_last))) == Fingerprint("", expected)


# --- Strangers


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "3",
        '"recipe"',
        "{}",
        "{" * 100_000,
        "[" * 100_000,
        '{"format": 1}',
        json.dumps(record(content=None)),
        json.dumps(record(content="a.png")),
        json.dumps(record(content={"name": "a.png"})),
        json.dumps(record(content={"name": 3, "sha256": "0"})),
        json.dumps(record(content={"name": "a.png", "sha256": None})),
        json.dumps(record(styles=[])),
        json.dumps(record(styles=None)),
        json.dumps(record(styles={"name": "a", "sha256": "b"})),
        json.dumps(record(styles="abc")),
        json.dumps(record(init=[1])),
        json.dumps(record(threads=0)),
        json.dumps(record(threads=-1)),
        json.dumps(record(threads=10**9)),
        json.dumps(record(threads="4")),
        json.dumps(record(threads=1.5)),
        json.dumps(record(threads=True)),
        json.dumps(record(versions=[])),
        json.dumps(record(settings=[])),
        json.dumps(record(settings=None)),
        '{"format": 1' + "0" * 5000 + "}",
    ],
    ids=lambda text: text[:16] + "…" + text[-16:],
)
def test_what_is_no_recipe(text):
    with pytest.raises(ImageReadError, match="not a recipe"):
        Recipe.from_json(text)


def test_a_recipe_of_the_form_in_which_strength_was_the_balance():
    settings = Settings(strength=0.5, region_strength=(0.2, 0.7)).to_mapping()
    old = record(format=1, settings=settings, changes=[{"after": 3, "settings": {"strength": 0.75}}])
    found = Recipe.from_json(json.dumps(old))
    assert found.settings.strength == 0.5
    assert [style_balance(one) for one in found.settings.region_strength] == pytest.approx([0.2, 0.7], abs=1e-15)
    assert style_balance(found.last_settings.strength) == pytest.approx(0.75, abs=1e-15)
    assert Recipe.from_json(found.to_json()) == found


def old_factor(strength: float) -> float:
    """The factor on the content weight that a strength had until form 3."""
    if strength == 0:
        return 1.0
    return max(min((3 * (1 - strength) / strength) ** 1.75, (1e6 - 1) ** 1.5), 0.01)


def old_detail(strength: float) -> float:
    """The share of detail that was added at a strength until form 3."""
    style, content = strength ** (7 / 6), (3 * (1 - strength)) ** (7 / 6)
    return min(1.0, 2 * content / (style + content))


OLD = {name: value for name, value in Settings().to_mapping().items() if name not in ("largest_form", "enlarged")}
OLD |= {"iterations": 15}


@pytest.mark.parametrize("strength", [0.0, 1e-9, 0.01, 0.25, 0.5, 0.6, 0.75, 0.8, 0.89, 0.91, 0.97, 0.99, 1.0])
def test_an_old_strength_paints_the_old_picture(strength):
    text = json.dumps(record(format=3, settings=OLD | {"strength": strength, "content_weight": 3.0, "detail": 0.8}))
    found = Recipe.from_json(text).settings
    content, style = balance(found.strength)
    assert found.content_weight * content == pytest.approx(3.0 * old_factor(strength), rel=1e-9)
    assert style == (strength > 0)
    assert detail_share(found) == pytest.approx(0.8 * old_detail(strength), rel=1e-9)
    assert (found.strength == 0) == (strength == 0)
    assert found.changed() == {
        **{name: found.to_mapping()[name] for name in ("content_weight", "detail")},
        **({"strength": found.strength} if strength != 0.75 else {}),
        "iterations": 15,
        "largest_form": 0.0,
        "enlarged": "all",
    }


def test_the_old_default_is_the_new_one_of_another_method():
    found = Recipe.from_json(json.dumps(record(format=3, settings=OLD | {"strength": 0.75}))).settings
    assert found == Settings(largest_form=0, enlarged="all", iterations=15)


def test_old_strengths_of_regions_keep_their_proportions():
    regions = (0.0, 0.3, 0.95)
    old = OLD | {"strength": 0.6, "region_strength": list(regions)}
    found = Recipe.from_json(json.dumps(record(format=3, settings=old))).settings
    assert found.region_strength[0] == 0
    for strength, then in zip((found.strength, *found.region_strength[1:]), (0.6, 0.3, 0.95), strict=True):
        assert found.content_weight * balance(strength)[0] == pytest.approx(old_factor(then))
    assert found.region_strength[2] == pytest.approx(1.0)


def test_old_changes_of_strength_are_made_again():
    changes = [
        {"after": 2, "settings": {"strength": 0.99}},
        {"after": 4, "settings": {"style_weight": 9.0}},
        {"after": 6, "settings": {"strength": 0.5}},
    ]
    found = Recipe.from_json(json.dumps(record(format=3, settings=OLD | {"strength": 0.75}, changes=changes)))
    assert found.settings.content_weight == 1.0
    assert [set(change.settings) for change in found.changes] == [
        {"strength", "content_weight", "detail"},
        {"style_weight"},
        {"strength", "content_weight", "detail"},
    ]
    at = found.settings
    for change, strength in zip(found.changes, (0.99, 0.99, 0.5), strict=True):
        at = at.replace(**change.settings)
        assert at.content_weight * balance(at.strength)[0] == pytest.approx(old_factor(strength))
        assert detail_share(at) == pytest.approx(0.5 * old_detail(strength))
    assert (at.content_weight, at.detail) == (1.0, 0.5)


@pytest.mark.parametrize("value", ["0.5", None, [], -1, 2, True, 10**400])
def test_what_is_no_old_strength_is_refused(value):
    with pytest.raises(SettingsError, match="strength"):
        Recipe.from_json(json.dumps(record(format=3, settings=OLD | {"strength": value})))
    with pytest.raises(SettingsError, match="content_weight"):
        Recipe.from_json(json.dumps(record(format=3, settings=OLD | {"strength": 1, "content_weight": 10**400})))


@pytest.mark.parametrize(
    ("settings", "scales"),
    [
        ({"size": 512}, 7),
        ({"size": 256, "coarse_size": 128}, 3),
        ({"size": 64}, 1),
        ({"size": 512, "scales": 4}, 4),
        ({"size": 32768, "coarse_size": 32}, 20),
    ],
)
def test_a_recipe_of_a_form_in_which_scales_went_by_the_root_of_two(settings, scales):
    old = record(format=2, settings=Settings(**settings).to_mapping(), changes=[])
    assert Recipe.from_json(json.dumps(old)).settings.scales == scales
    assert not Recipe.from_json(json.dumps(old)).settings.without_effect()
    today = Recipe.from_json(json.dumps(old | {"format": 4}))
    assert today.settings.scales == settings.get("scales", 0)


@pytest.mark.parametrize("form", [0, 5, "1", True, None, [], {}])
def test_a_recipe_of_another_form(form):
    with pytest.raises(ImageReadError, match="update impasto"):
        Recipe.from_json(json.dumps(record(format=form)))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"size": 10**9}, "size"),
        ({"size": 10**400}, "size"),
        ({"strength": float("nan")}, "strength"),
        ({"strength": float("inf")}, "strength"),
        ({"sise": 300}, "sise"),
        ({"style_layers": [["relu1_1"]]}, "style_layers"),
        ({"style_layers": {"relu1_1": 10**400}}, "style_layers"),
        ({"init": ""}, "init"),
        ({"device": None}, "device"),
    ],
    ids=str,
)
def test_a_recipe_with_bad_settings(settings, named):
    with pytest.raises(SettingsError) as caught:
        Recipe.from_json(json.dumps(record(settings=settings)))
    assert caught.value.setting == named


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.just(10**400) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)


GOOD = recipe().to_json()


@st.composite
def tampered(draw: st.DrawFn) -> str:
    """A good recipe with one part, at any depth, put out of order."""
    whole = json.loads(GOOD)
    part = whole
    while True:
        key = draw(st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part))))
        if isinstance(part[key], dict | list) and part[key] and draw(st.booleans()):
            part = part[key]
            continue
        if isinstance(part, dict) and draw(st.booleans()):
            del part[key]
        else:
            part[key] = draw(JSON)
        return json.dumps(whole)


@pytest.mark.promise("hostile-settings")
@given(tampered() | JSON.map(json.dumps) | st.text(max_size=40))
@example(json.dumps(record(settings={"seed": 10**400})))
def test_any_text_is_a_recipe_or_refused(text):
    try:
        found = Recipe.from_json(text)
    except (ImageReadError, SettingsError):
        return
    assert found.styles
    assert found.settings == Settings.from_mapping(found.settings.to_mapping())
    assert Recipe.from_json(found.to_json()) == found


def test_they_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe().threads = 3  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        pastiche().image = None  # type: ignore[misc]
