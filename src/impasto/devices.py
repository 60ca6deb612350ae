"""Owns devices: their names, number types and memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from impasto.errors import DeviceError

# Names of torch's functions that say whether the CPU has bfloat16 arithmetic.
_BFLOAT16_CHECKS = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")


def available() -> list[str]:
    """Names of the devices on this machine, best first; `cpu` is always the last."""
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def resolve(name: str) -> torch.device:
    """The device called `name`: `auto` (the best one available), `cpu`, `cuda`, `cuda:1`, `mps`.

    Raises:
        DeviceError: there is no such device on this machine.
    """
    present = available()
    if name == "auto":
        return torch.device(present[0])
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in present:
        raise DeviceError(f"device {name!r} is not on this machine; choose auto or one of {', '.join(present)}")
    return torch.device(wanted)


def precision(name: str, device: torch.device) -> torch.dtype:
    """The number type called `name`; `auto` is bfloat16 if `device` has bfloat16 arithmetic, else float32."""
    if name == "auto":
        return torch.bfloat16 if _has_bfloat16(device) else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]


def _has_bfloat16(device: torch.device) -> bool:
    """Whether the hardware has bfloat16 arithmetic; emulated bfloat16 is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        # torch has no public function for this; in a version without these names, float32 is used.
        return any(getattr(torch.cpu, name, bool)() for name in _BFLOAT16_CHECKS)
    return False


@dataclass(frozen=True)
class Memory:
    """Memory in bytes.

    Attributes:
        total: memory of the machine, or the limit of the container if that is less.
        available: memory that this process can still allocate.
    """

    total: int
    available: int


def memory(device: torch.device | None = None) -> Memory | None:
    """The memory of `device` (the CPU's, if None), or None if it cannot be determined."""
    if device is not None and device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return Memory(total, free)
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        sizes = {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines}
        machine = Memory(sizes["MemTotal"], sizes["MemAvailable"])
    except (OSError, ValueError, KeyError, IndexError):
        return None
    groups = [
        _container_memory(folder) for folder in _control_groups(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
    ]
    limits = [machine, *groups, _process_memory(Path("/proc/self"))]
    known = [limit for limit in limits if limit is not None]
    return Memory(min(limit.total for limit in known), min(limit.available for limit in known))


def _control_groups(file: Path, root: Path) -> list[Path]:
    """The folders of this process's control group and of those that it lies in; `root` alone, if they are unknown.

    Args:
        file: says which group the process is in, as /proc/self/cgroup.
        root: folder of the outermost group.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return [root]
    own = next((line[3:].strip("/") for line in lines if line.startswith("0::")), "")
    group = root / own
    return [group, *(folder for folder in group.parents if folder.is_relative_to(root))] if own else [root]


def _process_memory(folder: Path) -> Memory | None:
    """The limit of this process's address space (`ulimit -v`), or None if it has none; from its folder in /proc."""
    try:
        lines = (folder / "limits").read_text(encoding="ascii").splitlines()
        limit = int(next(line for line in lines if line.startswith("Max address space")).split()[3])
        pages = int((folder / "statm").read_text(encoding="ascii").split()[0])
        used = pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    return Memory(limit, max(0, limit - used))


def _container_memory(folder: Path) -> Memory | None:
    """The memory limit of the control group in `folder`, or None if it sets no limit."""
    try:
        limit = int((folder / "memory.max").read_text(encoding="ascii"))
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
        # Cached files count as used, but the system frees them on demand.
        used -= int(statistics["inactive_file"])
    except (OSError, ValueError, KeyError):
        return None
    return Memory(limit, max(0, limit - used))
