"""Owns pictures painted at once, by one pass of a network: who has a turn, beside the queue and never before it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from impasto import assets
from impasto.web.children import Children
from impasto.web.intake import Intake
from impasto.web.pictures import Pictures
from impasto.web.problems import Problem

#: Types of what comes out, by format.
TYPES = {"png": "image/png", "jpeg": "image/jpeg"}
_LEAST_SIZE, _MOST_SIZE = 16, 32768
_SECONDS = 1
# More than these would only wait for each other, and keep threads from those who ask for something else.
_MOST_WAITING = 4


@cache
def models() -> list[str]:
    """Names of the fast models that are here."""
    files = [PurePosixPath(asset.path) for asset in assets.manifest()]
    return [file.stem for file in files if file.parent.name == "models" and file.suffix == ".safetensors"]


class Fast:
    """Paints at once, one picture at a time.

    Args:
        pictures, intake, children: the studio's.
        max_pixels: the largest picture.
    """

    def __init__(self, pictures: Pictures, intake: Intake, children: Children, max_pixels: int) -> None:
        self._pictures, self._intake, self._children, self._max_pixels = pictures, intake, children, max_pixels
        self._room, self._turn = threading.BoundedSemaphore(_MOST_WAITING), threading.Lock()

    def paint(self, fields: Mapping[str, Sequence[str]]) -> tuple[bytes, str]:
        """The picture that a form asks for, and its type.

        Raises:
            Problem: a field is wrong, or too many wait already.
        """
        order, kind = self._order(fields), _one(fields, "format", "jpeg")
        if not self._room.acquire(blocking=False):
            raise Problem("too-many-requests", "others are being painted; try again in a moment", retry_after=_SECONDS)
        try:
            # A child is left for those who put something in the queue.
            with self._turn, self._pictures.scratch() as out:
                self._children.run("fast", order, self._max_pixels, str(out))
                return out.read_bytes(), TYPES[kind]
        finally:
            self._room.release()

    def _order(self, fields: Mapping[str, Sequence[str]]) -> dict[str, Any]:
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

    def _style(self, ref: str) -> dict[str, str | None]:
        """A painting: where it is, and by what name a model may have learned it. A name alone is a sample's."""
        ref = ref if ":" in ref else f"sample:{ref}"
        kind, _, name = ref.partition(":")
        return {"path": self._path(ref, "style"), "name": name if kind == "sample" else None}

    def _path(self, ref: str, field: str) -> str:
        return str(self._pictures.path(self._intake.refer(ref, field)["id"]))


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
