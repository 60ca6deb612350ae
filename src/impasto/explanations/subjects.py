"""Owns what can be explained, and with which settings."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from impasto.errors import SettingsError
from impasto.settings import Settings

#: What can be explained, and what that is in a few words.
SUBJECTS: Mapping[str, str] = MappingProxyType(
    {
        "content": "what of a photograph each layer knows, painted from noise",
        "style": "what of a painting its statistics know, painted from noise",
        "gram": "feature maps, and the Gram matrices made of them",
        "network": "how far each layer sees, and what pooling keeps",
    }
)
#: Settings that an explanation takes, with its defaults where they are not those of a painting.
DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "size": 256,
        "iterations": 60,
        "seed": 0,
        "backbone": "vgg19",
        "pooling": "max",
        "device": "auto",
        "precision": "auto",
    }
)
# Matrices take a moment, and of a small picture the deepest layer would have next to no features.
_SIZES = {"gram": 512}
# What has no effect on a subject, and why.
_WITHOUT_EFFECT = {
    "gram": dict.fromkeys(("iterations", "seed"), "nothing is painted"),
    "network": {
        "iterations": "nothing is painted",
        "seed": "nothing is painted",
        "pooling": "all of them are shown",
    },
}


def check_subject(subject: str) -> None:
    """Refuse what cannot be explained.

    Raises:
        SettingsError: there is no such subject.
    """
    if subject not in SUBJECTS:
        raise SettingsError("what", f"got {subject!r}; it must be one of {', '.join(SUBJECTS)}")


def settings_for(subject: str, **options: Any) -> Settings:
    """The settings for a subject, from those in `DEFAULTS` that were given.

    Raises:
        SettingsError: there is no such subject; an option is none of those, has no effect on it, or is out of range.
    """
    check_subject(subject)
    for name in options:
        if name not in DEFAULTS:
            raise SettingsError(name, f"explanations do not take it; they take {', '.join(DEFAULTS)}")
        if reason := _WITHOUT_EFFECT.get(subject, {}).get(name):
            raise SettingsError(name, f"it has no effect on {subject}: {reason}; leave it out")
    settings = Settings(**{**DEFAULTS, "size": default_size(subject), **options})
    if subject == "network" and settings.backbone != DEFAULTS["backbone"]:
        raise SettingsError("backbone", f"got {settings.backbone}; network explains {DEFAULTS['backbone']} alone")
    return settings


def default_size(subject: str) -> int:
    """Long side of what is explained, in pixels, if none is asked for."""
    return int(_SIZES.get(subject, DEFAULTS["size"]))
