"""Owns the path of the fast engine: a picture in, a picture out, at once."""

from __future__ import annotations

from functools import cache
from pathlib import PurePosixPath
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from impasto import assets
from impasto.web.problems import Problem
from impasto.web.routes import asked
from impasto.web.routes.asked import Here, refusals
from impasto.web.studio import Studio

router = APIRouter(prefix="/api", tags=["fast"])

_TYPES = {"png": "image/png", "jpeg": "image/jpeg"}
_FIELDS = ("content", "style", "model", "strength", "format")
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
                        "model": {"type": "string"},
                        "strength": {"type": "number", "minimum": 0, "maximum": 1},
                        "format": {"enum": list(_TYPES)},
                    },
                }
            }
        },
    }
}


@cache
def models() -> list[str]:
    """Names of the fast models that are here."""
    files = [PurePosixPath(asset.path) for asset in assets.manifest()]
    return [file.stem for file in files if file.parent.name == "models"]


@router.post("/fast", response_class=Response, responses=refusals(408, 413, 415, 422, 507), openapi_extra=_FORM)
async def fast(request: Request, studio: Here) -> Response:
    """Paint at once, by one pass of a network: rougher than a job, and a thousand times quicker."""
    if not models():
        raise Problem("not-available", "this studio has no fast models; ask for a job instead")
    fields: dict[str, list[str]] = {}
    async with asked.Form.read(request) as parts:
        for name, part in parts:
            text = f"picture:{(await asked.kept(studio, part))[0].id}" if isinstance(part, UploadFile) else part
            if name not in _FIELDS or (name in fields and name != "style"):
                raise Problem("invalid", f"{name[:80]!r}: there are {', '.join(_FIELDS)}, each but style once")
            fields.setdefault(name, []).append(text)
    data, kind = await anyio.to_thread.run_sync(_painted, studio, fields)
    return Response(data, media_type=kind)


def _painted(studio: Studio, fields: dict[str, list[str]]) -> tuple[bytes, str]:
    for name in ("content", "style"):
        if name not in fields:
            raise Problem("invalid", f"{name} is missing")
    given = {name: values[0] for name, values in fields.items()}
    kind = given.get("format", "jpeg")
    if kind not in _TYPES:
        raise Problem("invalid", f"format: it must be one of {', '.join(_TYPES)}")
    model = given.get("model", models()[0])
    if model not in models():
        raise Problem("invalid", f"model: there are {', '.join(models())}")
    try:
        strength = float(given.get("strength", "1"))
    except ValueError:
        strength = -1.0
    if not 0 <= strength <= 1:
        raise Problem("invalid", "strength: it must be a number, 0 to 1")
    order: dict[str, Any] = {
        "content": _path(studio, given["content"], "content"),
        # A name of a style that the model has learned, or a painting.
        "styles": [_path(studio, one, "style") if ":" in one else one for one in fields["style"]],
        "model": model,
        "strength": strength,
        "format": kind,
    }
    with studio.pictures.scratch() as out:
        studio.children.run("fast", order, studio.config.max_pixels, str(out))
        return out.read_bytes(), _TYPES[kind]


def _path(studio: Studio, ref: str, field: str) -> str:
    return str(studio.pictures.path(studio.intake.refer(ref, field)["id"]))
