"""Owns `impasto texture`: paints the texture of paintings without a scene, at any size, also for tiling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from impasto.cli import inputs
from impasto.cli.options import (
    OutputOptions,
    Preset,
    ReportOptions,
    Style,
    Threads,
    Weights,
    default_text,
    flag,
    setting_options,
    settings_of,
    whole,
)
from impasto.cli.outputs import Output
from impasto.cli.signals import Signals
from impasto.cli.sizes import MemoryOptions
from impasto.presets import DEFAULT
from impasto.settings import Option

if TYPE_CHECKING:
    from impasto.cli.options import SettingOptions as AllSettings
else:
    AllSettings = setting_options("AllSettings", default_text)

_SIDE = Option(meaning="", group="Picture", unit="px", low=32, high=32768)


def texture(
    *style: Style,
    width: Annotated[int | None, whole("width", "as --size", "Width of the texture.", _SIDE)] = None,
    height: Annotated[int | None, whole("height", "as the width", "Height of the texture.", _SIDE)] = None,
    tile: Annotated[bool, flag("Make opposite borders match, so that copies side by side show no seam.")] = False,
    preset: Preset = DEFAULT,
    output: OutputOptions = OutputOptions(),  # noqa: B008  (frozen)
    report: ReportOptions = ReportOptions(),  # noqa: B008  (frozen)
    options: AllSettings = AllSettings(),  # noqa: B008  (frozen)
    weights: Weights = None,
    memory: MemoryOptions = MemoryOptions(),  # noqa: B008  (frozen)
    threads: Threads = None,
) -> int:
    """Paint the texture of one or more paintings, without a scene.

      impasto texture painting.jpg --width 640 --height 480 --tile

    With --tile the sides are rounded to multiples of 16 px.
    """
    settings = settings_of(preset, options)
    inputs.check_sources(style)
    inputs.check_names([], style, command="texture", blended=bool(settings.blend))
    with Signals.caught() as signals:
        # Imported only now, so that help and errors need not wait for torch.
        from impasto import api
        from impasto.cli import painting
        from impasto.inputs import Inputs

        painting.use_threads(threads)
        across = width or settings.size
        content, settings = api.texture_settings(settings, width=across, height=height or across, tile=tile)
        protect = inputs.files([*style, *inputs.starting_picture(settings.init), *inputs.optional(weights)])
        target = Output.of(output, report, stem=inputs.stem("texture", style), protect=protect)
        target.check()
        return painting.paint(
            Inputs.load(content, [inputs.picture(name) for name in style]),
            settings,
            target,
            signals,
            weights=weights,
            memory=memory,
            as_json=report.json,
            quiet=report.quiet,
        )
