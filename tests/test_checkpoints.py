"""Where a painting stands: kept to the last bit, refused when it is not what it should be, and gone on from exactly."""

from __future__ import annotations

import dataclasses
import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import impasto
from impasto.checkpoints import Checkpoint
from impasto.errors import CheckpointError, SettingsError
from impasto.guidance import Guidance
from impasto.images import Image
from impasto.method import Stylization
from impasto.objective import evaluate
from impasto.progress import Progress
from impasto.recipes import Change, Recipe
from impasto.settings import OPTIONS, Settings
from impasto.sweeps import painted
from tests.painting import stylization
from tests.test_method import picture, root_mean_square, shallow

Make = Callable[[int, int], Image]


@pytest.fixture(scope="module")
def pair(photo: Make, painting: Make) -> tuple[Image, list[Image]]:
    return photo(36, 48), [painting(40, 40)]


@pytest.fixture(scope="module")
def checkpoint(pair) -> Checkpoint:
    return list(stylization(*pair, shallow()))[-1].checkpoint()


@pytest.fixture
def file(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    return checkpoint.save(tmp_path / "painting.checkpoint")


def saved(checkpoint: Checkpoint, folder: Path) -> Checkpoint:
    return Checkpoint.load(checkpoint.save(folder / "painting.checkpoint"))


def last(steps: Stylization) -> Progress:
    *_, progress = steps
    return progress


def same(one: Progress, other: Progress) -> bool:
    """Whether two paintings are one, to the last bit of picture, trace and recipe."""
    a, b = one.pastiche(), other.pastiche()
    return torch.equal(a.image.pixels, b.image.pixels) and (a.trace, a.recipe) == (b.trace, b.recipe)


# --- Going on


MANNERS: dict[str, dict[str, Any]] = {
    "lbfgs": {},
    "adam": {"optimizer": "adam"},
    "noise": {"init": "noise", "seed": 5},
    "standing still": {"tolerance": 30.0, "iterations": 20, "coarse_iterations": 20},
    "one step remembered": {"history": 1, "iterations": 6},
}


@pytest.mark.promise("resumption")
@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.slow
def test_from_every_iteration_it_goes_on_to_the_same_picture(pair, manner, tmp_path):
    settings = shallow(**MANNERS[manner])
    steps = list(stylization(*pair, settings))
    for number, step in enumerate(steps):
        on = list(stylization(*pair, settings, resume=saved(step.checkpoint(), tmp_path)))
        assert len(on) == len(steps) - number
        assert all(same(a, b) for a, b in zip(on, steps[number:], strict=True))


def test_with_masks_and_kept_colors(pair, painting, tmp_path):
    half = torch.zeros(1, 3, 36, 48)
    half[..., :24] = 1.0
    guidance = Guidance(content_masks=(Image(half),), content_map=Image(half.flip(-1)), paintings=1)
    settings = shallow(keep_color="histogram", background="keep", region_strength=(0.8,))
    steps = list(stylization(*pair, settings, guidance=guidance))
    on = stylization(*pair, settings, guidance=guidance, resume=saved(steps[4].checkpoint(), tmp_path))
    assert same(last(on), steps[-1])
    with pytest.raises(CheckpointError, match="its masks differ"):
        stylization(*pair, settings, resume=steps[4].checkpoint())


def test_from_a_picture_of_ones_own(pair, painting, tmp_path):
    settings = shallow(init="start.png")
    steps = list(stylization(*pair, settings, init=painting(36, 48)))
    kept = saved(steps[2].checkpoint(), tmp_path)
    assert same(last(stylization(*pair, settings, init=painting(36, 48), resume=kept)), steps[-1])


def test_faults_along_the_way_are_remembered(pair, tmp_path):
    # Adam's steps are shorter for good after a loss that is not finite, L-BFGS's until one lowers the loss.
    def broken(objective, image, calls):
        found = evaluate(objective, image)
        return dataclasses.replace(found, value=float("nan")) if next(calls) in (4, 5) else found

    for optimizer in ("lbfgs", "adam"):
        settings = shallow(scales=1, iterations=8, optimizer=optimizer)
        calls = iter(range(100))
        steps = list(stylization(*pair, settings, evaluator=lambda o, i, calls=calls: broken(o, i, calls)))
        on = list(stylization(*pair, settings, resume=saved(steps[5].checkpoint(), tmp_path)))
        assert torch.equal(on[-1].preview().pixels, steps[-1].preview().pixels)


def test_a_checkpoint_does_not_change_as_the_painting_goes_on(pair, tmp_path):
    steps = stylization(*pair, shallow())
    first = next(steps).checkpoint()
    one = first.save(tmp_path / "one")
    last(steps)
    two = first.save(tmp_path / "two")
    with safe_open(one, "pt") as before, safe_open(two, "pt") as after:
        # The digest is of all that is in it.
        assert after.metadata() == before.metadata()


def test_one_of_a_finished_painting_is_the_painting(pair, checkpoint):
    on = list(stylization(*pair, shallow(), resume=checkpoint))
    assert len(on) == 1
    assert (on[0].work, on[0].iteration) == (on[0].total_work, 4)
    assert torch.equal(on[0].pastiche().image.pixels, picture(*pair, shallow()))


def test_by_path_and_with_other_threads(tmp_path, monkeypatch):
    settings = impasto.Settings(size=48, scales=1, iterations=3)
    steps = list(impasto.stylization("sample:coffee", "sample:the_scream", settings))
    path = steps[0].checkpoint().save(tmp_path / "c")
    on = list(impasto.stylization("sample:coffee", "sample:the_scream", settings, resume=path))
    assert same(on[-1], steps[-1])
    recipe = dataclasses.replace(steps[0].checkpoint().recipe, threads=99)
    other = dataclasses.replace(steps[0].checkpoint(), recipe=recipe)
    with pytest.warns(impasto.ImpastoWarning, match="painted with 99 threads so far; with .*, the last digits may"):
        impasto.stylization("sample:coffee", "sample:the_scream", settings, resume=other)


# --- The file


def test_it_comes_back_as_it_was(checkpoint, file):
    found = Checkpoint.load(file)
    assert (found.recipe, found.trace) == (checkpoint.recipe, checkpoint.trace)
    assert all(torch.equal(a, b) for a, b in zip(found.recent, checkpoint.recent, strict=True))
    assert torch.equal(found.generator, checkpoint.generator)
    assert found.optimizer.keys() == checkpoint.optimizer.keys()
    assert torch.equal(found.optimizer["gradient"], checkpoint.optimizer["gradient"])
    assert len(found.optimizer["steps"]) == len(checkpoint.optimizer["steps"]) > 0
    assert found.optimizer["value"] == checkpoint.optimizer["value"]


def test_what_is_the_same_picture_is_written_once(checkpoint, file):
    pictures = {tensor.data_ptr() for tensor in checkpoint.recent} | {checkpoint.optimizer["image"].data_ptr()}
    assert len(pictures) < len(checkpoint.recent) + 1
    others = 1 + 2 * len(checkpoint.optimizer["steps"]) + 1
    assert len(load_file(file)) == len(pictures) + others


@given(st.data())
def test_damage_anywhere_is_noticed(checkpoint, data):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = checkpoint.save(Path(folder) / "c")
        whole = path.read_bytes()
        at = data.draw(st.integers(0, len(whole) - 1))
        if data.draw(st.booleans()):
            path.write_bytes(whole[:at])
        else:
            path.write_bytes(whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :])
        with pytest.raises(CheckpointError, match=str(path)):
            Checkpoint.load(path)


