"""Owns what is done in a child: look at a picture, make it smaller, cut it into tiles, convert it, foretell a job.

Everything here runs in a process of its own (see `children`), takes paths that the studio made, and answers in JSON.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto import devices, images, planning, sweeps
from impasto.errors import ImageReadError, ImpastoError, SettingsWarning
from impasto.guidance import Guidance
from impasto.images import Image
from impasto.images.formats import HEAD_BYTES, identify
from impasto.inputs import Inputs
from impasto.recipes import METADATA_KEY, Fingerprint, Recipe
from impasto.settings import OPTIONS, Settings
from impasto.web.pictures import TILE
from impasto.web.problems import Problem

_TILE_QUALITY = 88
_SPEED_SECONDS = 3.0
# Settings that are no part of how a picture looks, and may be impossible elsewhere.
_OF_THE_MACHINE = ("device", "precision")

# A child shares the machine with the painting.
torch.set_num_threads(1)


def warm() -> bool:
    """Nothing; but whoever asked knows that children can be had."""
    return True


def examine(path: str, name: str, max_pixels: int, thumbnail: str, side: int) -> dict[str, Any]:
    """What a file is, and a small picture of it.

    Raises:
        Problem: it is no picture, too large, or damaged.
    """
    image, notes = _read(path, name, max_pixels)
    _shrunk(image, side, thumbnail)
    return {
        "format": image.format,
        "width": image.width,
        "height": image.height,
        "notes": notes,
        "recipe": _recipe(image.text),
    }


def recipe(path: str, name: str) -> dict[str, Any]:
    """The recipe in a file.

    Raises:
        Problem: there is none.
    """
    with Path(path).open("rb") as file:
        _identified(file.read(HEAD_BYTES), name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = images.read_metadata(Path(path).read_bytes())
    if METADATA_KEY not in text:
        raise Problem(
            "invalid",
            f"{name} holds no settings; only pictures that Impasto painted and nobody has saved anew do",
        )
    return _told(Recipe.from_json(text[METADATA_KEY]))


def thumbnail(path: str, max_pixels: int, side: int, out: str) -> bool:
    """A picture of at most `side` pixels, as JPEG."""
    _shrunk(_read(path, "the picture", max_pixels)[0], side, out)
    return True


def tiles(path: str, max_pixels: int, folder: str) -> bool:
    """All tiles of a picture: `level/x_y.jpg`; level 0 at full size, each next half of it, the last a single tile."""
    image, _ = _read(path, "the picture", max_pixels)
    pixels = image.pixels
    for level in itertools.count():
        _cut(pixels, Path(folder) / str(level))
        height, width = pixels.shape[-2:]
        if max(height, width) <= TILE:
            break
        pixels = images.resize(pixels, (math.ceil(height / 2), math.ceil(width / 2)))
    return True


def _cut(pixels: Tensor, folder: Path) -> None:
    folder.mkdir(parents=True)
    for y in range(math.ceil(pixels.shape[2] / TILE)):
        for x in range(math.ceil(pixels.shape[3] / TILE)):
            part = pixels[:, :, y * TILE : (y + 1) * TILE, x * TILE : (x + 1) * TILE]
            (folder / f"{x}_{y}.jpg").write_bytes(images.encode(part, "JPEG", quality=_TILE_QUALITY))


def convert(path: str, max_pixels: int, format: str, out: str) -> bool:
    """The picture in another format, with its settings inside."""
    image, _ = _read(path, "the picture", max_pixels)
    text = {name: value for name, value in image.text.items() if name in (METADATA_KEY, "Software")}
    Path(out).write_bytes(images.encode(image, format, metadata=text))
    return True


def foretell(order: Mapping[str, Any], max_pixels: int, speed: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """What jobs of the same pictures will take, after looking at each as closely as painting will.

    Args:
        order: `settings` of each job; `content` and `styles`, each as `{"path", "size"}`; and paths of `masks`,
            `style_masks` and `content_map`.
        max_pixels: of a picture, and of a result.
        speed: of this machine; without it, no time is told.

    Raises:
        Problem, ImpastoError: one of them cannot be painted.
    """
    wishes = [Settings.from_mapping(settings) for settings in order["settings"]]
    for settings in wishes:
        _check_size(images.fit(_blank(order["content"]["size"]).size, settings.size), max_pixels)
    pictures = _pictures(order, max_pixels, measured=any(settings.stroke_size for settings in wishes))
    for settings in wishes:
        pictures.check(settings)
    return [_foretold(pictures, settings, speed) for settings in wishes]


def _check_size(final: tuple[int, int], max_pixels: int) -> None:
    if final[0] * final[1] > max_pixels:
        raise Problem(
            "too-large",
            f"the result would be {final[1]} × {final[0]} pixels, and this studio paints at most "
            f"{max_pixels / 1e6:,.1f} megapixels; choose a smaller size",
            setting="size",
        )


def _pictures(order: Mapping[str, Any], max_pixels: int, *, measured: bool) -> Inputs:
    """An order's pictures, as far as their check looks at them: of paintings the strokes, where they are measured."""
    content = _blank(order["content"]["size"])
    styles = [
        _read(one["path"], "the painting", max_pixels)[0] if measured else _blank(one["size"])
        for one in order["styles"]
    ]
    masks = tuple(_read(path, "the mask", max_pixels)[0] for path in order["masks"])
    style_masks = tuple(_read(path, "the style mask", max_pixels)[0] for path in order["style_masks"])
    path = order["content_map"]
    content_map = None if path is None else _read(path, "the content map", max_pixels)[0]
    guidance = None
    if masks or style_masks or content_map is not None:
        guidance = Guidance(
            content_masks=masks, style_masks=style_masks, content_map=content_map, paintings=len(styles)
        )
    return Inputs(content, styles, init=content, guidance=guidance)


