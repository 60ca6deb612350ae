"""Owns `impasto rerun`: the same picture again, or a variation of it, from the recipe inside it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from impasto.cli import inputs, reporting
from impasto.cli.options import (
    INPUT,
    STANDARD,
    OutputOptions,
    RecipeMaskOptions,
    RecipeThreads,
    RecipeWeights,
    ReportOptions,
    picture_argument,
    setting_options,
    words,
)
from impasto.cli.outputs import Output
from impasto.cli.signals import Signals
from impasto.errors import AssetError, ImageReadError, SettingsError

if TYPE_CHECKING:
    from impasto.images import Image
    from impasto.pastiche import Change, Fingerprint, Recipe
    from impasto.settings import Settings

# More threads than cores give the same digits, only later. A picture from a stranger must not ask for thousands.
_MOST_THREADS_PER_CORE = 8

if TYPE_CHECKING:
    from impasto.cli.options import SettingOptions as RecipeSettings
else:
    RecipeSettings = setting_options("RecipeSettings", lambda _: "as in the picture")


def rerun(
    picture: Annotated[str, picture_argument("A picture that Impasto painted, with the recipe inside.")],
    /,
    *,
    content: Annotated[
        str | None,
        words("The photograph, if it is not beside the picture or here.", "as recorded", group=INPUT, metavar="FILE"),
    ] = None,
    style: Annotated[
        list[str] | None,
        words(
            "The painting, if it is not beside the picture or here; once for each of several.",
            "as recorded",
            group=INPUT,
            metavar="FILE",
            repeatable=True,
        ),
    ] = None,
    output: OutputOptions = OutputOptions(),  # noqa: B008  (frozen)
    report: ReportOptions = ReportOptions(),  # noqa: B008  (frozen)
    regions: RecipeMaskOptions = RecipeMaskOptions(),  # noqa: B008  (frozen)
    options: RecipeSettings = RecipeSettings(),  # noqa: B008  (frozen)
    weights: RecipeWeights = None,
    threads: RecipeThreads = None,
) -> int:
    """Paint a picture again from the recipe inside it.

      impasto rerun out.png -o larger.png --size 2048

    With the same versions, device and number of threads, the same picture
    comes out to the last bit. Options change the recipe. What was stopped
    before its end is painted to it.
    """
    changes = options.given()
    if picture == STANDARD:
        raise ImageReadError("- has no name, and what a picture was made from is looked for beside it; name a file")
    pictures = [*inputs.optional(content), *(style or ()), *regions.files()]
    inputs.check_sources(pictures)
    with Signals.caught() as signals:
        from impasto.cli import painting
        from impasto.pastiche import Recipe

        try:
            recipe = Recipe.of_file(picture)
        except SettingsError as error:
            raise ImageReadError(f"{picture}: its recipe has a setting that cannot be used ({error})") from error
        if recipe.stopped is not None:
            reporting.warning(f"it was stopped after {recipe.stopped} iterations, and is painted to the end now")
        painting.use_threads(threads or _threads(recipe))
        settings = _settings(recipe, changes)
        start = inputs.starting_picture(changes.get("init"))
        sources = [*pictures, *inputs.optional(weights), *start]
        folders = list(dict.fromkeys([Path(picture).absolute().parent, Path.cwd()]))
        suffix = Path(picture).suffix
        target = Output.of(
            output,
            report,
            stem=f"{Path(picture).stem}-rerun",
            suffix=suffix if suffix else ".png",
            protect=[
                *inputs.files([picture, *sources]),
                *(folder / Path(note.name).name for note in _notes(recipe) for folder in folders),
            ],
        )
        target.check()
        photograph = _input(recipe.content, content, folders, "--content")
        paintings = _inputs(recipe.styles, style or (), folders, "--style")
        init = _input(recipe.init, None, folders, "--init") if recipe.init and "init" not in changes else None
        masks = _inputs(recipe.masks, regions.mask, folders, "--mask")
        style_masks = _inputs(recipe.style_masks, regions.style_mask, folders, "--style-mask")
        content_map = (
            _input(recipe.content_map, regions.content_map, folders, "--content-map")
            if recipe.content_map or regions.content_map
            else None
        )
        return painting.paint(
            photograph,
            paintings,
            settings,
            target,
            signals,
            init=init,
            masks=masks,
            style_masks=style_masks,
            content_map=content_map,
            changes=_again(recipe, changes),
            weights=_weights(recipe, settings, weights, folders),
            as_json=report.json,
            quiet=report.quiet,
        )


def _again(recipe: Recipe, options: dict[str, object]) -> list[Change]:
    """The changes made while the picture was painted, but of settings that options decide."""
    from impasto.pastiche import Change

    kept = [
        Change(change.after, {name: value for name, value in change.settings.items() if name not in options})
        for change in recipe.changes
    ]
    return [change for change in kept if change.settings]


def _notes(recipe: Recipe) -> list[Fingerprint]:
    masks = [*recipe.masks, *recipe.style_masks]
    return [recipe.content, *recipe.styles, *masks, *(note for note in (recipe.init, recipe.content_map) if note)]


def _threads(recipe: Recipe) -> int:
    """The recipe's number of threads, unless nobody could have meant it."""
    most = _MOST_THREADS_PER_CORE * (os.cpu_count() or 1)
    if recipe.threads <= most:
        return recipe.threads
    reporting.warning(f"it was painted with {recipe.threads} threads; {most} are taken, and the last digits may differ")
    return most


