"""Owns `impasto export`: writes fast models as files that run without Impasto."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from impasto.cli import reporting
from impasto.cli.options import ReportOptions, flag, words
from impasto.errors import ImageWriteError, SettingsError
from impasto.files import same_file

# The models of a page if none is named.
_OF_A_PAGE = ("brushes", "any")


def export(
    *model: Annotated[
        str,
        Parameter(help="The model: any, brushes, or a file from `impasto train`; a page may have several."),
    ],
    out: Annotated[
        str | None,
        words("The file, ending in .onnx.", "named after the model", name=("--out", "-o"), metavar="FILE"),
    ] = None,
    half: Annotated[bool, flag("Store weights in half precision: half the size, the same picture.")] = False,
    int8: Annotated[bool, flag("Compute most convolutions in 8 bits.")] = False,
    web: Annotated[
        str | None,
        words("Write a page that paints in the browser to this folder instead.", "none", metavar="DIR"),
    ] = None,
    runtime: Annotated[
        str | None,
        words(
            "For --web: the package onnxruntime-web as a .tgz file, instead of downloading it by npm.",
            "from npm",
            metavar="FILE",
        ),
    ] = None,
    report: ReportOptions = ReportOptions(),  # noqa: B008  (frozen)
) -> int:
    """Write a fast model as ONNX, for programs without Impasto or torch.

      impasto export brushes -o brushes.onnx
      impasto fast photo.jpg starry_night --model brushes.onnx
      impasto export --web page

    A model for any painting has two files: any-style.onnx computes from a
    painting the condition with which any.onnx paints. A page is a folder for
    any web server; it paints photographs and the camera's picture in the
    browser, with the models brushes and any unless others are named.
    """
    if half and int8:
        raise SettingsError("int8", "it includes what --half does; give only one of them")
    if web is not None:
        for name, given in (("out", out), ("half", half), ("int8", int8)):
            if given:
                raise SettingsError(name, "it has no effect with --web, which always uses half precision; leave it out")
        return _page(model or _OF_A_PAGE, Path(web), runtime, report)
    if runtime is not None:
        raise SettingsError("runtime", "it is for --web only; leave it out")
    if len(model) != 1:
        given = f"got {len(model)}" if model else "got none"
        raise SettingsError("model", f"{given}; name one: any, brushes, or a file from `impasto train`")
    return _file(model[0], Path(out or f"{Path(model[0]).stem}.onnx"), half, int8, report)


def _file(model: str, path: Path, half: bool, int8: bool, report: ReportOptions) -> int:
    _check(path, model, report)
    # Imported only now, so that help and errors need not wait for torch.
    from impasto.fast import FastModel
    from impasto.fast.export import export as written
    from impasto.fast.onnx import style_path

    chosen = FastModel.load(model)
    if chosen.predictor is not None:
        _check(style_path(path), model, report)
    files = written(chosen, path, weights="int8" if int8 else "half" if half else "float")
    if report.json:
        reporting.result(
            {
                "outputs": files,
                "bytes": [*map(_bytes, files)],
                "model": chosen.name,
                "styles": list(chosen.styles),
            }
        )
        return 0
    for file in files:
        reporting.result(file)
    if not report.quiet:
        reporting.note(f"{chosen.name} as ONNX: {_megabytes(files)}")
    return 0


def _page(models: tuple[str, ...], folder: Path, runtime: str | None, report: ReportOptions) -> int:
    if folder.exists() and not folder.is_dir():
        raise ImageWriteError(f"{folder}: this is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not report.force:
        raise ImageWriteError(f"{folder}: the folder is not empty; add --force to write into it, or name another")
    from impasto.fast import FastModel
    from impasto.webpage import write

    chosen = [FastModel.load(model) for model in models]
    names = [model.name for model in chosen]
    if len(set(names)) < len(names):
        raise SettingsError("model", f"got {', '.join(names)}; the models of a page need different names")
    files = write(chosen, folder, archive=None if runtime is None else Path(runtime))
    if report.json:
        reporting.result({"output": folder, "files": len(files), "bytes": sum(map(_bytes, files)), "models": names})
        return 0
    reporting.result(folder)
    if not report.quiet:
        reporting.note(f"a page of {_megabytes(files)}; to see it: python -m http.server -d {folder}")
    return 0


def _megabytes(files: list[Path]) -> str:
    return f"{sum(map(_bytes, files)) / 1e6:.1f} MB"


def _bytes(file: Path) -> int:
    return file.stat().st_size


def _check(path: Path, model: str, report: ReportOptions) -> None:
    """Refuse, before exporting, a file that could not be written afterwards."""
    if path.suffix.lower() != ".onnx":
        raise SettingsError("out", f"got {path}; the name must end in .onnx")
    if not path.parent.is_dir():
        raise ImageWriteError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise ImageWriteError(f"{path}: this is a folder; name a file in it")
    if same_file(path, model):
        raise ImageWriteError(f"{path}: this is the model itself, which would be lost; choose another name")
    if path.exists() and not report.force:
        raise ImageWriteError(f"{path}: the file exists; add --force to replace it, or choose another name")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ImageWriteError(f"{path}: there is no permission to write in {path.parent}; choose another folder")
