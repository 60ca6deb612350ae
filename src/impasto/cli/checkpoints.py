"""Owns the checkpoint of a command that paints: what is done with one that is found, and when it is written."""

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
# A checkpoint of a large picture takes long to write: painting has this many times as long in between.
_LEAST_RATIO = 20


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CheckpointOptions:
    """Where it is kept, and how often."""

    checkpoint: Annotated[
        str | None,
        words(
            "Keep here where the painting stands, and go on from there if it was stopped, to the very same picture. "
            "Deleted when the picture is done.",
            "none",
            metavar="FILE",
        ),
    ] = None
    checkpoint_every: Annotated[
        int,
        whole(
            "checkpoint_every",
            str(DEFAULT_SECONDS),
            "How often the checkpoint is written.",
            Option(meaning="", group=OUTPUT, unit="seconds", low=0, high=86400),
        ),
    ] = DEFAULT_SECONDS


@dataclass
class Keeper:
    """Keeps a checkpoint in a file while a picture is painted; without a path, it does nothing.

    Attributes:
        path: of the file.
        seconds: least time between two writings.
        overwrite: whether a file may be replaced that cannot be gone on from.
        clock: in seconds.
    """

    path: Path | None
    seconds: float = DEFAULT_SECONDS
    overwrite: bool = False
    clock: Callable[[], float] = time.monotonic
    _next: float = field(default=0.0, init=False)

    @classmethod
    def of(cls, options: CheckpointOptions, output: Output) -> Self:
        """The keeper that the options ask for.

        Raises:
            CheckpointError: the file is an input or an output, or its folder does not exist.
        """
        if options.checkpoint is None:
            return cls(None)
        path = Path(options.checkpoint)
        for other in (*output.protect, *filter(None, (output.path, output.figure))):
            if same_file(path, other):
                raise CheckpointError(f"{path}: it is an input or an output; choose another name for the checkpoint")
        if not path.absolute().parent.is_dir():
            raise CheckpointError(f"{path}: there is no folder {path.parent}; make it first")
        return cls(path, options.checkpoint_every, output.overwrite)

    def found(self) -> Checkpoint | None:
        """What is in the file, if there is one.

        Raises:
            CheckpointError: it is no checkpoint, or a damaged one, and may not be replaced.
        """
        from impasto.checkpoints import Checkpoint

        self._next = self.clock() + self.seconds
        if self.path is None or not self.path.exists():
            return None
        try:
            return Checkpoint.load(self.path)
        except CheckpointError as error:
            self.give_up(error)
            return None

    def give_up(self, error: CheckpointError) -> None:
        """Begin anew because of `error`, if the file may be replaced; else raise it."""
        message = str(error) if str(self.path) in str(error) else f"{self.path}: {error}"
        if not self.overwrite:
            raise CheckpointError(f"{message}; add --force to begin anew and replace it") from error
        reporting.warning(f"{message}; it is begun anew")

    def keep(self, progress: Progress, *, now: bool = False) -> bool:
        """Write where the painting stands, if it is time (or `now`); what fails is told once and not tried again.

        Returns:
            Whether it was written.
        """
        begin = self.clock()
        if self.path is None or (begin < self._next and not now):
            return False
        try:
            progress.checkpoint().save(self.path)
        except CheckpointError as error:
            self.path = None
            reporting.warning(f"{error}; no more checkpoints are written, the painting goes on")
            return False
        end = self.clock()
        self._next = end + max(self.seconds, _LEAST_RATIO * (end - begin))
        return True

    def done(self) -> None:
        """Delete the file: the picture is saved."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