def test_what_is_no_checkpoint_is_refused(tmp_path, photo):
    save_file({"weights": torch.zeros(3)}, tmp_path / "weights")
    photo(20, 20).save(tmp_path / "photo.png")
    (tmp_path / "empty").touch()
    for name in ("weights", "photo.png", "empty"):
        with pytest.raises(CheckpointError, match="no checkpoint"):
            Checkpoint.load(tmp_path / name)
    for name in ("nothing", "."):
        with pytest.raises(CheckpointError, match=r"cannot be read|no checkpoint"):
            Checkpoint.load(tmp_path / name)


def test_another_form_is_refused(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr("impasto.checkpoints._FORMAT", 3)
    path = checkpoint.save(tmp_path / "c")
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="has form 3, and this version of Impasto knows form 2"):
        Checkpoint.load(path)


@pytest.mark.promise("disk-full")
def test_what_cannot_be_written_leaves_the_one_before(checkpoint, file, monkeypatch):
    before = file.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CheckpointError, match="the disk is full"):
        checkpoint.save(file)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]
    with pytest.raises(CheckpointError, match=r"there is no folder .*; make it first"):
        checkpoint.save(file.parent / "no" / "such" / "folder")


# --- Fitting


def test_another_painting_is_refused(pair, photo, painting, checkpoint):
    content, styles = pair
    with pytest.raises(CheckpointError, match="its content differ"):
        stylization(photo(30, 48), styles, shallow(), resume=checkpoint)
    with pytest.raises(CheckpointError, match="its styles differ"):
        stylization(content, [painting(30, 30)], shallow(), resume=checkpoint)
    with pytest.raises(CheckpointError, match=r"begun with other settings: strength was 0\.5, seed was 0"):
        stylization(content, styles, shallow(seed=1, strength=0.3), resume=checkpoint)


