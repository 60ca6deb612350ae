"""Owns the paths of jobs and of their queue."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from impasto.web import orders, problems, shapes
from impasto.web.files import PREVIEW
from impasto.web.job import STATES
from impasto.web.pictures import MEDIA_TYPES
from impasto.web.problems import Problem
from impasto.web.routes import asked
from impasto.web.routes.asked import Here, refusals
from impasto.web.routes.pictures import sent
from impasto.web.studio import Studio

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
                "schema": orders.JobOrder.model_json_schema(ref_template="#/components/schemas/{model}")
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
        description="A request repeated with the same key makes no second job.",
    ),
]


@router.post(
    "/jobs",
    status_code=202,
    response_model=shapes.JobShape,
    responses=refusals(408, 413, 415, 422, 429, 507),
    openapi_extra=_SUBMISSION,
)
async def submit(request: Request, response: Response, studio: Here, key: IdempotencyKey = None) -> dict[str, Any]:
    """Ask for a picture to be painted."""
    await anyio.to_thread.run_sync(studio.jobs.check_room_unless, key)
    order = await _order(request, studio)
    job, _ = await anyio.to_thread.run_sync(studio.submit, order, key)
    response.headers["location"] = f"/api/jobs/{job['id']}"
    return job


async def _order(request: Request, studio: Studio) -> orders.JobOrder:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            body = json.loads(await request.body())
        except (ValueError, RecursionError):
            raise Problem("bad-request", "the body is not JSON") from None
    elif kind == "multipart/form-data":
        fields: dict[str, list[str]] = {}
        async with asked.Form.read(request) as parts:
            for name, part in parts:
                text = f"picture:{(await asked.kept(studio, part))[0].id}" if isinstance(part, UploadFile) else part
                fields.setdefault(name, []).append(text)
        body = orders.of_form(fields)
    else:
        raise Problem("unsupported-media-type", f"send application/json or multipart/form-data, not {kind[:80]!r}")
    try:
        return orders.JobOrder.model_validate(body)
    except ValidationError as error:
        raise problems.of_validation(error.errors()) from None


@router.post("/estimate", response_model=shapes.EstimateShape, responses=refusals(413, 415, 422))
def estimate(order: orders.JobOrder, studio: Here) -> dict[str, Any]:
    """What a job would take, without asking for it."""
    return studio.intake.foretell(*studio.intake.resolved(order))


@router.get("/jobs", response_model=shapes.JobsShape, responses=refusals(422))
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


@router.post("/queue", response_model=shapes.QueueShape, responses=refusals(422))
def queue(order: orders.QueueOrder, studio: Here) -> dict[str, Any]:
    """Put the queue in another order, or halt it: then no new job is begun."""
    return studio.set_queue(order)


@router.get("/jobs/{id}", response_model=shapes.JobShape, responses=refusals(404, 422))
def job(id: JobID, studio: Here) -> dict[str, Any]:
    """A job."""
    return studio.views.job(id)


@router.get("/jobs/{id}/preview", response_class=FileResponse, responses=refusals(404, 422))
def preview(id: JobID, studio: Here) -> FileResponse:
    """The picture as it is, at most 512 px."""
    studio.jobs.get(id)
    path = studio.folders.of(id) / PREVIEW
    if not path.is_file():
        raise Problem("not-found", "there is nothing to see yet")
    return sent(path, "image/jpeg", headers={"cache-control": "no-cache"})


@router.get("/jobs/{id}/result", response_class=FileResponse, responses=refusals(404, 409, 422, 507))
def result(
    id: JobID, studio: Here, format: Literal["png", "jpeg", "tiff"] = "png", download: bool = False
) -> FileResponse:
    """The finished picture, with its settings inside."""
    found = studio.jobs.get(id)
    if found.result is None:
        raise Problem("conflict", f"the job is {found.state}, so it has no result")
    picture = studio.pictures.get(found.result["id"])
    path = studio.pictures.file(picture) if format == "png" else studio.pictures.converted(picture, format)
    name = f"{found.spec['name']}.{format}" if download else None
    return sent(path, MEDIA_TYPES[_FORMATS[format]], name)


@router.get("/jobs/{id}/losses", response_model=shapes.LossesShape, responses=refusals(404, 422))
def losses(id: JobID, studio: Here) -> dict[str, Any]:
    """The losses after every iteration so far."""
    return {"points": studio.views.losses(id)}


@router.post("/jobs/{id}/settings", response_model=shapes.JobShape, responses=_ACTION)
def change(id: JobID, body: orders.Change, studio: Here) -> dict[str, Any]:
    """Change settings, weights or masks; one that is being painted goes on from there."""
    return studio.change(id, body)


@router.post("/jobs/{id}/extend", response_model=shapes.JobShape, status_code=202, responses=_ACTION)
def extend(id: JobID, body: orders.Extension, response: Response, studio: Here) -> dict[str, Any]:
    """Paint longer; one that has finished is gone on from by a new job."""
    goes_on, _ = studio.extend(id, body.iterations)
    response.headers["location"] = f"/api/jobs/{goes_on['id']}"
    return goes_on


@router.post("/jobs/{id}/move", response_model=shapes.JobShape, responses=_ACTION)
def move(id: JobID, body: orders.Place, studio: Here) -> dict[str, Any]:
    """Give it another place in the queue."""
    return studio.move(id, body.to)


@router.post("/jobs/{id}/star", response_model=shapes.JobShape, responses=_ACTION)
def star(id: JobID, body: orders.Star, studio: Here) -> dict[str, Any]:
    """Mark it, or not."""
    return studio.star(id, body.starred)


def _action(name: str, meaning: str) -> None:
    @router.post(
        f"/jobs/{{id}}/{name}", response_model=shapes.JobShape, responses=_ACTION, name=name, description=meaning
    )
    def act(id: JobID, studio: Here) -> dict[str, Any]:
        return studio.act(id, name)


for _name, _meaning in {
    "cancel": "Throw it away.",
    "stop": "Keep what is there as the result.",
    "pause": "Lay it aside; one that is being painted, at a checkpoint.",
    "resume": "Let it have its turn again.",
    "retry": "Put one that failed or was canceled back into the queue.",
    "delete": "Throw it into the bin, for a day.",
    "undelete": "Take it back out of the bin.",
}.items():
    _action(_name, _meaning)
