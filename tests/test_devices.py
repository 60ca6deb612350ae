"""Devices and precisions: available ones are found, for others there is an error."""

import pytest
import torch

from impasto import devices
from impasto.errors import DeviceError


def test_the_cpu_is_always_there_and_last():
    assert devices.available()[-1] == "cpu"
    assert devices.resolve("cpu") == torch.device("cpu")
    assert str(devices.resolve("auto")) == devices.available()[0]


def test_a_device_that_is_not_there():
    with pytest.raises(DeviceError, match=r"'cuda:99' is not on this machine; choose auto or one of .*cpu"):
        devices.resolve("cuda:99")


def test_a_precision_is_taken_as_asked():
    cpu = torch.device("cpu")
    assert devices.precision("float32", cpu) == torch.float32
    assert devices.precision("bfloat16", cpu) == torch.bfloat16


@pytest.mark.parametrize(
    ("multiplies", "tiles", "expected"),
    [
        (True, False, torch.bfloat16),
        (False, True, torch.bfloat16),
        (False, False, torch.float32),
    ],
)
def test_auto_takes_what_the_processor_computes_in(monkeypatch, multiplies, tiles, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: multiplies)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    assert devices.precision("auto", torch.device("cpu")) == expected


def test_auto_is_full_precision_where_nothing_is_known():
    assert devices.precision("auto", torch.device("mps")) == torch.float32
