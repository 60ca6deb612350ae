"""Owns `impasto doctor`: a report on the installation, the machine, its speed, and how long pictures take."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
from pathlib import Path
from typing import Annotated, Any

from impasto import assets
from impasto._version import __version__
from impasto.cli import reporting
from impasto.cli.options import flag
from impasto.cli.progress import duration
from impasto.errors import AssetError, ImpastoError

# Required and optional libraries.
_LIBRARIES = ("torch", "numpy", "pillow", "safetensors", "tifffile", "matplotlib", "cyclopts", "rich")
_OPTIONAL = ("imagecodecs", "torchvision")
# Long sides, in pixels, of the 3:2 pictures in the estimates.
_SIDES = (512, 1024, 2048)
_WEIGHTS = "weights/vgg19.safetensors"
_GIB = 2**30
_NOT_FOUND = "not found"


def doctor(
    *,
    json: Annotated[bool, flag("Print JSON.")] = False,
) -> int:
    """Check the installation; show versions, devices, speed, and how long pictures take.

    This takes about ten seconds. The exit code is 1 if there is a problem.
    """
    report = _examined()
    if json:
        reporting.result(report)
    else:
        _print(report)
    return 1 if report["problems"] else 0


def _examined() -> dict[str, Any]:
    weights, problem = _weights()
    problems = [problem] if problem else []
    versions = {name: _installed(name) for name in (*_LIBRARIES, *_OPTIONAL)}
    problems += [f"{name} is not installed; reinstall impasto" for name in _LIBRARIES if versions[name] == _NOT_FOUND]
    report: dict[str, Any] = {
        "versions": {"impasto": __version__, "python": platform.python_version(), **versions},
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "processor": _processor(),
        "threads": None,
        "devices": [],
        "memory": None,
        "disk_free": _disk_free(),
        "weights": weights,
        "speed": None,
        "estimates": [],
        "problems": problems,
    }
    try:
        _measure(report)
    except (ImpastoError, ImportError, OSError, RuntimeError) as error:
        # A problem with the weights is reported already. A broken torch raises any of these.
        if str(error) not in problems:
            problems.append(f"there is no benchmark: {error}")
    return report


def _measure(report: dict[str, Any]) -> None:
    """Add devices, memory, speed and estimates to the report."""
    import torch

    from impasto import devices, planning
    from impasto.presets import presets

    device = devices.resolve("auto")
    memory = devices.memory(device)
    report["threads"] = torch.get_num_threads()
    report["devices"] = [_device(name) for name in devices.available()]
    report["memory"] = {"total": memory.total, "available": memory.available} if memory else None
    speed = planning.measure(device)
    report["speed"] = {
        "device": speed.device,
        "gigaflops": round(speed.flops / 1e9, 1),
        "matrix_product_gigaflops": round(speed.matrix_flops / 1e9, 1),
    }
    costs = {
        preset.name: [planning.estimate((side * 2 // 3, side), preset.settings(size=side), speed) for side in _SIDES]
        for preset in presets()
    }
    report["estimates"] = [
        {
            "preset": name,
            "size": side,
            "seconds": round(cost.seconds, 1),
            "peak_bytes": cost.peak_bytes,
            "fits": memory is None or cost.peak_bytes <= memory.available,
        }
        for name in sorted(costs, key=lambda name: costs[name][0].seconds)
        for side, cost in zip(_SIDES, costs[name], strict=True)
    ]


def _device(name: str) -> dict[str, str]:
    """A device's name, and its model if that is known."""
    import torch

    return {"name": name, "model": torch.cuda.get_device_name(name) if name.startswith("cuda") else ""}


def _disk_free() -> int | None:
    try:
        return shutil.disk_usage(Path.cwd()).free
    except OSError:
        # The folder was deleted meanwhile, or its file system does not tell.
        return None


def _weights() -> tuple[dict[str, Any], str | None]:
    """The checksum of the network's weights and whether it is right, and the problem if there is one."""
    found: dict[str, Any] = {"sha256": None, "right": False}
    try:
        found["sha256"] = next((asset.sha256 for asset in assets.manifest() if asset.path == _WEIGHTS), None)
        assets.verified(_WEIGHTS)
    except AssetError as error:
        return found, str(error)
    return found | {"right": True}, None


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return _NOT_FOUND


def _processor() -> str:
    """The processor's model, where the system tells it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or _NOT_FOUND


def _print(report: dict[str, Any]) -> None:
    memory, weights, speed, disk = (report[name] for name in ("memory", "weights", "speed", "disk_free"))
    facts = [
        *report["versions"].items(),
        ("system", report["system"]),
        ("processor", report["processor"]),
        ("threads", str(report["threads"] or _NOT_FOUND)),
        ("devices", ", ".join(f"{one['name']} {one['model']}".rstrip() for one in report["devices"]) or _NOT_FOUND),
        ("memory", f"{_gib(memory['available'])} free of {_gib(memory['total'])}" if memory else _NOT_FOUND),
        ("disk", _NOT_FOUND if disk is None else f"{_gib(disk)} free in this folder"),
        ("weights", f"VGG-19, sha256 {weights['sha256'] or _NOT_FOUND}, {'right' if weights['right'] else 'WRONG'}"),
    ]
    if speed:
        flops, peak = speed["gigaflops"], speed["matrix_product_gigaflops"]
        facts.append(("speed", f"{flops:g} GFLOP/s painting on {speed['device']}; {peak:g} in a matrix product"))
    reporting.table(("what", "found"), facts)
    if report["estimates"]:
        reporting.result("")
        reporting.table(
            ("preset", "long side", "about", "memory", ""),
            [
                (
                    one["preset"],
                    f"{one['size']} px",
                    duration(one["seconds"]),
                    _gib(one["peak_bytes"]),
                    "" if one["fits"] else "more than is free; choose a smaller --size",
                )
                for one in report["estimates"]
            ],
        )
    for problem in report["problems"]:
        reporting.warning(problem)


def _gib(size: float) -> str:
    return f"{size / _GIB:.1f} GiB"
