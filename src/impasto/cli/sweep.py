"""Owns `impasto sweep`: paints a photograph with several values of one or two settings, on one labelled sheet."""

from __future__ import annotations

import csv
import io
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from impasto.cli import inputs, reporting
from impasto.cli.options import (
    Content,
    Preset,
    ReportOptions,
    Style,
    Threads,
    Weights,
    as_typed,
    default_text,
    setting_options,
    settings_of,
    words,
)
from impasto.cli.outputs import check_figure, check_files, free
from impasto.cli.signals import Interruption, Signals
from impasto.errors import ImageWriteError, ImpastoError, SettingsError
from impasto.files import label, whole, why_not_written
from impasto.messages import counted
from impasto.presets import DEFAULT

if TYPE_CHECKING:
    from impasto.cli.options import SettingOptions as AllSettings
    from impasto.images import Image
    from impasto.metrics import Judge
    from impasto.sweeps import Axis, Cell
else:
    AllSettings = setting_options("AllSettings", default_text)

_NUMBERS = ("seconds", "loss", "style", "content", "edges")
_MEASURES = (*_NUMBERS, "faults")


def sweep(
    content: Content,
    /,
    *style: Style,
    preset: Preset = DEFAULT,
    out: Annotated[
        str | None,
        words(
            "The sheet: a PNG, JPEG, PDF or SVG file. A folder of the pictures and a CSV file of their measures are "
            "written beside it.",
            "named after the inputs",
            name=("--out", "-o"),
            metavar="FILE",
        ),
    ] = None,
    report: ReportOptions = ReportOptions(),  # noqa: B008  (frozen)
    options: AllSettings = AllSettings(),  # noqa: B008  (frozen)
    weights: Weights = None,
    threads: Threads = None,
) -> int:
    """Paint one picture for each of several values of one or two settings.

      impasto sweep photo.jpg painting.jpg --strength 0.3,0.5,0.7

    Separate the values of a setting by commas. Settings that are lists
    (--content-layers, --style-layers, --blend, --region-strength) and
    --preset, --weights and --threads take one value only. All pictures are
    drawn on one labelled sheet; their measures go to a CSV file. After an
    interruption the same command continues. Files that are not results of
    the same sweep are replaced only with --force.
    """
    with Signals.caught() as signals:
        from impasto import sweeps
        from impasto.cli import painting

        for name, value in (("preset", preset), ("weights", weights)):
            if value and "," in value and not Path(value).exists():
                raise SettingsError(
                    name,
                    f"got {value!r}, which cannot be swept; give one, and several values of one or two settings, "
                    f"such as {sweeps.EXAMPLE}",
                )
        single, axes = sweeps.axes_of(options.given())
        cells = sweeps.cells(settings_of(preset, type(options)(**single)), axes)
        names = [content, *style]
        inputs.check_sources(names)
        inputs.check_names([content], style, command="sweep", blended="blend" in single)
        painting.use_threads(threads)
        sheet = Path(out) if out else free(Path(f"{inputs.stem(content, style)}-sweep.png"))
        begun = [name for cell in cells for name in inputs.starting_picture(cell.settings.init)]
        protect = inputs.files([*names, *begun, *inputs.optional(weights)])
        check_figure(sheet, protect=protect, overwrite=report.force)
        photograph, paintings = inputs.picture(content), [inputs.picture(name) for name in style]
        return _Sweep(sheet, axes, cells, photograph, paintings, weights, report, protect).run(signals)


