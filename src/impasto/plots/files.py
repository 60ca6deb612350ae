"""Owns the writing of figures to files: the check of the path, and the atomic write."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto._version import __version__
from impasto.errors import ImageWriteError
from impasto.files import label, whole, why_not_written
from impasto.messages import printable, reason
from impasto.plots.page import DPI

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Suffixes that a figure can be written with, and the format each means.
FIGURE_SUFFIXES: Mapping[str, str] = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".pdf": "pdf",
    ".svg": "svg",
}
# Quality of a JPEG: lower values leave visible artifacts at text and lines.
_QUALITY = 95


def write_figure(fig: Figure, path: str | os.PathLike[str], *, dpi: int = DPI) -> Path:
    """Write a figure atomically, in the format of the suffix. The file contains no time stamp.

    Args:
        fig: from `figure` or `grid_figure`.
        path: ends in .png, .jpg, .jpeg, .pdf or .svg. Its folder must exist; an existing file is replaced.
        dpi: pixels per inch, of a PNG or JPEG, and of the pictures inside a PDF or SVG.

    Returns:
        The path as given.

    Raises:
        ImageWriteError: it cannot be written there.
    """
    kind, target = check_figure_path(path)
    program = f"Impasto {__version__}"
    more: dict[str, dict[str, Any]] = {
        "png": {"metadata": {"Software": program}},
        "jpeg": {"pil_kwargs": {"quality": _QUALITY}},
        "pdf": {"metadata": {"Creator": program, "CreationDate": None}},
        "svg": {"metadata": {"Creator": program, "Date": None}},
    }
    out = io.BytesIO()
    fig.savefig(out, format=kind, dpi=dpi, facecolor="white", **more[kind])
    try:
        with whole(target) as beside:
            beside.write_bytes(out.getvalue())
    except OSError as error:
        raise ImageWriteError(f"{label(path)}: {why_not_written(error, target)}") from error
    return Path(path)


def check_figure_path(path: str | os.PathLike[str]) -> tuple[str, Path]:
    """Check a path for `write_figure`, without writing; to be called before long work begins.

    Returns:
        The format, one of the values of `FIGURE_SUFFIXES`, and the path of the file, with symbolic links resolved.

    Raises:
        ImageWriteError: a figure cannot be written there.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in FIGURE_SUFFIXES:
        received = f"got {printable(suffix)!r}" if suffix else "it has none"
        raise ImageWriteError(
            f"{label(path)}: the suffix determines the format of a figure: {received}; "
            f"allowed are {', '.join(FIGURE_SUFFIXES)}"
        )
    try:
        target = Path(os.path.realpath(path))
        folder = target.parent
        if not folder.is_dir():
            raise ImageWriteError(f"{label(path)}: there is no folder {label(folder)}; make it first")
        if target.exists() and not target.is_file():
            what = "a folder; name a file in it" if target.is_dir() else "a device or a pipe; name a file"
            raise ImageWriteError(f"{label(path)}: this is {what}")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ImageWriteError(f"{label(path)}: {why_not_written(PermissionError(errno.EACCES, ''), target)}")
    except (OSError, ValueError) as error:
        raise ImageWriteError(f"{label(path)}: it cannot be written there ({reason(error)})") from error
    return FIGURE_SUFFIXES[suffix.lower()], target
