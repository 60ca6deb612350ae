"""Owns what can be explained: the subjects, and the settings of each. It does not load torch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from impasto.errors import SettingsError
from impasto.settings import Settings

#: What can be explained, each with a short description.
SUBJECTS: Mapping[str, str] = MappingProxyType(
    {
        "content": "what each layer keeps of a photograph, painted from noise",
        "style": "what the style statistics keep of a painting, painted from noise",
        "gram": "feature maps, and the Gram matrices computed from them",
        "network": "how large each layer's receptive field is, and what pooling keeps",
    }
)
#: Settings that an explanation takes, with their defaults, which differ from those of a painting.
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
# Gram matrices are cheap, and the deepest layer has too few features in a small picture.
_SIZES = {"gram": 512}
# Settings without effect on a subject, and why.
_WITHOUT_EFFECT = {
    "gram": dict.fromkeys(("iterations", "seed"), "nothing is painted"),
    "network": {
        "iterations": "nothing is painted",
        "seed": "nothing is painted",
        "pooling": "all of them are shown",
    },
}


def check_subject(subject: str) -> None:
    """Refuse a subject that does not exist.

    Raises:
        SettingsError: there is no such subject.
    """
    if subject not in SUBJECTS:
        raise SettingsError("what", f"got {subject!r}; it must be one of {', '.join(SUBJECTS)}")


def settings_for(subject: str, **options: Any) -> Settings:
    """The settings for a subject, with its defaults for those that are not given.

    Args:
        options: settings named in `DEFAULTS`.

    Raises:
        SettingsError: there is no such subject, or an option is not one of those, is without effect, or out of range.
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
    """Default long side of the picture that is explained, in pixels."""
    return int(_SIZES.get(subject, DEFAULTS["size"]))
