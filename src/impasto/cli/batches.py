"""Owns painting many photographs with one command: which they are, where each pastiche goes, and the report."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.cli import inputs, reporting
from impasto.cli.options import STANDARD, FileOptions, OutputOptions, ReportOptions
from impasto.cli.outputs import Output, Painted
from impasto.cli.progress import LINE_SECONDS, duration
from impasto.cli.signals import Interruption
from impasto.errors import ImpastoError, SettingsError
from impasto.files import label
from impasto.messages import counted

if TYPE_CHECKING:
    from impasto.images import Folder

# Files that are skipped are named one by one up to this many.
_NAMED = 20


@dataclass
class _Progress:
    """What has become of the photographs so far.

    Attributes:
        total: number of photographs.
        painted: the files written.
        kept: number of pictures that existed already.
        failed: number of photographs that could not be painted.
    """

    total: int
    painted: list[Path] = field(default_factory=list)
    kept: int = 0
    failed: int = 0

    @property
    def left(self) -> int:
        """Number of photographs that are still to be painted."""
        return self.total - len(self.painted) - self.kept - self.failed


def is_batch(content: str) -> bool:
    """Whether the name of the photograph stands for many: a folder, or a pattern."""
    if content in ("", STANDARD) or Path(content).is_file():
        return False
    # A bracket may also be part of the name of a file that is missing.
    pattern = "*" in content or "?" in content or (glob.has_magic(content) and any(glob.iglob(content)))  # noqa: PTH207
    return pattern or Path(content).is_dir()


def paint_all(
    content: str,
    style: Sequence[str],
    paint: Callable[[str], Painted],
    output: FileOptions,
    report: ReportOptions,
) -> int:
    """Paint every picture of a folder or a pattern; photographs that cannot be painted are named.

    Args:
        content: the folder, or the pattern.
        style: names of the paintings, for the files that must not be replaced.
        paint: paints the photograph of a name.
        output, report: from the command line.

    Returns:
        The exit code: 1 if a photograph could not be painted.

    Raises:
        SettingsError: there is no picture, or the output cannot be the one that was named.
    """
    folder, targets = photographs(content, output)
    sources = folder.pictures
    report_skipped(folder)
    if not sources:
        raise SettingsError("content", f"there is no picture in {content}; name a folder or a pattern that has some")
    begin = last = time.monotonic()
    progress = _Progress(len(targets))
    for path, source in targets.items():
        now = time.monotonic()
        if now - last >= LINE_SECONDS and not report.quiet:
            last = now
            reporting.note(_line(progress, now - begin))
        if path.exists() and not report.force:
            progress.kept += 1
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            options = OutputOptions(**{**vars(output), "out": str(path)})
            destination = Output.of(options, report, stem="", protect=[*sources, *inputs.files(style)])
            destination.check()
            # What cannot be written is saved nowhere else: the same command paints it again.
            destination.save(paint(str(source)), rescue=False)
        except (ImpastoError, OSError) as error:
            if path.exists() and not report.force:
                # Another run over the same folder has written it meanwhile.
                progress.kept += 1
                continue
            progress.failed += 1
            reporting.warning(_blamed(source, error))
            continue
        except Interruption as interruption:
            again = "" if report.force else "; the same command continues"
            done = len(progress.painted) + progress.kept
            reporting.note(f"interrupted; {done} of {counted(len(targets), 'picture')} exist{again}")
            return interruption.code
        progress.painted.append(path)
        if not report.json:
            reporting.result(path)
    _report(progress, folder, time.monotonic() - begin, report)
    return 1 if progress.failed else 0


def photographs(content: str, output: FileOptions) -> tuple[Folder, dict[Path, Path]]:
    """The files that a folder, a pattern or a file's name stands for, and the photograph of each picture to paint.

    Raises:
        SettingsError: there is no such file, or the output cannot be the one that was named.
    """
    root, folder = _pictures(content)
    if not folder.pictures:
        return folder, {}
    target = _target_folder(content, len(folder.pictures), output)
    deep = Path(content).is_dir() or "**" in Path(content).parts
    return folder, _targets(root, folder.pictures, target, output.format, deep=deep)


def _report(progress: _Progress, folder: Folder, seconds: float, report: ReportOptions) -> None:
    if report.json:
        reporting.result(
            {
                "outputs": progress.painted,
                "kept": progress.kept,
                "failed": progress.failed,
                "skipped": [{"file": str(one.path), "reason": one.reason} for one in folder.skipped],
                "seconds": round(seconds, 3),
            }
        )
    if not report.quiet:
        counts = (
            (progress.kept, "there already"),
            (progress.failed, "failed"),
            (len(folder.skipped), "skipped"),
        )
        rest = "".join(f", {count} {what}" for count, what in counts if count)
        reporting.note(f"painted {counted(len(progress.painted), 'picture')} in {duration(seconds)}{rest}")


def _line(progress: _Progress, seconds: float) -> str:
    """Progress for the log: how many are painted, and the time left at the same speed."""
    line = f"painted {len(progress.painted)} of {counted(progress.total, 'picture')}"
    if not progress.painted:
        return line
    return f"{line}, {duration(seconds / len(progress.painted) * progress.left)} left"


def report_skipped(folder: Folder) -> None:
    for one in folder.skipped[:_NAMED]:
        reporting.warning(f"{label(one.path)} is skipped: {one.reason}")
    if len(folder.skipped) > _NAMED:
        reporting.warning(f"and {counted(len(folder.skipped) - _NAMED, 'more file')}; --json lists all of them")


def _blamed(source: Path, error: Exception) -> str:
    """The message of an error, with the photograph's name unless the message has it already."""
    message, name = str(error), label(source)
    return message if message.startswith(f"{name}: ") else f"{name}: {message}"


