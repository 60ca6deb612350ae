"""Owns the API's requests: what they may contain, and how they become settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from impasto import assets
from impasto.errors import SettingsError
from impasto.presets import DEFAULT, preset
from impasto.settings import OPTIONS, Settings, number_in
from impasto.web.problems import Problem
from impasto.web.storage.pictures import SAMPLE_PREFIX

MOST_PICTURES = 8
MOST_CELLS = 36
MOST_ITERATIONS = 100_000
_MOST_LEVELS = 4

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


def _shallow(value: Any) -> Any:
    """The value, unless it nests deeper than any setting does; deep values exhaust the stack later."""
    level = [value]
    for _ in range(_MOST_LEVELS):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return value
    raise ValueError(f"it may nest at most {_MOST_LEVELS} levels deep")


ChosenSettings = Annotated[dict[str, Any], Field(max_length=100), BeforeValidator(_shallow)]


class RequestBody(BaseModel):
    """The JSON body of a request; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class WeightedStyle(RequestBody):
    """A style image and its weight."""

    ref: Ref
    weight: Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)] = 1.0


class JobRequest(RequestBody):
    """A job to submit."""

    content: Ref
    styles: Annotated[list[Ref | WeightedStyle], Field(min_length=1, max_length=MOST_PICTURES)]
    preset: Annotated[str, Field(max_length=60)] = DEFAULT
    settings: Annotated[ChosenSettings, Field(description="As /api/settings describes.")] = {}
    masks: Several = []
    style_masks: Several = []
    content_map: Ref | None = None
    init: Ref | None = None

    @property
    def weighted_styles(self) -> list[WeightedStyle]:
        """The styles, each with a weight."""
        return [one if isinstance(one, WeightedStyle) else WeightedStyle(ref=one) for one in self.styles]

    def chosen(self) -> Settings:
        """The complete settings: the preset's, changed by the request's.

        Raises:
            SettingsError: one is unknown or not allowed.
        """
        settings = dict(self.settings)
        if any(isinstance(one, WeightedStyle) for one in self.styles):
            settings.setdefault("blend", [one.weight for one in self.weighted_styles])
        if self.preset not in assets.presets():
            # `preset` would open a file whose name ends in .toml.
            raise SettingsError(
                "preset", f"there is none called {self.preset!r}; there are {', '.join(assets.presets())}"
            )
        return check_untrusted(preset(self.preset).settings(**known_settings(settings)))

    def fingerprint(self) -> str:
        """A hash that differs between different requests."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


class SweepAxis(RequestBody):
    """A setting and its values along one axis of a sweep."""

    setting: Annotated[str, Field(max_length=60)]
    values: Annotated[list[float | str], Field(min_length=1, max_length=MOST_CELLS)]


class SweepRequest(JobRequest):
    """A job for every combination of the axes' values."""

    axes: Annotated[list[SweepAxis], Field(min_length=1, max_length=2)]


class ChangeRequest(RequestBody):
    """Changes to a job; what is absent stays."""

    settings: ChosenSettings = {}
    weights: Weights | None = None
    masks: Several | None = None
    style_masks: Several | None = None
    content_map: Ref | None = None

    @property
    def changes_masks(self) -> bool:
        """Whether it changes any mask."""
        return bool(self.model_fields_set & {"masks", "style_masks", "content_map"})

    def wanted(self) -> dict[str, Any]:
        """The settings to change."""
        return known_settings(self.settings) | ({} if self.weights is None else {"blend": self.weights})


class ExtendRequest(RequestBody):
    """More iterations for a job."""

    iterations: Annotated[int, Field(ge=1, le=MOST_ITERATIONS)]


class MoveRequest(RequestBody):
    """A new index in the queue."""

    to: Annotated[int, Field(ge=0, le=1_000_000)]


class StarRequest(RequestBody):
    """Whether the job is starred."""

    starred: bool = True


class QueueRequest(RequestBody):
    """Changes to the queue."""

    order: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=100_000)] | None = None
    paused: bool | None = None


class LooksRequest(RequestBody):
    """A photograph, and the paintings in whose styles it is to be seen."""

    content: Ref
    styles: Annotated[list[Ref], Field(min_length=1, max_length=MOST_PICTURES)]
    strength: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    size: Annotated[int, Field(ge=32, le=320, description="The long side, in pixels.")] = 160


class LoginRequest(RequestBody):
    """The token."""

    token: Annotated[str, Field(max_length=1000)]


def check_untrusted(settings: Settings) -> Settings:
    """The settings, unless one would make the program open a file that the client names.

    Raises:
        SettingsError: `init` is a path.
    """
    words = OPTIONS["init"][1].words
    if settings.init not in words:
        raise SettingsError(
            "init",
            f"it must be {', '.join(words)}; to start from a picture, set the job's own field init",
        )
    return settings


def job_name(content: str, styles: list[str]) -> str:
    """A name for a job: `photo-starry_night`."""
    stems = [PurePosixPath(name.removeprefix(SAMPLE_PREFIX)).stem or "picture" for name in (content, *styles)]
    return f"{stems[0]}-{'+'.join(stems[1:])}"[:120]


def from_form(fields: Mapping[str, list[str]]) -> dict[str, Any]:
    """The JSON of a job that was submitted as a form.

    Raises:
        Problem: a field is unknown, or appears too often.
    """
    order: dict[str, Any] = {"settings": {}}
    for name, values in fields.items():
        if name in _LISTS:
            order[_LISTS[name]] = values
            continue
        if len(values) > 1:
            raise Problem("invalid", f"{name}: it appears {len(values)} times, and only one is allowed")
        if name in ("content", "preset", "content_map", "init"):
            order[name] = values[0]
        elif name == "settings":
            order["settings"] |= _object(values[0])
        elif name in OPTIONS:
            order["settings"][name] = number_in(OPTIONS[name][0], values[0])
        else:
            raise Problem(
                "invalid",
                f"{name[:80]!r} is not a field of a job; the fields are content, style, mask, style_mask, content_map, "
                "init, preset, settings, and every setting",
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


def known_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings; only after this check their names are safe as keyword arguments.

    Raises:
        SettingsError: there is no setting of that name.
    """
    for name, value in settings.items():
        if name not in OPTIONS:
            # It knows how to say so, with the name that was probably meant.
            Settings.from_mapping({name: value})
    return dict(settings)
