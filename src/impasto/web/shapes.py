"""Owns what answers hold: the shapes that the API's description shows, and how they are made from what is known."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from impasto.web.job import Job
from impasto.web.pictures import SAMPLE_PREFIX, TILE, Picture


class Shape(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="allow")


class ProblemShape(Shape):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="In plain words: what was wrong, and what to do.")


class TilesShape(Shape):
    """How a picture is cut for deep zoom."""

    size: int
    levels: int
    url: str


class PictureShape(Shape):
    """A picture that the studio keeps."""

    ref: str
    id: str
    name: str
    format: str
    width: int
    height: int
    bytes: int
    url: str
    thumbnail_url: str
    tiles: TilesShape
    notes: list[str] = []
    recipe: dict[str, Any] | None = None


class SampleShape(PictureShape):
    """A bundled picture."""

    kind: str
    title: str
    author: str
    licence: str


class StyleShape(PictureShape):
    """A painting, and its share."""

    weight: float


class ResultShape(PictureShape):
    """What was painted."""

    seconds: float
    stopped: bool
    step: int


class PreviewShape(Shape):
    """The picture as it is."""

    url: str
    version: int
    width: int
    height: int


class ProgressShape(Shape):
    """Where a painting is."""

    scale: int
    scales: int
    size: list[int]
    iteration: int
    iterations: int
    step: int
    fraction: float
    seconds: float
    seconds_left: float | None
    loss: float
    losses: dict[str, float]


class PointShape(Shape):
    """The losses after one iteration."""

    step: int
    scale: int
    size: list[int]
    iteration: int
    loss: float
    losses: dict[str, float]
    changed: list[str] = []


class LossesShape(Shape):
    """The losses over all iterations."""

    points: list[PointShape]


class JobShape(Shape):
    """A painting, asked for, under way or done."""

    id: str
    state: str
    paused: bool
    stopping: bool
    position: int | None
    name: str
    created: str
    started: str | None
    finished: str | None
    content: PictureShape | None
    styles: list[StyleShape]
    masks: list[PictureShape]
    style_masks: list[PictureShape]
    content_map: PictureShape | None
    init: PictureShape | None
    preset: str
    settings: dict[str, Any]
    recipe_settings: dict[str, Any]
    changed: dict[str, Any]
    warnings: list[str]
    progress: ProgressShape | None
    preview: PreviewShape | None
    result: ResultShape | None
    error: ProblemShape | None
    attempts: int
    starred: bool
    deleted: bool
    parent: str | None
    sweep: dict[str, Any] | None
    actions: list[str]


class QueueShape(Shape):
    """What waits and what runs."""

    paused: bool
    order: list[str]
    running: list[str]


class JobsShape(Shape):
    """A page of jobs, the newest first."""

    jobs: list[JobShape]
    next: str | None
    queue: QueueShape


class SamplesShape(Shape):
    """The bundled pictures."""

    samples: list[SampleShape]


class PresetShape(Shape):
    """Settings with a name."""

    name: str
    description: str
    values: dict[str, Any]


class PresetsShape(Shape):
    """The bundled presets."""

    default: str
    presets: list[PresetShape]


class SettingShape(Shape):
    """What is known of a setting."""

    name: str
    group: str
    type: str
    meaning: str
    unit: str
    range: str
    default: Any
    low: float | None
    high: float | None
    choices: list[str]
    words: list[str]
    open_ended: bool
    live: bool


class SettingsShape(Shape):
    """All settings."""

    groups: list[str]
    settings: list[SettingShape]


class HealthShape(Shape):
    """Whether the studio works, and whether it knows you."""

    status: str
    version: str
    token_needed: bool
    authorized: bool


class EstimateShape(Shape):
    """What a job would take."""

    seconds: float | None
    memory_bytes: int
    memory_free: int | None
    fits: bool
    size: list[int]
    warnings: list[str]


class SweepShape(Shape):
    """A sheet of jobs."""

    id: str
    axes: list[dict[str, Any]]
    rows: int
    columns: int
    created: str
    jobs: list[list[JobShape]]
    done: int
    total: int
    sheet: dict[str, str] | None


class SweepsShape(Shape):
    """All sweeps, the newest first."""

    sweeps: list[SweepShape]


def picture(one: Picture, ref: str | None = None, recipe: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A picture; with its recipe only where someone asks for the picture itself."""
    at = f"/api/pictures/{one.id}"
    sample = one.name.startswith(SAMPLE_PREFIX)
    return {
        "ref": ref or (one.name if sample else f"picture:{one.id}"),
        "id": one.id,
        "name": one.name.removeprefix(SAMPLE_PREFIX),
        "format": one.format,
        "width": one.width,
        "height": one.height,
        "bytes": one.bytes,
        "url": at,
        "thumbnail_url": f"{at}/thumbnail",
        "tiles": {"size": TILE, "levels": one.levels, "url": f"{at}/tiles/{{level}}/{{x}}/{{y}}"},
        "notes": list(one.notes),
        "recipe": recipe,
    }


def time(seconds: float | None) -> str | None:
    """A moment as ISO 8601 has it."""
    if seconds is None:
        return None
    return (
        datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def shares(settings: Mapping[str, Any], count: int) -> list[float]:
    """The share of each painting, adding up to 1."""
    given = settings.get("blend", [])
    whole = sum(given)
    return [share / whole for share in given] if len(given) == count and whole else [1 / count] * count


def job(
    one: Job,
    pictures: Mapping[str, Picture],
    changed: Mapping[str, Any],
    *,
    position: int | None,
    progress: Mapping[str, Any] | None,
    preview: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """A job.

    Args:
        one: as the database has it.
        pictures: those it names, by id; those that are gone are missing.
        changed: its settings that are unlike the default.
        position: its place in the queue.
        progress, preview: as they are now.
    """

    def shown(found: Mapping[str, str] | None) -> dict[str, Any] | None:
        if found is None or found["id"] not in pictures:
            return None
        return picture(pictures[found["id"]]) | {"name": found["name"].removeprefix(SAMPLE_PREFIX)}

    def all_shown(found: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
        return [one for one in map(shown, found) if one is not None]

    spec = one.spec
    weights = shares(one.wanted, len(spec["styles"]))
    result = None
    if one.result is not None and one.result["id"] in pictures:
        known = {name: one.result[name] for name in ("seconds", "stopped", "step")}
        result = picture(pictures[one.result["id"]], f"job:{one.id}") | {"url": f"/api/jobs/{one.id}/result"} | known
    return {
        "id": one.id,
        "state": one.state,
        "paused": one.paused,
        "stopping": one.stopping,
        "position": position,
        "name": spec["name"],
        "created": time(one.created),
        "started": time(one.started),
        "finished": time(one.finished),
        "content": shown(spec["content"]),
        "styles": [
            style | {"weight": round(weight, 6)}
            for style, weight in zip(map(shown, spec["styles"]), weights, strict=True)
            if style is not None
        ],
        "masks": all_shown(spec["masks"]),
        "style_masks": all_shown(spec["style_masks"]),
        "content_map": shown(spec["content_map"]),
        "init": shown(spec["init"]),
        "preset": spec["preset"],
        "settings": one.wanted,
        "recipe_settings": one.first_settings,
        "changed": dict(changed),
        "warnings": one.warnings,
        "progress": progress,
        "preview": preview,
        "result": result,
        "error": one.error,
        "attempts": one.attempts,
        "starred": one.starred,
        "deleted": one.deleted is not None,
        "parent": one.parent,
        "sweep": one.sweep,
        "actions": one.actions,
    }
