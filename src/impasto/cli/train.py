"""Owns `impasto train`: trains a fast model on paintings and photographs, and continues after an interruption."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from impasto import assets
from impasto.cli import inputs, reporting
from impasto.cli.options import ReportOptions, Threads, default_text, flag, setting_options, whole, words
from impasto.cli.outputs import check_files
from impasto.cli.progress import duration
from impasto.cli.signals import INTERRUPTED, Interruption, Signals
from impasto.errors import ImageWriteError, SettingsError
from impasto.messages import counted, reason
from impasto.settings import Option, Settings, number_in

if TYPE_CHECKING:
    from impasto.cli.options import SettingOptions as Machine
    from impasto.fast.runs import Report, Run
    from impasto.fast.trainable import Model
else:
    Machine = setting_options("Machine", default_text, ("seed", "device", "precision"))

_METHOD = "Method"
_COUNT = Option(meaning="", group=_METHOD, low=1, high=100_000_000)
_SIDE = Option(meaning="", group=_METHOD, unit="px", low=64, high=1024)
_NONE = Option(meaning="", group=_METHOD, low=0, high=100_000_000)
# One in this many photographs is held out for checks; with fewer photographs, all are used for both.
_HELD_OUT = 20


def train(
    *,
    style: Annotated[
        Sequence[str],
        words("A painting to learn; repeat it for several styles.", "none", repeatable=True, metavar="FILE"),
    ] = (),
    any: Annotated[bool, flag("Train a model for any style, on the paintings in --styles.")] = False,
    styles: Annotated[
        Sequence[str],
        words("Folders of paintings for --any.", "none", repeatable=True, metavar="DIR"),
    ] = (),
    content: Annotated[
        Sequence[str],
        words("Folders of photographs to learn from.", "none", repeatable=True, metavar="DIR"),
    ] = (),
    base: Annotated[
        str,
        words(
            "The model to start from: any, brushes, a file, or nothing.",
            "any; nothing with --any",
            name="--from",
            metavar="NAME|FILE",
        ),
    ] = "",
    out: Annotated[
        str,
        words(
            "The model's file, ending in .safetensors.", "named after the style", name=("--out", "-o"), metavar="FILE"
        ),
    ] = "",
    steps: Annotated[int | None, whole("steps", "1000; 40000 with --any", "Updates of the weights.", _COUNT)] = None,
    side: Annotated[int, whole("side", "192", "Side of the square crops of the photographs.", _SIDE)] = 192,
    batch: Annotated[int, whole("batch", "4", "Crops in each update.", _COUNT)] = 4,
    accumulate: Annotated[
        int, whole("accumulate", "1", "Parts that a batch is split into, to save memory.", _COUNT)
    ] = 1,
    learning_rate: Annotated[
        str | None, words("Highest learning rate of Adam.", "0.0008", group=_METHOD, metavar="X")
    ] = None,
    limit: Annotated[int, whole("limit", "all", "Number of paintings to use for --any, evenly over all.", _NONE)] = 0,
    every: Annotated[int, whole("every", "200", "Steps between two checkpoints, checks and pictures.", _COUNT)] = 200,
    patience: Annotated[
        int, whole("patience", "never", "End early after this many checks without an improvement.", _NONE)
    ] = 0,
    tensorboard: Annotated[str | None, words("A folder for TensorBoard.", "none", metavar="DIR")] = None,
    options: Machine = Machine(),  # noqa: B008  (frozen)
    report: ReportOptions = ReportOptions(),  # noqa: B008  (frozen)
    threads: Threads = None,
) -> int:
    """Train a model for `impasto fast`: a new style, or any.

      impasto train --style painting.jpg --content photos/ -o my.safetensors
      impasto fast photo.jpg painting --model my.safetensors

    During training, a table of losses and example pictures are written
    beside the model; files that exist are replaced only with --force.
    Ctrl-C saves a checkpoint, and the same command continues from it.
    Under torchrun, every process computes its share of each batch.
    """
    settings = Settings(**options.given())
    rate = _rate(learning_rate)
    if any == bool(style):
        raise SettingsError("style", "name a painting with --style, or give --any with --styles; one of the two")
    if styles and not any:
        raise SettingsError("styles", "--styles are for --any; with --style, leave them out")
    if limit and not any:
        raise SettingsError("limit", "--limit is of the paintings in --styles; leave it out with --style")
    if any and not styles:
        raise SettingsError("styles", "--any needs folders of paintings; give --styles a folder")
    if not content:
        raise SettingsError("content", "got no photographs; give --content a folder of them")
    names = [Path(name.removeprefix(assets.SAMPLE_PREFIX)).stem for name in style]
    if len(set(names)) < len(names):
        raise SettingsError("style", f"two paintings have the same name ({', '.join(names)}); rename a file")
    path = Path(out or f"{'any' if any else '+'.join(names)}.safetensors")
    named = [*inputs.files(style), *inputs.optional(base or None)]
    _check_output(path, named, report)
    with Signals.caught(INTERRUPTED) as signals:
        # Imported only now, so that help and errors need not wait for torch.
        from impasto import devices, loading
        from impasto.cli import painting
        from impasto.fast.dataset import PictureDataset
        from impasto.fast.runs import Run
        from impasto.fast.trainer import Trainer
        from impasto.fast.training import Training

        painting.use_threads(threads)
        device = _joined(devices.resolve(settings.device))
        photographs = PictureDataset(list(map(Path, content)))
        protect: list[str | Path] = [*named, *photographs.paths]
        few = len(photographs) < _HELD_OUT
        held_out = photographs.held_out(_HELD_OUT)
        paintings = (
            PictureDataset(list(map(Path, styles)), limit=limit) if any else [loading.load(name) for name in style]
        )
        if isinstance(paintings, PictureDataset):
            protect += paintings.paths
        training = Training(
            steps=steps or (40_000 if any else 1000),
            side=side,
            batch=batch,
            accumulate=accumulate,
            learning_rate=rate,
            seed=settings.seed,
        )
        base = base or ("nothing" if any else "any")
        model, fresh = _model(base, names, paintings, settings.precision)
        trainer = Trainer(model, paintings, photographs, training, device=device, precision=settings.precision)
        with _board(tensorboard if trainer.rank == 0 else None) as board:
            run = Run(
                trainer=trainer,
                path=path,
                names=names,
                held_out=held_out,
                every=every,
                patience=patience,
                board=board,
                base=Path(base).name,
            )
            # Inputs are checked before an interrupted training is read, other files once its own are known.
            check_files(run.outputs(), protect=protect, overwrite=True)
            resumed = run.resume()
            check_files(run.outputs(), protect=protect, overwrite=report.force)
            if few and run.leads:
                reporting.warning(
                    f"{counted(len(photographs), 'photograph')} to learn from; a usable style needs a hundred or more"
                )
            if run.leads and _patience_is_idle(patience, every, training.steps):
                reporting.warning(
                    f"--patience has no effect: {counted(training.steps, 'step')} end before "
                    f"{counted(patience, 'check')} without an improvement"
                )
            if resumed:
                if run.leads and not report.quiet:
                    reporting.note(f"continues after step {trainer.step} of {training.steps}, from {run.checkpoint}")
            elif fresh:
                trainer.learn_range()
            return _train(run, signals, report)


def _patience_is_idle(patience: int, every: int, steps: int) -> bool:
    """Whether training ends before this many checks without an improvement are possible."""
    # The first check is always an improvement, and the last comes after the last step.
    return patience > 0 and patience + 1 >= -(-steps // every)


def _train(run: Run, signals: Signals, report: ReportOptions) -> int:
    begin, first = time.monotonic(), run.trainer.step
    said = begin
    try:
        for step in _one_by_one(run.steps(), signals):
            now = time.monotonic()
            if run.leads and not report.quiet and (step.checked is not None or now - said > 10):
                said = now
                reporting.note(_line(step, (now - begin) / (step.learned.step - first)))
        signals.hold()
    except Interruption as interruption:
        if run.leads and run.trainer.step > first:
            run.save()
            reporting.note(
                f"interrupted at step {run.trainer.step} of {run.trainer.training.steps}; "
                f"the same command continues from {run.checkpoint}"
            )
        return interruption.code
    if not run.leads:
        return 0
    steps = run.trainer.step
    model = run.finish({"styles": list(run.names) or len(run.trainer.styles), "photographs": len(run.trainer.contents)})
    seconds = time.monotonic() - begin
    if report.json:
        held_out = model.card["held-out loss"]
        reporting.result({"output": run.path, "steps": steps, "held_out_loss": held_out, "seconds": round(seconds, 1)})
    else:
        reporting.result(run.path)
    if not report.quiet:
        speed = (steps - first) * run.trainer.training.batch / max(seconds, 1e-3)
        reporting.note(f"trained {counted(steps - first, 'step')} in {duration(seconds)}, {speed:.2g} crops a second")
    return 0


def _one_by_one(steps: Iterator[Report], signals: Signals) -> Iterator[Report]:
    """The steps; a first signal waits for the end of a step, so that the checkpoint holds whole steps.

    Raises:
        Interruption: a signal has come.
    """
    while True:
        signals.hold()
        step = next(steps, None)
        signals.release()
        if step is None:
            return
        yield step


def _line(report: Report, each: float) -> str:
    learned = report.learned
    left = duration((learned.steps - learned.step) * each)
    words = f"step {learned.step}/{learned.steps} loss {learned.value:.4g}"
    if report.checked is not None:
        words += f", held-out {report.checked:.4g}"
    return f"{words}, {left} left" + (f", {report.picture}" if report.picture else "")


def _model(base: str, names: Sequence[str], paintings: Any, precision: str) -> tuple[Model, bool]:
    """The model to train, and whether it starts with random weights."""
    import torch

    from impasto.fast import FastModel
    from impasto.fast.models import ANY
    from impasto.fast.trainable import Model

    if base == "nothing":
        torch.manual_seed(0)
        return Model(styles=len(names)), True
    begun = FastModel.load(base)
    if not names and begun.predictor is None:
        raise SettingsError("from", f"{base} is a model of certain styles; --any starts from any, or nothing")
    model = Model.begun_with(begun, styles=len(names))
    if model.table is not None:
        # A new style starts with the condition that the model for any painting computes.
        guide = begun if begun.predictor is not None else FastModel.load(ANY)
        with torch.no_grad():
            model.table.copy_(torch.stack([guide.condition(painting, precision=precision) for painting in paintings]))
    return model, False


def _rate(text: str | None) -> float:
    rate = 8e-4 if text is None else number_in(float, text)
    if isinstance(rate, str) or not 0 < rate <= 1:
        raise SettingsError("learning_rate", f"got {text}; it must be a number above 0 and at most 1, such as 0.0008")
    return rate


def _check_output(path: Path, protect: Sequence[str], report: ReportOptions) -> None:
    if path.suffix != ".safetensors":
        raise SettingsError("out", f"got {path}; a model's file ends in .safetensors")
    if not path.parent.is_dir():
        raise ImageWriteError(f"{path.parent}: there is no such folder; make it first")
    check_files([path], protect=protect, overwrite=report.force)


def _joined(device: Any) -> Any:
    """Join the other processes of torchrun, if there are any; returns the device of this process."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return device
    import torch
    import torch.distributed as dist

    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


@contextmanager
def _board(folder: str | None) -> Iterator[Any]:
    """A TensorBoard writer for the folder, closed at the end; None without a folder.

    Raises:
        SettingsError: TensorBoard is not installed, or the folder cannot be written to.
    """
    if folder is None:
        yield None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise SettingsError("tensorboard", "it is not installed; pip install 'impasto[tensorboard]'") from None
    try:
        writer = SummaryWriter(folder)
    except OSError as error:
        raise SettingsError(
            "tensorboard", f"got {folder}, which cannot be written to ({reason(error)}); choose another folder"
        ) from error
    try:
        yield writer
    finally:
        try:
            writer.close()
        except OSError as error:
            reporting.warning(
                f"the last figures for TensorBoard are lost: {folder} cannot be written to ({reason(error)})"
            )
