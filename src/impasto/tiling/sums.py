"""Owns sums of statistics over tiles: added in float64, for a hundred million positions are too many for float32."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from impasto.errors import SettingsError


class Total:
    """A sum of statistics: each has an addition, and consists of tensors in dataclasses, tuples, lists or mappings.

    Adding float32 numbers one by one loses more digits the more there are; a picture of 100 megapixels has as many
    positions, more than the 2²⁴ up to which float32 counts. So the sum is kept in float64, on the CPU where the device
    has no such numbers.
    """

    def __init__(self) -> None:
        self._sum: Any = None
        self._kind: tuple[torch.dtype, torch.device] | None = None

    def add(self, statistics: Any) -> None:
        """Add the statistics of one tile."""
        first = next(tensors(statistics))
        self._kind = (first.dtype, first.device)
        wide = mapped(statistics, _wide)
        self._sum = wide if self._sum is None else self._sum + wide

    @property
    def value(self) -> Any:
        """The sum, in the number type and on the device of what was added; at least one was."""
        assert self._kind is not None
        dtype, device = self._kind
        return mapped(self._sum, lambda tensor: tensor.to(device=device, dtype=dtype))


def _wide(tensor: Tensor) -> Tensor:
    place = torch.device("cpu") if tensor.device.type == "mps" else tensor.device
    return tensor.detach().to(device=place).double()


def mapped(statistics: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same statistics with every tensor changed.

    Raises:
        SettingsError: there is something in them that is none of what `Total` adds.
    """
    if isinstance(statistics, Tensor):
        return change(statistics)
    if dataclasses.is_dataclass(statistics) and not isinstance(statistics, type):
        fields = {field.name: getattr(statistics, field.name) for field in dataclasses.fields(statistics)}
        return dataclasses.replace(statistics, **{name: mapped(value, change) for name, value in fields.items()})
    if isinstance(statistics, list | tuple):
        return type(statistics)(mapped(one, change) for one in statistics)
    if isinstance(statistics, dict):
        return {name: mapped(one, change) for name, one in statistics.items()}
    raise SettingsError(
        "style_loss",
        f"its statistics hold a {type(statistics).__name__}, which cannot be added over tiles; use tensors, in "
        "dataclasses, tuples, lists or dictionaries",
    )


def tensors(statistics: Any) -> Iterator[Tensor]:
    """The tensors of the statistics, always in the same order."""
    found: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    mapped(statistics, keep)
    return iter(found)
