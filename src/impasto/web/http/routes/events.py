"""Owns the paths of the event streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from impasto._version import __version__
from impasto.web.http.routes.dependencies import Here, refusals
from impasto.web.http.routes.jobs import JobID
from impasto.web.http.streams import EventStream, event, kept_alive
from impasto.web.queue.job import Job, NoSuchJobError
from impasto.web.studio.studio import Studio

router = APIRouter(prefix="/api", tags=["events"])

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


@router.get("/events", response_class=EventStream, responses=_STREAM | refusals(429))
async def all_events(studio: Here) -> EventStream:
    """Changes of all jobs and of the queue."""
    studio.hub.check_room()
    return EventStream(_all(studio))


async def _all(studio: Studio) -> AsyncIterator[bytes]:
    with studio.hub.listening() as listener:
        queue = await asyncio.to_thread(studio.views.queue)
        yield event("hello", {"version": __version__, "boot": studio.boot, "queue": queue})
        async for sign in kept_alive(listener):
            if sign is not None:
                yield sign
                continue
            for job in listener.take("removed"):
                yield event("removed", {"id": job})
            changed = listener.take("changed")
            for job in changed:
                try:
                    yield event("job", await asyncio.to_thread(studio.views.job, job))
                except NoSuchJobError:
                    yield event("removed", {"id": job})
            for job in listener.take("progressed"):
                if (progress := await asyncio.to_thread(_progress, studio, job)) is not None:
                    yield event("progress", progress)
            if listener.queue:
                listener.queue = False
                yield event("queue", await asyncio.to_thread(studio.views.queue))


def _progress(studio: Studio, job_id: str) -> dict[str, Any] | None:
    try:
        job = studio.jobs.get(job_id)
    except NoSuchJobError:
        return None
    return {"id": job_id, "progress": studio.views.progress(job), "preview": studio.views.preview(job)}


@router.get(
    "/jobs/{id}/events",
    response_class=EventStream,
    responses=_STREAM | {204: {"description": "The job has ended; all events were sent."}} | refusals(404, 422, 429),
)
async def job_events(
    id: JobID, studio: Here, last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=40)] = None
) -> Response:
    """Changes of a job, until it ends."""
    studio.hub.check_room()
    job = await asyncio.to_thread(studio.jobs.get, id)
    known = int(last) if last is not None and last.isdecimal() and last.isascii() else 0
    if job.final and last is not None and known >= len(await asyncio.to_thread(studio.views.losses, id)):
        return Response(status_code=204)
    return EventStream(_one(studio, id, known))


async def _one(studio: Studio, job_id: str, known: int) -> AsyncIterator[bytes]:
    with studio.hub.listening(job_id) as listener:
        sent: dict[str, Any] = {"preview": None, "known": known}
        listener.changed.add(job_id)
        listener.progressed.add(job_id)
        listener.wake()
        async for sign in kept_alive(listener):
            if sign is not None:
                yield sign
                continue
            changed, progressed = listener.take("changed"), listener.take("progressed")
            try:
                job = await asyncio.to_thread(studio.jobs.get, job_id)
            except NoSuchJobError:
                yield event("removed", {"id": job_id})
                return
            if progressed or job.final:
                for one in await asyncio.to_thread(_news, studio, job, sent):
                    yield one
            if changed:
                yield event("job", await asyncio.to_thread(studio.views.job, job_id), str(sent["known"]))
            if job.final:
                return


def _news(studio: Studio, job: Job, sent: dict[str, Any]) -> list[bytes]:
    """The events that bring the client up to date."""
    news = []
    points = studio.views.losses(job.id)
    known = min(sent["known"], len(points))
    if len(points) != sent["known"]:
        sent["known"] = len(points)
        news.append(event("losses", {"from": known, "points": points[known:]}, str(len(points))))
    if (progress := studio.views.progress(job)) is not None:
        news.append(event("progress", {"id": job.id, "progress": progress, "preview": studio.views.preview(job)}))
    if (preview := studio.views.preview(job)) is not None and preview != sent["preview"]:
        sent["preview"] = preview
        news.append(event("preview", preview))
    return news
