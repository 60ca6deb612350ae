"""Owns where a painting stands, and the file that keeps it: from there it goes on to the very same picture.

A checkpoint is one safetensors file. Its tensors are pictures and gradients, numbered; its metadata are JSON: the
recipe, the trace, the optimiser's numbers, and a digest of it all. Nothing in it is ever executed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from impasto.errors import CheckpointError, ImageReadError, SettingsError
from impasto.files import label, whole, why_not_written
from impasto.messages import reason
from impasto.recipes import Recipe
from impasto.trace import Trace, TracePoint

_FORMAT = 2
# Parts of a recipe that decide about the picture; threads decide about its last digits only.
_PICTURES = ("content", "styles", "init", "masks", "style_masks", "content_map")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Where a painting stands between two iterations; nothing in it changes afterwards.

    Attributes:
        recipe: what it is made from, with the changes so far.
        trace: losses over the iterations so far, at least one; the last says at which scale and iteration it stands.
        recent: the last pictures at this scale, by which it is seen to stand still; the last one is the best so far.
        optimizer: the optimiser's state.
        generator: state of the generator that all that is random is drawn from.
        moved: how far each of the last steps moved a giant, by root mean square; of giants only the last picture is
            kept.
    """

    recipe: Recipe
    trace: Trace
    recent: tuple[Tensor, ...]
    optimizer: Mapping[str, Any]
    generator: Tensor
    moved: tuple[float, ...] = ()

    def check_fits(self, recipe: Recipe) -> None:
        """Refuse to go on by another recipe than this one began with.

        Raises:
            CheckpointError: the pictures, the settings at the beginning, or the versions are others; says which.
        """
        for name in _PICTURES:
            if getattr(self.recipe, name) != getattr(recipe, name):
                raise CheckpointError(f"it is of another painting: its {name.replace('_', ' ')} differ")
        if different := self.recipe.settings.differences(recipe.settings):
            was = ", ".join(f"{name} was {value}" for name, value in different.items())
            raise CheckpointError(f"it was begun with other settings: {was}")
        for name in ("impasto", "torch"):
            if (then := self.recipe.versions.get(name)) != (now := recipe.versions.get(name)):
                raise CheckpointError(f"it was painted with {name} {then}, and here is {now}")

    def on(self, device: torch.device) -> Self:
        """The same on a device."""
        moved = {name: _mapped(value, lambda tensor: tensor.to(device)) for name, value in self.optimizer.items()}
        return dataclasses.replace(self, recent=tuple(image.to(device) for image in self.recent), optimizer=moved)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it, whole or not at all; a file that is there is replaced.

        Returns:
            The path as given.

        Raises:
            CheckpointError: it cannot be written there; a file that was there stays as it was.
        """
        tensors: list[Tensor] = []
        record = {
            "format": _FORMAT,
            "recipe": json.loads(self.recipe.to_json()),
            "trace": [dataclasses.astuple(point) for point in self.trace],
            "recent": _put_away(self.recent, tensors),
            "optimizer": _put_away(self.optimizer, tensors),
            "chance": _put_away(self.generator, tensors),
        }
        if self.moved:
            record["moved"] = list(self.moved)
        text = json.dumps(record)
        named = {str(number): tensor.detach().cpu().contiguous() for number, tensor in enumerate(tensors)}
        metadata = {"impasto-checkpoint": text, "sha256": _digest(text, named)}
        target = Path(os.path.realpath(path))
        # Always the same name, so that what a kill leaves behind is written over the next time.
        beside = target.with_name(f".{target.name}.tmp")
        try:
            with whole(target, beside=beside):
                save_file(named, beside, metadata)
        except OSError as error:
            raise CheckpointError(f"{label(path)}: {why_not_written(error, target)}") from error
        except SafetensorError as error:
            raise CheckpointError(f"{label(path)}: the checkpoint could not be written ({reason(error)})") from error
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The checkpoint in a file.

        Raises:
            CheckpointError: there is none, or it is damaged, or of another version.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                if "impasto-checkpoint" not in metadata:
                    raise CheckpointError(f"{label(path)}: this is no checkpoint of Impasto's")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            text = metadata["impasto-checkpoint"]
            if metadata.get("sha256") != _digest(text, tensors):
                raise CheckpointError(f"{label(path)}: the checkpoint is damaged")
            record = json.loads(text)
            if record["format"] != _FORMAT:
                raise CheckpointError(
                    f"{label(path)}: the checkpoint has form {record['format']!r}, and this version of Impasto knows "
                    f"form {_FORMAT}"
                )
            return cls(
                recipe=Recipe.from_json(json.dumps(record["recipe"])),
                trace=Trace(_trace_point(*values) for values in record["trace"]),
                recent=tuple(_taken_out(record["recent"], tensors)),
                optimizer=_taken_out(record["optimizer"], tensors),
                generator=_taken_out(record["chance"], tensors),
                moved=tuple(map(float, record.get("moved", ()))),
            )
        except OSError as error:
            raise CheckpointError(f"{label(path)}: the checkpoint cannot be read ({reason(error)})") from error
        except (SafetensorError, ImageReadError, SettingsError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{label(path)}: this is no checkpoint, or a damaged one") from error


def _put_away(value: Any, tensors: list[Tensor]) -> Any:
    """`value` with its tensors moved to the list, each once however often it occurs, and places instead of them."""

    def place(tensor: Tensor) -> dict[str, int]:
        for number, other in enumerate(tensors):
            # Another object may be the same tensor, detached.
            if (other.data_ptr(), other.shape, other.stride()) == (tensor.data_ptr(), tensor.shape, tensor.stride()):
                return {"tensor": number}
        tensors.append(tensor)
        return {"tensor": len(tensors) - 1}

    return _mapped(value, place)


def _mapped(value: Any, change: Any) -> Any:
    """`value` with every tensor in it changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _mapped(one, change) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_mapped(one, change) for one in value]
    return value


def _taken_out(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """What `_put_away` was given."""
    if isinstance(value, dict) and value.keys() == {"tensor"}:
        return tensors[str(value["tensor"])]
    if isinstance(value, dict):
        return {name: _taken_out(one, tensors) for name, one in value.items()}
    if isinstance(value, list):
        return [_taken_out(one, tensors) for one in value]
    return value


def _trace_point(
    scale: int, size: Sequence[int], iteration: int, value: float, terms: Mapping[str, float], changed: Sequence[str]
) -> TracePoint:
    return TracePoint(scale, (size[0], size[1]), iteration, value, terms, tuple(changed))


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        # As bytes, for NumPy has no bfloat16; without a copy, for a giant's pictures have gigabytes.
        found.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
