"""Impasto paints a photograph in the style of a painting, by neural style transfer.

```python
import impasto

pastiche = impasto.stylize("photo.jpg", "painting.jpg", size=1024, strength=0.7)
pastiche.save("out.png")
```

Names are imported when they are first used, so `import impasto` costs nothing and does not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from impasto._version import __version__

if TYPE_CHECKING:
    from impasto.api import explain, judge, stylization, stylize, texture
    from impasto.checkpoints import Checkpoint
    from impasto.errors import (
        AssetError,
        CheckpointError,
        DeviceError,
        ImageError,
        ImageReadError,
        ImageWriteError,
        ImpastoError,
        ImpastoWarning,
        ModelError,
        OptimizationError,
        SettingsError,
        SettingsWarning,
    )
    from impasto.explanations.explanation import Explanation
    from impasto.fast import FastModel
    from impasto.images import Image
    from impasto.loading import load
    from impasto.method import Stylization
    from impasto.metrics import Judgement
    from impasto.pastiche import Pastiche
    from impasto.presets import Preset, preset
    from impasto.progress import Progress
    from impasto.recipes import Change, Recipe
    from impasto.settings import Settings

_HOMES = {
    "AssetError": "errors",
    "Change": "recipes",
    "Checkpoint": "checkpoints",
    "CheckpointError": "errors",
    "DeviceError": "errors",
    "Explanation": "explanations.explanation",
    "FastModel": "fast",
    "Image": "images",
    "ImageError": "errors",
    "ImageReadError": "errors",
    "ImageWriteError": "errors",
    "ImpastoError": "errors",
    "ImpastoWarning": "errors",
    "Judgement": "metrics",
    "ModelError": "errors",
    "OptimizationError": "errors",
    "Pastiche": "pastiche",
    "Preset": "presets",
    "Progress": "progress",
    "Recipe": "recipes",
    "Settings": "settings",
    "SettingsError": "errors",
    "SettingsWarning": "errors",
    "Stylization": "method",
    "explain": "api",
    "judge": "api",
    "load": "loading",
    "preset": "presets",
    "stylization": "api",
    "stylize": "api",
    "texture": "api",
}

__all__ = [
    "AssetError",
    "Change",
    "Checkpoint",
    "CheckpointError",
    "DeviceError",
    "Explanation",
    "FastModel",
    "Image",
    "ImageError",
    "ImageReadError",
    "ImageWriteError",
    "ImpastoError",
    "ImpastoWarning",
    "Judgement",
    "ModelError",
    "OptimizationError",
    "Pastiche",
    "Preset",
    "Progress",
    "Recipe",
    "Settings",
    "SettingsError",
    "SettingsWarning",
    "Stylization",
    "__version__",
    "explain",
    "judge",
    "load",
    "preset",
    "stylization",
    "stylize",
    "texture",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'impasto' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"impasto.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
