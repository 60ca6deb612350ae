"""Owns the checkpoint of a command that paints: reading one that exists, and when to write a new one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from cyclopts import Parameter

from impasto.cli import reporting
from impasto.cli.options import OUTPUT, whole, words
from impasto.cli.outputs import Output
from impasto.errors import CheckpointError
from impasto.files import same_file
from impasto.settings.options import Option

if TYPE_CHECKING:
    from impasto.checkpoints import Checkpoint
    from impasto.progress import Progress

DEFAULT_SECONDS = 30
# Painting gets at least this many times the time that writing a checkpoint takes, which is long for large pictures.
_LEAST_RATIO = 20


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CheckpointOptions:
    """The file of the checkpoint, and how often it is written."""

    checkpoint: Annotated[
        str | None,
        words(
            "Save the progress to this file. If it exists, continue from it; the result is exactly the same picture. "
            "Deleted when the picture is finished.",
            "none",
            metavar="FILE",
        ),
    ] = None
    checkpoint_every: Annotated[
        int,
        whole(
            "checkpoint_every",
            str(DEFAULT_SECONDS),
            "Time between two checkpoints.",
            Option(meaning="", group=OUTPUT, unit="seconds", low=0, high=86400),
        ),
    ] = DEFAULT_SECONDS


@dataclass
class Checkpointer:
    """Writes checkpoints to a file while a picture is painted; without a path, it does nothing.

    Attributes:
        path: of the file.
        seconds: least time between two checkpoints.
        overwrite: whether a file that painting cannot continue from may be replaced.
        clock: the time in seconds.
    """

    path: Path | None
    seconds: float = DEFAULT_SECONDS
    overwrite: bool = False
    clock: Callable[[], float] = time.monotonic
    _next: float = field(default=0.0, init=False)

    @classmethod
    def of(cls, options: CheckpointOptions, output: Output) -> Self:
        """The checkpointer that the options ask for.

        Raises:
            CheckpointError: the file is an input or an output, or its folder does not exist.
        """
        if options.checkpoint is None:
            return cls(None)
        path = Path(options.checkpoint)
        for other in (*output.protect, *filter(None, (output.path, output.figure))):
            if same_file(path, other):
                raise CheckpointError(
                    f"{path}: this file is an input or an output; choose another name for the checkpoint"
                )
        if not path.absolute().parent.is_dir():
            raise CheckpointError(f"{path}: there is no folder {path.parent}; make it first")
        return cls(path, options.checkpoint_every, output.overwrite)

    def load(self) -> Checkpoint | None:
        """The checkpoint in the file; None if there is no file, or painting starts over because it is unusable.

        Raises:
            CheckpointError: it is not a checkpoint, or damaged, and must not be replaced.
        """
        from impasto.checkpoints import Checkpoint

        self._next = self.clock() + self.seconds
        if self.path is None or not self.path.exists():
            return None
        try:
            return Checkpoint.load(self.path)
        except CheckpointError as error:
            self.start_over(error)
            return None

    def start_over(self, error: CheckpointError) -> None:
        """Warn that painting starts over because of `error`, if the file may be replaced; else raise the error."""
        message = str(error) if str(self.path) in str(error) else f"{self.path}: {error}"
        if not self.overwrite:
            raise CheckpointError(f"{message}; add --force to start over and replace it") from error
        reporting.warning(f"{message}; painting starts over")

    def save(self, progress: Progress, *, now: bool = False) -> bool:
        """Write a checkpoint if it is time, or `now`. After a failure it warns once and never tries again.

        Returns:
            Whether a checkpoint was written.
        """
        begin = self.clock()
        if self.path is None or (begin < self._next and not now):
            return False
        try:
            progress.checkpoint().save(self.path)
        except CheckpointError as error:
            self.path = None
            reporting.warning(f"{error}; no more checkpoints are written, painting continues")
            return False
        end = self.clock()
        self._next = end + max(self.seconds, _LEAST_RATIO * (end - begin))
        return True

    def delete(self) -> None:
        """Delete the file, once the picture is saved."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
