"""Owns `impasto demo`: a first picture from bundled samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from impasto import assets
from impasto.cli import inputs
from impasto.cli.options import (
    OutputOptions,
    Preset,
    ReportOptions,
    Threads,
    default_text,
    setting_options,
    settings_of,
    words,
)
from impasto.cli.outputs import Output, free
from impasto.cli.signals import Signals
from impasto.errors import ImageWriteError
from impasto.presets import DEFAULT

_FOLDER = "demo"

if TYPE_CHECKING:
    from impasto.cli.options import SettingOptions as AllSettings
else:
    AllSettings = setting_options("AllSettings", default_text)


def demo(
    *,
    out: Annotated[
        str | None,
        words("Folder for the results; it is created.", _FOLDER, name=("--out", "-o"), metavar="FOLDER"),
    ] = None,
    report: ReportOptions = ReportOptions(),  # noqa: B008  (frozen)
    preset: Preset = DEFAULT,
    options: AllSettings = AllSettings(),  # noqa: B008  (frozen)
    threads: Threads = None,
) -> int:
    """Paint a bundled photograph of a castle in the style of The Starry Night.

    Writes pastiche.png, and figure.png with the inputs and the losses.
    """
    settings = settings_of(preset, options)
    content, style = (f"{assets.SAMPLE_PREFIX}{name}" for name in (assets.DEMO_PHOTO, assets.DEMO_PAINTING))
    with Signals.caught() as signals:
        from impasto.cli import painting
        from impasto.inputs import Inputs

        painting.use_threads(threads)
        folder = free(Path(_FOLDER)) if out is None else Path(out)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ImageWriteError(f"{folder}: the folder cannot be made ({error.strerror}); choose another") from error
        target = Output.of(
            OutputOptions(out=str(folder / "pastiche.png"), figure=str(folder / "figure.png")),
            report,
            stem="",
            protect=inputs.files(inputs.starting_picture(settings.init)),
        )
        target.check()
        return painting.paint(
            Inputs.load(inputs.picture(content), [inputs.picture(style)]),
            settings,
            target,
            signals,
            as_json=report.json,
            quiet=report.quiet,
        )
