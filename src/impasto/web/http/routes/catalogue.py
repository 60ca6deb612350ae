"""Owns the paths of samples, presets, settings, the machine and its metrics."""

from __future__ import annotations

import platform
import shutil
import typing
from functools import cache
from typing import Any, Literal

from fastapi import APIRouter, Response

from impasto import assets
from impasto._version import __version__
from impasto.presets import DEFAULT, presets
from impasto.settings import GROUPS, OPTIONS, LayerWeights, Settings, Shares
from impasto.web.http.routes.dependencies import Here, refusals
from impasto.web.http.routes.forms import MOST_FIELDS, MOST_FILES
from impasto.web.schema import responses
from impasto.web.storage.pictures import MEDIA_TYPES
from impasto.web.studio.fast import models
from impasto.web.telemetry import METRICS_TYPE

router = APIRouter(tags=["catalogue"])

RESULT_FORMATS = ("png", "jpeg", "tiff")
_TYPES: dict[Any, str] = {int: "integer", float: "number", str: "text", LayerWeights: "layers", Shares: "shares"}


@router.get("/api/samples", response_model=responses.SamplesResponse, responses=refusals())
def samples(studio: Here) -> dict[str, Any]:
    """The bundled pictures."""
    return {
        "samples": [
            responses.picture(studio.pictures.sample(one.name))
            | {"kind": one.kind, "title": one.title, "author": one.author, "licence": one.licence}
            for one in assets.samples()
        ]
    }


@router.get("/api/presets", response_model=responses.PresetsResponse, responses=refusals())
def all_presets() -> dict[str, Any]:
    """The bundled presets."""
    return {
        "default": DEFAULT,
        "presets": [
            {"name": one.name, "description": one.description, "values": dict(one.values)} for one in presets()
        ],
    }


@router.get("/api/settings", response_model=responses.SettingsResponse, responses=refusals())
def all_settings() -> dict[str, Any]:
    """Every setting: type, range, default and meaning."""
    return {"groups": list(GROUPS), "settings": _settings()}


@cache
def _settings() -> list[dict[str, Any]]:
    default = Settings().to_mapping()
    described = []
    for name, (kind, option) in OPTIONS.items():
        literal = typing.get_origin(kind) is Literal
        # Here `init` accepts its words only; a picture to start from is a field of the job.
        described.append(
            {
                "name": name,
                "group": option.group,
                "type": "choice" if literal else _TYPES[kind],
                "meaning": option.meaning,
                "unit": option.unit,
                "range": option.range,
                "default": default[name],
                "low": option.low,
                "high": option.high,
                "choices": list(typing.get_args(kind)) if literal else [],
                "words": list(option.words),
                "open_ended": option.open_ended and name != "init",
                "live": option.live,
            }
        )
    return described


@router.get("/api/system", responses=refusals())
def system(studio: Here) -> dict[str, Any]:
    """Versions, devices and limits."""
    config = studio.config
    return {
        "versions": {"impasto": __version__, "python": platform.python_version()},
        "machine": studio.sandbox.run("system"),
        "workers": config.workers,
        "disk_free": shutil.disk_usage(config.data).free,
        "limits": {
            "max_pixels": config.max_pixels,
            "max_bytes": config.max_bytes,
            "max_files": MOST_FILES,
            "max_fields": MOST_FIELDS,
            "max_queue": config.max_queue,
            "formats": list(MEDIA_TYPES),
            "result_formats": list(RESULT_FORMATS),
        },
        "fast": {"available": bool(models()), "models": models()},
    }


@router.get("/metrics", response_class=Response, responses=refusals())
def metrics(studio: Here) -> Response:
    """Metrics for Prometheus."""
    return Response(studio.metrics.text(), media_type=METRICS_TYPE)
