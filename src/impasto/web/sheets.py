"""Owns sweeps: a job in many variants, and the labelled sheet that they end on."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.errors import SettingsError
from impasto.settings import OPTIONS, LayerWeights, Settings, Shares
from impasto.web import orders, shapes
from impasto.web.job import SUCCEEDED, ConflictError, Job
from impasto.web.orders import MOST_CELLS
from impasto.web.problems import Problem

if TYPE_CHECKING:
    from impasto.web.studio import Studio


class Sheets:
    """All sweeps.

    Args:
        studio: whose jobs they are made of.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._database = studio.database

    def submit(self, order: orders.SweepOrder, key: str | None) -> dict[str, Any]:
        """Take in a job for each combination of values: the first axis goes down, the last across.

        Raises:
            Problem, SettingsError, QueueFullError, KeyReusedError: none of them is taken in.
        """
        studio = self._studio
        fingerprint = order.fingerprint()
        if (known := self._known(key, fingerprint)) is not None:
            return known
        spec, settings = studio.intake.resolved(order)
        cells = _cells(order.axes, settings)
        studio.jobs.check_room(len(cells))
        studio.pictures.check_room()
        foretold = studio.intake.foretell_each(spec, [cell for _, cell in cells])
        for told in foretold:
            studio.intake.check_memory(told)
        sweep = secrets.token_hex(8)
        columns = len(order.axes[-1].values)
        with self._database.transaction() as change:
            # The same request may have come a second time meanwhile, and have been the faster.
            if (known := self._known(key, fingerprint)) is not None:
                return known
            axes = json.dumps([axis.model_dump() for axis in order.axes])
            change("insert into sweeps values (?, ?, ?)", (sweep, axes, time.time()))
            for place, ((values, cell), told) in enumerate(zip(cells, foretold, strict=True)):
                label = ", ".join(f"{name} {_shown(value)}" for name, value in values.items())
                at = {"id": sweep, "row": place // columns, "column": place % columns, "label": label, "values": values}
                studio.jobs.add(
                    spec,
                    cell.to_mapping(),
                    sweep=at,
                    warnings=told["warnings"],
                    key=(key, fingerprint) if key is not None and place == 0 else None,
                )
        studio.announce()
        return self.get(sweep)

    def get(self, sweep: str) -> dict[str, Any]:
        """A sweep as it is shown.

        Raises:
            Problem: there is none of that id.
        """
        row, jobs = self._found(sweep)
        axes = json.loads(row["axes"])
        shown = self._studio.views.all(jobs)
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
            "created": shapes.time(row["created"]),
            "jobs": grid,
            "done": done,
            "total": len(jobs),
            "sheet": {"url": f"/api/sweeps/{sweep}/sheet"} if ready else None,
        }

    def all(self) -> list[dict[str, Any]]:
        """All sweeps, the newest first; those of which every job is gone are left out."""
        ids = [row["id"] for row in self._database.rows("select id from sweeps order by created desc limit 100")]
        return [self.get(one) for one in ids if self._jobs(one)]

    def cancel(self, sweep: str) -> dict[str, Any]:
        """Cancel what is not painted yet."""
        for job in self._found(sweep)[1]:
            if "cancel" in job.actions:
                self._studio.act(job.id, "cancel")
        return self.get(sweep)

    def sheet(self, sweep: str) -> Path:
        """The file of the labelled sheet.

        Raises:
            ConflictError: it is not done.
        """
        row, jobs = self._found(sweep)
        done = [job for job in jobs if job.result is not None]
        if not done or not all(job.final for job in jobs):
            raise ConflictError("the sweep is not done, or nothing of it has succeeded")
        studio = self._studio
        folder = studio.config.data / "sheets"
        # Named after what is on it: a retried cell makes another sheet.
        path = folder / f"{sweep}-{_digest(done)}.png"
        if not path.exists():
            folder.mkdir(exist_ok=True)
            cells = [
                {
                    "values": job.sweep["values"],
                    "settings": job.wanted,
                    "path": str(studio.pictures.path(job.result["id"])),
                }
                for job in done
                if job.sweep is not None and job.result is not None
            ]
            with studio.pictures.scratch() as drawn:
                studio.children.run("sheet", cells, json.loads(row["axes"]), str(drawn), seconds=180.0)
                drawn.replace(path)
        return path

    def _known(self, key: str | None, fingerprint: str) -> dict[str, Any] | None:
        """The sweep that an idempotency key made."""
        known = None if key is None else self._studio.jobs.known(key, fingerprint)
        if known is None:
            return None
        assert known.sweep is not None
        return self.get(known.sweep["id"])

    def _found(self, sweep: str) -> tuple[Mapping[str, Any], list[Job]]:
        rows = self._database.rows("select * from sweeps where id = ?", (sweep,))
        jobs = self._jobs(sweep)
        if not rows or not jobs:
            raise Problem("not-found", "there is no such sweep")
        return dict(rows[0]), jobs

    def _jobs(self, sweep: str) -> list[Job]:
        return sorted(self._studio.jobs.find(sweep=sweep, limit=-1), key=lambda job: job.number)


def _digest(jobs: Sequence[Job]) -> str:
    return hashlib.sha256("".join(job.result["id"] for job in jobs if job.result).encode()).hexdigest()[:12]


def _cells(axes: Sequence[orders.Axis], settings: Settings) -> list[tuple[dict[str, Any], Settings]]:
    """Every combination, row by row."""
    names = [axis.setting for axis in axes]
    if len(set(names)) < len(names):
        raise SettingsError(names[0], "it stands for both axes; choose another for one of them")
    cells: list[dict[str, Any]] = [{}]
    for axis in axes:
        if axis.setting in OPTIONS and OPTIONS[axis.setting][0] in (LayerWeights, Shares):
            raise SettingsError(axis.setting, "its values are lists, and so it cannot be an axis")
        if len({_shown(value) for value in axis.values}) < len(axis.values):
            raise SettingsError(axis.setting, "a value stands twice")
        cells = [cell | {axis.setting: value} for cell in cells for value in axis.values]
    if len(cells) > MOST_CELLS:
        raise Problem("invalid", f"axes: they make {len(cells)} pictures, and a sheet has room for {MOST_CELLS}")
    return [(cell, orders.of_strangers(settings.replace(**cell))) for cell in cells]


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
