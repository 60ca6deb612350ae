"""Owns the path of the fast engine: a picture in, a picture out, at once."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from impasto.web.problems import Problem
from impasto.web.routes import asked
from impasto.web.routes.asked import Here, refusals
from impasto.web.studio import Studio

router = APIRouter(prefix="/api", tags=["fast"])

_TYPES = {"png": "image/png", "jpeg": "image/jpeg"}


@cache
def models() -> list[str]:
    """Names of the fast models that are here."""
    if importlib.util.find_spec("impasto.fast") is None:
        return []
    from impasto import assets

    return list(getattr(assets, "fast_models", list)())


@router.post("/fast", response_class=Response, responses=refusals(408, 413, 415, 422, 507))
async def fast(request: Request, studio: Here) -> Response:
    """Paint at once, by one pass of a network that has learned one painting or many."""
    if not models():
        raise Problem("not-available", "this studio has no fast models; ask for a job instead")
    fields: dict[str, str] = {}
    async with asked.Form.read(request) as parts:
        for name, part in parts:
            text = f"picture:{(await asked.kept(studio, part))[0].id}" if isinstance(part, UploadFile) else part
            if name in fields or name not in ("content", "model", "format", "strength"):
                raise Problem("invalid", f"{name[:80]!r}: there are content, model, format and strength, each once")
            fields[name] = text
    data, kind = await anyio.to_thread.run_sync(_painted, studio, fields)
    return Response(data, media_type=kind)


def _painted(studio: Studio, fields: dict[str, Any]) -> tuple[bytes, str]:
    for name in ("content", "model"):
        if name not in fields:
            raise Problem("invalid", f"{name} is missing")
    form = fields.get("format", "jpeg")
    if form not in _TYPES:
        raise Problem("invalid", f"format: it must be one of {', '.join(_TYPES)}")
    if fields["model"] not in models():
        raise Problem("invalid", f"model: there are {', '.join(models())}")
    try:
        strength = float(fields.get("strength", "1"))
    except ValueError:
        strength = -1.0
    if not 0 <= strength <= 1:
        raise Problem("invalid", "strength: it must be a number, 0 to 1")
    picture = studio.pictures.get(studio.intake.refer(fields["content"], "content")["id"])
    with studio.pictures.scratch() as out:
        studio.children.run(
            "fast",
            str(studio.pictures.file(picture)),
            studio.config.max_pixels,
            fields["model"],
            strength,
            form,
            str(out),
        )
        return out.read_bytes(), _TYPES[form]
