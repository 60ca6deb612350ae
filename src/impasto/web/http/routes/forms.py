"""Owns multipart forms: reading them within limits, and what becomes of their files."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect

from impasto.web.problems import Problem
from impasto.web.storage.pictures import Picture, presentable
from impasto.web.studio.studio import Studio

MOST_FILES, MOST_FIELDS = 8, 32
_FIELD_BYTES = 256 << 10
_BLOCK = 1 << 20


@contextlib.asynccontextmanager
async def read(request: Request) -> AsyncIterator[list[tuple[str, str | UploadFile]]]:
    """The names and values of a multipart form, within limits. Its files are removed when the context ends.

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


async def read_with_pictures(request: Request, studio: Studio) -> list[tuple[str, str]]:
    """The names and values of a multipart form; a file is stored, and its value is the reference to it."""
    async with read(request) as parts:
        return [
            (name, f"picture:{(await store(studio, part))[0].id}" if isinstance(part, UploadFile) else part)
            for name, part in parts
        ]


async def store(studio: Studio, upload: UploadFile) -> tuple[Picture, bool]:
    """Store an uploaded picture; the picture, and whether it is new."""
    return await anyio.to_thread.run_sync(_store, studio, upload)


def _store(studio: Studio, upload: UploadFile) -> tuple[Picture, bool]:
    studio.pictures.check_room(upload.size or 0)
    with studio.pictures.scratch() as path:
        _copy(upload, path)
        return studio.pictures.add(path, upload.filename or "")


def _copy(upload: UploadFile, path: Path) -> None:
    with path.open("wb") as file:
        while block := upload.file.read(_BLOCK):
            file.write(block)


def read_recipe(studio: Studio, upload: UploadFile) -> dict[str, Any]:
    """The recipe in an uploaded picture, which is not stored."""
    with studio.pictures.scratch() as path:
        _copy(upload, path)
        found = studio.sandbox.run("recipe", str(path), presentable(upload.filename or ""))
    return studio.views.recipe(found)
