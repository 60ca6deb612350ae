"""Owns the output of a command: checked before painting, written afterwards, and saved elsewhere if that fails."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from impasto.cli import reporting, streams
from impasto.cli.options import DEFAULT_QUALITY, STANDARD, OutputOptions, ReportOptions
from impasto.errors import ImageWriteError, ImpastoError, SettingsError
from impasto.files import identity, same_file

if TYPE_CHECKING:
    from impasto.images import Image
    from impasto.images.writing import HasPixels


@runtime_checkable
class Painted(Protocol):
    """The parts of a Pastiche that an Output needs."""

    @property
    def image(self) -> HasPixels: ...

    def metadata(self) -> dict[str, str]:
        """The text entries of its file."""


# Formats without a quality setting.
_LOSSLESS = ("PNG", "TIFF", "BMP")


@dataclass(frozen=True, kw_only=True)
class Output:
    """The destination of one picture, and its format.

    Attributes:
        path: of the picture; None for standard output.
        format: of the picture, as a suffix without dot.
        figure: path of the figure; None for no figure.
        save_every: iterations between saved stages, 0 for none.
        overwrite: whether files that exist may be replaced.
        with_recipe: whether the recipe goes into the file.
        quality, bit_depth, dpi: as in `images.write`.
        protect: files that are never replaced.
    """

    path: Path | None
    format: str = "png"
    figure: Path | None = None
    save_every: int = 0
    overwrite: bool = False
    with_recipe: bool = True
    quality: int = DEFAULT_QUALITY
    bit_depth: int = 8
    dpi: int | None = None
    protect: Sequence[str | Path] = field(default=())

    @classmethod
    def of(
        cls,
        options: OutputOptions,
        report: ReportOptions,
        *,
        stem: str,
        suffix: str = ".png",
        protect: Iterable[str | Path],
        dpi: int | None = None,
    ) -> Output:
        """The output that the options ask for.

        Args:
            options, report: from the command line.
            stem, suffix: the name of the picture if the options give none.
            protect: files that are never replaced.
            dpi: dots an inch that the file is to note.

        Raises:
            SettingsError: two options contradict each other.
        """
        if options.format and f".{options.format.lower()}" not in _suffixes():
            raise SettingsError("format", f"got {options.format}; it must be one of {', '.join(_formats())}")
        if options.out == STANDARD:
            if isinstance(sys.stdout, streams.Nowhere):
                raise SettingsError("out", "standard output is closed; give --out a file")
            if sys.stdout.isatty():
                raise SettingsError(
                    "out", "standard output is the terminal; pipe it to a program, or give --out a file"
                )
            if report.json:
                raise SettingsError("json", "--json and --out - both write to standard output; give --out a file")
            if options.save_every:
                raise SettingsError(
                    "save_every",
                    "it adds numbers to the picture's name, and standard output has no name; give --out a file",
                )
            path, format = None, options.format or "png"
        elif options.out is None:
            suffix = f".{options.format.lower()}" if options.format else suffix
            path, format = free(Path(stem + suffix)), suffix[1:]
        else:
            path = Path(options.out)
            # An empty name is refused below, and does not mean the current folder.
            if options.out and (path.is_dir() or options.out.endswith(("/", os.sep))):
                # A folder: the picture gets the name that it would have without --out.
                path = free(path / f"{stem}{f'.{options.format.lower()}' if options.format else suffix}")
            format = path.suffix[1:]
            written = _suffixes().get(path.suffix.lower())
            if options.format and not written:
                named = f"{path.name}.{options.format.lower()}"
                raise SettingsError("format", f"the format follows from the suffix of --out; name the picture {named}")
            if options.format and written != _suffixes()[f".{options.format.lower()}"]:
                raise SettingsError(
                    "format", f"got {options.format}, but the suffix of {path} means {written}; give one"
                )
        if options.quality is not None and _suffixes().get(f".{format.lower()}") in _LOSSLESS:
            reporting.warning(f"--quality has no effect on {format.upper()}, which is lossless")
        return cls(
            path=path,
            format=format,
            figure=Path(options.figure) if options.figure else None,
            save_every=options.save_every or 0,
            overwrite=report.force,
            with_recipe=not options.no_metadata,
            quality=DEFAULT_QUALITY if options.quality is None else options.quality,
            bit_depth=options.bit_depth,
            dpi=dpi,
            protect=tuple(protect),
        )

    def check(self) -> None:
        """Refuse, before painting, an output that could not be written afterwards.

        Raises:
            ImageWriteError: a file cannot be written there, or its format does not support the options.
        """
        import numpy as np

        from impasto import images

        if self.path is not None:
            _check_free(self.path, self.protect, self.overwrite)
            images.check_output(self.path, protect=self.protect)
        if self.figure is not None:
            self._check_figure(self.figure)
        if self.save_every and self.path is not None and not self.overwrite:
            for stage in sorted(self.path.parent.iterdir()):
                if re.fullmatch(re.escape(self.path.stem) + r"-\d{4,}" + re.escape(self.path.suffix), stage.name):
                    raise ImageWriteError(f"{stage}: this file of an earlier run exists; add --force to replace it")
        # The encoder checks the options for this format with a tiny picture.
        images.encode(np.zeros((1, 3, 2, 2), np.float32), self.format, quality=self.quality, bit_depth=self.bit_depth)

    def _check_figure(self, figure: Path) -> None:
        target = check_figure(figure, protect=self.protect, overwrite=self.overwrite)
        if self.path is not None and target == Path(os.path.realpath(self.path)):
            raise ImageWriteError(f"{figure}: the picture itself is written there; choose another name for the figure")

    def save(self, pastiche: Painted, *, rescue: bool = True) -> Path | None:
        """Write the picture to its file or to standard output.

        Args:
            rescue: whether a picture that cannot be written there is saved in the temporary folder instead.

        Returns:
            The file, or None for standard output.

        Raises:
            ImageWriteError: it could not be written; the message says where it was saved instead.
        """
        try:
            if self.path is None:
                self._print(pastiche)
                return None
            return self._write(pastiche, self.path)
        except (ImageWriteError, streams.StreamError) as error:
            if not rescue:
                raise
            import tempfile

            from impasto import images

            try:
                rescued = (
                    Path(tempfile.mkdtemp(prefix="impasto-")) / f"{self.path.stem if self.path else 'picture'}.png"
                )
                images.write(pastiche.image, rescued, metadata=self._metadata(pastiche))
            except (ImpastoError, OSError):
                raise error from None
            raise ImageWriteError(f"{error}; the picture was saved as {rescued}") from error

    def _write(self, pastiche: Painted, path: Path) -> Path:
        from impasto import images

        images.write(
            pastiche.image,
            path,
            metadata=self._metadata(pastiche),
            protect=self.protect,
            quality=self.quality,
            bit_depth=self.bit_depth,
            dpi=self.dpi,
            overwrite=self.overwrite,
        )
        return path

    def _metadata(self, pastiche: Painted) -> dict[str, str] | None:
        return pastiche.metadata() if self.with_recipe else None

    def _print(self, pastiche: Painted) -> None:
        from impasto import images

        data = images.encode(
            pastiche.image,
            self.format,
            metadata=self._metadata(pastiche),
            quality=self.quality,
            bit_depth=self.bit_depth,
            dpi=self.dpi,
        )
        with streams.writing():
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()

    def save_stage(self, picture: Image, number: int) -> Path:
        """Write an intermediate picture: `OUT-0001.png`, `OUT-0002.png`, …

        Raises:
            ImageWriteError: it could not be written.
        """
        from impasto import images

        assert self.path is not None
        path = self.path.with_name(f"{self.path.stem}-{number:04}{self.path.suffix}")
        images.write(picture, path, quality=self.quality, bit_depth=self.bit_depth, protect=self.protect)
        return path


def check_figure(figure: Path, *, protect: Iterable[str | Path], overwrite: bool) -> Path:
    """Refuse, before the work begins, a figure that could not be written afterwards.

    Returns:
        The file, symbolic links followed.

    Raises:
        ImageWriteError: a figure cannot be written there, or would replace something.
    """
    from impasto import plots

    protected = list(protect)
    _check_free(figure, protected, overwrite)
    _, target = plots.check_figure_path(figure)
    if any(same_file(figure, source) for source in protected):
        raise ImageWriteError(f"{figure}: it is an input, and would be lost; choose another name")
    return target


def check_files(paths: Iterable[Path], *, protect: Iterable[str | Path], overwrite: bool) -> None:
    """Refuse, before the work begins, to replace files whose names follow from --out.

    Args:
        paths: of the files that will be written.
        protect: files that are never replaced.
        overwrite: whether other existing files may be replaced.

    Raises:
        ImageWriteError: a file exists and must not be replaced, or a folder has a file's name.
    """
    there = [path for path in paths if os.path.lexists(path)]
    protected = {identity(source) for source in protect} if there else set()
    for path in there:
        if identity(path) in protected:
            raise ImageWriteError(f"{path}: it is an input, and would be lost; give --out another name")
        if path.is_dir():
            raise ImageWriteError(f"{path}: this is a folder, where a file must go; give --out another name")
        if not overwrite:
            raise ImageWriteError(f"{path}: the file exists; add --force to replace it, or give --out another name")


def _check_free(path: Path, protect: Sequence[str | Path], overwrite: bool) -> None:
    if path.is_file() and not overwrite and not any(same_file(path, source) for source in protect):
        raise ImageWriteError(f"{path}: the file exists; add --force to replace it, or choose another name")


def _suffixes() -> dict[str, str]:
    from impasto.images import WRITABLE_SUFFIXES

    return dict(WRITABLE_SUFFIXES)


def _formats() -> list[str]:
    return [suffix[1:] for suffix in _suffixes()]


def free(path: Path) -> Path:
    """`path`, or the first of `path-2`, `path-3`, … that does not exist."""
    candidate, number = path, 1
    while os.path.lexists(candidate):
        number += 1
        candidate = path.with_stem(f"{path.stem}-{number}")
    return candidate
