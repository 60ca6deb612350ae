"""Owns the paths of sweeps."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from fastapi.responses import FileResponse

from impasto.web import orders, shapes
from impasto.web.routes.asked import Here, refusals
from impasto.web.routes.jobs import IdempotencyKey
from impasto.web.routes.pictures import sent

router = APIRouter(prefix="/api", tags=["sweeps"])

SweepID = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]


@router.post("/sweeps", status_code=202, response_model=shapes.SweepShape, responses=refusals(413, 415, 422, 429, 507))
def submit(order: orders.SweepOrder, response: Response, studio: Here, key: IdempotencyKey = None) -> dict[str, Any]:
    """Ask for a job in many variants, on one labelled sheet."""
    sweep = studio.sheets.submit(order, key)
    response.headers["location"] = f"/api/sweeps/{sweep['id']}"
    return sweep


@router.get("/sweeps", response_model=shapes.SweepsShape, responses=refusals())
def listed(studio: Here) -> dict[str, Any]:
    """All sweeps, the newest first."""
    return {"sweeps": studio.sheets.all()}


@router.get("/sweeps/{id}", response_model=shapes.SweepShape, responses=refusals(404, 422))
def sweep(id: SweepID, studio: Here) -> dict[str, Any]:
    """A sweep and its jobs."""
    return studio.sheets.get(id)


@router.get("/sweeps/{id}/sheet", response_class=FileResponse, responses=refusals(404, 409, 422, 507))
def sheet(id: SweepID, studio: Here, download: bool = False) -> FileResponse:
    """The labelled sheet, as PNG."""
    return sent(
        studio.sheets.sheet(id), "image/png", f"sweep-{id}.png" if download else None, {"cache-control": "no-cache"}
    )


@router.post("/sweeps/{id}/cancel", response_model=shapes.SweepShape, responses=refusals(404, 422))
def cancel(id: SweepID, studio: Here) -> dict[str, Any]:
    """Cancel what of it is not painted yet."""
    return studio.sheets.cancel(id)
