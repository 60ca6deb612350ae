"""Owns `impasto batch`: paints many photographs side by side, by the optimise engine."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from impasto.assets import SAMPLE_PREFIX
from impasto.cli import batches, inputs, reporting
from impasto.cli.options import (
    FileOptions,
    Preset,
    ReportOptions,
    Threads,
    as_typed,
    default_text,
    picture_argument,
    setting_options,
    settings_of,
    whole,
    words,
)
from impasto.cli.progress import LINE_SECONDS, duration
from impasto.cli.signals import Interruption, Signals
from impasto.errors import SettingsError
from impasto.files import label
from impasto.messages import counted
from impasto.presets import DEFAULT
from impasto.settings import Option

if TYPE_CHECKING:
    from impasto.batch import Item, Outcome
    from impasto.cli.options import SettingOptions as AllSettings
    from impasto.images import Folder
else:
    AllSettings = setting_options("AllSettings", default_text)

_WORKERS = Option(meaning="", group="Machine", low=1, high=1024)


def batch(
    content: Annotated[
        str, picture_argument("A photograph, a folder, a quoted pattern, or a manifest: a .csv or .jsonl file.")
    ],
    /,
    *more: Annotated[str, Parameter(help="More of them.")],
    style: Annotated[
        Sequence[str],
        words(
            "The painting: a file, or sample:NAME. Repeat it for several, which are blended.",
            "those of the manifest",
            group="Input",
            metavar="FILE",
            repeatable=True,
            name=("--style", "-s"),
        ),
    ] = (),
    preset: Preset = DEFAULT,
    output: FileOptions = FileOptions(),  # noqa: B008  (frozen)
    report: ReportOptions = ReportOptions(),  # noqa: B008  (frozen)
    options: AllSettings = AllSettings(),  # noqa: B008  (frozen)
    workers: Annotated[
        int | None,
        whole("workers", "as many as cores and memory allow", "Pictures painted at the same time.", _WORKERS),
    ] = None,
    threads: Threads = None,
) -> int:
    """Paint many photographs, several at the same time, into a folder.

      impasto batch holiday/ --style painting.jpg -o painted/
      impasto batch jobs.csv -o painted/

    A manifest has a row for each picture: content, style, output and any
    setting. Pictures that are there already are kept, so the same command
    goes on after an interruption, and two at the same time share the work.
    Photographs that cannot be painted are named; the others are painted.
    """
    names = [content, *more]
    inputs.check_sources([*names, *style])
    with Signals.caught() as signals:
        from impasto import devices
        from impasto.batch import LocalExecutor, cores, run, workers_that_fit
        from impasto.batch.orders import FileFormat

        folder = _folder(output)
        items, skipped = _items(names, style, preset, options, output, folder)
        count = workers or workers_that_fit(items, devices.resolve(items[0].settings.device), threads or 1)
        executor = LocalExecutor(count, threads or max(1, cores() // count))
        file_format = FileFormat(
            bit_depth=output.bit_depth,
            with_recipe=not output.no_metadata,
            **({} if output.quality is None else {"quality": output.quality}),
        )
        outcomes = run(items, executor, file_format=file_format, overwrite=report.force)
        signals.keep()
        return _Report(len(items), skipped, report).follow(outcomes)


class _Report:
    """What is said of a batch while it is painted, and in the end."""

    def __init__(self, total: int, skipped: Folder, report: ReportOptions) -> None:
        self.total, self.skipped, self.report = total, skipped, report
        self.outcomes: list[Outcome] = []
        self.begin = time.monotonic()

    def follow(self, outcomes: Generator[Outcome, None, None]) -> int:
        """Report every outcome; returns the exit code: 1 if a picture failed."""
        said = self.begin
        try:
            with closing(outcomes):
                for outcome in outcomes:
                    self._say(outcome)
                    if not self.report.quiet and time.monotonic() - said >= LINE_SECONDS:
                        said = time.monotonic()
                        reporting.note(self._line())
        except Interruption as interruption:
            done = self._count("painted") + self._count("kept")
            reporting.note(f"interrupted; {done} of {counted(self.total, 'picture')} exist; the same command continues")
            return interruption.code
        self._end()
        return 1 if self._count("failed") else 0

    def _say(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        name = label(outcome.item.output)
        for note in outcome.notes:
            reporting.warning(f"{name}: {as_typed(note)}")
        if outcome.kind == "failed":
            reporting.warning(f"{outcome.item.source or label(outcome.item.content)} failed: {as_typed(outcome.error)}")
        elif outcome.kind == "painted" and not self.report.json:
            reporting.result(outcome.item.output)

    def _end(self) -> None:
        seconds = time.monotonic() - self.begin
        if self.report.json:
            reporting.result(
                {
                    "pictures": [_record(outcome) for outcome in self.outcomes],
                    "skipped": [{"file": str(one.path), "reason": one.reason} for one in self.skipped.skipped],
                    "seconds": round(seconds, 3),
                }
            )
        if not self.report.quiet:
            counts = (
                (self._count("kept"), "there already"),
                (self._count("failed"), "failed"),
                (len(self.skipped.skipped), "skipped"),
            )
            rest = "".join(f", {count} {what}" for count, what in counts if count)
            reporting.note(f"painted {counted(self._count('painted'), 'picture')} in {duration(seconds)}{rest}")

    def _line(self) -> str:
        """Progress: how many are done, and the time left at the same speed."""
        done, painted = len(self.outcomes), self._count("painted")
        line = f"{done} of {counted(self.total, 'picture')} done"
        if not painted:
            return line
        left = (time.monotonic() - self.begin) / painted * (self.total - done)
        return f"{line}, {duration(left)} left"

    def _count(self, kind: str) -> int:
        return sum(outcome.kind == kind for outcome in self.outcomes)


def _record(outcome: Outcome) -> dict[str, Any]:
    item = outcome.item
    return {
        "content": item.content,
        "style": list(item.styles),
        "output": item.output,
        "status": outcome.kind,
        "seconds": round(outcome.seconds, 3),
        "notes": list(outcome.notes),
        "error": outcome.error or None,
    }


def _items(
    names: Sequence[str],
    style: Sequence[str],
    preset: str,
    options: AllSettings,
    output: FileOptions,
    folder: Path,
) -> tuple[list[Item], Folder]:
    """The pictures to paint, and the files that are none."""
    from impasto.batch import Item, read_manifest
    from impasto.batch.manifest import SUFFIXES
    from impasto.images import Folder

    settings = settings_of(preset, options)
    items: list[Item] = []
    skipped = Folder((), ())
    for name in names:
        if Path(name).suffix.lower() in SUFFIXES:
            items += read_manifest(Path(name), settings=settings, styles=style, folder=folder)
            continue
        if not style:
            raise SettingsError("style", "got no painting; name one with --style")
        if name.startswith(SAMPLE_PREFIX):
            path = folder / f"{name.removeprefix(SAMPLE_PREFIX)}.{output.format or 'png'}"
            items.append(Item(name, tuple(style), settings, path))
            continue
        found, targets = batches.photographs(name, output)
        skipped = Folder((), (*skipped.skipped, *found.skipped))
        items += [Item(str(source), tuple(style), settings, path) for path, source in targets.items()]
    batches.report_skipped(skipped)
    if not items:
        raise SettingsError(
            "content", f"there is no picture in {', '.join(names)}; name a folder or a pattern with some"
        )
    return items, skipped


def _folder(output: FileOptions) -> Path:
    if output.out is None:
        raise SettingsError("out", "got no folder for the pictures; name one with --out")
    folder = Path(output.out)
    if folder.is_file():
        raise SettingsError("out", f"{folder} is a file; give --out a folder")
    return folder
