"""Owns what goes into the sandbox and comes out of it, as JSON objects."""

from __future__ import annotations

from typing import Any, TypedDict


class SizedPicture(TypedDict):
    """The path of a picture's file, and its [height, width] in pixels."""

    path: str
    size: list[int]


class NamedPath(TypedDict):
    """The path of a picture's file, and its sample name; None if it is not a sample."""

    path: str
    name: str | None


class PictureInfo(TypedDict):
    """A picture's properties, as found in its file."""

    format: str
    width: int
    height: int
    notes: list[str]
    recipe: dict[str, Any] | None


class EstimateInput(TypedDict):
    """Jobs that share their pictures; `settings` has an entry for each job, masks are paths."""

    settings: list[dict[str, Any]]
    content: SizedPicture
    styles: list[SizedPicture]
    masks: list[str]
    style_masks: list[str]
    content_map: str | None


class JobEstimate(TypedDict):
    """What a job would need. Memory is in bytes, time in seconds; None where it is unknown."""

    memory_bytes: int
    memory_free: int | None
    memory_total: int | None
    size: list[int]
    seconds: float | None
    warnings: list[str]


class FastInput(TypedDict):
    """A picture to paint with a fast model; `model` None chooses a model that knows the styles."""

    content: str
    styles: list[NamedPath]
    blend: list[float]
    model: str | None
    strength: float
    size: int | None
    format: str


class SheetCell(TypedDict):
    """A finished job of a sweep, for the labelled sheet."""

    values: dict[str, Any]
    settings: dict[str, Any]
    path: str


class LooksInput(TypedDict):
    """A small picture to paint in the style of each of several paintings, with fast models."""

    content: str
    styles: list[NamedPath]
    strength: float
    size: int
