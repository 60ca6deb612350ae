"""Owns the fast engine: a pastiche in one pass of a feed-forward network, and how such networks are trained.

| module | owns |
|---|---|
| `network` | the network, and what a condition is |
| `drafting` | the network that paints coarse to fine |
| `designs` | both designs of networks, and the version of a model's file |
| `predictor` | the condition of any painting |
| `blending` | checks and messages for styles that torch's and exported models share |
| `models` | FastModel: files, styles, one pass |
| `strips` | pictures of any size in little memory |
| `dataset` | the pictures that are trained on |
| `stacks` | photographs in a device's memory, and crops of them |
| `styles` | the paintings of a training: targets and statistics |
| `criterion` | the loss of a batch, which is the optimise engine's |
| `warps` | small motions, after which a picture is to be painted alike |
| `training` | the settings of a training |
| `trainable` | the modules that are trained together |
| `trainer` | how a model learns |
| `runs` | a training on disk: checkpoint, losses, pictures |
| `export` | models as ONNX |
| `onnx` | OnnxModel: exported models, run without torch |
| `external_data` | whether an ONNX file takes tensors from other files |

FastModel is imported when it is first used, so that importing `onnx` does not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impasto.fast.models import FastModel

__all__ = ["FastModel"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'impasto.fast' has no attribute {name!r}")
    value = getattr(importlib.import_module("impasto.fast.models"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
