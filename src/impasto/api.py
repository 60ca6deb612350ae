"""Owns the one-line verbs: pictures in whatever form they come, settings by name, a Pastiche out."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from impasto import assets, devices, method
from impasto.errors import DeviceError, ImageReadError, ImpastoWarning, SettingsError
from impasto.images import Image, as_image, read
from impasto.method import Progress
from impasto.metrics import Judge, Judgement
from impasto.pastiche import Input, Pastiche, Recipe
from impasto.presets import DEFAULT, preset
from impasto.settings import OPTIONS, Settings

#: How a bundled picture is named where a path may stand: `sample:starry_night`.
SAMPLE_PREFIX = "sample:"


def load(picture: Any) -> Image:
    """An Image of whatever `picture` is.

    Args:
        picture: a path; `sample:NAME` for a bundled picture; a PIL image; a tensor (3, height, width), RGB in [0, 1];
            an array (height, width, 3), uint8 or RGB in [0, 1]; the bytes of a file; an open binary file; or an Image.

    Raises:
        ImageReadError: it cannot be read as a picture.
        AssetError: no bundled picture has that name.
    """
    if isinstance(picture, str) and picture.startswith(SAMPLE_PREFIX):
        sample = assets.sample(picture.removeprefix(SAMPLE_PREFIX))
        return dataclasses.replace(read(sample.path), name=f"{SAMPLE_PREFIX}{sample.name}")
    return as_image(picture)


def stylize(content: Any, style: Any, *, preset: str = DEFAULT, init: Any = None, **options: Any) -> Pastiche:
    """Paint `content` in the manner of `style`.

    Args:
        content: the photograph; anything that `load` takes.
        style: the painting, or a list of paintings to blend.
        preset: name of a bundled preset, or the path of a TOML file.
        init: `content`, `noise`, `style`, or a picture to start from.
        **options: fields of `Settings`, which override the preset: `size=1024, strength=0.7`.

    Raises:
        ImpastoError: a picture, a setting or the device cannot be used; see `errors` for the kinds.
    """
    settings = settings_for(preset, **options)
    progress: Progress | None = None
    for progress in stylization(content, style, settings, init=init):  # noqa: B007
        pass
    assert progress is not None
    return progress.pastiche()


def settings_for(preset_name: str = DEFAULT, **options: Any) -> Settings:
    """The settings of a preset, overridden by `options`."""
    return preset(preset_name).settings(**options)


def stylization(content: Any, style: Any, settings: Settings | None = None, *, init: Any = None) -> Iterator[Progress]:
    """Paint step by step: yields Progress after every iteration; stop iterating to cancel.

    Pictures are read and settings checked before the first step, when this is called.

    Args:
        content, style, init: as for `stylize`.
        settings: the default preset's, if None.

    Raises:
        ImpastoError: as for `stylize`.
    """
    settings = settings_for() if settings is None else settings
    for name, reason in settings.without_effect().items():
        warnings.warn(f"{name} has no effect: {reason}", ImpastoWarning, stacklevel=2)
    photograph = load(content)
    paintings = [load(one) for one in (style if _is_several(style) else [style])]
    if not paintings:
        raise SettingsError("style", "got no painting; name at least one")
    chosen = settings.init if init is None else init
    start = None if isinstance(chosen, str) and chosen in OPTIONS["init"][1].words else load(chosen)
    device = devices.resolve(settings.device)
    settings = settings.replace(
        device=str(device),
        precision=str(devices.precision(settings.precision, device)).removeprefix("torch."),
        init=(start.name or "a picture") if start else chosen,
    )
    return _memory_minded(method.stylization(photograph, paintings, settings, init=start, device=device), settings)


def _memory_minded(steps: Iterator[Progress], settings: Settings) -> Iterator[Progress]:
    """The same steps; memory that is used up becomes an error that says what to do."""
    try:
        yield from steps
    except (MemoryError, RuntimeError) as error:
        # What torch raises for it, on the CPU and on GPUs, has no type in common.
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        raise DeviceError(
            f"the memory of {settings.device} is used up; choose a smaller size than {settings.size}, or another device"
        ) from error


def _is_several(style: Any) -> bool:
    return isinstance(style, Sequence) and not isinstance(style, str | bytes)


def judge(content: Any, style: Any, pastiche: Any) -> Judgement:
    """How good `pastiche` is: near `style` in style, near `content` in content, and which faults it shows.

    For several pastiches of one pair, `metrics.Judge` looks at the pair only once.

    Args:
        content, style, pastiche: anything that `load` takes; `style` may be a list, and `pastiche` a Pastiche.

    Raises:
        ImpastoError: a picture cannot be read, or is too small to be looked at.
    """
    paintings = [load(one) for one in (style if _is_several(style) else [style])]
    picture = pastiche.image if isinstance(pastiche, Pastiche) else load(pastiche)
    return Judge(load(content), paintings).judge(picture)


def inputs_of(recipe: Recipe, folders: Sequence[Path]) -> tuple[Image, list[Image], Image | None]:
    """The pictures that a recipe names: content, styles and, if there was one, the picture to start from.

    A recipe may come from a stranger, so no path in it is followed: a file is looked for by its bare name in `folders`,
    and taken only if its contents are those that the recipe was painted from.

    Raises:
        ImageReadError: a picture is not found, or has changed since.
        AssetError: no bundled picture has the name that the recipe gives.
    """
    init = _found(recipe.init, folders) if recipe.init else None
    return _found(recipe.content, folders), [_found(style, folders) for style in recipe.styles], init


def _found(wanted: Input, folders: Sequence[Path]) -> Image:
    if wanted.name.startswith(SAMPLE_PREFIX):
        candidates: list[Any] = [wanted.name]
    else:
        bare = Path(wanted.name.replace("\\", "/")).name
        candidates = [path for folder in folders if bare and _is_file(path := folder / bare)]
    for candidate in candidates:
        image = load(candidate)
        if Input.of(image).sha256 == wanted.sha256:
            return image
    where = " or ".join(str(folder) for folder in folders)
    if candidates:
        raise ImageReadError(
            f"{wanted.name} is not the picture it was when the recipe was written; name the right file"
        )
    raise ImageReadError(f"{wanted.name} is not in {where}; say where it is")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # Such as a name of thousands of letters.
        return False
