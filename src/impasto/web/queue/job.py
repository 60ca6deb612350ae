"""Owns Job: what is stored of one, its states, and the actions that each state allows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from sqlite3 import Row
from typing import Any, NotRequired, TypedDict

QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELED = STATES = ("queued", "running", "succeeded", "failed", "canceled")
FINAL = (SUCCEEDED, FAILED, CANCELED)


class NoSuchJobError(Exception):
    """No job has that id."""


class ConflictError(Exception):
    """The job's state does not allow the action; the message says why."""


class QueueFullError(Exception):
    """The queue has no room for another job."""


class KeyReusedError(Exception):
    """The idempotency key belongs to another request."""


class NamedPicture(TypedDict):
    """A stored picture's id, and the name it has in this job."""

    id: str
    name: str


class JobSpec(TypedDict):
    """What to paint, as stored.

    `first_settings` are those that the job was submitted with; jobs of older versions lack them.
    """

    name: str
    preset: str
    content: NamedPicture
    styles: list[NamedPicture]
    masks: list[NamedPicture]
    style_masks: list[NamedPicture]
    content_map: NamedPicture | None
    init: NamedPicture | None
    first_settings: NotRequired[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job, as stored.

    Attributes:
        number: increases from job to job.
        id: identifies it.
        state: one of `STATES`.
        paused: whether workers pass over it.
        stopping: whether its current picture is to become its result.
        place: sort key in the queue, the smallest is next; None unless it is queued.
        spec: what to paint.
        settings: those that the optimization starts with.
        wanted: those requested by now.
        warnings: for the people who submitted it.
        created, started, finished: seconds since 1970.
        seconds: spent painting, over all attempts.
        attempts: claims since its checkpoint last reached further.
        reached: iterations that its checkpoint holds.
        lease: identifies its current claim; None if no worker has it.
        progress: its position when that was last stored.
        result: `{"id", "seconds", "stopped", "step"}` of the picture, once it succeeded.
        error: a problem (see `problems`), once it failed.
        starred: whether someone marked it.
        deleted: when it was deleted; None if it was not.
        parent: id of the job that it continues.
        sweep: `{"id", "row", "column", "label"}` of its place in a sweep.
    """

    number: int
    id: str
    state: str
    paused: bool
    stopping: bool
    place: float | None
    spec: JobSpec
    settings: dict[str, Any]
    wanted: dict[str, Any]
    warnings: list[str]
    created: float
    started: float | None
    finished: float | None
    seconds: float
    attempts: int
    reached: int
    lease: str | None
    progress: dict[str, Any] | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    starred: bool
    deleted: float | None
    parent: str | None
    sweep: dict[str, Any] | None

    @property
    def final(self) -> bool:
        """Whether it has ended."""
        return self.state in FINAL

    @property
    def first_settings(self) -> dict[str, Any]:
        """The settings it was submitted with; of a job of an older version, those that it started with."""
        return self.spec.get("first_settings", self.settings)

    @property
    def picture_ids(self) -> set[str]:
        """Ids of its input pictures and its result."""
        spec = self.spec
        pictures = [spec["content"], *spec["styles"], *spec["masks"], *spec["style_masks"]]
        ids = {picture["id"] for picture in [*pictures, spec["content_map"], spec["init"]] if picture is not None}
        return ids | ({self.result["id"]} if self.result is not None else set())

    @property
    def actions(self) -> list[str]:
        """The actions that it allows now."""
        if self.deleted is not None:
            return ["undelete"]
        has_started = self.progress is not None
        pause = "resume" if self.paused else "pause"
        of_state = {
            QUEUED: ["cancel", "move", pause]
            + (["stop"] if has_started and not self.stopping else [])
            + (["settings"] if not has_started else []),
            RUNNING: ["cancel", *([] if self.stopping else ["stop", "settings", "extend", pause])],
            SUCCEEDED: ["extend"],
            FAILED: ["retry"],
            CANCELED: ["retry"],
        }[self.state]
        return [*of_state, "star", "delete"]


def check_job_row(row: Row) -> None:
    """Check that everything in a row can be used.

    Raises:
        Exception: something cannot.
    """
    job = job_from_row(row)
    for picture in [job.spec["content"], *job.spec["styles"], *job.spec["masks"], *job.spec["style_masks"]]:
        _check_texts(picture["id"], picture["name"])
    for optional in (job.spec["content_map"], job.spec["init"]):
        if optional is not None:
            _check_texts(optional["id"], optional["name"])
    _check_texts(job.id, job.spec["name"], job.spec["preset"], *job.warnings)
    if not isinstance(job.warnings, list):
        raise TypeError("warnings are not a list")
    for mapping in (job.settings, job.wanted, job.first_settings, job.progress, job.result, job.error, job.sweep):
        if mapping is not None and not isinstance(mapping, dict):
            raise TypeError("a mapping was expected")
    if job.progress is not None:
        height, width = job.progress["size"]
        if height + width <= 0:
            raise ValueError("the size is not positive")
    if job.result is not None:
        _check_texts(job.result["id"])
        job.result["seconds"], job.result["stopped"], job.result["step"]
    if job.sweep is not None:
        _check_texts(job.sweep["id"], job.sweep["label"])
        job.sweep["values"], job.sweep["row"] + job.sweep["column"]
    if job.error is not None:
        _check_texts(job.error["type"], job.error["title"], job.error["detail"])
    if job.state not in STATES:
        raise ValueError("the state is unknown")


def _check_texts(*values: object) -> None:
    for value in values:
        if not isinstance(value, str):
            raise TypeError("a text was expected")


_JSON = ("spec", "settings", "wanted", "warnings", "progress", "result", "error", "sweep")
_FLAGS = ("paused", "stopping", "starred")


def job_from_row(row: Row) -> Job:
    """The job in a row of the database."""
    values = dict(row)
    for name in _JSON:
        values[name] = None if values[name] is None else json.loads(values[name])
    return Job(**values | {name: bool(values[name]) for name in _FLAGS})


def to_column(value: Any) -> Any:
    """A value as the database stores it: lists and mappings as JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False) if isinstance(value, dict | list) else value
