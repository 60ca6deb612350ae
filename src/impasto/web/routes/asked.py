"""Owns what the routes have in common: whose studio it is, which problems there may be, and what a form brought."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, cast

import anyio.to_thread
from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect

from impasto.web import problems
from impasto.web.pictures import Picture
from impasto.web.problems import Problem
from impasto.web.shapes import ProblemShape
from impasto.web.studio import Studio

MOST_FILES, MOST_FIELDS = 8, 32
_FIELD_BYTES = 256 << 10
_BLOCK = 1 << 20


def _studio(request: Request) -> Studio:
    return cast(Studio, request.app.state.studio)


Here = Annotated[Studio, Depends(_studio)]


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer beside what it is for, for the API's description."""
    titles: dict[int, str] = {}
    for status, title in problems.KINDS.values():
        titles.setdefault(status, title)
    wanted = {400, 401, 403, 503, *statuses}
    content = {problems.MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemShape.__name__}"}}}
    return {status: {"description": titles[status], "content": content} for status in sorted(wanted)}


class Form:
    """What a multipart form brought.

    Attributes:
        fields: texts by name, in their order; a file is the reference to its picture.
    """

    def __init__(self) -> None:
        self.fields: dict[str, list[str]] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def read(cls, request: Request) -> AsyncIterator[list[tuple[str, str | UploadFile]]]:
        """The parts of a form, within limits; gone when the context ends.

        Raises:
            Problem: it is not a form, or has too many parts.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "multipart/form-data":
            raise Problem("unsupported-media-type", f"send multipart/form-data, not {kind[:80] or 'nothing'}")
        try:
            async with request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=_FIELD_BYTES) as parts:
                yield list(parts.multi_items())
        except ClientDisconnect:
            raise Problem("bad-request", "the connection ended before the request did") from None


async def kept(studio: Studio, upload: UploadFile) -> tuple[Picture, bool]:
    """An uploaded picture, taken in; and whether it is new."""
    return await anyio.to_thread.run_sync(_keep, studio, upload)


def _keep(studio: Studio, upload: UploadFile) -> tuple[Picture, bool]:
    studio.pictures.check_room(upload.size or 0)
    with studio.pictures.scratch() as path:
        _copy(upload, path)
        return studio.pictures.add(path, upload.filename or "")


def _copy(upload: UploadFile, path: Path) -> None:
    with path.open("wb") as file:
        while block := upload.file.read(_BLOCK):
            file.write(block)


def looked_at(studio: Studio, upload: UploadFile) -> dict[str, Any]:
    """The recipe in an uploaded picture, which is not kept."""
    from impasto.web.pictures import presentable

    with studio.pictures.scratch() as path:
        _copy(upload, path)
        found = studio.children.run("recipe", str(path), presentable(upload.filename or ""))
    return studio.views.recipe(found)
