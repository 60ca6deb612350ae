"""Owns `impasto fast`: photographs and paintings in, pastiches out, in one pass each."""

from __future__ import annotations

import glob
import json as json_format
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from impasto import assets
from impasto.cli import inputs, reporting
from impasto.cli.options import (
    STANDARD,
    Content,
    FileOptions,
    OutputOptions,
    ReportOptions,
    Style,
    Threads,
    default_text,
    setting_options,
    whole,
    words,
)
from impasto.cli.outputs import Output
from impasto.cli.progress import duration
from impasto.cli.signals import Interruption
from impasto.errors import AssetError, ImageReadError, ImpastoError, SettingsError
from impasto.files import label
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

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".avif"})
_USUAL_STYLE_SIZE = 256
_STYLE_SIZE = Option(meaning="", group="Style and content", unit="px", low=64, high=2048)


def fast(
    content: Content,
    /,
    *style: Style,
    model: Annotated[
        str | None,
        words(
            "The model: any, brushes, or a file that `impasto train` or `impasto export` wrote.",
            "brushes for the names of its styles, any for paintings",
            group="Style and content",
            metavar="NAME|FILE",
        ),
    ] = None,
    engine: Annotated[
        Literal["torch", "onnx"] | None,
        words(
            "What computes: torch, or ONNX Runtime, which starts at once and needs an exported model. [torch, onnx]",
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
            "Root of the area that paintings are looked at with: larger gives larger strokes.",
            _STYLE_SIZE,
        ),
    ] = _USUAL_STYLE_SIZE,
    output: FileOptions = FileOptions(),  # noqa: B008  (frozen)
    report: ReportOptions = ReportOptions(),  # noqa: B008  (frozen)
    options: Look = Look(),  # noqa: B008  (frozen)
    threads: Threads = None,
) -> int:
    """Paint a photograph in one pass: a draft at once, of any size.

      impasto fast photo.jpg starry_night -o out.png
      impasto fast holiday/ painting.jpg -o painted/

    STYLE is the name of a style that the model has learned, or a painting.
    The photograph may be a folder or a quoted pattern ('*.jpg'): --out is
    a folder then, outside theirs, and pictures that are in it already
    are left alone.
    """
    settings = Settings(**{"strength": 1.0, **options.given()})
    many = content != STANDARD and not Path(content).is_file() and (Path(content).is_dir() or glob.has_magic(content))
    inputs.check_standard([content, *style])
    _say_what_is_idle(settings, len(style))
    asked = _Asked(model, style, settings, size, style_size, threads)
    paint = _by_onnx(asked) if engine == "onnx" or (engine is None and _exported(model)) else _by_torch(asked)
    if many:
        return _paint_all(content, style, paint, output, report)
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


def _say_what_is_idle(settings: Settings, styles: int) -> None:
    """Warn of settings that change nothing beside the others."""
    reasons = settings.without_effect()
    if settings.blend and styles == 1:
        reasons["blend"] = "there is one style"
    for name, reason in reasons.items():
        reporting.without_effect(name, reason)


@dataclass(frozen=True)
class _Asked:
    """What the command asks of either engine, as `fast` has it."""

    model: str | None
    style: Sequence[str]
    settings: Settings
    size: int | None
    style_size: int
    threads: int | None

    def about(self, model: str) -> dict[str, Any]:
        """What a picture by the model of that name says of itself."""
        return {
            "model": model,
            "styles": [Path(name).name for name in self.style],
            "blend": list(self.settings.blend),
            "strength": self.settings.strength,
            "style_size": self.style_size,
            "keep_color": self.settings.keep_color,
        }

    def condition(self, model: FastModel | OnnxModel, styles: Sequence[Any], **more: Any) -> Any:
        """The condition of all the styles together, as the model has it."""
        settings = self.settings
        if model.table and self.style_size != _USUAL_STYLE_SIZE:
            reporting.warning(f"--style-size has no effect: {model.name} has styles of its own, at the size it learned")
        return model.blended(styles, blend=settings.blend, strength=settings.strength, side=self.style_size, **more)


