"""Owns `impasto fast`: paints photographs in one pass of a trained network, by torch or by ONNX Runtime."""

from __future__ import annotations

import json as json_format
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from impasto import assets
from impasto.cli import batches, inputs, reporting
from impasto.cli.options import (
    Content,
    FileOptions,
    OutputOptions,
    ReportOptions,
    Style,
    Threads,
    as_typed,
    default_text,
    setting_options,
    whole,
    words,
)
from impasto.cli.outputs import Output
from impasto.errors import AssetError, ImageReadError, SettingsError
from impasto.settings import OPTIONS, Option, Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from impasto.cli.options import SettingOptions as Look
    from impasto.fast import FastModel
    from impasto.fast.onnx import OnnxModel
    from impasto.images import Image
else:
    Look = setting_options(
        "Look",
        lambda name: "1" if name == "strength" else default_text(name),
        ("strength", "blend", "keep_color", "keep_color_amount", "device", "precision"),
    )

_USUAL_STYLE_SIZE = 256
_STYLE_SIZE = Option(meaning="", group="Style and content", unit="px", low=64, high=2048)


def fast(
    content: Content,
    /,
    *style: Style,
    model: Annotated[
        str | None,
        words(
            "The model: any, brushes, or a file from `impasto train` or `impasto export`.",
            "brushes for the names of its styles, any for paintings",
            group="Style and content",
            metavar="NAME|FILE",
        ),
    ] = None,
    engine: Annotated[
        Literal["torch", "onnx"] | None,
        words(
            "The library that computes: torch, or ONNX Runtime, which starts faster and needs an exported model. "
            "[torch, onnx]",
            "onnx for a model in a .onnx file",
            group="Machine",
            metavar="NAME",
        ),
    ] = None,
    size: Annotated[
        int | None, whole("size", "the photograph's", "Long side of the pastiche.", OPTIONS["size"][1])
    ] = None,
    style_size: Annotated[
        int,
        whole(
            "style_size",
            str(_USUAL_STYLE_SIZE),
            "Side of the square with the area that paintings are resized to; larger gives larger strokes.",
            _STYLE_SIZE,
        ),
    ] = _USUAL_STYLE_SIZE,
    output: FileOptions = FileOptions(),  # noqa: B008  (frozen)
    report: ReportOptions = ReportOptions(),  # noqa: B008  (frozen)
    options: Look = Look(),  # noqa: B008  (frozen)
    threads: Threads = None,
) -> int:
    """Paint a photograph, or a folder of them, in one fast pass, at any size.

      impasto fast photo.jpg starry_night -o out.png
      impasto fast holiday/ painting.jpg -o painted/
      impasto fast 'holiday/*.jpg' painting.jpg -o painted/

    STYLE is the name of a style that the model has learned, or a painting.
    CONTENT may be a folder or a quoted pattern; then --out is another
    folder. Pictures that exist there already are kept, so the same command
    continues after an interruption. Files that are not pictures are named
    and skipped.
    """
    settings = Settings(**{"strength": 1.0, **options.given()})
    inputs.check_sources([content, *style])
    inputs.check_names([content], style, command="fast", blended=bool(settings.blend), batch=True)
    _warn_of_idle_settings(settings, len(style))
    request = _Request(model, style, settings, size, style_size, threads)
    paint = _by_onnx(request) if engine == "onnx" or (engine is None and _exported(model)) else _by_torch(request)
    if batches.is_batch(content):
        return batches.paint_all(content, style, paint, output, report)
    begin = time.monotonic()
    target = Output.of(
        OutputOptions(**vars(output)), report, stem=inputs.stem(content, style), protect=inputs.files([content, *style])
    )
    target.check()
    painted = paint(content)
    path = target.save(painted)
    seconds = time.monotonic() - begin
    height, width = painted.size
    if report.json:
        reporting.result(
            {"output": path, "width": width, "height": height, "seconds": round(seconds, 3), **painted.about}
        )
    elif path is not None:
        reporting.result(path)
    if not report.quiet:
        reporting.note(f"painted {width} × {height} px in {seconds:.1f} s")
    return 0


def _warn_of_idle_settings(settings: Settings, styles: int) -> None:
    """Warn of settings that have no effect together with the others."""
    reasons = settings.without_effect()
    if settings.blend and styles == 1:
        reasons["blend"] = "there is one style"
    for name, reason in reasons.items():
        reporting.without_effect(name, reason)


@dataclass(frozen=True)
class _Request:
    """The arguments of the command that both engines use."""

    model: str | None
    style: Sequence[str]
    settings: Settings
    size: int | None
    style_size: int
    threads: int | None

    def about(self, model: str) -> dict[str, Any]:
        """The metadata of a picture that the model of that name painted."""
        return {
            "model": model,
            "styles": [Path(name).name for name in self.style],
            "blend": list(self.settings.blend),
            "strength": self.settings.strength,
            "style_size": self.style_size,
            "keep_color": self.settings.keep_color,
        }

    def condition(self, model: FastModel | OnnxModel, styles: Sequence[Any], **more: Any) -> Any:
        """The condition of the blend of all styles."""
        settings = self.settings
        if model.table and self.style_size != _USUAL_STYLE_SIZE:
            reporting.warning(
                f"--style-size has no effect: the styles of {model.name} have the size at which it learned them"
            )
        return model.blended(styles, blend=settings.blend, strength=settings.strength, side=self.style_size, **more)