def _blank(size: Sequence[int]) -> Image:
    """In place of a picture of that (height, width) of which nothing but the shape matters; takes no memory."""
    return Image(pixels=torch.zeros(1, 3, 1, 1).expand(1, 3, *size))


def _foretold(pictures: Inputs, settings: Settings, speed: Mapping[str, Any] | None) -> dict[str, Any]:
    size, styles = pictures.content.size, len(pictures.styles)
    memory = devices.memory(devices.resolve(settings.device))
    masked = bool(pictures.guidance and pictures.guidance.regions)
    told = [str(SettingsWarning(*idle)) for idle in settings.without_effect(masked=masked).items()]
    return {
        "memory_bytes": planning.peak_bytes(size, settings, styles=styles),
        "memory_free": memory.available if memory else None,
        "memory_total": memory.total if memory else None,
        "size": list(images.fit(size, settings.size)),
        "seconds": None if speed is None else _seconds(size, settings, speed, styles),
        "warnings": told,
    }


def speed(threads: int) -> dict[str, Any]:
    """How fast this machine is."""
    return dataclasses.asdict(planning.measure(devices.resolve("auto"), threads, seconds=_SPEED_SECONDS))


def _seconds(size: tuple[int, int], settings: Settings, speed: Mapping[str, Any], styles: int) -> float:
    lines = {name: planning.Line(**speed[name]) for name in ("evaluation", "features", "step")}
    machine = planning.MachineSpeed(**{**speed, **lines, "samples": {}})
    return round(planning.estimate(size, settings, machine, styles=styles).seconds, 1)


def sheet(cells: Sequence[Mapping[str, Any]], axes: Sequence[Mapping[str, Any]], out: str) -> bool:
    """The pictures of a sweep under their labels."""
    import matplotlib

    matplotlib.use("agg")
    drawn = sweeps.sheet(
        [
            (sweeps.Cell(cell["values"], Settings.from_mapping(cell["settings"])), images.read(cell["path"]))
            for cell in cells
        ],
        [sweeps.Axis(axis["setting"], tuple(axis["values"])) for axis in axes],
    )
    drawn.savefig(out, format="png")
    return True


def fast(order: Mapping[str, Any], max_pixels: int, out: str) -> bool:
    """A picture painted by one pass of a network, at most as large as `size`; without a model, by the one that suits.

    Raises:
        Problem, ImpastoError: a picture cannot be read, or the model does not know the painting.
    """
    from impasto.fast import FastModel

    content = _read(order["content"], "the picture", max_pixels)[0]
    if order["size"] is not None and order["size"] < max(content.size):
        content = content.resized(images.fit(content.size, order["size"]))
    names = [style["name"] for style in order["styles"]]
    model = FastModel.load(order["model"] or "brushes")
    if order["model"] is None and not set(names) <= set(model.styles):
        model = FastModel.load("any")
    if model.styles:
        styles = [name or "a painting of your own" for name in names]
    else:
        styles = [_read(style["path"], "the painting", max_pixels)[0] for style in order["styles"]]
    painted = model.stylize(content, styles, blend=order["blend"], strength=order["strength"])
    Path(out).write_bytes(images.encode(painted, order["format"]))
    return True


def system() -> dict[str, Any]:
    """What this machine has to paint with."""
    memory = devices.memory()
    return {
        "torch": torch.__version__,
        "devices": devices.available(),
        "memory": {"total": memory.total, "available": memory.available} if memory else None,
    }


def _read(path: str, name: str, max_pixels: int) -> tuple[Image, list[str]]:
    """The picture, and what was noted of it."""
    with Path(path).open("rb") as file:
        _identified(file.read(HEAD_BYTES), name)
        file.seek(0)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                image = images.read(file, name=name, max_pixels=max_pixels)
            except ImageReadError as error:
                raise Problem("too-large" if "allowed are" in str(error) else "damaged-picture", str(error)) from None
    return image, [str(one.message).partition(": ")[2] or str(one.message) for one in caught]


def _identified(head: bytes, name: str) -> None:
    try:
        identify(head)
    except ImageReadError as error:
        raise Problem("not-a-picture", f"{name}: {error}") from None


def _shrunk(image: Image, side: int, out: str) -> None:
    long_side = min(side, max(image.size))
    small = images.resize(image.pixels, images.fit(image.size, long_side))
    Path(out).write_bytes(images.encode(small, "JPEG", quality=85))


def _recipe(text: Mapping[str, str]) -> dict[str, Any] | None:
    """What a stranger's file says of itself, if it is a recipe."""
    if METADATA_KEY not in text:
        return None
    try:
        return _told(Recipe.from_json(text[METADATA_KEY]))
    except ImpastoError:
        return None


def _told(found: Recipe) -> dict[str, Any]:
    settings = getattr(found, "last_settings", found.settings)
    if settings.init not in OPTIONS["init"][1].words:
        # It began with a picture, which is named beside the settings.
        settings = settings.replace(init="content")

    def note(one: Fingerprint) -> dict[str, str]:
        return {"name": one.name, "sha256": one.sha256}

    told: dict[str, Any] = json.loads(
        json.dumps(
            {
                "settings": settings.to_mapping(),
                "changed": {name: value for name, value in settings.changed().items() if name not in _OF_THE_MACHINE},
                "content": note(found.content),
                "styles": [note(style) for style in found.styles],
                "init": note(found.init) if found.init else None,
                "masks": [note(mask) for mask in found.masks],
                "style_masks": [note(mask) for mask in found.style_masks],
                "content_map": note(found.content_map) if found.content_map else None,
                "versions": dict(found.versions),
            }
        )
    )
    return told
