"""Owns `impasto rerun`: paints a picture, or a variation of it, from the recipe inside it."""

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
from impasto.cli.sizes import MemoryOptions
from impasto.errors import AssetError, ImageReadError, SettingsError
from impasto.messages import counted

if TYPE_CHECKING:
    from impasto.images import Image
    from impasto.recipes import Change, Fingerprint, Recipe
    from impasto.settings import Settings

# More threads than cores are slower, with the same result. A picture from a stranger must not request thousands.
_MOST_THREADS_PER_CORE = 8

if TYPE_CHECKING:
    from impasto.cli.options import SettingOptions as RecipeSettings
else:
    RecipeSettings = setting_options("RecipeSettings", lambda _: "as in the picture")


def rerun(
    picture: Annotated[str, picture_argument("A picture that Impasto painted; its file contains the recipe.")],
    /,
    *,
    content: Annotated[
        str | None,
        words(
            "The photograph, if it is neither beside the picture nor in the current folder.",
            "as in the recipe",
            group=INPUT,
            metavar="FILE",
        ),
    ] = None,
    style: Annotated[
        list[str] | None,
        words(
            "The painting, if it is neither beside the picture nor in the current folder; repeat it for several.",
            "as in the recipe",
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
    memory: MemoryOptions = MemoryOptions(),  # noqa: B008  (frozen)
    threads: RecipeThreads = None,
) -> int:
    """Paint a picture again from the recipe inside it.

      impasto rerun out.png -o larger.png --size 2048

    With the same versions, device and number of threads, the result is the
    same picture, bit for bit. Options change the recipe. A picture that was
    stopped early is painted to the end.
    """
    changes = options.given()
    if picture == STANDARD:
        raise ImageReadError("the inputs are searched beside the picture, and - has no folder; name a file")
    pictures = [*inputs.optional(content), *(style or ()), *regions.files()]
    inputs.check_sources(pictures)
    with Signals.caught() as signals:
        from impasto.cli import painting
        from impasto.inputs import Inputs
        from impasto.recipes import Recipe

        try:
            recipe = Recipe.of_file(picture)
        except SettingsError as error:
            raise ImageReadError(f"{picture}: its recipe has an invalid setting ({error})") from error
        if recipe.stopped is not None:
            reporting.warning(
                f"the picture was stopped after {counted(recipe.stopped, 'iteration')}; it is painted to the end now"
            )
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
            Inputs.load(
                photograph, paintings, init=init, masks=masks, style_masks=style_masks, content_map=content_map
            ),
            settings,
            target,
            signals,
            changes=_again(recipe, changes),
            weights=_weights(recipe, settings, weights, folders),
            memory=memory,
            as_json=report.json,
            quiet=report.quiet,
        )


def _again(recipe: Recipe, options: dict[str, object]) -> list[Change]:
    """The changes made while the picture was painted, except of settings that options set."""
    from impasto.recipes import Change

    kept = [
        Change(change.after, {name: value for name, value in change.settings.items() if name not in options})
        for change in recipe.changes
    ]
    return [change for change in kept if change.settings]


def _notes(recipe: Recipe) -> list[Fingerprint]:
    masks = [*recipe.masks, *recipe.style_masks]
    return [recipe.content, *recipe.styles, *masks, *(note for note in (recipe.init, recipe.content_map) if note)]


def _threads(recipe: Recipe) -> int:
    """The recipe's number of threads, but at most 8 for each core."""
    most = _MOST_THREADS_PER_CORE * (os.cpu_count() or 1)
    if recipe.threads <= most:
        return recipe.threads
    reporting.warning(
        f"the picture was painted with {recipe.threads} threads; {most} are used: the last digits may differ"
    )
    return most


def _settings(recipe: Recipe, changes: dict[str, object]) -> Settings:
    """The recipe's settings with the changes, on an available device; warns of differences."""
    from impasto import devices
    from impasto.recipes import Recipe

    here = Recipe(recipe.settings, recipe.content, recipe.styles).versions
    for name, version in recipe.versions.items():
        if name != "python" and here.get(name, version) != version:
            reporting.warning(
                f"the picture was painted with {name} {version}; {here[name]} is installed: the last digits may differ"
            )
    if changes.get("backbone", recipe.settings.backbone) != recipe.settings.backbone:
        # The other network has other layers; with default names it uses its own.
        default = type(recipe.settings)()
        changes = {"content_layers": default.content_layers, "style_layers": default.style_layers} | changes
    settings = recipe.settings.replace(**changes)
    if "device" not in changes and settings.device not in devices.available():
        settings = settings.replace(device="auto")
        reporting.warning(
            f"the picture was painted on {recipe.settings.device}, which this machine lacks; "
            f"{devices.resolve('auto')} is used: the last digits may differ"
        )
    return settings


def _weights(recipe: Recipe, settings: Settings, name: str | None, folders: list[Path]) -> Path | None:
    """The file of the backbone's weights: the named one, or the recipe's; None for the backbone's own."""
    from impasto import recipes
    from impasto.backbones import WeightsFile

    note = recipe.weights if settings.backbone == recipe.settings.backbone else None
    if name is not None:
        if note is not None and WeightsFile.of(Path(name)).sha256 != note.sha256:
            reporting.warning(f"{name} is not the file of weights of the recipe; the result will differ")
        return Path(name)
    try:
        return recipes.find_weights(note, settings.backbone, folders) if note else None
    except AssetError as error:
        raise AssetError(f"{error}, with --weights") from error


def _inputs(notes: Sequence[Fingerprint], names: Sequence[str], folders: list[Path], option: str) -> list[Image]:
    """The pictures called `names`, each compared with the recipe's; the recipe's pictures if no name is given.

    Named pictures replace all of the recipe's.
    """
    if not names:
        every = f"{option} for each of the {len(notes)}, in their order" if len(notes) > 1 else option
        return [_input(note, None, folders, every) for note in notes]
    if notes and len(names) != len(notes):
        reporting.warning(
            f"{option}: got {counted(len(names), 'picture')}, and the recipe has {len(notes)}; the result will differ"
        )
    return [_input(note, name, folders, option) for note, name in itertools.zip_longest(notes[: len(names)], names)]


def _input(note: Fingerprint | None, name: str | None, folders: list[Path], option: str) -> Image:
    """The picture called `name`; without a name, the recipe's, found in the folders."""
    from impasto import recipes
    from impasto.recipes import Fingerprint

    if name is not None:
        image = inputs.picture(name)
        if note is not None and Fingerprint.of(image).sha256 != note.sha256:
            reporting.warning(f"{name} is not the picture in the recipe; the result will differ")
        return image
    assert note is not None
    try:
        return recipes.find_picture(note, folders)
    except ImageReadError as error:
        raise ImageReadError(f"{error}, with {option}") from error