def _target_folder(content: str, count: int, output: FileOptions) -> Path:
    from impasto.images import WRITABLE_SUFFIXES

    several = f"{content} holds {counted(count, 'picture')}"
    if output.out is None or output.out == STANDARD:
        raise SettingsError("out", f"{several}; give --out a folder for the results")
    target = Path(output.out)
    if target.is_file():
        raise SettingsError("out", f"{target} is a file, and {several}; give --out a folder")
    if target.suffix.lower() in WRITABLE_SUFFIXES and not target.is_dir():
        raise SettingsError("out", f"{target} is named like a picture, and {several}; give --out a folder")
    return target


def _targets(root: Path, sources: Iterable[Path], target: Path, suffix: str | None, *, deep: bool) -> dict[Path, Path]:
    """The photograph of each picture to paint, by the picture's path.

    Photographs inside the target folder are left out: they are results.

    Args:
        root: the folder that holds all photographs.
        sources: the photographs.
        target: the folder for the pictures.
        suffix: of the pictures, without a dot; if None, `output_suffix` of each photograph.
        deep: whether photographs are searched in all subfolders too.

    Raises:
        SettingsError: a picture would replace a photograph or another picture, or be a photograph the next time.
    """
    from impasto.images import output_suffix

    if target.resolve() == root.resolve():
        raise SettingsError("out", f"{target} is the photographs' own folder; give --out another one")
    within = root.resolve() in target.resolve().parents
    if within and deep:
        outside = os.path.normpath(root / os.pardir / target.name)
        raise SettingsError(
            "out",
            f"{target} lies in {root}, so the next run would take its pictures for photographs; give --out a folder "
            f"outside, such as {outside}",
        )
    photographs = {source.resolve() for source in sources}
    found: dict[Path, Path] = {}
    for source in sources:
        if within and target.resolve() in source.resolve().parents:
            continue
        own = f".{suffix}" if suffix else output_suffix(source)
        path = (target / source.relative_to(root)).with_suffix(own)
        if path in found:
            raise SettingsError(
                "content", f"{found[path]} and {source} would both be painted as {path}; rename one, or move it away"
            )
        if path.resolve() in photographs:
            raise SettingsError(
                "out", f"{source} would be painted as {path}, which is a photograph; give --out another folder"
            )
        found[path] = source
    return found


def _pictures(source: str) -> tuple[Path, Folder]:
    """The folder in which a folder or a pattern begins, and the pictures that it stands for."""
    from impasto.images import Folder

    path, parts = Path(source), Path(source).parts
    if path.is_file() or not (path.is_dir() or glob.has_magic(source)):
        if not path.is_file():
            raise SettingsError("content", f"{label(path)}: there is no such file or folder")
        return path.parent, Folder.of([path])
    fixed = len(parts) if path.is_dir() else next(i for i, part in enumerate(parts) if glob.has_magic(part))
    root = Path(*parts[:fixed])
    return root, Folder.of(root.glob("/".join(parts[fixed:]) or "**/*"))
