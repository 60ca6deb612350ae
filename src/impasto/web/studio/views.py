"""Owns the views: jobs and pictures as responses, from the database and from what this process keeps in memory."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from impasto.settings import Settings
from impasto.web.queue.job import RUNNING, Job
from impasto.web.queue.jobs import Jobs
from impasto.web.schema import responses
from impasto.web.storage.folders import LOSSES, PREVIEW, PREVIEW_SIDE, Folders
from impasto.web.storage.pictures import Picture, PictureStore
from impasto.web.workers.dispatcher import ActiveJob


class Views:
    """Builds responses.

    Args:
        jobs, pictures, folders: the stored state.
        active: jobs that are being painted, by id.
    """

    def __init__(self, jobs: Jobs, pictures: PictureStore, folders: Folders, active: Mapping[str, ActiveJob]) -> None:
        self._jobs, self._pictures, self._folders, self._active = jobs, pictures, folders, active

    def job(self, job_id: str) -> dict[str, Any]:
        """A job.

        Raises:
            NoSuchJobError: there is none with that id.
        """
        return self.all([self._jobs.get(job_id)])[0]

    def all(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """Several jobs."""
        order = {job: index for index, job in enumerate(self._jobs.order())} if jobs else {}
        ids = {id for job in jobs for id in job.picture_ids}
        found = {id: picture for id in ids if (picture := self._pictures.find(id)) is not None}
        return [
            responses.job(
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
        """A job's position."""
        active = self._active.get(job.id)
        if active is not None and active.progress is not None and job.state == RUNNING:
            return active.progress
        return job.progress

    def preview(self, job: Job) -> dict[str, Any] | None:
        """Size, version and address of a job's preview; None if there is none."""
        active = self._active.get(job.id)
        known = active.preview if active is not None else None
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
        active = self._active.get(job_id)
        if active is not None and active.points:
            return list(active.points)
        self._jobs.get(job_id)
        try:
            lines = (self._folders.of(job_id) / LOSSES).read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return []
        points = []
        for line in lines:
            # The last line may be incomplete if its writer was killed.
            with contextlib.suppress(ValueError):
                points.append(json.loads(line))
        return points

    def queue(self) -> dict[str, Any]:
        """The queued and the running jobs."""
        return {"paused": self._jobs.all_paused, "order": self._jobs.order(), "running": self._jobs.running()}

    def picture(self, one: Picture) -> dict[str, Any]:
        """A picture with its recipe."""
        return responses.picture(one, recipe=self.recipe(one.recipe) if one.recipe else None)

    def recipe(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """A recipe, with references to those of its pictures that are stored here."""

        def known(note: Mapping[str, str] | None) -> dict[str, Any] | None:
            if note is None:
                return None
            picture = self._pictures.find(note["sha256"])
            ref = None if picture is None else responses.picture(picture)["ref"]
            return {"name": note["name"], "ref": ref}

        return {
            **found,
            **{name: known(found[name]) for name in ("content", "content_map", "init")},
            **{name: [known(one) for one in found[name]] for name in ("styles", "masks", "style_masks")},
        }


def _changed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that differ from the defaults, including settings of older versions that no longer exist."""
    default = Settings().to_mapping()
    return {name: value for name, value in settings.items() if name not in default or value != default[name]}
