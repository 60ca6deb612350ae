"""Owns the paths of jobs and of their queue."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import ValidationError

from impasto.web.http import handlers
from impasto.web.http.routes import forms
from impasto.web.http.routes.dependencies import Here, refusals
from impasto.web.http.routes.pictures import file_response
from impasto.web.problems import Problem
from impasto.web.queue.job import STATES
from impasto.web.schema import requests, responses
from impasto.web.storage.folders import PREVIEW
from impasto.web.storage.pictures import MEDIA_TYPES
from impasto.web.studio import validation
from impasto.web.studio.studio import Studio

router = APIRouter(prefix="/api", tags=["jobs"])

JobID = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
State = Literal["queued", "running", "succeeded", "failed", "canceled"]
_FORMATS = {"png": "PNG", "jpeg": "JPEG", "tiff": "TIFF"}
_ACTION = refusals(404, 409, 422, 429, 507)
_PICTURE = {"type": "array", "items": {"type": "string", "format": "binary"}}
_SUBMISSION = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": requests.JobRequest.model_json_schema(ref_template="#/components/schemas/{model}")
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["content", "style"],
                    "properties": {
                        "content": {"type": "string", "format": "binary"},
                        "style": _PICTURE,
                        "mask": _PICTURE,
                        "style_mask": _PICTURE,
                        "content_map": {"type": "string", "format": "binary"},
                        "init": {"type": "string", "format": "binary"},
                        "preset": {"type": "string"},
                        "settings": {"type": "string", "description": "JSON; settings may be fields of their own."},
                    },
                }
            },
        },
    }
}
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="A repeated request with the same key queues no second job.",
    ),
]


@router.post(
    "/jobs",
    status_code=202,
    response_model=responses.JobResponse,
    responses=refusals(408, 413, 415, 422, 429, 507),
    openapi_extra=_SUBMISSION,
)
async def submit(request: Request, response: Response, studio: Here, key: IdempotencyKey = None) -> dict[str, Any]:
    """Queue a job."""
    await anyio.to_thread.run_sync(studio.jobs.check_room_unless, key)
    order = await _order(request, studio)
    job, _ = await anyio.to_thread.run_sync(studio.submit, order, key)
    response.headers["location"] = f"/api/jobs/{job['id']}"
    return job


async def _order(request: Request, studio: Studio) -> requests.JobRequest:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            body = json.loads(await request.body())
        except (ValueError, RecursionError):
            raise Problem("bad-request", "the body is not JSON") from None
    elif kind == "multipart/form-data":
        fields: dict[str, list[str]] = {}
        for name, value in await forms.read_with_pictures(request, studio):
            fields.setdefault(name, []).append(value)
        body = requests.from_form(fields)
    else:
        raise Problem("unsupported-media-type", f"send application/json or multipart/form-data, not {kind[:80]!r}")
    try:
        return requests.JobRequest.model_validate(body)
    except ValidationError as error:
        raise handlers.from_validation_errors(error.errors()) from None


@router.post("/estimate", response_model=responses.EstimateResponse, responses=refusals(413, 415, 422))
def estimate(body: requests.JobRequest, studio: Here) -> dict[str, Any]:
    """What a job would need, without queueing it."""
    found = studio.validator.estimate(*studio.validator.spec(body))
    return {**found, "fits": validation.fits(found), "possible": not validation.exceeds_memory(found)}


@router.get("/jobs", response_model=responses.JobsResponse, responses=refusals(422))
def listed(
    studio: Here,
    state: Annotated[list[State], Query(max_length=len(STATES))] = [],  # noqa: B006 - FastAPI copies it
    starred: bool | None = None,
    deleted: bool = False,
    sweep: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[int | None, Query(ge=0, le=2**62, description="What `next` said.")] = None,
) -> dict[str, Any]:
    """Jobs, the newest first."""
    found = studio.jobs.find(
        states=state, starred=starred, deleted=deleted, sweep=sweep, before=before, limit=limit + 1
    )
    more = str(found[limit - 1].number) if len(found) > limit else None
    return {"jobs": studio.views.all(found[:limit]), "next": more, "queue": studio.views.queue()}


@router.post("/queue", response_model=responses.QueueResponse, responses=refusals(422))
def queue(body: requests.QueueRequest, studio: Here) -> dict[str, Any]:
    """Reorder the queue, or pause it: then no new job is started."""
    return studio.set_queue(body)


@router.get("/jobs/{id}", response_model=responses.JobResponse, responses=refusals(404, 422))
def job(id: JobID, studio: Here) -> dict[str, Any]:
    """A job."""
    return studio.views.job(id)


@router.get("/jobs/{id}/preview", response_class=FileResponse, responses=refusals(404, 422))
def preview(id: JobID, studio: Here) -> FileResponse:
    """The current picture, at most 512 pixels wide or high."""
    studio.jobs.get(id)
    path = studio.folders.of(id) / PREVIEW
    if not path.is_file():
        raise Problem("not-found", "there is no preview yet")
    return file_response(path, "image/jpeg", headers={"cache-control": "no-cache"})


@router.get("/jobs/{id}/result", response_class=FileResponse, responses=refusals(404, 409, 422, 507))
def result(
    id: JobID, studio: Here, format: Literal["png", "jpeg", "tiff"] = "png", download: bool = False
) -> FileResponse:
    """The finished picture; the file contains its settings."""
    found = studio.jobs.get(id)
    if found.result is None:
        raise Problem("conflict", f"the job is {found.state}, so it has no result")
    picture = studio.pictures.get(found.result["id"])
    path = studio.pictures.file(picture) if format == "png" else studio.pictures.converted(picture, format)
    name = f"{found.spec['name']}.{format}" if download else None
    return file_response(path, MEDIA_TYPES[_FORMATS[format]], name)


@router.get("/jobs/{id}/losses", response_model=responses.LossesResponse, responses=refusals(404, 422))
def losses(id: JobID, studio: Here) -> dict[str, Any]:
    """The weighted losses after each iteration."""
    return {"points": studio.views.losses(id)}


@router.post("/jobs/{id}/settings", response_model=responses.JobResponse, responses=_ACTION)
def change(id: JobID, body: requests.ChangeRequest, studio: Here) -> dict[str, Any]:
    """Change settings, weights or masks; a running job continues with them."""
    return studio.change(id, body)


@router.post("/jobs/{id}/extend", response_model=responses.JobResponse, status_code=202, responses=_ACTION)
def extend(id: JobID, body: requests.ExtendRequest, response: Response, studio: Here) -> dict[str, Any]:
    """Paint longer. A finished job is continued by a new one."""
    continuation, _ = studio.extend(id, body.iterations)
    response.headers["location"] = f"/api/jobs/{continuation['id']}"
    return continuation


@router.post("/jobs/{id}/move", response_model=responses.JobResponse, responses=_ACTION)
def move(id: JobID, body: requests.MoveRequest, studio: Here) -> dict[str, Any]:
    """Move it to another index in the queue."""
    return studio.move(id, body.to)


@router.post("/jobs/{id}/star", response_model=responses.JobResponse, responses=_ACTION)
def star(id: JobID, body: requests.StarRequest, studio: Here) -> dict[str, Any]:
    """Star it, or remove the star."""
    return studio.star(id, body.starred)


def _action(name: str, meaning: str) -> None:
    @router.post(
        f"/jobs/{{id}}/{name}", response_model=responses.JobResponse, responses=_ACTION, name=name, description=meaning
    )
    def act(id: JobID, studio: Here) -> dict[str, Any]:
        return studio.act(id, name)


for _name, _meaning in {
    "cancel": "End it without a result.",
    "stop": "End it with its current picture as the result.",
    "pause": "Pass over it until it is resumed; a running job stops at a checkpoint.",
    "resume": "Undo `pause`.",
    "retry": "Queue a failed or canceled job again.",
    "delete": "Delete it; for a day this can be undone.",
    "undelete": "Undo `delete`.",
}.items():
    _action(_name, _meaning)
