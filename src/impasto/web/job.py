"""Owns Job: what is known of one, its states, and what may be done to it in each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from sqlite3 import Row
from typing import Any

QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELED = STATES = ("queued", "running", "succeeded", "failed", "canceled")
FINAL = (SUCCEEDED, FAILED, CANCELED)


class NoSuchJobError(Exception):
    """No job has that id."""


class ConflictError(Exception):
    """The job's state does not allow it; the message says why."""


class QueueFullError(Exception):
    """There are as many jobs waiting as there may be."""


class KeyReusedError(Exception):
    """The idempotency key belongs to another request."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as the database has it.

    Attributes:
        number: counts up from job to job.
        id: what it is called.
        state: one of `STATES`.
        paused: whether it is passed over.
        stopping: whether what is painted so far is to be its result.
        place: where it stands in the queue, smaller is sooner; None if it does not wait.
        spec: name, preset, the pictures that go in, each as `{"id", "name"}`, and the settings it was asked for with.
        settings: those it began with, or will.
        wanted: those asked for by now.
        warnings: what people should know.
        created, started, finished: seconds since 1970.
        seconds: painted for, over all attempts.
        attempts: claims since it last got further.
        reached: iterations that its checkpoint holds.
        lease: held by whoever paints it.
        progress: where it was when this was last noted.
        result: picture and more, once it succeeded.
        error: a problem, once it failed.
        starred: whether someone likes it.
        deleted: when it was thrown away; None if it was not.
        parent: the job that it goes on from.
        sweep: `{"id", "row", "column", "label"}` of the sheet it belongs to.
    """

    number: int
    id: str
    state: str
    paused: bool
    stopping: bool
    place: float | None
    spec: dict[str, Any]
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
        """Whether nothing more happens to it by itself."""
        return self.state in FINAL

    @property
    def first_settings(self) -> dict[str, Any]:
        """The settings it was asked for with, before any change; of a job of an older version, those it began with."""
        first: dict[str, Any] = self.spec.get("first_settings", self.settings)
        return first

    @property
    def pictures(self) -> list[dict[str, Any]]:
        """Those that it names, its result among them, each with its `id`."""
        spec = self.spec
        one = [spec["content"], spec["content_map"], spec["init"], self.result]
        several = [*spec["styles"], *spec["masks"], *spec["style_masks"]]
        return [picture for picture in (*one, *several) if picture is not None]

    @property
    def actions(self) -> list[str]:
        """What may be done to it now."""
        if self.deleted is not None:
            return ["undelete"]
        begun = self.progress is not None
        pause = "resume" if self.paused else "pause"
        of_state = {
            QUEUED: ["cancel", "move", pause]
            + (["stop"] if begun and not self.stopping else [])
            + (["settings"] if not begun else []),
            RUNNING: ["cancel", *([] if self.stopping else ["stop", "settings", "extend", pause])],
            SUCCEEDED: ["extend"],
            FAILED: ["retry"],
            CANCELED: ["retry"],
        }[self.state]
        return [*of_state, "star", "delete"]


_JSON = ("spec", "settings", "wanted", "warnings", "progress", "result", "error", "sweep")
_FLAGS = ("paused", "stopping", "starred")


def of_row(row: Row) -> Job:
    """A job as the database has it."""
    values = dict(row)
    for name in _JSON:
        values[name] = None if values[name] is None else json.loads(values[name])
    return Job(**values | {name: bool(values[name]) for name in _FLAGS})


def stored(value: Any) -> Any:
    """A value as the database takes it."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False) if isinstance(value, dict | list) else value