@dataclass(frozen=True)
class _Layers:
    """A picture without torch: pixels, (1, 3, h, w), and alpha, (1, 1, h, w), or None if it is opaque."""

    pixels: NDArray[np.float32]
    alpha: NDArray[np.float32] | None


@dataclass(frozen=True)
class _Painted:
    """A picture, its (height, width) and its metadata."""

    image: Image | _Layers
    size: tuple[int, int]
    about: Mapping[str, Any]

    def metadata(self) -> dict[str, str]:
        from impasto import __version__
        from impasto.images.metadata import FAST_METADATA

        return {FAST_METADATA: json_format.dumps(self.about), "Software": f"Impasto {__version__}"}


#: Paints the photograph of a name.
_Paint = Callable[[str], _Painted]


def _by_torch(request: _Request) -> _Paint:
    settings = request.settings
    # Imported only now, so that help and errors need not wait for torch.
    from impasto.cli import painting
    from impasto.fast import FastModel

    if _exported(request.model):
        raise SettingsError(
            "engine", f"{request.model} is an exported model, which torch cannot read; use --engine onnx"
        )
    painting.use_threads(request.threads)
    chosen = FastModel.load(request.model or _model_for(request.style))
    styles = [_style(name, chosen) for name in request.style]
    condition = request.condition(chosen, styles, precision=settings.precision)
    paintings = [style for style in styles if not isinstance(style, str)]
    warned: list[str] = []

    def paint(name: str) -> _Painted:
        from impasto import artifacts, color, images

        photograph = inputs.picture(name)
        if request.size is not None:
            photograph = photograph.resized(images.fit(photograph.size, request.size))
        fault = artifacts.enlarged_painting(photograph.size, paintings)
        # Once for all photographs.
        if fault is not None and not warned:
            warned.append(fault.where)
            reporting.warning(as_typed(f"{fault.where}; {fault.advice}"))
        # The photograph is needed afterwards only for its colours.
        picture = chosen.paint(
            photograph,
            condition,
            device=settings.device,
            precision=settings.precision,
            in_place=settings.keep_color == "none",
        )
        pixels = color.keep_colors(picture.pixels, photograph.pixels, settings.keep_color, settings.keep_color_amount)
        pastiche = images.Image(pixels=pixels, name="pastiche").with_alpha_of(photograph)
        return _Painted(pastiche, photograph.size, request.about(chosen.name))

    return paint


def _by_onnx(request: _Request) -> _Paint:
    from impasto import images
    from impasto.fast.onnx import OnnxModel

    if request.model is None or not _exported(request.model):
        raise SettingsError(
            "model",
            f"got {request.model or 'none'}, but --engine onnx needs an exported model; "
            "`impasto export brushes -o brushes.onnx` writes one",
        )
    for name, plain in (("keep_color", "none"), ("device", "auto"), ("precision", "auto")):
        if getattr(request.settings, name) != plain:
            raise SettingsError(name, f"got {getattr(request.settings, name)}; --engine onnx supports only {plain}")
    chosen = OnnxModel.load(request.model, threads=request.threads)
    styles = [name if chosen.table else inputs.pixels(_painting(name))[0] for name in request.style]
    condition = request.condition(chosen, styles)

    def paint(name: str) -> _Painted:
        photograph, alpha = inputs.pixels(name)
        if request.size is not None:
            size = images.fit(_sides(photograph), request.size)
            photograph = images.resize_pixels(photograph, size)
            alpha = alpha if alpha is None else images.resize_pixels(alpha, size)
        picture = _Layers(chosen.paint(photograph, condition), alpha)
        return _Painted(picture, _sides(photograph), request.about(chosen.name))

    return paint


def _sides(pixels: NDArray[np.float32]) -> tuple[int, int]:
    height, width = pixels.shape[-2:]
    return height, width


def _model_for(styles: Sequence[str]) -> str:
    """The name of the bundled model that has learned all the styles, or of the one for any painting."""
    from impasto.fast import FastModel
    from impasto.fast.models import ANY, BRUSHES

    return BRUSHES if set(styles) <= set(FastModel.load(BRUSHES).styles) else ANY


def _style(name: str, model: FastModel) -> Any:
    """The style as the model takes it: a name that it has learned, or the painting."""
    return name if model.predictor is None else inputs.picture(_painting(name))


def _exported(model: str | None) -> bool:
    return model is not None and Path(model).suffix.lower() == ".onnx"


def _painting(name: str) -> str:
    """The name of a picture, with `sample:` added for a bundled one.

    Raises:
        ImageReadError: the name is neither a file nor a bundled picture.
    """
    if not re.fullmatch(r"[\w -]*\w", name) or Path(name).exists():
        return name
    try:
        return f"{assets.SAMPLE_PREFIX}{assets.sample(name).name}"
    except AssetError as error:
        raise ImageReadError(f"{name}: there is no such file, and {error}; `impasto samples` lists them") from None
