"""Owns `impasto stylize`: paints a photograph in the style of one or several paintings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from impasto.cli import batches, inputs
from impasto.cli.checkpoints import Checkpointer, CheckpointOptions
from impasto.cli.options import (
    Content,
    MaskOptions,
    OutputOptions,
    Preset,
    ReportOptions,
    Style,
    Threads,
    Weights,
    default_text,
    setting_options,
    settings_of,
)
from impasto.cli.outputs import Output
from impasto.cli.signals import Signals
from impasto.cli.sizes import MemoryOptions, PrintOptions
from impasto.errors import SettingsError
from impasto.presets import DEFAULT

if TYPE_CHECKING:
    from impasto.cli.options import SettingOptions as AllSettings
    from impasto.pastiche import Pastiche
else:
    AllSettings = setting_options("AllSettings", default_text)


def stylize(
    content: Content,
    /,
    *style: Style,
    preset: Preset = DEFAULT,
    paper: PrintOptions = PrintOptions(),  # noqa: B008  (frozen)
    output: OutputOptions = OutputOptions(),  # noqa: B008  (frozen)
    report: ReportOptions = ReportOptions(),  # noqa: B008  (frozen)
    regions: MaskOptions = MaskOptions(),  # noqa: B008  (frozen)
    checkpoint: CheckpointOptions = CheckpointOptions(),  # noqa: B008  (frozen)
    options: AllSettings = AllSettings(),  # noqa: B008  (frozen)
    weights: Weights = None,
    memory: MemoryOptions = MemoryOptions(),  # noqa: B008  (frozen)
    threads: Threads = None,
) -> int:
    """Paint a photograph in the style of one or more paintings.

      impasto stylize photo.jpg painting.jpg -o out.png --size 1024
      impasto stylize holiday/ painting.jpg -o painted/

    CONTENT may be a folder or a quoted pattern; then --out is another
    folder. Pictures that exist there already are kept, so the same command
    continues after an interruption.

    Ctrl-C saves the best picture so far. The file contains the recipe
    of the picture, from which `impasto rerun` paints it again.
    """
    settings = settings_of(preset, options)
    names = [content, *style]
    inputs.check_sources([*names, *regions.files()])
    inputs.check_names([content], style, command="stylize", blended=bool(settings.blend), batch=True)
    many = batches.is_batch(content)
    if many:
        _check_batch(output, regions, checkpoint)
    with Signals.caught() as signals:
        # Imported only now, so that help and errors need not wait for torch.
        from impasto.cli import painting
        from impasto.inputs import Inputs

        painting.use_threads(threads)
        if many:
            paintings = [inputs.picture(name) for name in style]

            def paint(name: str) -> Pastiche:
                pictures = Inputs.load(inputs.picture(name), paintings)
                return painting.paint_one(pictures, settings, signals, weights=weights, quiet=report.quiet)

            return batches.paint_all(content, style, paint, output, report)
        others = [*regions.files(), *inputs.starting_picture(settings.init), *inputs.optional(weights)]
        protect = inputs.files([*names, *others])
        target = Output.of(output, report, stem=inputs.stem(content, style), protect=protect, dpi=paper.resolution)
        target.check()
        checkpointer = Checkpointer.of(checkpoint, target)
        pictures = Inputs.load(
            inputs.picture(content),
            [inputs.picture(name) for name in style],
            masks=[inputs.picture(name) for name in regions.mask],
            style_masks=[inputs.picture(name) for name in regions.style_mask],
            content_map=inputs.picture(regions.content_map) if regions.content_map else None,
        )
        return painting.paint(
            pictures,
            paper.sized(settings, pictures.content.size, given=options.given()),
            target,
            signals,
            checkpointer=checkpointer,
            weights=weights,
            memory=memory,
            as_json=report.json,
            quiet=report.quiet,
            hints=True,
        )


def _check_batch(output: OutputOptions, regions: MaskOptions, checkpoint: CheckpointOptions) -> None:
    """Refuse options that are about one photograph.

    Raises:
        SettingsError: one is given.
    """
    for name, given in (
        ("mask", regions.mask),
        ("style_mask", regions.style_mask),
        ("content_map", regions.content_map),
        ("checkpoint", checkpoint.checkpoint),
        ("figure", output.figure),
        ("save_every", output.save_every),
    ):
        if given:
            raise SettingsError(
                name, "it is for one photograph, and CONTENT stands for many; name one, or leave it out"
            )
