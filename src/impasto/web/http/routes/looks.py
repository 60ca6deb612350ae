"""Owns the path of looks: a photograph in the style of several paintings at once, small."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from impasto.web.http.routes.dependencies import Here, refusals
from impasto.web.schema import requests, responses

router = APIRouter(prefix="/api", tags=["fast"])


@router.post("/looks", response_model=responses.LooksResponse, responses=refusals(413, 415, 422, 429, 507))
def looks(body: requests.LooksRequest, studio: Here) -> dict[str, Any]:
    """The photograph in the style of each of the paintings, by the fast engine, as small data URLs."""
    return studio.looks.paint(body)
