"""Owns the folder of the exported page: models, pictures and the page's own files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from impasto import __version__, assets
from impasto.errors import ModelError
from impasto.fast import FastModel
from impasto.fast import onnx as exported
from impasto.fast.export import check_installed, painter, write_painter, write_style_encoder
from impasto.images import encode, fit
from impasto.loading import load
from impasto.webpage import runtime

_OWN = Path(__file__).parent / "static"
_STUDIO = Path(__file__).parents[1] / "web" / "static"
_SHARED = (
    "css/tokens.css",
    "css/base.css",
    "dom.js",
    "icons.js",
    "mark.svg",
    "theme.js",
    "theme-start.js",
    "format.js",
)
# The photograph that the page shows first, its long side, and the long side of the styles' pictures, in pixels.
_PHOTO, _PHOTO_SIDE, _TILE_SIDE = "red_panda", 1024, 240
_QUALITY = 85

_MIT = """The MIT licence:

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def write(models: Sequence[FastModel], folder: Path, *, archive: Path | None = None) -> list[Path]:
    """Write the page, its models and its pictures.

    Args:
        models: to include. If two were trained on a style of the same name, the page uses the first.
        folder: created if missing; files of the same names are replaced.
        archive: the npm package of ONNX Runtime Web; downloaded with npm if None.

    Returns:
        The files.

    Raises:
        AssetError: ONNX Runtime Web could not be downloaded.
        ModelError: the packages for exporting are not installed, or the folder cannot be written to.
    """
    # Check what may be missing before the long work of exporting.
    computing = runtime.files(archive)
    check_installed()
    try:
        for part in ("models", "pictures", "onnxruntime", "css"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for name, data in computing.items():
            (folder / "onnxruntime" / name).write_bytes(data)
        catalogue = {
            "version": __version__,
            "photo": _picture(folder, assets.sample(_PHOTO), _PHOTO_SIDE),
            "models": [_model(folder, model) for model in models],
            "styles": _styles(folder, models),
        }
        (folder / "catalogue.json").write_text(json.dumps(catalogue), encoding="utf-8")
        (folder / "licences.txt").write_text(_licences(models), encoding="utf-8")
        for name in _SHARED:
            shutil.copyfile(_STUDIO / name, folder / name)
        # The HTML comes last, so that nobody opens an incomplete page.
        own = sorted((file for file in _OWN.iterdir()), key=lambda file: file.suffix == ".html")
        for file in own:
            shutil.copyfile(file, folder / file.name)
    except OSError as error:
        raise ModelError(f"{folder} cannot be written to ({error.strerror}); choose another folder") from error
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _model(folder: Path, model: FastModel) -> dict[str, Any]:
    """Write a model's files, and return its entry in the catalogue."""
    path = write_painter(painter(model), model, folder / "models" / f"{model.name}.onnx", weights="half")
    encoder = None
    if model.predictor is not None:
        encoder = write_style_encoder(model, exported.style_path(path), weights="half")
    return {
        "name": model.name,
        "file": f"models/{path.name}",
        "encoder": f"models/{encoder.name}" if encoder else None,
        "photo": exported.packed(model.photo.numpy()),
    }


def _styles(folder: Path, models: Sequence[FastModel]) -> list[dict[str, Any]]:
    """The catalogue's styles of all models. A model that takes any painting has the bundled ones."""
    paintings = {sample.name: sample for sample in assets.samples() if sample.kind == "painting"}
    found: dict[str, dict[str, Any]] = {}
    for model in models:
        for name in model.styles or paintings:
            if name in found:
                continue
            painting = paintings.get(name)
            condition = model.condition(name if model.styles else f"sample:{name}")
            about = _picture(folder, painting, _TILE_SIDE) if painting else {"title": name.replace("_", " ")}
            found[name] = {"model": model.name, "condition": exported.packed(condition.numpy()), **about}
    return list(found.values())


def _licences(models: Sequence[FastModel]) -> str:
    """The text of authors and licences of everything in the folder."""
    notices = ["The page; Copyright (c) 2026 The Impasto authors; MIT licence", runtime.NOTICE]
    works = {asset.path: asset for asset in assets.manifest()}
    if any(model.predictor is not None for model in models):
        network = works["weights/vgg19.safetensors"]
        notices.append(f"models/*-style.onnx holds: {network.title}; {network.author}; {network.licence}")
    pictures = [
        f"pictures/{work.name}.webp, made smaller: {work.title}; {work.author}; {work.licence}"
        for work in works.values()
        if work.name == _PHOTO or work.kind == "painting"
    ]
    return "\n\n".join([*notices, *pictures, _MIT])


def _picture(folder: Path, sample: assets.Sample, side: int) -> dict[str, str]:
    """Write a bundled picture, and return its entry in the catalogue."""
    picture = load(f"sample:{sample.name}")
    picture = picture.resized(fit(picture.size, min(side, max(picture.size))))
    path = folder / "pictures" / f"{sample.name}.webp"
    path.write_bytes(encode(picture, "WebP", quality=_QUALITY))
    return {
        "picture": f"pictures/{path.name}",
        "title": sample.title,
        # Without the years.
        "author": sample.author.partition(" (")[0],
        "licence": sample.licence,
    }
