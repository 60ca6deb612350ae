"""Owns `impasto explain`: draws figures of what a network's layers represent of a picture."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from impasto.cli import inputs, reporting
from impasto.cli.options import ReportOptions, Threads, Weights, picture_argument, setting_options, text, words
from impasto.cli.outputs import check_figure, free
from impasto.cli.progress import bar, duration
from impasto.cli.signals import INTERRUPTED, Signals
from impasto.explanations.subjects import DEFAULTS, SUBJECTS, settings_for

if TYPE_CHECKING:
    from impasto.cli.options import SettingOptions as Options
    from impasto.explanations.explanation import Explanation
    from impasto.images import Image
    from impasto.settings import Settings
else:

    def _default(setting: str) -> str:
        """The default of a setting, for the help."""
        return "256; gram 512" if setting == "size" else text(DEFAULTS[setting])

    Options = setting_options("Options", _default, tuple(DEFAULTS))


def explain(
    what: Annotated[
        str, Parameter(help=" ".join(f"{name}: {meaning}." for name, meaning in SUBJECTS.items()), required=True)
    ],
    picture: Annotated[str, picture_argument("The photograph or the painting: a file, sample:NAME, or -.")],
    /,
    *,
    layers: Annotated[
        str,
        words(
            "Layers to explain, up to eight: relu1_1,relu3_1,conv4_2.",
            "those in the paper",
            group="Style and content",
            metavar="LAYERS",
        ),
    ] = "",
    out: Annotated[
        str | None,
        words(
            "The figure: a PNG, JPEG, PDF or SVG file.", "named after the input", name=("--out", "-o"), metavar="FILE"
        ),
    ] = None,
    report: ReportOptions = ReportOptions(),  # noqa: B008  (frozen)
    options: Options = Options(),  # noqa: B008  (frozen)
    weights: Weights = None,
    threads: Threads = None,
) -> int:
    """Draw a figure that explains what the network sees in a picture.

      impasto explain content photo.jpg
      impasto explain style painting.jpg
      impasto explain gram painting.jpg
      impasto explain network painting.jpg

    content and style paint five pictures from noise, which takes about a
    minute on two cores, and four times as long at twice the size; gram
    and network take seconds.
    """
    settings = settings_for(what, **options.given())
    inputs.check_sources([picture])
    with Signals.caught(INTERRUPTED):
        # Imported only now, so that help and errors need not wait for torch.
        from impasto.cli import painting

        painting.use_threads(threads)
        path = Path(out) if out else free(Path(f"{inputs.stem(picture, [what])}.png"))
        check_figure(path, protect=inputs.files([picture, *inputs.optional(weights)]), overwrite=report.force)
        begin = time.monotonic()
        explanation = _explained(what, inputs.picture(picture), settings, layers, weights, quiet=report.quiet)
        explanation.save(path)
        seconds = time.monotonic() - begin
    if report.json:
        reporting.result(_record(explanation, path, settings, seconds))
    else:
        reporting.result(path)
        if not report.quiet:
            reporting.note(f"drawn in {duration(seconds)}")
    return 0


def _explained(
    what: str, image: Image, settings: Settings, layers: str, weights: str | None, *, quiet: bool
) -> Explanation:
    from impasto.explanations.explanation import explaining

    steps = explaining(what, image, settings, layers, weights=Path(weights) if weights else None)
    from impasto.planning.forecast import SteadyForecast

    with bar(shown=not quiet, clock=time.monotonic, noun="layer", forecasting=SteadyForecast) as show:
        for step in steps:
            if step.reconstruction is not None:
                show(step.reconstruction)
    return step.explanation()


def _record(explanation: Explanation, path: Path, settings: Settings, seconds: float) -> dict[str, Any]:
    """The output of `--json`."""
    return {
        "figure": path,
        "what": explanation.subject,
        "seconds": round(seconds, 3),
        "layers": [dict(fact) for fact in explanation.facts],
        "settings": {name: getattr(settings, name) for name in DEFAULTS},
    }