@dataclass(frozen=True)
class _Painted:
    """A picture, its height and width, and what its file says of itself."""

    image: Image | NDArray[np.float32]
    size: tuple[int, int]
    about: Mapping[str, Any]

    def metadata(self) -> dict[str, str]:
        from impasto import __version__
        from impasto.images.metadata import FAST_METADATA

        return {FAST_METADATA: json_format.dumps(self.about), "Software": f"Impasto {__version__}"}


#: From the name of a photograph to its pastiche.
_Paint = Callable[[str], _Painted]


def _by_torch(asked: _Asked) -> _Paint:
    settings = asked.settings
    # Only now, so that help and mistakes need not wait for torch.
    from impasto.cli import painting
    from impasto.fast import FastModel

    if _exported(asked.model):
        raise SettingsError(
            "engine", f"{asked.model} is an exported model, which torch does not read; say --engine onnx"
        )
    painting.use_threads(asked.threads)
    chosen = FastModel.load(asked.model or _model_for(asked.style))
    styles = [_style(name, chosen) for name in asked.style]
    condition = asked.condition(chosen, styles, precision=settings.precision)

    def paint(name: str) -> _Painted:
        from impasto import color, images

        photograph = inputs.picture(name)
        if asked.size is not None:
            photograph = photograph.resized(images.fit(photograph.size, asked.size))
        # Read for this one purpose, the photograph is no longer needed unless its colours are.
        picture = chosen.paint(
            photograph,
            condition,
            device=settings.device,
            precision=settings.precision,
            in_place=settings.keep_color == "none",
        )
        pixels = color.keep_colors(picture.pixels, photograph.pixels, settings.keep_color, settings.keep_color_amount)
        return _Painted(images.Image(pixels=pixels, name="pastiche"), photograph.size, asked.about(chosen.name))

    return paint


def _by_onnx(asked: _Asked) -> _Paint:
    from impasto import images
    from impasto.fast.onnx import OnnxModel

    if asked.model is None or not _exported(asked.model):
        raise SettingsError(
            "model",
            f"got {asked.model or 'none'}, and --engine onnx needs an exported one; "
            "`impasto export brushes -o brushes.onnx` writes one",
        )
    for name, plain in (("keep_color", "none"), ("device", "auto"), ("precision", "auto")):
        if getattr(asked.settings, name) != plain:
            raise SettingsError(name, f"got {getattr(asked.settings, name)}; --engine onnx has only {plain}")
    chosen = OnnxModel.load(asked.model, threads=asked.threads)
    styles = [name if chosen.table else inputs.pixels(_painting(name)) for name in asked.style]
    condition = asked.condition(chosen, styles)

    def paint(name: str) -> _Painted:
        photograph = inputs.pixels(name)
        if asked.size is not None:
            photograph = images.resize_pixels(photograph, images.fit(_sides(photograph), asked.size))
        return _Painted(chosen.paint(photograph, condition), _sides(photograph), asked.about(chosen.name))

    return paint


def _sides(pixels: NDArray[np.float32]) -> tuple[int, int]:
    height, width = pixels.shape[-2:]
    return height, width


def _paint_all(content: str, style: Sequence[str], paint: _Paint, output: FileOptions, report: ReportOptions) -> int:
    """Paint every picture of a folder or a pattern; what cannot be painted is named, and the others are."""
    root, sources = _pictures(content)
    if not sources:
        raise SettingsError("content", f"there is no picture in {content}; name a folder or a pattern with some")
    if output.out is None or output.out == STANDARD:
        raise SettingsError("out", f"{content} is {len(sources)} pictures; give --out a folder for theirs")
    target = Path(output.out)
    if target.is_file():
        raise SettingsError("out", f"{target} is a file, and {content} is {len(sources)} pictures; give it a folder")
    if target.suffix.lower() in _SUFFIXES and not target.is_dir():
        raise SettingsError(
            "out", f"{target} is named like a picture, and {content} is {len(sources)} pictures; give it a folder"
        )
    deep = Path(content).is_dir() or "**" in Path(content).parts
    begin, kept, failed = time.monotonic(), 0, 0
    done: list[Path] = []
    targets = _targets(root, sources, target, output.format, deep=deep)
    for path, source in targets.items():
        if path.exists() and not report.force:
            kept += 1
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            options = OutputOptions(**{**vars(output), "out": str(path)})
            place = Output.of(options, report, stem="", protect=[*sources, *inputs.files(style)])
            place.check()
            place.save(paint(str(source)))
        except (ImpastoError, OSError) as error:
            failed += 1
            reporting.warning(_blamed(source, error))
            continue
        except Interruption as interruption:
            again = "" if report.force else ", and the same command goes on"
            reporting.note(f"interrupted; {len(done) + kept} of {len(targets)} are painted{again}")
            return interruption.code
        done.append(path)
        if not report.json:
            reporting.result(path)
    seconds = time.monotonic() - begin
    if report.json:
        reporting.result({"outputs": done, "kept": kept, "failed": failed, "seconds": round(seconds, 3)})
    if not report.quiet:
        rest = "".join(f", {count} {what}" for count, what in ((kept, "there already"), (failed, "failed")) if count)
        reporting.note(f"painted {len(done)} pictures in {duration(seconds)}{rest}")
    return 1 if failed else 0


