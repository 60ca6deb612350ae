"""Owns the API's responses: their models, for its description, and how they are built from stored values."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from impasto.web.queue.job import Job, NamedPicture
from impasto.web.sandbox.tiling import TILE
from impasto.web.storage.pictures import SAMPLE_PREFIX, Picture


class ResponseBody(BaseModel):
    """A response, or a part of one."""

    model_config = ConfigDict(extra="allow")


class ProblemResponse(ResponseBody):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What was wrong and what to do, for people.")


class TilesResponse(ResponseBody):
    """The tiles of a picture, for deep zoom."""

    size: int
    levels: int
    url: str


class PictureResponse(ResponseBody):
    """A stored picture."""

    ref: str
    id: str
    name: str
    format: str
    width: int
    height: int
    bytes: int
    url: str
    thumbnail_url: str
    tiles: TilesResponse
    notes: list[str] = []
    recipe: dict[str, Any] | None = None


class SampleResponse(PictureResponse):
    """A bundled picture."""

    kind: str
    title: str
    author: str
    licence: str


class StyleResponse(PictureResponse):
    """A style image and its weight."""

    weight: float


class ResultResponse(PictureResponse):
    """The result of a job."""

    seconds: float
    stopped: bool
    step: int


class PreviewResponse(ResponseBody):
    """The preview of a job's current picture."""

    url: str
    version: int
    width: int
    height: int


class ProgressResponse(ResponseBody):
    """The position of a job that is being painted."""

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


class PointResponse(ResponseBody):
    """The losses after one iteration."""

    step: int
    scale: int
    size: list[int]
    iteration: int
    loss: float
    losses: dict[str, float]
    changed: list[str] = []


class LossesResponse(ResponseBody):
    """The losses over all iterations."""

    points: list[PointResponse]


class JobResponse(ResponseBody):
    """A job in any state."""

    id: str
    state: str
    paused: bool
    stopping: bool
    position: int | None
    name: str
    created: str
    started: str | None
    finished: str | None
    content: PictureResponse | None
    styles: list[StyleResponse]
    masks: list[PictureResponse]
    style_masks: list[PictureResponse]
    content_map: PictureResponse | None
    init: PictureResponse | None
    preset: str
    settings: dict[str, Any]
    recipe_settings: dict[str, Any]
    changed: dict[str, Any]
    warnings: list[str]
    progress: ProgressResponse | None
    preview: PreviewResponse | None
    result: ResultResponse | None
    error: ProblemResponse | None
    attempts: int
    starred: bool
    deleted: bool
    parent: str | None
    sweep: dict[str, Any] | None
    actions: list[str]


class QueueResponse(ResponseBody):
    """The queued and the running jobs."""

    paused: bool
    order: list[str]
    running: list[str]


class JobsResponse(ResponseBody):
    """A page of jobs, the newest first."""

    jobs: list[JobResponse]
    next: str | None
    queue: QueueResponse


class SamplesResponse(ResponseBody):
    """The bundled pictures."""

    samples: list[SampleResponse]


class PresetResponse(ResponseBody):
    """A preset: named settings."""

    name: str
    description: str
    values: dict[str, Any]


class PresetsResponse(ResponseBody):
    """The bundled presets."""

    default: str
    presets: list[PresetResponse]


class SettingResponse(ResponseBody):
    """The description of a setting."""

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


class SettingsResponse(ResponseBody):
    """All settings."""

    groups: list[str]
    settings: list[SettingResponse]


class HealthResponse(ResponseBody):
    """The state of the studio, and whether the request is authorized."""

    status: str
    version: str
    token_needed: bool
    authorized: bool


class EstimateResponse(ResponseBody):
    """What a job would need."""

    seconds: float | None
    memory_bytes: int
    memory_free: int | None
    fits: bool
    size: list[int]
    warnings: list[str]


class LookResponse(ResponseBody):
    """A photograph in the style of a painting."""

    style: str
    url: str = Field(description="A data URL of a JPEG.")


class LooksResponse(ResponseBody):
    """A photograph in the style of each of several paintings."""

    looks: list[LookResponse]


class SweepResponse(ResponseBody):
    """A grid of jobs."""

    id: str
    axes: list[dict[str, Any]]
    rows: int
    columns: int
    created: str
    jobs: list[list[JobResponse]]
    done: int
    total: int
    sheet: dict[str, str] | None


class SweepsResponse(ResponseBody):
    """All sweeps, the newest first."""

    sweeps: list[SweepResponse]


def picture(one: Picture, ref: str | None = None, recipe: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A picture's response. The recipe is long, so only the response for the picture itself has it."""
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
    """Seconds since 1970 as ISO 8601."""
    if seconds is None:
        return None
    return (
        datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def shares(settings: Mapping[str, Any], count: int) -> list[float]:
    """The weight of each style image; they add up to 1."""
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
    """A job's response.

    Args:
        one: the job.
        pictures: its pictures by id, as far as they still exist.
        changed: its settings that differ from the defaults.
        position: its index in the queue.
        progress, preview: their present values.
    """

    def shown(found: NamedPicture | None) -> dict[str, Any] | None:
        if found is None or found["id"] not in pictures:
            return None
        return picture(pictures[found["id"]]) | {"name": found["name"].removeprefix(SAMPLE_PREFIX)}

    def all_shown(found: Sequence[NamedPicture]) -> list[dict[str, Any]]:
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