@pytest.mark.parametrize("name", ["impasto", "torch"])
def test_another_version_is_refused(pair, checkpoint, name):
    versions = {**checkpoint.recipe.versions, name: "0.0.1"}
    older = dataclasses.replace(checkpoint, recipe=dataclasses.replace(checkpoint.recipe, versions=versions))
    with pytest.raises(CheckpointError, match=f"painted with {name} 0.0.1, and here is"):
        stylization(*pair, shallow(), resume=older)


# --- Changes


LONG: dict[str, Any] = {"scales": 1, "iterations": 16, "size": 48}


def changed_after(pair, count: int, settings: Settings, **changes) -> list[Progress]:
    steps = stylization(*pair, settings)
    found = [next(steps) for _ in range(count)]
    steps.change(**changes)
    return found + list(steps)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_change_goes_on_from_the_picture_and_in_its_direction(pair, optimizer):
    settings = shallow(**LONG, optimizer=optimizer, strength=0.7)
    plain = list(stylization(*pair, settings))
    less = changed_after(pair, 8, settings, strength=0.05)
    assert len(less) == len(plain)
    # Up to the change the same; at it, the picture stays; a step later it has moved by no more than a first step does.
    assert all(torch.equal(a.preview().pixels, b.preview().pixels) for a, b in zip(less[:8], plain[:8], strict=True))
    assert torch.equal(less[8].preview().pixels, less[7].preview().pixels)
    assert 0 < root_mean_square(less[9].preview().pixels, less[8].preview().pixels) < 6
    photograph = pair[0].pixels
    distance = [root_mean_square(steps[-1].preview().pixels, photograph) for steps in (plain, less)]
    assert distance[1] < 0.8 * distance[0]


@pytest.mark.parametrize(
    "change",
    [
        {"style_weight": 100.0},
        {"content_weight": 0.1},
        {"tv_weight": 3.0},
        {"style_layers": "relu1_1=1,relu3_1=1"},
        {"content_layers": "relu1_2"},
        {"style_loss": "statistics"},
        {"keep_color": "luminance"},
        {"keep_color": "histogram", "keep_color_when": "before"},
        {"style_scale": 2.0},
    ],
    ids=str,
)
def test_what_can_change(pair, change, tmp_path):
    settings = shallow(iterations=5)
    steps = changed_after(pair, 5, settings, **change)
    assert not torch.equal(steps[-1].preview().pixels, picture(*pair, settings))
    recipe = steps[-1].pastiche().recipe
    assert recipe.settings == settings
    assert recipe.last_settings == settings.replace(**change)
    assert [change.after for change in recipe.changes] == [5]
    trace = steps[-1].pastiche().trace
    assert [bool(point.changed) for point in trace] == [False] * 5 + [True] + [False] * (len(trace) - 6)
    assert trace[5].changed == tuple(recipe.changes[0].settings)
    # What a recipe tells can be done again, from the beginning and from a checkpoint before or after.
    told = Recipe.from_json(recipe.to_json()).changes
    assert told == recipe.changes
    assert same(last(stylization(*pair, settings, changes=told)), steps[-1])
    for number in (3, 4, 5, 6):
        kept = saved(steps[number].checkpoint(), tmp_path)
        assert same(last(stylization(*pair, settings, changes=told, resume=kept)), steps[-1])
    assert same(last(stylization(*pair, settings, resume=kept)), steps[-1])