class _Sweep:
    """One sweep, from its cells to its sheet."""

    def __init__(
        self,
        sheet: Path,
        axes: Sequence[Axis],
        cells: Sequence[Cell],
        content: Image,
        styles: Sequence[Image],
        weights: str | None,
        report: ReportOptions,
        protect: Sequence[str],
    ) -> None:
        self.sheet, self.axes, self.cells = sheet, axes, cells
        self.content, self.styles, self.weights, self.report = content, styles, weights, report
        self.protect = protect
        self.folder = sheet.with_name(f"{sheet.stem}-pictures")
        self.table = sheet.with_suffix(".csv")
        self.columns = [*(axis.setting for axis in axes), "picture", *_MEASURES]
        self.rows: dict[str, dict[str, Any]] = {}

    def run(self, signals: Signals) -> int:
        """Paint the pictures that are missing, then draw the sheet."""
        from impasto import metrics, plots, sweeps
        from impasto.images import read

        table = self._read_table()
        known = {row["picture"]: row for row in table if row.get("picture")}
        own = {cell.stem for cell in self.cells if self._painted(cell)}
        # A picture whose measures are lost is painted again.
        done = {cell.stem for cell in self.cells if cell.stem in own and self._path(cell).name in known}
        self._check_files(table, own, done)
        self._check([cell for cell in self.cells if cell.stem not in done])
        judge = metrics.Judge(self.content, self.styles)
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise ImageWriteError(f"{self.folder}: the folder cannot be made ({error.strerror})") from error
        for number, cell in enumerate(self.cells, start=1):
            path = self._path(cell)
            try:
                if cell.stem in done:
                    self.rows[path.name] = known[path.name]
                else:
                    self._say(f"{number} of {len(self.cells)}: {cell.label}")
                    self.rows[path.name] = self._paint(cell, path, judge)
                    signals.keep()
                    self._write_table()
            except Interruption as interruption:
                painted = f"{len(self.rows)} of {counted(len(self.cells), 'picture')}"
                reporting.note(f"interrupted after {painted}; the same command continues")
                return interruption.code
        self._write_table()
        pictures = [(cell, read(self._path(cell))) for cell in self.cells]
        plots.write_figure(sweeps.sheet(pictures, self.axes), self.sheet)
        if self.report.json:
            cells = [_record(cell, self.rows[self._path(cell).name]) for cell in self.cells]
            reporting.result({"sheet": self.sheet, "table": self.table, "cells": cells})
        else:
            reporting.result(self.sheet)
        return 0

    def _check_files(self, table: Sequence[Mapping[str, Any]], own: Set[str], done: Set[str]) -> None:
        """Refuse to replace an input, or a file that is not a result of this sweep.

        Args:
            table: rows of an existing table.
            own: stems of the pictures that are results of this sweep.
            done: stems of those that are not painted again.

        Raises:
            ImageWriteError: such a file would be replaced.
        """
        written = [self.table, *(self._path(cell) for cell in self.cells if cell.stem not in done)]
        check_files(written, protect=self.protect, overwrite=True)
        others = [self._path(cell) for cell in self.cells if cell.stem not in own]
        names = {self._path(cell).name for cell in self.cells}
        if not done or any(list(row) != self.columns or row["picture"] not in names for row in table):
            others.append(self.table)
        check_files(others, protect=(), overwrite=self.report.force)

    def _check(self, cells: Sequence[Cell]) -> None:
        """Check settings, pictures and memory of all cells before the first is painted.

        Raises:
            ImpastoError: a cell cannot be painted; a note names it.
        """
        from impasto import api
        from impasto.cli import painting

        largest: dict[str, Cell] = {}
        for cell in cells:
            with _blamed(cell), warnings.catch_warnings(action="ignore"):
                # Warnings are printed when the cell is painted.
                settings = api.stylization(self.content, self.styles, cell.settings, weights=self.weights).settings
            known = largest.setdefault(settings.device, cell)
            largest[settings.device] = max(known, cell, key=self._memory)
        for cell in largest.values():
            with _blamed(cell):
                painting.check_memory(self.content, cell.settings, len(self.styles))

    def _memory(self, cell: Cell) -> int:
        """Bytes that a cell needs."""
        from impasto import planning

        return planning.peak_bytes(self.content.size, cell.settings, styles=len(self.styles))

    def _path(self, cell: Cell) -> Path:
        return self.folder / f"{cell.stem}.png"

    def _paint(self, cell: Cell, path: Path, judge: Judge) -> dict[str, Any]:
        """Paint a cell to its file; returns its row of the table."""
        from impasto import api
        from impasto.cli.progress import bar

        begin = time.monotonic()
        with bar(shown=not self.report.quiet, clock=time.monotonic) as show:
            for progress in api.stylization(self.content, self.styles, cell.settings, weights=self.weights):
                show(progress)
        pastiche = progress.pastiche()
        seconds = time.monotonic() - begin
        pastiche.save(path)
        measures = {"seconds": f"{seconds:.2f}", "loss": f"{progress.value:.6g}", **_judged(judge, pastiche.image)}
        return {**cell.values, "picture": path.name, **measures}

    def _painted(self, cell: Cell) -> bool:
        """Whether the file of a cell holds its picture."""
        from impasto import api, sweeps
        from impasto.backbones import WeightsFile
        from impasto.recipes import Fingerprint, Recipe

        path = self._path(cell)
        if not path.is_file():
            return False
        recipe = Recipe(
            api.resolved(cell.settings),
            Fingerprint.of(self.content),
            tuple(Fingerprint.of(style) for style in self.styles),
            weights=Fingerprint(**vars(WeightsFile.of(Path(self.weights)))) if self.weights else None,
        )
        return sweeps.painted(path, recipe)

    def _read_table(self) -> list[dict[str, Any]]:
        """The rows of an existing table; none if there is no readable one."""
        try:
            with self.table.open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))
        except (OSError, ValueError, csv.Error):
            return []

    def _write_table(self) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns, extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows(self.rows.values())
        try:
            with whole(self.table) as partial:
                partial.write_text(text.getvalue(), encoding="utf-8", newline="")
        except OSError as error:
            raise ImageWriteError(f"{label(self.table)}: {why_not_written(error, self.table)}") from error

    def _say(self, message: str) -> None:
        if not self.report.quiet:
            reporting.note(message)


@contextmanager
def _blamed(cell: Cell) -> Iterator[None]:
    """Adds the name of the cell to errors."""
    try:
        yield
    except ImpastoError as error:
        error.add_note(f"this concerns the picture with {as_typed(cell.label)}; no picture is painted yet")
        raise


def _record(cell: Cell, row: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the `--json` output for a cell, from its row of the table; None for missing values."""
    values = {name: getattr(cell.settings, name) for name in cell.values}
    measures = {name: _number(row.get(name)) for name in _NUMBERS}
    return {**values, "picture": row["picture"], **measures, "faults": row.get("faults", "")}


def _number(text: str | None) -> float | None:
    """A number from the table; None if the text is not one."""
    try:
        return reporting.number(float(text or ""))
    except ValueError:
        return None


def _judged(judge: Judge, image: Image) -> dict[str, str]:
    """The measures of a picture, as text; empty if it is too small to be judged."""
    try:
        judgement = judge.judge(image)
    except SettingsError:
        return {}
    return {
        "style": f"{judgement.style:.4f}",
        "content": f"{judgement.content:.4f}",
        "edges": f"{judgement.edges:.4f}",
        "faults": " ".join(artifact.kind.replace(" ", "-") for artifact in judgement.artifacts),
    }
