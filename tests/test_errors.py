"""Every error can be caught by its base, and comes back whole from another process."""

import pickle

import pytest
import torch

from impasto import errors
from impasto.errors import ImpastoError, ImpastoWarning, SettingsError, SettingsWarning, out_of_memory

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_has_one_of_two_bases(kind):
    assert issubclass(kind, ImpastoError) != issubclass(kind, ImpastoWarning)
    assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("error", [SettingsError("size", "got 3; allowed is 32 to 8192"), SettingsWarning("tv", "why")])
def test_those_that_name_a_setting_survive_another_process(error):
    # Only what this test has made is unpickled.
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_the_setting_begins_the_message():
    assert str(SettingsError("size", "got 3")) == "size: got 3"
    assert str(SettingsWarning("tv", "its weight is 0")) == "tv has no effect: its weight is 0"


def test_memory_that_is_used_up_is_known():
    assert out_of_memory(MemoryError())
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    assert not out_of_memory(RuntimeError("shapes do not fit"))
    assert not out_of_memory(ValueError("memory"))
    assert not out_of_memory(None)
