"""Owns `impasto plan`: what a picture would take in time and memory on this machine, before it is painted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from impasto.cli import inputs, reporting
from impasto.cli.options import (
    Content,
    Preset,
    Style,
    Threads,
    default_text,
    flag,
    setting_options,
    settings_of,
)
from impasto.cli.progress import duration
from impasto.cli.sizes import MemoryOptions, PrintOptions
from impasto.presets import DEFAULT

if TYPE_CHECKING:
    from impasto.cli.options import SettingOptions as AllSettings
else:
    AllSettings = setting_options("AllSettings", default_text)


def plan(
    content: Content,
    /,
    *style: Style,
    preset: Preset = DEFAULT,
    paper: PrintOptions = PrintOptions(),  # noqa: B008  (frozen)
    memory: MemoryOptions = MemoryOptions(),  # noqa: B008  (frozen)
    json: Annotated[bool, flag("Print JSON.")] = False,
    options: AllSettings = AllSettings(),  # noqa: B008  (frozen)
    threads: Threads = None,
) -> int:
    """Show the time and the memory that a picture will take, size by size.

      impasto plan photo.jpg painting.jpg --size 8000
      impasto plan photo.jpg painting.jpg --print 60x40cm --dpi 200

    It measures the speed of this machine, which takes about five seconds.
    Nothing is painted. The exit code is 1 if the picture does not fit.
    """
    settings = settings_of(preset, options)
    inputs.check_sources([content, *style])
    inputs.check_names([content], style, command="plan", blended=bool(settings.blend))
    # Imported only now, so that help and errors need not wait for torch.
    from impasto import api, devices, planning
    from impasto.cli import painting
    from impasto.loading import load

    painting.use_threads(threads)
    photograph = load(inputs.picture(content))
    settings = api.resolved(paper.sized(settings, photograph.size, given=options.given()))
    budget = None if memory.memory is None else planning.parse_bytes(memory.memory)
    styles = max(1, len(style))
    chosen = planning.checked_plan(photograph.size, settings, styles=styles, budget=budget, tile=memory.tile_size)
    speed = planning.measure(devices.resolve(settings.device), precision=settings.precision)
    rows = [_row(one, planning.scale_seconds(one, chosen.settings, speed, styles=styles)) for one in chosen.scales]
    height, width = chosen.scales[-1].scale.size
    report = {
        "width": width,
        "height": height,
        "seconds": round(speed.setup + sum(row["seconds"] for row in rows), 1),
        "peak_bytes": chosen.peak_bytes,
        "whole_bytes": chosen.whole_bytes,
        "budget_bytes": chosen.budget,
        "fits": chosen.fits,
        "tile_size": chosen.side,
        "history": chosen.settings.history,
        "scales": rows,
    }
    if json:
        reporting.result(report)
    else:
        _print(report, settings.history)
    return 0 if chosen.fits else 1


def _row(one: Any, seconds: float) -> dict[str, Any]:
    return {
        "width": one.scale.size[1],
        "height": one.scale.size[0],
        "iterations": one.scale.iterations,
        "tile_size": one.side,
        "seconds": round(seconds, 2),
        "peak_bytes": one.peak_bytes,
        "whole_bytes": one.whole_bytes,
    }


def _print(report: dict[str, Any], history: int) -> None:
    from impasto.planning import gigabytes

    reporting.table(
        ("size", "iterations", "tiles", "about", "memory", "as a whole"),
        [
            (
                f"{row['width']} × {row['height']} px",
                str(row["iterations"]),
                f"{row['tile_size']} px" if row["tile_size"] else "whole",
                duration(row["seconds"]),
                gigabytes(row["peak_bytes"]),
                gigabytes(row["whole_bytes"]),
            )
            for row in report["scales"]
        ],
    )
    words = f"in all about {duration(report['seconds'])} and {gigabytes(report['peak_bytes'])} of memory"
    if report["budget_bytes"] is not None:
        words += f"; {gigabytes(report['budget_bytes'])} may be used"
    reporting.result(words)
    if report["history"] != history:
        reporting.result(f"L-BFGS would use {report['history']} past steps instead of {history}, to fit the memory")
    if not report["fits"]:
        reporting.warning("it does not fit the memory that is free; close programs, or choose a smaller size")
