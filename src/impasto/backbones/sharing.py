"""Owns which networks stay in memory, so that the next picture need not read and build its network again."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import torch

from impasto.backbones.backbone import Architecture, Backbone, Padding, Pooling

# Networks that stay, the last used: those of a picture and of another with other layers or numbers.
_KEPT = 2


def shared(
    architecture: Architecture,
    layers: Iterable[str],
    *,
    pooling: Pooling,
    padding: Padding,
    dtype: torch.dtype,
    device: torch.device,
    weights: Path | None = None,
) -> Backbone:
    """A network as `Architecture.build` makes it, on a device; the same one as before, if nothing has changed.

    The last two that were asked for stay in memory. A network is built again when its file of weights has changed.

    Raises:
        SettingsError, AssetError: as `Architecture.build`.
    """
    wanted = set(layers)
    ordered = tuple(name for name in architecture.layers if name in wanted)
    path = weights or architecture.own_weights_path()
    return _built(architecture, ordered, pooling, padding, dtype, device, weights, _stamp(path))


@lru_cache(maxsize=_KEPT)
def _built(
    architecture: Architecture,
    layers: tuple[str, ...],
    pooling: Pooling,
    padding: Padding,
    dtype: torch.dtype,
    device: torch.device,
    weights: Path | None,
    stamp: tuple[str, int, int] | None,
) -> Backbone:
    built = architecture.build(layers, pooling=pooling, padding=padding, dtype=dtype, weights=weights)
    return built.to(device)


def _stamp(path: Path | None) -> tuple[str, int, int] | None:
    """What tells a file from what it was before; None where there is no file."""
    if path is None:
        return None
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return (str(path.absolute()), status.st_mtime_ns, status.st_size)


def forget() -> None:
    """Let go of the networks that are kept, and of their memory."""
    _built.cache_clear()