def _settings(recipe: Recipe, changes: dict[str, object]) -> Settings:
    """The recipe's settings with the changes, on a device that is here; says what will differ for it."""
    from impasto import devices
    from impasto.pastiche import Recipe

    here = Recipe(recipe.settings, recipe.content, recipe.styles).versions
    for name, version in recipe.versions.items():
        if name != "python" and here.get(name, version) != version:
            reporting.warning(
                f"it was painted with {name} {version}, and here is {here[name]}: the last digits may differ"
            )
    if changes.get("backbone", recipe.settings.backbone) != recipe.settings.backbone:
        # Its layers are not the other's, which takes its own where none are named.
        default = type(recipe.settings)()
        changes = {"content_layers": default.content_layers, "style_layers": default.style_layers} | changes
    settings = recipe.settings.replace(**changes)
    if "device" not in changes and settings.device not in devices.available():
        settings = settings.replace(device="auto")
        reporting.warning(
            f"it was painted on {recipe.settings.device}, which is not on this machine; "
            f"{devices.resolve('auto')} is taken, and the last digits may differ"
        )
    return settings


def _weights(recipe: Recipe, settings: Settings, name: str | None, folders: list[Path]) -> Path | None:
    """The file of the backbone's weights: the one that was named, or the recipe's; None for the backbone's own."""
    from impasto import api
    from impasto.backbones import WeightsFile

    note = recipe.weights if settings.backbone == recipe.settings.backbone else None
    if name is not None:
        if note is not None and WeightsFile.of(Path(name)).sha256 != note.sha256:
            reporting.warning(f"{name} is not the file of weights that it was painted with; the result will differ")
        return Path(name)
    try:
        return api.weights_of(note, settings.backbone, folders) if note else None
    except AssetError as error:
        raise AssetError(f"{error}, with --weights") from error


def _inputs(notes: Sequence[Fingerprint], names: Sequence[str], folders: list[Path], option: str) -> list[Image]:
    """The pictures called `names`, each held against what the recipe notes in its place; all of the recipe's if none.

    Those that are named stand in place of all that the recipe notes.
    """
    if not names:
        every = f"{option} for each of the {len(notes)}, in their order" if len(notes) > 1 else option
        return [_input(note, None, folders, every) for note in notes]
    if notes and len(names) != len(notes):
        reporting.warning(f"{option}: got {len(names)}, and the recipe has {len(notes)}; the result will differ")
    return [_input(note, name, folders, option) for note, name in itertools.zip_longest(notes[: len(names)], names)]


def _input(note: Fingerprint | None, name: str | None, folders: list[Path], option: str) -> Image:
    """The picture called `name`, or else the one that the recipe notes, found in the folders."""
    from impasto import api
    from impasto.pastiche import Fingerprint

    if name is not None:
        image = inputs.picture(name)
        if note is not None and Fingerprint.of(image).sha256 != note.sha256:
            reporting.warning(f"{name} is not the picture that the recipe was painted from; the result will differ")
        return image
    assert note is not None
    try:
        return api.input_of(note, folders)
    except ImageReadError as error:
        raise ImageReadError(f"{error}, with {option}") from error
