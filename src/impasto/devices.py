"""Owns which device computes: a name becomes a `torch.device`, or an error that says what there is instead."""

from __future__ import annotations

import torch

from impasto.errors import DeviceError


def available() -> list[str]:
    """Names of the devices on this machine, best first; `cpu` is always the last."""
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def resolve(name: str) -> torch.device:
    """The device called `name`: `auto` (the best there is), `cpu`, `cuda`, `cuda:1`, `mps`.

    Raises:
        DeviceError: there is no such device here.
    """
    present = available()
    if name == "auto":
        return torch.device(present[0])
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in present:
        raise DeviceError(f"device {name!r} is not on this machine; choose auto or one of {', '.join(present)}")
    return torch.device(wanted)
