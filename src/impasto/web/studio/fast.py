"""Owns painting with a fast model while the client waits: one picture at a time, beside the queue."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import PurePosixPath

from impasto import assets
from impasto.web.problems import Problem
from impasto.web.sandbox.messages import FastInput, NamedPath
from impasto.web.sandbox.sandbox import Sandbox
from impasto.web.storage.pictures import PictureStore
from impasto.web.studio.validation import JobValidator

#: Media types of results, by format.
TYPES = {"png": "image/png", "jpeg": "image/jpeg"}
_LEAST_SIZE, _MOST_SIZE = 16, 32768
_SECONDS = 1
# Each waiting request occupies a thread that other requests need.
_MOST_WAITING = 4


@cache
def models() -> list[str]:
    """Names of the bundled fast models."""
    files = [PurePosixPath(asset.path) for asset in assets.manifest()]
    return [file.stem for file in files if file.parent.name == "models" and file.suffix == ".safetensors"]


class FastPainter:
    """Paints with fast models, one picture at a time.

    Args:
        pictures, validator, sandbox: the studio's.
        max_pixels: limit for a picture.
    """

    def __init__(self, pictures: PictureStore, validator: JobValidator, sandbox: Sandbox, max_pixels: int) -> None:
        self._pictures, self._validator, self._sandbox, self._max_pixels = pictures, validator, sandbox, max_pixels
        self._slots, self._turn = threading.BoundedSemaphore(_MOST_WAITING), threading.Lock()

    def paint(self, fields: Mapping[str, Sequence[str]]) -> tuple[bytes, str]:
        """The picture that a form asks for, and its media type.

        Raises:
            Problem: a field is wrong, or too many requests are waiting.
        """
        job, kind = self._input(fields), _one(fields, "format", "jpeg")
        with self.turn(), self._pictures.scratch() as out:
            self._sandbox.run("fast", job, self._max_pixels, str(out))
            return out.read_bytes(), TYPES[kind]

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A turn of painting while a client waits.

        Raises:
            Problem: too many requests are waiting.
        """
        if not self._slots.acquire(blocking=False):
            raise Problem(
                "too-many-requests", "too many requests are waiting; try again in a moment", retry_after=_SECONDS
            )
        try:
            # One turn at a time leaves a sandbox process for everything else.
            with self._turn:
                yield
        finally:
            self._slots.release()

    def _input(self, fields: Mapping[str, Sequence[str]]) -> FastInput:
        for name in ("content", "style"):
            if name not in fields:
                raise Problem("invalid", f"{name} is missing")
        model, kind = _one(fields, "model", ""), _one(fields, "format", "jpeg")
        if kind not in TYPES:
            raise Problem("invalid", f"format: it must be one of {', '.join(TYPES)}")
        if model and model not in models():
            raise Problem("invalid", f"model: there are {', '.join(models())}")
        size = _one(fields, "size", "")
        return {
            "content": self._path(fields["content"][0], "content"),
            "styles": [self._style(ref) for ref in fields["style"]],
            "blend": [_number(share, "weight", 0, 1e6) for share in fields.get("weight", ())],
            "model": model or None,
            "strength": _number(_one(fields, "strength", "1"), "strength", 0, 1),
            "size": round(_number(size, "size", _LEAST_SIZE, _MOST_SIZE)) if size else None,
            "format": kind,
        }

    def _style(self, ref: str) -> NamedPath:
        """A style image's path and sample name. A reference without a colon is a sample's name."""
        ref = ref if ":" in ref else f"sample:{ref}"
        kind, _, name = ref.partition(":")
        return {"path": self._path(ref, "style"), "name": name if kind == "sample" else None}

    def _path(self, ref: str, field: str) -> str:
        return str(self._pictures.path(self._validator.resolve(ref, field)["id"]))


def _one(fields: Mapping[str, Sequence[str]], name: str, default: str) -> str:
    return fields[name][0] if name in fields else default


def _number(text: str, name: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise Problem("invalid", f"{name}: it must be a number, {low:g} to {high:g}")
    return value
