"""Owns the path of painting with a fast model."""

from __future__ import annotations

import anyio.to_thread
from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from impasto.web.http.routes import forms
from impasto.web.http.routes.dependencies import Here, refusals
from impasto.web.problems import Problem
from impasto.web.studio.fast import TYPES, models

router = APIRouter(prefix="/api", tags=["fast"])

_SEVERAL = ("style", "weight")
_FIELDS = ("content", *_SEVERAL, "model", "strength", "size", "format")
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["content", "style"],
                    "properties": {
                        "content": {"type": "string", "format": "binary"},
                        "style": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "weight": {"type": "array", "items": {"type": "number", "minimum": 0}},
                        "model": {"type": "string"},
                        "strength": {"type": "number", "minimum": 0, "maximum": 1},
                        "size": {
                            "type": "integer",
                            "description": "The long side, in pixels; never enlarges.",
                        },
                        "format": {"enum": list(TYPES)},
                    },
                }
            }
        },
    }
}


@router.post("/fast", response_class=Response, responses=refusals(408, 413, 415, 422, 429, 507), openapi_extra=_FORM)
async def fast(request: Request, studio: Here) -> Response:
    """Paint with one pass of a fast model: coarser than a job, and about a thousand times faster."""
    if not models():
        raise Problem("not-available", "this studio has no fast models; submit a job instead")
    fields: dict[str, list[str]] = {}
    async with forms.read(request) as parts:
        for name, part in parts:
            text = f"picture:{(await forms.store(studio, part))[0].id}" if isinstance(part, UploadFile) else part
            if name not in _FIELDS or (name in fields and name not in _SEVERAL):
                raise Problem(
                    "invalid",
                    f"{name[:80]!r}: fields are {', '.join(_FIELDS)}; only style and weight may repeat",
                )
            fields.setdefault(name, []).append(text)
    data, kind = await anyio.to_thread.run_sync(studio.fast.paint, fields)
    return Response(data, media_type=kind)
