"""Owns the path of the fast engine: a picture in, a picture out, at once."""

from __future__ import annotations

import anyio.to_thread
from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from impasto.web.fast import TYPES, models
from impasto.web.problems import Problem
from impasto.web.routes import asked
from impasto.web.routes.asked import Here, refusals

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
                        "size": {"type": "integer", "description": "The long side; no picture is made larger."},
                        "format": {"enum": list(TYPES)},
                    },
                }
            }
        },
    }
}


@router.post("/fast", response_class=Response, responses=refusals(408, 413, 415, 422, 429, 507), openapi_extra=_FORM)
async def fast(request: Request, studio: Here) -> Response:
    """Paint at once, by one pass of a network: rougher than a job, and a thousand times quicker."""
    if not models():
        raise Problem("not-available", "this studio has no fast models; ask for a job instead")
    fields: dict[str, list[str]] = {}
    async with asked.Form.read(request) as parts:
        for name, part in parts:
            text = f"picture:{(await asked.kept(studio, part))[0].id}" if isinstance(part, UploadFile) else part
            if name not in _FIELDS or (name in fields and name not in _SEVERAL):
                raise Problem(
                    "invalid", f"{name[:80]!r}: there are {', '.join(_FIELDS)}; only style and weight more than once"
                )
            fields.setdefault(name, []).append(text)
    data, kind = await anyio.to_thread.run_sync(studio.fast.paint, fields)
    return Response(data, media_type=kind)
