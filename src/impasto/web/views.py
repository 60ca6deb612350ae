"""Owns what is shown of jobs and pictures: what the database knows and what only this process does, put together."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from impasto.settings import Settings
from impasto.web import shapes
from impasto.web.files import LOSSES, PREVIEW, PREVIEW_SIDE, Folders
from impasto.web.foreman import Live
from impasto.web.job import RUNNING, Job
from impasto.web.jobs import Jobs
from impasto.web.pictures import Picture, Pictures


class Views:
    """Shows jobs and pictures.

    Args:
        jobs, pictures, folders: what there is.
        live: what is being painted, by id.
    """

    def __init__(self, jobs: Jobs, pictures: Pictures, folders: Folders, live: Mapping[str, Live]) -> None:
        self._jobs, self._pictures, self._folders, self._live = jobs, pictures, folders, live

    def job(self, job_id: str) -> dict[str, Any]:
        """A job.

        Raises:
            NoSuchJobError: there is none of that id.
        """
        return self.all([self._jobs.get(job_id)])[0]

    def all(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """Several jobs."""
        order = {job: place for place, job in enumerate(self._jobs.order())} if jobs else {}
        ids = {one["id"] for job in jobs for one in job.pictures}
        found = {id: picture for id in ids if (picture := self._pictures.find(id)) is not None}
        return [
            shapes.job(
                job,
                found,
                _changed(job.wanted),
                position=order.get(job.id),
                progress=self.progress(job),
                preview=self.preview(job),
            )
            for job in jobs
        ]

    def progress(self, job: Job) -> dict[str, Any] | None:
        """Where a job is."""
        live = self._live.get(job.id)
        if live is not None and live.progress is not None and job.state == RUNNING:
            return live.progress
        return job.progress

    def preview(self, job: Job) -> dict[str, Any] | None:
        """What is known of a job's preview."""
        live = self._live.get(job.id)
        known = live.preview if live is not None else None
        if known is None and job.progress is not None:
            try:
                version = (self._folders.of(job.id) / PREVIEW).stat().st_mtime_ns // 100_000_000
            except FileNotFoundError:
                return None
            height, width = job.progress["size"]
            shrink = min(1.0, PREVIEW_SIDE / max(height, width))
            known = {"width": round(width * shrink), "height": round(height * shrink), "version": version}
        if known is None:
            return None
        return {**known, "url": f"/api/jobs/{job.id}/preview?v={known['version']}"}

    def losses(self, job_id: str) -> list[dict[str, Any]]:
        """The losses of a job so far."""
        live = self._live.get(job_id)
        if live is not None and live.points:
            return list(live.points)
        self._jobs.get(job_id)
        try:
            lines = (self._folders.of(job_id) / LOSSES).read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return []
        points = []
        for line in lines:
            # The last line of a file whose writer was killed may be a half.
            with contextlib.suppress(ValueError):
                points.append(json.loads(line))
        return points

    def queue(self) -> dict[str, Any]:
        """What waits and what runs."""
        return {"paused": self._jobs.all_paused, "order": self._jobs.order(), "running": self._jobs.running()}

    def picture(self, one: Picture) -> dict[str, Any]:
        """A picture by itself."""
        return shapes.picture(one, recipe=self.recipe(one.recipe) if one.recipe else None)

    def recipe(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """A recipe, with its pictures as references where they are known here."""

        def known(note: Mapping[str, str] | None) -> dict[str, Any] | None:
            if note is None:
                return None
            picture = self._pictures.find(note["sha256"])
            ref = None if picture is None else shapes.picture(picture)["ref"]
            return {"name": note["name"], "ref": ref}

        return {
            **found,
            **{name: known(found[name]) for name in ("content", "content_map", "init")},
            **{name: [known(one) for one in found[name]] for name in ("styles", "masks", "style_masks")},
        }


def _changed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that differ from the defaults; those of an older version are shown, though they may be none now."""
    default = Settings().to_mapping()
    return {name: value for name, value in settings.items() if name not in default or value != default[name]}
