"""Owns the paths of sweeps."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from fastapi.responses import FileResponse

from impasto.web.http.routes.dependencies import Here, refusals
from impasto.web.http.routes.jobs import IdempotencyKey
from impasto.web.http.routes.pictures import file_response
from impasto.web.schema import requests, responses

router = APIRouter(prefix="/api", tags=["sweeps"])

SweepID = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]


@router.post(
    "/sweeps", status_code=202, response_model=responses.SweepResponse, responses=refusals(413, 415, 422, 429, 507)
)
def submit(body: requests.SweepRequest, response: Response, studio: Here, key: IdempotencyKey = None) -> dict[str, Any]:
    """Queue a job for each combination of values."""
    sweep = studio.sweeps.submit(body, key)
    response.headers["location"] = f"/api/sweeps/{sweep['id']}"
    return sweep


@router.get("/sweeps", response_model=responses.SweepsResponse, responses=refusals())
def listed(studio: Here) -> dict[str, Any]:
    """All sweeps, the newest first."""
    return {"sweeps": studio.sweeps.all()}


@router.get("/sweeps/{id}", response_model=responses.SweepResponse, responses=refusals(404, 422))
def sweep(id: SweepID, studio: Here) -> dict[str, Any]:
    """A sweep and its jobs."""
    return studio.sweeps.get(id)


@router.get("/sweeps/{id}/sheet", response_class=FileResponse, responses=refusals(404, 409, 422, 507))
def sheet(id: SweepID, studio: Here, download: bool = False) -> FileResponse:
    """The labelled sheet of the results, as PNG."""
    return file_response(
        studio.sweeps.sheet(id), "image/png", f"sweep-{id}.png" if download else None, {"cache-control": "no-cache"}
    )


@router.post("/sweeps/{id}/cancel", response_model=responses.SweepResponse, responses=refusals(404, 422))
def cancel(id: SweepID, studio: Here) -> dict[str, Any]:
    """Cancel its jobs that have not ended."""
    return studio.sweeps.cancel(id)
