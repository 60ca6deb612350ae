"""Owns `impasto export`: a fast model in, files out that run without Impasto."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from impasto.cli import reporting
from impasto.cli.options import ReportOptions, flag, words
from impasto.cli.outputs import same_file
from impasto.errors import ImageWriteError, SettingsError


def export(
    model: Annotated[str, Parameter(help="The model: any, brushes, or a file that `impasto train` wrote.")],
    /,
    *,
    out: Annotated[
        str | None,
        words("The file, ending in .onnx.", "named after the model", name=("--out", "-o"), metavar="FILE"),
    ] = None,
    half: Annotated[bool, flag("Store weights in half precision: half the size, the same picture.")] = False,
    int8: Annotated[bool, flag("Compute most convolutions in 8 bits.")] = False,
    report: ReportOptions = ReportOptions(),  # noqa: B008  (frozen)
) -> int:
    """Write a fast model as ONNX, for programs without Impasto or torch.

      impasto export brushes -o brushes.onnx
      impasto fast photo.jpg starry_night --model brushes.onnx

    A model for any painting is two files: any.onnx paints, and any-style.onnx
    makes the condition that it paints by from a painting.
    """
    if half and int8:
        raise SettingsError("int8", "it stores weights smaller still than --half; give only one of them")
    path = Path(out or f"{Path(model).stem}.onnx")
    _check(path, model, report)
    # Only now, so that help and mistakes need not wait for torch.
    from impasto.fast import FastModel
    from impasto.fast.export import export as written
    from impasto.portable import style_path

    chosen = FastModel.load(model)
    if chosen.predictor is not None:
        _check(style_path(path), model, report)
    files = written(chosen, path, weights="int8" if int8 else "half" if half else "float")
    if report.json:
        reporting.result(
            {
                "outputs": files,
                "bytes": [file.stat().st_size for file in files],
                "model": chosen.name,
                "styles": list(chosen.styles),
            }
        )
        return 0
    for file in files:
        reporting.result(file)
    if not report.quiet:
        size = sum(file.stat().st_size for file in files) / 1e6
        reporting.note(f"{chosen.name} as ONNX: {size:.1f} MB")
    return 0


def _check(path: Path, model: str, report: ReportOptions) -> None:
    """Refuse now what could not be written after a minute of exporting."""
    if path.suffix.lower() != ".onnx":
        raise SettingsError("out", f"got {path}; the name must end in .onnx")
    if not path.parent.is_dir():
        raise ImageWriteError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise ImageWriteError(f"{path}: this is a folder; name a file in it")
    if same_file(path, model):
        raise ImageWriteError(f"{path}: it is the model itself, and would be lost; choose another name")
    if path.exists() and not report.force:
        raise ImageWriteError(f"{path}: the file exists; add --force to replace it, or choose another name")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ImageWriteError(f"{path}: there is no permission to write in {path.parent}; choose another folder")
