"""Owns the paths of pictures: upload, download, thumbnails, tiles and properties."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path as FilePath
from typing import Annotated, Any
from urllib.parse import quote

import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.datastructures import UploadFile

from impasto.web.http.routes import forms
from impasto.web.http.routes.dependencies import Here, refusals
from impasto.web.problems import Problem
from impasto.web.schema import responses
from impasto.web.storage.pictures import DEFAULT_SIDE, MEDIA_TYPES, THUMBNAIL_SIDES

router = APIRouter(prefix="/api", tags=["pictures"])

PictureID = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of the file.")]
Whole = Annotated[int, Path(ge=0, le=100_000)]
FOREVER = {"cache-control": "private, max-age=31536000, immutable"}
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


@router.post(
    "/pictures",
    status_code=201,
    response_model=responses.PictureResponse,
    responses={
        200: {"model": responses.PictureResponse, "description": "It was stored already."},
        **refusals(408, 413, 415, 422, 507),
    },
    openapi_extra=_FORM,
)
async def upload(request: Request, response: Response, studio: Here) -> dict[str, Any]:
    """Store a picture under the SHA-256 of its file."""
    async with forms.read(request) as parts:
        picture, new = await forms.store(studio, _only_file(parts))
    response.status_code = 201 if new else 200
    response.headers["location"] = f"/api/pictures/{picture.id}"
    return await anyio.to_thread.run_sync(studio.views.picture, picture)


@router.post("/recipe", responses=refusals(408, 413, 415, 422, 507), openapi_extra=_FORM)
async def recipe(request: Request, studio: Here) -> dict[str, Any]:
    """The settings in a picture that Impasto painted. The picture is not stored."""
    async with forms.read(request) as parts:
        return await anyio.to_thread.run_sync(forms.read_recipe, studio, _only_file(parts))


@router.get("/pictures/{id}", response_class=FileResponse, responses=refusals(404, 422))
def picture(id: PictureID, studio: Here, download: bool = False) -> FileResponse:
    """The uploaded file, unchanged."""
    found = studio.pictures.get(id)
    return file_response(studio.pictures.file(found), MEDIA_TYPES[found.format], found.name if download else None)


@router.get("/pictures/{id}/info", response_model=responses.PictureResponse, responses=refusals(404, 422))
def info(id: PictureID, studio: Here) -> dict[str, Any]:
    """The properties of a picture."""
    return studio.views.picture(studio.pictures.get(id))


@router.get("/pictures/{id}/thumbnail", response_class=FileResponse, responses=refusals(404, 422, 507))
def thumbnail(
    id: PictureID,
    studio: Here,
    side: Annotated[int, Query(description=f"One of {', '.join(map(str, THUMBNAIL_SIDES))}.")] = DEFAULT_SIDE,
) -> FileResponse:
    """The picture as a small JPEG."""
    if side not in THUMBNAIL_SIDES:
        raise Problem("invalid", f"side: got {side}; it must be one of {', '.join(map(str, THUMBNAIL_SIDES))}")
    return file_response(studio.pictures.thumbnail(studio.pictures.get(id), side), "image/jpeg")


@router.get("/pictures/{id}/tiles/{level}/{x}/{y}", response_class=FileResponse, responses=refusals(404, 422, 507))
def tile(id: PictureID, level: Whole, x: Whole, y: Whole, studio: Here) -> FileResponse:
    """A tile of a picture. Level 0 is full size, each further level half of it."""
    return file_response(studio.pictures.tile(studio.pictures.get(id), level, x, y), "image/jpeg")


def file_response(
    path: FilePath, media_type: str, download: str | None = None, headers: Mapping[str, str] = FOREVER
) -> FileResponse:
    """A response with a file; `download` is the name under which browsers save it."""
    try:
        modified = path.stat().st_mtime
    except OSError:
        raise Problem("not-found", "the file is gone") from None
    more = {**headers, "last-modified": formatdate(modified, usegmt=True)}
    if download is not None:
        plain = re.sub(r"[^A-Za-z0-9._+-]", "_", download)
        more["content-disposition"] = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(download)}"
    return FileResponse(path, media_type=media_type, headers=more)


def _only_file(parts: list[tuple[str, str | UploadFile]]) -> UploadFile:
    files = [part for name, part in parts if name == "file" and isinstance(part, UploadFile)]
    if len(files) != 1 or len(parts) != 1:
        raise Problem("invalid", "file: send exactly one picture, in the field file")
    return files[0]
