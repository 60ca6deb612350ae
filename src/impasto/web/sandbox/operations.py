"""Owns the sandbox's operations: examine, shrink, tile and convert pictures, estimate jobs, draw sheets, paint fast.

Each runs in a process of its own (see `sandbox`), takes paths that the studio chose, and returns JSON. This module
imports torch, so the server process must not import it.
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
from impasto.backbones import torchvision_hub
from impasto.errors import ImageReadError, ImpastoError, SettingsError, SettingsWarning
from impasto.guidance import Guidance
from impasto.images import Image
from impasto.images.formats import HEAD_BYTES, identify
from impasto.inputs import Inputs
from impasto.recipes import METADATA_KEY, Fingerprint, Recipe
from impasto.settings import OPTIONS, Settings
from impasto.task import without_effect
from impasto.web.problems import Problem
from impasto.web.sandbox.jpeg import check_structure
from impasto.web.sandbox.messages import EstimateInput, FastInput, JobEstimate, LooksInput, PictureInfo, SheetCell
from impasto.web.sandbox.tiling import TILE

_TILE_QUALITY = 88
_SPEED_SECONDS = 3.0
# Settings that do not change how a picture looks, and that may be invalid on another machine.
_OF_THE_MACHINE = ("device", "precision")

# The workers need the other threads.
torch.set_num_threads(1)


def warm() -> bool:
    """Does nothing; starts the fork server and shows that it works."""
    return True


def examine(path: str, name: str, max_pixels: int, thumbnail: str, side: int) -> PictureInfo:
    """A picture's properties; its thumbnail is written to the path `thumbnail`.

    Raises:
        Problem: the file is not a picture, too large, or damaged.
    """
    image, notes = _read(path, name, max_pixels)
    assert image.format is not None
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
    check_structure(Path(path).read_bytes(), name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = images.read_metadata(Path(path).read_bytes())
    if METADATA_KEY not in text:
        raise Problem(
            "invalid",
            f"{name} contains no settings; only pictures that Impasto painted and no other program saved since do",
        )
    return _summary(Recipe.from_json(text[METADATA_KEY]))


def thumbnail(path: str, max_pixels: int, side: int, out: str) -> bool:
    """Write a JPEG of at most `side` pixels."""
    _shrunk(_read(path, "the picture", max_pixels)[0], side, out)
    return True


def tiles(path: str, max_pixels: int, folder: str) -> bool:
    """Write all tiles of a picture as `level/x_y.jpg`; see `tiling`."""
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
    """Write the picture in another format, with the settings that it contains."""
    image, _ = _read(path, "the picture", max_pixels)
    text = {name: value for name, value in image.text.items() if name in (METADATA_KEY, "Software")}
    Path(out).write_bytes(images.encode(image, format, metadata=text))
    return True


def estimate(jobs: EstimateInput, max_pixels: int, speed: Mapping[str, Any] | None) -> list[JobEstimate]:
    """What jobs with the same pictures need, after all the checks that painting them would make.

    Args:
        jobs: pictures, and the settings of each job.
        max_pixels: limit for each picture and each result.
        speed: of this machine; without it, `seconds` is None.

    Raises:
        Problem, ImpastoError: one of the jobs cannot be painted.
    """
    all_settings = [Settings.from_mapping(settings) for settings in jobs["settings"]]
    for settings in all_settings:
        _check_backbone(settings)
        _check_size(images.fit(_blank(jobs["content"]["size"]).size, settings.size), max_pixels)
    inputs = _inputs(jobs, max_pixels, with_strokes=any(settings.stroke_size for settings in all_settings))
    for settings in all_settings:
        inputs.check(settings)
    return [_estimate(inputs, settings, speed) for settings in all_settings]


def _check_backbone(settings: Settings) -> None:
    """Refuse a network whose weights painting would have to download.

    Raises:
        SettingsError: the weights are not on this machine.
    """
    kind, _, model = settings.backbone.partition(":")
    if f"{kind}:" != torchvision_hub.PREFIX:
        return
    # Unknown names are refused here.
    torchvision_hub.skeleton(model)
    if not torchvision_hub.hub_file(model).is_file():
        raise SettingsError(
            "backbone",
            f"the weights of {settings.backbone} are not on this machine, and the studio downloads nothing; "
            "use `impasto stylize` with it once, or choose another",
        )


def _check_size(final: tuple[int, int], max_pixels: int) -> None:
    if final[0] * final[1] > max_pixels:
        raise Problem(
            "too-large",
            f"the result would be {final[1]} × {final[0]} pixels, and this studio paints at most "
            f"{max_pixels / 1e6:,.1f} megapixels; choose a smaller size",
            setting="size",
        )


def _inputs(jobs: EstimateInput, max_pixels: int, *, with_strokes: bool) -> Inputs:
    """The inputs as far as their checks need them: paintings are read only if their strokes are to be measured."""
    content = _blank(jobs["content"]["size"])
    styles = [
        _read(style["path"], "the painting", max_pixels)[0] if with_strokes else _blank(style["size"])
        for style in jobs["styles"]
    ]
    masks = tuple(_read(path, "the mask", max_pixels)[0] for path in jobs["masks"])
    style_masks = tuple(_read(path, "the style mask", max_pixels)[0] for path in jobs["style_masks"])
    path = jobs["content_map"]
    content_map = None if path is None else _read(path, "the content map", max_pixels)[0]
    guidance = None
    if masks or style_masks or content_map is not None:
        guidance = Guidance(
            content_masks=masks, style_masks=style_masks, content_map=content_map, paintings=len(styles)
        )
    return Inputs(content, styles, init=content, guidance=guidance)


def _blank(size: Sequence[int]) -> Image:
    """A black image of that (height, width), for checks that need only the size; takes no memory."""
    return Image(pixels=torch.zeros(1, 3, 1, 1).expand(1, 3, *size))


def _estimate(inputs: Inputs, settings: Settings, speed: Mapping[str, Any] | None) -> JobEstimate:
    size, styles = inputs.content.size, len(inputs.styles)
    memory = devices.memory(devices.resolve(settings.device))
    masked = bool(inputs.guidance and inputs.guidance.regions)
    idle_settings = [str(SettingsWarning(*idle)) for idle in without_effect(settings, masked=masked).items()]
    return {
        "memory_bytes": planning.peak_bytes(size, settings, styles=styles),
        "memory_free": memory.available if memory else None,
        "memory_total": memory.total if memory else None,
        "size": list(images.fit(size, settings.size)),
        "seconds": None if speed is None else _seconds(size, settings, speed, styles),
        "warnings": idle_settings,
    }


def speed(threads: int) -> dict[str, Any]:
    """This machine's speed, measured with that many threads."""
    return dataclasses.asdict(planning.measure(devices.resolve("auto"), threads, seconds=_SPEED_SECONDS))


