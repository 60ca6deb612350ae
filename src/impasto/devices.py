"""Owns which device computes, and its memory: a name becomes a `torch.device`, or an error that says what there is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from impasto.errors import DeviceError

# What torch is asked for, to know whether the processor multiplies in bfloat16.
_BFLOAT16_CHECKS = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")


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


def precision(name: str, device: torch.device) -> torch.dtype:
    """The number type called `name`; `auto` is bfloat16 where `device` multiplies in it, float32 elsewhere."""
    if name == "auto":
        return torch.bfloat16 if _has_bfloat16(device) else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]


def _has_bfloat16(device: torch.device) -> bool:
    """Whether the hardware itself multiplies in bfloat16; where it does not, that is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        # torch has no public name for it; a version that has other names computes in float32.
        return any(getattr(torch.cpu, name, bool)() for name in _BFLOAT16_CHECKS)
    return False


@dataclass(frozen=True)
class Memory:
    """Memory in bytes.

    Attributes:
        total: what this process may ever have: of the machine, or of its container if that is less.
        available: what it can still have now.
    """

    total: int
    available: int


def memory(device: torch.device | None = None) -> Memory | None:
    """The memory of `device` (the CPU's, if None), or None where the system does not say."""
    if device is not None and device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return Memory(total, free)
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        sizes = {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines}
        machine = Memory(sizes["MemTotal"], sizes["MemAvailable"])
    except (OSError, ValueError, KeyError, IndexError):
        return None
    container = _container_memory(Path("/sys/fs/cgroup"))
    if container is None:
        return machine
    return Memory(min(machine.total, container.total), min(machine.available, container.available))


def _container_memory(folder: Path) -> Memory | None:
    """What the control group in `folder` allows, or None if it sets no limit."""
    try:
        limit = int((folder / "memory.max").read_text(encoding="ascii"))
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
        # Files read lately count as used, though the system gives them up when asked.
        used -= int(statistics["inactive_file"])
    except (OSError, ValueError, KeyError):
        return None
    return Memory(limit, max(0, limit - used))
