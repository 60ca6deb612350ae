"""The task of one painting: the network that it takes and keeps, and the settings that it has no use for."""

from collections.abc import Callable
from typing import Any

import pytest

from impasto import backbones
from impasto.backbones import VGG19
from impasto.errors import SettingsError
from impasto.images import Image
from impasto.inputs import Inputs
from impasto.settings import Settings
from impasto.task import Engine, Task, without_effect

Make = Callable[[int, int], Image]

SHALLOW: dict[str, Any] = {"content_layers": "relu2_2", "style_layers": "relu1_1,relu2_1", "size": 48, "device": "cpu"}


@pytest.fixture(autouse=True)
def _no_networks_of_others():
    backbones.forget()
    yield
    backbones.forget()


@pytest.fixture
def inputs(photo: Make, painting: Make) -> Inputs:
    return Inputs(photo(36, 48), [painting(40, 40)])


def test_the_next_task_has_the_same_network(inputs):
    one, other = (Task.of(inputs, Settings(**SHALLOW, seed=seed), Engine()) for seed in (1, 2))
    assert one.backbone is other.backbone


@pytest.mark.parametrize(
    "change", [{"pooling": "average"}, {"padding": "reflect"}, {"precision": "bfloat16"}, {"style_layers": "relu3_1"}]
)
def test_another_network_is_built_where_the_settings_ask_for_it(inputs, change):
    settings = Settings(**(SHALLOW | {"precision": "float32"}))
    one, other = Task.of(inputs, settings, Engine()), Task.of(inputs, settings.replace(**change), Engine())
    assert one.backbone is not other.backbone


def test_at_most_two_networks_stay(inputs):
    first = Task.of(inputs, Settings(**SHALLOW), Engine()).backbone
    for pooling in ("average", "l2"):
        Task.of(inputs, Settings(**SHALLOW, pooling=pooling), Engine())
    assert Task.of(inputs, Settings(**SHALLOW), Engine()).backbone is not first


def test_a_change_of_strength_keeps_the_network(inputs):
    task = Task.of(inputs, Settings(**SHALLOW), Engine())
    changed = task.changed(task.settings.replace(strength=0.2))
    assert changed.backbone is task.backbone
    assert changed.settings.strength == 0.2
    assert changed.scales == task.scales


def test_a_network_of_the_callers_own_is_taken(inputs):
    network = VGG19("relu3_1")
    assert Task.of(inputs, Settings(**SHALLOW), Engine(backbone=network)).backbone is network


def test_what_is_wrong_is_known_before_painting(inputs):
    with pytest.raises(SettingsError, match="no layer 'relu9_9'"):
        Task.of(inputs, Settings(**(SHALLOW | {"style_layers": "relu9_9"})), Engine())
    with pytest.raises(SettingsError, match="2 shares for 1 painting;"):
        Task.of(inputs, Settings(**SHALLOW, blend=(1, 2)), Engine())


def test_settings_without_effect_come_from_settings_optimizers_and_network():
    idle = without_effect(Settings(history=5, optimizer="adam", grain=0.3, scales=1, background="keep"), masked=False)
    assert idle == {
        "grain": "scales is 1",
        "background": "there is no mask",
        "history": "it belongs to L-BFGS, and optimizer is adam",
    }
    assert without_effect(Settings(), masked=False) == {}
