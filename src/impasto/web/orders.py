"""Owns what a request may hold, and how it becomes settings and pictures: an order that can be painted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from impasto import assets
from impasto.errors import SettingsError
from impasto.presets import DEFAULT, preset
from impasto.settings import OPTIONS, Settings
from impasto.web.pictures import SAMPLE_PREFIX
from impasto.web.problems import Problem

MOST_PICTURES = 8
MOST_CELLS = 36
MOST_ITERATIONS = 100_000

Ref = Annotated[
    str,
    Field(
        min_length=3,
        max_length=120,
        description="`sample:NAME`, `picture:ID`, or `job:ID` for the result of a job.",
        examples=["sample:starry_night"],
    ),
]
Several = Annotated[list[Ref], Field(max_length=MOST_PICTURES)]
Weights = Annotated[list[Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]], Field(max_length=MOST_PICTURES)]


class Body(BaseModel):
    """A request's body: what it may hold is here, and nothing else is taken."""

    model_config = ConfigDict(extra="forbid")


class Style(Body):
    """A painting, and its share."""

    ref: Ref
    weight: Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)] = 1.0


class JobOrder(Body):
    """What is to be painted."""

    content: Ref
    styles: Annotated[list[Ref | Style], Field(min_length=1, max_length=MOST_PICTURES)]
    preset: Annotated[str, Field(max_length=60)] = DEFAULT
    settings: Annotated[dict[str, Any], Field(max_length=100, description="As /api/settings describes.")] = {}
    masks: Several = []
    style_masks: Several = []
    content_map: Ref | None = None
    init: Ref | None = None

    @property
    def paintings(self) -> list[Style]:
        """The styles, all in the long form."""
        return [one if isinstance(one, Style) else Style(ref=one) for one in self.styles]

    def chosen(self) -> Settings:
        """All settings.

        Raises:
            SettingsError: one is unknown or not allowed.
        """
        settings = dict(self.settings)
        if any(isinstance(one, Style) for one in self.styles):
            settings.setdefault("blend", [one.weight for one in self.paintings])
        if self.preset not in assets.presets():
            # What ends in .toml would be looked for on the disk.
            raise SettingsError(
                "preset", f"there is none called {self.preset!r}; there are {', '.join(assets.presets())}"
            )
        return of_strangers(preset(self.preset).settings(**_named(settings)))

    def fingerprint(self) -> str:
        """What tells this order from another."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


class Axis(Body):
    """A setting, and the values it takes."""

    setting: Annotated[str, Field(max_length=60)]
    values: Annotated[list[float | str], Field(min_length=1, max_length=MOST_CELLS)]


class SweepOrder(JobOrder):
    """A job in many variants."""

    axes: Annotated[list[Axis], Field(min_length=1, max_length=2)]


class Change(Body):
    """What is to be different from now on."""

    settings: Annotated[dict[str, Any], Field(max_length=100)] = {}
    weights: Weights | None = None
    masks: Several | None = None
    style_masks: Several | None = None
    content_map: Ref | None = None

    @property
    def guides(self) -> bool:
        """Whether masks are to change."""
        return bool(self.model_fields_set & {"masks", "style_masks", "content_map"})

    def wanted(self) -> dict[str, Any]:
        """The settings to change."""
        return _named(self.settings) | ({} if self.weights is None else {"blend": self.weights})


class Extension(Body):
    """How much longer to paint."""

    iterations: Annotated[int, Field(ge=1, le=MOST_ITERATIONS)]


class Place(Body):
    """Where to stand in the queue."""

    to: Annotated[int, Field(ge=0, le=1_000_000)]


class Star(Body):
    """Whether it is liked."""

    starred: bool = True


class QueueOrder(Body):
    """The queue as it is to be."""

    order: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=100_000)] | None = None
    paused: bool | None = None


class Login(Body):
    """What lets you in."""

    token: Annotated[str, Field(max_length=1000)]


def of_strangers(settings: Settings) -> Settings:
    """The settings, if nothing in them would make the program open a file that a stranger names.

    Raises:
        SettingsError: `init` is the name of a file.
    """
    words = OPTIONS["init"][1].words
    if settings.init not in words:
        raise SettingsError(
            "init", f"it must be {', '.join(words)}; to begin with a picture, name it as the job's own init"
        )
    return settings


def name_of(content: str, styles: list[str]) -> str:
    """What a job is called: `photo-starry_night`."""
    stems = [PurePosixPath(name.removeprefix(SAMPLE_PREFIX)).stem or "picture" for name in (content, *styles)]
    return f"{stems[0]}-{'+'.join(stems[1:])}"[:120]


def of_form(fields: Mapping[str, list[str]]) -> dict[str, Any]:
    """The JSON of an order that came as a form.

    Raises:
        Problem: a field is unknown, or stands more often than it may.
    """
    order: dict[str, Any] = {"settings": {}}
    for name, values in fields.items():
        if name in _LISTS:
            order[_LISTS[name]] = values
            continue
        if len(values) > 1:
            raise Problem("invalid", f"{name}: it stands {len(values)} times and may stand once")
        if name in ("content", "preset", "content_map", "init"):
            order[name] = values[0]
        elif name == "settings":
            order["settings"] |= _object(values[0])
        elif name in OPTIONS:
            order["settings"][name] = _value(name, values[0])
        else:
            raise Problem(
                "invalid",
                f"{name[:80]!r} is no field of a job; there are content, style, mask, style_mask, content_map, init, "
                "preset, settings, and every setting",
            )
    return order


_LISTS = {"style": "styles", "mask": "masks", "style_mask": "style_masks"}


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Problem("invalid", 'settings: it must be a JSON object, such as {"size": 640}')
    return found


def _value(name: str, text: str) -> Any:
    """A number where the setting is one and the text can be read as one; else the text, which Settings refuses."""
    for kind in {int: (int, float), float: (float,)}.get(OPTIONS[name][0], ()):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _named(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings whose names can be keywords of ours; all others are refused as unknown by `Settings`."""
    return {str(name): value for name, value in settings.items()}
