"""Owns what comes back from a machine with a GPU: at most `FILES` files of at most `BYTES`, with their hashes.

model.safetensors         the model, ready for use
state-1.safetensors …     weights, moving averages and the optimiser's state, in parts
figures.json              tests, benchmarks and the learning curve
LIST.json                 the sha256 of each file
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import packs
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

FILES, BYTES = 8, 16 * 2**20
MODEL, FIGURES = "model.safetensors", "figures.json"
_STATE, _ABOUT = "state-{}.safetensors", "impasto-training"
# Room for the header of a part.
_HEADER = 2**19


def write_state(folder: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write a training's state in parts; the optimiser's moments in bfloat16, which changes the next steps little.

    Raises:
        SystemExit: it does not fit into the files that may come back.
    """
    parts: list[dict[str, Tensor]] = [{}]
    room = BYTES - _HEADER
    for name, tensor in sorted(tensors.items()):
        kept = tensor.detach().cpu()
        if name.startswith("optimizer.exp_avg"):
            kept = kept.bfloat16()
        if kept.nbytes > room:
            parts.append({})
            room = BYTES - _HEADER
        room -= kept.nbytes
        parts[-1][name] = kept.contiguous().clone()
    if len(parts) > FILES - 3 or room < 0:
        raise SystemExit(f"the state takes {len(parts)} files, and {FILES - 3} may come back")
    for number, part in enumerate(parts, start=1):
        path = folder / _STATE.format(number)
        save_file(part, path.with_suffix(".part"), {_ABOUT: json.dumps(about), "parts": str(len(parts))})
        path.with_suffix(".part").replace(path)


def read_state(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the other values that `write_state` was given.

    Raises:
        SystemExit: a part is missing or cannot be read.
    """
    tensors: dict[str, Tensor] = {}
    about: dict[str, Any] = {}
    number, parts = 1, 1
    while number <= parts:
        path = folder / _STATE.format(number)
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                about, parts = json.loads(header[_ABOUT]), int(header["parts"])
                tensors |= {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118  (no mapping)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise SystemExit(f"{path} is no part of a training's state ({error}); begin without it") from error
        number += 1
    return tensors, about


def write_figures(folder: Path, figures: Mapping[str, Any]) -> None:
    """Write the figures, and the list of all files."""
    (folder / FIGURES).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    packs.write_list(folder, {})


def read_figures(folder: Path) -> dict[str, Any]:
    """The figures."""
    found: dict[str, Any] = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
    return found


def check(folder: Path) -> None:
    """Check the hashes, the sizes and that all numbers are finite.

    Raises:
        SystemExit: something is wrong.
    """
    files = packs.checked(folder)
    large = [path.name for path in files if path.stat().st_size > BYTES]
    if large or len(files) + 1 > FILES:
        raise SystemExit(f"{folder}: {len(files) + 1} files, too large: {', '.join(large) or 'none'}")
    if (folder / _STATE.format(1)).exists():
        tensors, _ = read_state(folder)
        wrong = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
        if wrong:
            raise SystemExit(f"{folder}: numbers that are not finite in {', '.join(wrong)}")