def _seconds(size: tuple[int, int], settings: Settings, speed: Mapping[str, Any], styles: int) -> float:
    lines = {name: planning.Line(**speed[name]) for name in ("evaluation", "features", "step")}
    machine = planning.MachineSpeed(**{**speed, **lines, "samples": {}})
    return round(planning.estimate(size, settings, machine, styles=styles).seconds, 1)


def sheet(cells: Sequence[SheetCell], axes: Sequence[Mapping[str, Any]], out: str) -> bool:
    """Write the labelled sheet of a sweep's pictures, as PNG."""
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


def fast(order: FastInput, max_pixels: int, out: str) -> bool:
    """Write a picture painted by one pass of a network.

    Raises:
        Problem, ImpastoError: a picture cannot be read, or the model does not know the style.
    """
    from impasto.fast import FastModel

    content = _read(order["content"], "the picture", max_pixels)[0]
    if order["size"] is not None and order["size"] < max(content.size):
        content = content.resized(images.fit(content.size, order["size"]))
    names = [style["name"] for style in order["styles"]]
    model = FastModel.load(order["model"] or "brushes")
    if order["model"] is None and not set(names) <= set(model.styles):
        model = FastModel.load("any")
    styles: list[str | Image]
    if model.styles:
        styles = [name or "a painting of your own" for name in names]
    else:
        styles = [_read(style["path"], "the painting", max_pixels)[0] for style in order["styles"]]
    painted = model.stylize(content, styles, blend=order["blend"], strength=order["strength"])
    Path(out).write_bytes(images.encode(painted, order["format"]))
    return True


def looks(order: LooksInput, max_pixels: int, outs: Sequence[str]) -> bool:
    """Write a small picture in the style of each of several paintings, to a path for each.

    Raises:
        Problem, ImpastoError: a picture cannot be read.
    """
    from impasto.fast import FastModel

    content = _read(order["content"], "the picture", max_pixels)[0]
    if order["size"] < max(content.size):
        content = content.resized(images.fit(content.size, order["size"]))
    brushes = FastModel.load("brushes")
    any_style: FastModel | None = None
    for style, out in zip(order["styles"], outs, strict=True):
        name = style["name"]
        painting: list[str | Image]
        if name is not None and name in brushes.styles:
            model, painting = brushes, [name]
        else:
            model = any_style = any_style or FastModel.load("any")
            painting = [_read(style["path"], "the painting", max_pixels)[0]]
        painted = model.stylize(content, painting, strength=order["strength"])
        Path(out).write_bytes(images.encode(painted, "jpeg"))
    return True


def system() -> dict[str, Any]:
    """This machine's devices and memory, and torch's version."""
    memory = devices.memory()
    return {
        "torch": torch.__version__,
        "devices": devices.available(),
        "memory": {"total": memory.total, "available": memory.available} if memory else None,
    }


def _read(path: str, name: str, max_pixels: int) -> tuple[Image, list[str]]:
    """The picture, and the warnings of its reader."""
    check_structure(Path(path).read_bytes(), name)
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
    """The recipe in a picture's metadata; None if there is none, or it is invalid."""
    if METADATA_KEY not in text:
        return None
    try:
        return _summary(Recipe.from_json(text[METADATA_KEY]))
    except ImpastoError:
        return None


def _summary(found: Recipe) -> dict[str, Any]:
    settings = getattr(found, "last_settings", found.settings)
    if settings.init not in OPTIONS["init"][1].words:
        # `init` was a file; the summary names that picture in a field of its own.
        settings = settings.replace(init="content")

    def note(one: Fingerprint) -> dict[str, str]:
        return {"name": one.name, "sha256": one.sha256}

    summary: dict[str, Any] = json.loads(
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
    return summary
