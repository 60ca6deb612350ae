"""Owns the protocol between the studio and a painting process: one JSON object a line, in both directions.

The studio sends commands on the worker's standard input; the worker sends reports on its standard output. A command
carries the lease of the job that it is for, except `Leave`, which is for the process itself.

| command | the worker then |
|---|---|
| `Paint` | paints a job, from its checkpoint if there is a valid one |
| `ChangeSettings` | uses other values of some settings from the next iteration on |
| `ChangeMasks` | starts the optimization again, with other masks, from the current picture |
| `Stop` | finishes with the current picture as the result |
| `Cancel` | drops the job |
| `Release` | writes a checkpoint and returns the job to the queue |
| `Leave` | does the same, and exits |

| report | says |
|---|---|
| `Progressed` | the position, the new losses, and the size of the new preview |
| `Checkpointed` | how many iterations the checkpoint holds |
| `Rebased` | that the job now continues from another initial picture |
| `Warned` | that something unexpected was worked around |
| `Finished`, `Released`, `Dropped`, `Failed` | how the job ended |
| `Lost` | that the process ended without a final report; sent by the executor, never by the worker |
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, TextIO

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Message(BaseModel):
    """One line of the protocol."""

    # Losses of a diverging run may be infinite.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class PictureFile(Message):
    """A picture to read: the path of its file, and the name to use in messages."""

    path: str
    name: str


class Command(Message):
    """A command to a worker; `lease` says for which claim of which job."""

    lease: str = ""


class Paint(Command):
    """Paint a job.

    Attributes:
        job: its id.
        folder: where the job's files go.
        settings: those that the optimization starts with.
        wanted: those requested by now; live ones are applied at once.
        stopping: whether to finish after the first iteration.
        seconds: time spent in earlier attempts.
    """

    do: Literal["paint"] = "paint"
    job: str
    folder: str
    settings: dict[str, Any]
    wanted: dict[str, Any]
    stopping: bool
    seconds: float
    content: PictureFile
    styles: list[PictureFile]
    init: PictureFile | None = None
    masks: list[PictureFile] = []
    style_masks: list[PictureFile] = []
    content_map: PictureFile | None = None


class ChangeSettings(Command):
    """Change live settings."""

    do: Literal["change"] = "change"
    settings: dict[str, Any]


class ChangeMasks(Command):
    """Replace all masks."""

    do: Literal["masks"] = "masks"
    masks: list[PictureFile]
    style_masks: list[PictureFile]
    content_map: PictureFile | None


class Stop(Command):
    """Finish with the current picture."""

    do: Literal["stop"] = "stop"


class Cancel(Command):
    """Drop the job."""

    do: Literal["cancel"] = "cancel"


class Release(Command):
    """Write a checkpoint and return the job to the queue."""

    do: Literal["release"] = "release"


class Leave(Command):
    """Release the current job, if any, and exit."""

    do: Literal["leave"] = "leave"


class JobPosition(Message):
    """Where the optimization is."""

    scale: int
    scales: int
    size: list[int]
    iteration: int
    iterations: int
    step: int
    fraction: float
    seconds: float
    seconds_left: float | None
    loss: float
    losses: dict[str, float]


class LossPoint(Message):
    """The weighted losses after one iteration."""

    step: int
    scale: int
    size: list[int]
    iteration: int
    loss: float
    losses: dict[str, float]
    changed: list[str]


class PreviewSize(Message):
    """Width and height of the preview, in pixels."""

    width: int
    height: int


class WorkerReport(Message):
    """A report of a worker; `ends` says whether the worker is free afterwards."""

    ends: ClassVar[bool] = False


class Progressed(WorkerReport):
    """The current position; `points` replace all known losses from index `first` on."""

    say: Literal["progress"] = "progress"
    progress: JobPosition
    preview: PreviewSize
    first: int
    points: list[LossPoint]


class Checkpointed(WorkerReport):
    """A checkpoint was written; it holds `reached` iterations."""

    say: Literal["checkpoint"] = "checkpoint"
    progress: JobPosition
    seconds: float
    reached: int


class Rebased(WorkerReport):
    """The job now starts from another picture.

    Attributes:
        start: path of the picture.
        settings: those that the job now starts with.
        heard: the wanted settings that the worker knew of.
    """

    say: Literal["rebased"] = "rebased"
    start: str
    settings: dict[str, Any]
    heard: dict[str, Any]


class Warned(WorkerReport):
    """Something unexpected was worked around."""

    say: Literal["warning"] = "warning"
    text: str


class Finished(WorkerReport):
    """The result is in the file `path`."""

    ends: ClassVar[bool] = True
    say: Literal["painted"] = "painted"
    path: str
    stopped: bool
    seconds: float
    step: int
    warnings: list[str]


class Released(WorkerReport):
    """The job was left at a checkpoint of `reached` iterations."""

    ends: ClassVar[bool] = True
    say: Literal["released"] = "released"
    progress: JobPosition
    seconds: float
    reached: int


class Dropped(WorkerReport):
    """The job was dropped."""

    ends: ClassVar[bool] = True
    say: Literal["dropped"] = "dropped"


class Failed(WorkerReport):
    """The job cannot be painted: the kind of problem (see `problems`), the reason, and the setting to blame, if any."""

    ends: ClassVar[bool] = True
    say: Literal["failed"] = "failed"
    kind: str
    detail: str
    setting: str | None


class Lost(WorkerReport):
    """The process ended, or its output could not be understood.

    Attributes:
        reason: why, for people.
        died: whether the process is to blame; false if the studio could not store a report and ended it.
    """

    ends: ClassVar[bool] = True
    say: Literal["lost"] = "lost"
    reason: str
    died: bool


_COMMANDS: TypeAdapter[Command] = TypeAdapter(
    Annotated[Paint | ChangeSettings | ChangeMasks | Stop | Cancel | Release | Leave, Field(discriminator="do")]
)
_REPORTS: TypeAdapter[WorkerReport] = TypeAdapter(
    Annotated[
        Progressed | Checkpointed | Rebased | Warned | Finished | Released | Dropped | Failed,
        Field(discriminator="say"),
    ]
)


def encode(message: Message) -> str:
    """A message as one line."""
    return message.model_dump_json() + "\n"


def decode_command(line: str | bytes) -> Command:
    """The command in a line.

    Raises:
        ValueError: it is none.
    """
    return _COMMANDS.validate_json(line)


def decode_report(line: str | bytes) -> WorkerReport:
    """The report in a line.

    Raises:
        ValueError: it is none.
    """
    return _REPORTS.validate_json(line)


class CommandReader:
    """Reads commands in a thread, so that a worker can look for new ones between iterations.

    The process exits when the source ends: the studio is gone, and the next one resumes the job from its checkpoint.

    Args:
        source: where commands are read from.
    """

    def __init__(self, source: TextIO) -> None:
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(source,), daemon=True).start()

    def _read(self, source: TextIO) -> None:
        for line in source:
            self._commands.put(decode_command(line))
        os._exit(0)

    def next(self) -> Command:
        """The next command; waits for it."""
        return self._commands.get()

    def pending(self, lease: str) -> Iterator[Command]:
        """Commands that have arrived for this lease; those for an earlier job are dropped."""
        while not self._commands.empty():
            command = self._commands.get()
            if isinstance(command, Leave) or command.lease == lease:
                yield command


def write(out: TextIO, report: WorkerReport) -> None:
    """Write a report for the studio."""
    out.write(encode(report))
    out.flush()
