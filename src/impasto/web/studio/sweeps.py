"""Owns sweeps: a job for every combination of some settings' values, and the labelled sheet of the results."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from sqlite3 import Row
from typing import Any

from impasto.errors import SettingsError
from impasto.settings import OPTIONS, LayerWeights, Settings, Shares
from impasto.web.problems import Problem
from impasto.web.queue.job import SUCCEEDED, ConflictError, Job
from impasto.web.queue.jobs import Jobs
from impasto.web.sandbox.messages import SheetCell
from impasto.web.sandbox.sandbox import Sandbox
from impasto.web.schema import requests, responses
from impasto.web.schema.requests import MOST_CELLS
from impasto.web.storage.database import Database
from impasto.web.storage.pictures import PictureStore
from impasto.web.studio.validation import JobValidator, check_memory
from impasto.web.studio.views import Views


class Sweeps:
    """All sweeps.

    Args:
        database, jobs, pictures, validator, sandbox, views: the studio's.
        folder: of the sheets.
        announce: called after jobs were added.
        cancel: cancels the job with an id.
    """

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        pictures: PictureStore,
        validator: JobValidator,
        sandbox: Sandbox,
        views: Views,
        folder: Path,
        *,
        announce: Callable[[], None],
        cancel: Callable[[str], object],
    ) -> None:
        self._database, self._jobs, self._pictures = database, jobs, pictures
        self._validator, self._sandbox, self._views, self._folder = validator, sandbox, views, folder
        self._announce, self._cancel = announce, cancel

    def submit(self, request: requests.SweepRequest, key: str | None) -> dict[str, Any]:
        """Queue a job for each combination of values: the first axis is the rows, the last the columns.

        Raises:
            Problem, SettingsError, QueueFullError, KeyReusedError: all of them are refused.
        """
        fingerprint = request.fingerprint()
        if (known := self._known(key, fingerprint)) is not None:
            return known
        spec, settings = self._validator.spec(request)
        cells = _cells(request.axes, settings)
        self._jobs.check_room(len(cells))
        self._pictures.check_room()
        estimates = self._validator.estimate_all(spec, [cell for _, cell in cells])
        for estimate in estimates:
            check_memory(estimate)
        sweep = secrets.token_hex(8)
        columns = len(request.axes[-1].values)
        with self._database.transaction() as change:
            # The same request may have been repeated and finished meanwhile.
            if (known := self._known(key, fingerprint)) is not None:
                return known
            axes = json.dumps([axis.model_dump() for axis in request.axes])
            change("insert into sweeps values (?, ?, ?)", (sweep, axes, time.time()))
            for index, ((values, cell), estimate) in enumerate(zip(cells, estimates, strict=True)):
                label = ", ".join(f"{name} {_shown(value)}" for name, value in values.items())
                at = {"id": sweep, "row": index // columns, "column": index % columns, "label": label, "values": values}
                self._jobs.add(
                    spec,
                    cell.to_mapping(),
                    sweep=at,
                    warnings=estimate["warnings"],
                    key=(key, fingerprint) if key is not None and index == 0 else None,
                )
        self._announce()
        return self.get(sweep)

    def set_aside_damaged(self) -> list[str]:
        """Set aside the sweeps that cannot be read; their ids."""
        return self._database.set_aside("sweeps", "id", _check_row)

    def get(self, sweep: str) -> dict[str, Any]:
        """A sweep's response.

        Raises:
            Problem: there is none with that id.
        """
        row, jobs = self._found(sweep)
        axes = json.loads(row["axes"])
        shown = self._views.all(jobs)
        rows = len(axes[0]["values"]) if len(axes) == 2 else 1
        grid: list[list[dict[str, Any]]] = [[] for _ in range(rows)]
        for one in shown:
            grid[one["sweep"]["row"]].append(one)
        done = sum(job.final for job in jobs)
        ready = done == len(jobs) and any(job.state == SUCCEEDED for job in jobs)
        return {
            "id": sweep,
            "axes": axes,
            "rows": rows,
            "columns": len(axes[-1]["values"]),
            "created": responses.time(row["created"]),
            "jobs": grid,
            "done": done,
            "total": len(jobs),
            "sheet": {"url": f"/api/sweeps/{sweep}/sheet"} if ready else None,
        }

    def all(self) -> list[dict[str, Any]]:
        """All sweeps that have jobs, the newest first."""
        ids = [row["id"] for row in self._database.rows("select id from sweeps order by created desc limit 100")]
        return [self.get(one) for one in ids if self._jobs_of(one)]

    def cancel(self, sweep: str) -> dict[str, Any]:
        """Cancel the jobs that have not ended."""
        for job in self._found(sweep)[1]:
            if "cancel" in job.actions:
                self._cancel(job.id)
        return self.get(sweep)

    def sheet(self, sweep: str) -> Path:
        """The path of the labelled sheet.

        Raises:
            ConflictError: the sweep has not ended.
        """
        row, jobs = self._found(sweep)
        done = [job for job in jobs if job.result is not None]
        if not done or not all(job.final for job in jobs):
            raise ConflictError("the sweep has not ended, or none of its jobs succeeded")
        # The name depends on the results, because a retried job changes the sheet.
        path = self._folder / f"{sweep}-{_digest(done)}.png"
        if not path.exists():
            self._folder.mkdir(exist_ok=True)
            cells: list[SheetCell] = [
                {
                    "values": job.sweep["values"],
                    "settings": job.wanted,
                    "path": str(self._pictures.path(job.result["id"])),
                }
                for job in done
                if job.sweep is not None and job.result is not None
            ]
            with self._pictures.scratch() as drawn:
                self._sandbox.run("sheet", cells, json.loads(row["axes"]), str(drawn), seconds=180.0)
                drawn.replace(path)
        return path

    def _known(self, key: str | None, fingerprint: str) -> dict[str, Any] | None:
        """The sweep that was submitted with an idempotency key, if any."""
        known = None if key is None else self._jobs.known(key, fingerprint)
        if known is None:
            return None
        assert known.sweep is not None
        return self.get(known.sweep["id"])

    def _found(self, sweep: str) -> tuple[Mapping[str, Any], list[Job]]:
        rows = self._database.rows("select * from sweeps where id = ?", (sweep,))
        jobs = self._jobs_of(sweep)
        if not rows or not jobs:
            raise Problem("not-found", "there is no such sweep")
        return dict(rows[0]), jobs

    def _jobs_of(self, sweep: str) -> list[Job]:
        return sorted(self._jobs.find(sweep=sweep, limit=-1), key=lambda job: job.number)


def _check_row(row: Row) -> None:
    axes = json.loads(row["axes"])
    if len(axes) not in (1, 2) or not all(axis["values"] for axis in axes):
        raise ValueError("its axes cannot be used")
    responses.time(row["created"])


def _digest(jobs: Sequence[Job]) -> str:
    return hashlib.sha256("".join(job.result["id"] for job in jobs if job.result).encode()).hexdigest()[:12]


def _cells(axes: Sequence[requests.SweepAxis], settings: Settings) -> list[tuple[dict[str, Any], Settings]]:
    """Every combination, row by row."""
    names = [axis.setting for axis in axes]
    if len(set(names)) < len(names):
        raise SettingsError(names[0], "both axes have it; choose another setting for one of them")
    cells: list[dict[str, Any]] = [{}]
    for axis in axes:
        requests.known_settings({axis.setting: axis.values[0]})
        if OPTIONS[axis.setting][0] in (LayerWeights, Shares):
            raise SettingsError(axis.setting, "it cannot be an axis, because its values are lists")
        if len({_shown(value) for value in axis.values}) < len(axis.values):
            raise SettingsError(axis.setting, "a value appears twice")
        cells = [cell | {axis.setting: value} for cell in cells for value in axis.values]
    if len(cells) > MOST_CELLS:
        raise Problem("invalid", f"axes: they make {len(cells)} pictures; at most {MOST_CELLS} are allowed")
    return [(cell, requests.check_untrusted(settings.replace(**cell))) for cell in cells]


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