def _blamed(source: Path, error: Exception) -> str:
    """What went wrong with a photograph, which most messages name themselves."""
    message, name = str(error), label(source)
    return message if message.startswith(f"{name}: ") else f"{name}: {message}"


def _targets(root: Path, sources: Sequence[Path], target: Path, suffix: str | None, *, deep: bool) -> dict[Path, Path]:
    """The photograph of every picture that is to be painted, by its path.

    What lies in a folder for pictures among the photographs is no photograph.

    Args:
        root: the folder that all the photographs are in.
        sources: the photographs.
        target: the folder for the pictures.
        suffix: of the pictures, without a dot; that of each photograph if there is none.
        deep: whether the photographs are those in all folders below, too.

    Raises:
        SettingsError: a picture would take the place of a photograph or of another picture, or be one the next time.
    """
    if target.resolve() == root.resolve():
        raise SettingsError("out", f"{target} is the photographs' own folder; give --out another one")
    within = root.resolve() in target.resolve().parents
    if within and deep:
        outside = os.path.normpath(root / os.pardir / target.name)
        raise SettingsError(
            "out",
            f"{target} lies in {root}, and its pictures would be photographs the next time; give --out a folder "
            f"outside, such as {outside}",
        )
    photographs = {source.resolve() for source in sources}
    found: dict[Path, Path] = {}
    for source in sources:
        if within and target.resolve() in source.resolve().parents:
            continue
        path = (target / source.relative_to(root)).with_suffix(f".{suffix}" if suffix else source.suffix)
        if path in found:
            raise SettingsError(
                "content", f"{found[path]} and {source} would both be painted as {path}; rename one, or move it away"
            )
        if path.resolve() in photographs:
            raise SettingsError(
                "out", f"{source} would be painted as {path}, which is a photograph; give --out another folder"
            )
        found[path] = source
    return found


def _pictures(source: str) -> tuple[Path, list[Path]]:
    """The folder that a folder or a pattern begins with, and the pictures it stands for."""
    parts = Path(source).parts
    fixed = len(parts) if Path(source).is_dir() else next(i for i, part in enumerate(parts) if glob.has_magic(part))
    root = Path(*parts[:fixed])
    found = root.glob("/".join(parts[fixed:]) or "**/*")
    return root, sorted(path for path in found if path.is_file() and path.suffix.lower() in _SUFFIXES)


def _model_for(styles: Sequence[str]) -> str:
    """The bundled model that has all the styles, or the one for any painting."""
    from impasto.fast import FastModel
    from impasto.fast.models import ANY, BRUSHES

    return BRUSHES if set(styles) <= set(FastModel.load(BRUSHES).styles) else ANY


def _style(name: str, model: FastModel) -> Any:
    """What the model takes for a style: its own name for it, or the painting."""
    return name if model.predictor is None else inputs.picture(_painting(name))


def _exported(model: str | None) -> bool:
    return model is not None and Path(model).suffix.lower() == ".onnx"


def _painting(name: str) -> str:
    """The name of a picture: bundled ones may be called without `sample:`.

    Raises:
        ImageReadError: a plain word is neither a file nor a bundled picture.
    """
    if not re.fullmatch(r"[\w -]*\w", name) or Path(name).exists():
        return name
    try:
        return f"{assets.SAMPLE_PREFIX}{assets.sample(name).name}"
    except AssetError as error:
        raise ImageReadError(f"{name}: there is no such file, and {error}; `impasto samples` shows them") from None
