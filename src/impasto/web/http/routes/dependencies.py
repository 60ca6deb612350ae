"""Owns what all routes share: access to the studio, and the errors in the API's description."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import Depends, Request

from impasto.web import problems
from impasto.web.schema.responses import ProblemResponse
from impasto.web.studio.studio import Studio


def _studio(request: Request) -> Studio:
    return cast(Studio, request.app.state.studio)


#: The studio, as a parameter of a route.
Here = Annotated[Studio, Depends(_studio)]


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error responses of a route, for the API's description."""
    titles: dict[int, str] = {}
    for status, title in problems.KINDS.values():
        titles.setdefault(status, title)
    wanted = {400, 401, 403, 429, 503, *statuses}
    content = {problems.MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemResponse.__name__}"}}}
    return {status: {"description": titles[status], "content": content} for status in sorted(wanted)}