def test_blend_and_strength_of_regions_can_change(pair, painting):
    content, [style] = pair
    half = torch.zeros(1, 3, 36, 48)
    half[..., :24] = 1.0
    guidance = Guidance(content_masks=(Image(half),), paintings=2)
    steps = stylization(content, [style, painting(30, 60)], shallow(), guidance=guidance)
    next(steps)
    with pytest.raises(SettingsError, match="blend: got 3 shares for 2 paintings"):
        steps.change(blend=(1, 2, 3), strength=0.1)
    with pytest.raises(SettingsError, match="region_strength: got 2 for 1 region;"):
        steps.change(region_strength=(0.1, 0.2))
    assert steps.settings == shallow()
    steps.change(blend=(1, 3))
    steps.change(region_strength=(0.9,))
    recipe = last(steps).pastiche().recipe
    assert recipe.changes == (Change(1, {"blend": [1.0, 3.0], "region_strength": [0.9]}),)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_more_iterations_are_as_if_they_had_been_asked_for_at_once(pair, optimizer):
    settings = shallow(scales=1, iterations=4, optimizer=optimizer)
    steps = stylization(*pair, settings)
    found = [next(steps) for _ in range(4)]
    assert found[-1].work == found[-1].total_work
    steps.extend(3)
    found += list(steps)
    assert [step.iterations for step in found] == [4] * 4 + [7] * 3
    assert torch.equal(found[-1].preview().pixels, picture(*pair, shallow(scales=1, iterations=7, optimizer=optimizer)))
    # The same for one that has ended, and was kept.
    steps = stylization(*pair, settings, resume=found[3].checkpoint())
    steps.extend(3)
    assert same(last(steps), found[-1])


def test_fewer_iterations_end_a_scale_at_once(pair):
    steps = changed_after(pair, 5, shallow(iterations=9), iterations=2)
    assert [(step.scale, step.iteration) for step in steps] == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2)]


def test_what_stood_still_goes_on_for_a_while_after_a_change(pair):
    steps = changed_after(pair, 10, shallow(scales=1, iterations=40, tolerance=255.0), strength=0.9)
    assert len(steps) == 20


def test_a_change_between_two_scales(pair):
    steps = changed_after(pair, 3, shallow(), strength=0.9)
    assert [step.scale for step in steps] == [0, 0, 0, 1, 1, 1, 1]
    assert steps[-1].pastiche().trace[3].changed == ("strength",)


def test_a_change_to_what_is_already_is_none(pair):
    steps = changed_after(pair, 2, shallow(), strength=0.5, size=48, style_layers="relu1_1,relu2_1")
    assert steps[-1].pastiche().recipe.changes == ()
    assert torch.equal(steps[-1].preview().pixels, picture(*pair, shallow()))


def test_what_can_change_is_said_and_the_rest_is_refused(pair):
    steps = stylization(*pair, shallow())
    next(steps)
    for name, value in {"size": 64, "seed": 3, "scales": 1, "optimizer": "adam", "padding": "zeros"}.items():
        assert not OPTIONS[name][1].live
        with pytest.raises(SettingsError, match="it cannot change while a picture is painted; these can: strength, "):
            steps.change(**{name: value})
    with pytest.raises(SettingsError, match="strength: got 3; it must be 0 to 1"):
        steps.change(strength=3)
    with pytest.raises(SettingsError, match="did you mean strength"):
        steps.change(strenght=0.3)
    with pytest.raises(SettingsError, match="relu9_9"):
        steps.change(style_layers="relu9_9")
    with pytest.raises(SettingsError, match="cannot change while"):
        stylization(*pair, shallow(), changes=[Change(3, {"size": 4096})])
    assert last(steps).pastiche().recipe.changes == ()


@pytest.mark.parametrize(
    "changes", [7, [3], [{"after": -1, "settings": {"strength": 1}}], [{"after": 1, "settings": {}}], [{"after": True}]]
)
def test_a_strangers_changes_are_checked(checkpoint, changes):
    record = json.loads(checkpoint.recipe.to_json()) | {"changes": changes}
    with pytest.raises(impasto.ImageReadError, match="not a recipe"):
        Recipe.from_json(json.dumps(record))


def test_a_picture_that_was_changed_on_the_way_is_no_cell_of_a_sweep(pair, tmp_path):
    steps = changed_after(pair, 2, shallow(), strength=0.9)
    plain, changed = (step.pastiche().save(tmp_path / f"{step.iteration}.png") for step in (steps[1], steps[-1]))
    assert painted(plain, steps[0].pastiche().recipe)
    assert not painted(changed, steps[0].pastiche().recipe)
