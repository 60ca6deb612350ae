"""Owns the one-line verbs: pictures in whatever form they come, settings by name, a Pastiche out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from impasto import devices, method
from impasto.backbones import VGG19, WeightsFile, architecture
from impasto.checkpoints import Checkpoint
from impasto.errors import AssetError, ImageReadError, ImpastoWarning, SettingsError, SettingsWarning
from impasto.explanations.explanation import Explanation, explaining
from impasto.explanations.subjects import settings_for as settings_to_explain
from impasto.guidance import Guidance
from impasto.images import Image
from impasto.loading import BLANK_PREFIX, LARGEST_SIDE, SAMPLE_PREFIX, load
from impasto.method import Stylization
from impasto.metrics import Judge, Judgement
from impasto.pastiche import Change, Fingerprint, Pastiche
from impasto.presets import DEFAULT, preset
from impasto.progress import Progress
from impasto.pyramid import pyramid
from impasto.settings import OPTIONS, Settings
from impasto.strokes import usual_scale
from impasto.targets import layer_weights, shares_of


def texture(
    style: Any,
    *,
    width: int,
    height: int,
    tile: bool = False,
    preset: str = DEFAULT,
    weights: str | Path | None = None,
    **options: Any,
) -> Pastiche:
    """Paint the texture of a painting, without any content.

    After Gatys, Ecker & Bethge, "Texture Synthesis Using Convolutional Neural Networks", NIPS 2015.

    Args:
        style: the painting, or a list of paintings to blend.
        width, height: in pixels, at least 32 each.
        tile: whether the texture is to continue over its borders, so that copies laid side by side show no seam; its
            sides are then rounded to multiples of 16.
        preset: name of a bundled preset, or the path of a TOML file.
        weights: as for `stylize`.
        **options: fields of `Settings`, which override the preset; not `size` and `content_weight`.

    Raises:
        ImpastoError: as for `stylize`.
    """
    content, settings = texture_settings(settings_for(preset, **options), width=width, height=height, tile=tile)
    return stylize(content, style, weights=weights, **settings.to_mapping())


def texture_settings(settings: Settings, *, width: int, height: int, tile: bool = False) -> tuple[str, Settings]:
    """The name of the content, and the settings, by which `stylize` paints a texture.

    Raises:
        SettingsError: a side is out of range.
    """
    for name, side in (("width", width), ("height", height)):
        if not 32 <= side <= LARGEST_SIDE:
            raise SettingsError(name, f"got {side}; it must be 32 to {LARGEST_SIDE} px")
    if tile:
        width, height = (16 * round(side / 16) for side in (width, height))
    changes: dict[str, Any] = {"size": max(width, height), "content_weight": 0.0, "padding": settings.padding}
    if tile:
        changes["padding"] = "wrap"
    if settings.init == "content":
        changes["init"] = "style"
    return f"{BLANK_PREFIX}{width}x{height}", settings.replace(**changes)


def stylize(
    content: Any,
    style: Any,
    *,
    preset: str = DEFAULT,
    init: Any = None,
    masks: Any = (),
    style_masks: Any = (),
    content_map: Any = None,
    weights: str | Path | None = None,
    **options: Any,
) -> Pastiche:
    """Paint `content` in the manner of `style`.

    Args:
        content: the photograph; anything that `load` takes.
        style: the painting, or a list of paintings to blend.
        preset: name of a bundled preset, or the path of a TOML file.
        init: `content`, `noise`, `style`, `fast`, or a picture to start from.
        masks: of the photograph, one for each region, or one alone: white is inside. See `guidance.Guidance`.
        style_masks: of the painting, as many as `masks`.
        content_map: white where the photograph's shapes are to stay.
        weights: file of the backbone's weights, safetensors or a `.pth` of tensors alone; without one, those that
            torchvision's hub has.
        **options: fields of `Settings`, which override the preset: `size=1024, strength=0.7`.

    Raises:
        ImpastoError: a picture, a setting or the device cannot be used; see `errors` for the kinds.
    """
    settings = settings_for(preset, **options)
    progress: Progress | None = None
    steps = stylization(
        content,
        style,
        settings,
        init=init,
        masks=masks,
        style_masks=style_masks,
        content_map=content_map,
        weights=weights,
    )
    for progress in steps:  # noqa: B007
        pass
    assert progress is not None
    return progress.pastiche()


def settings_for(preset_name: str = DEFAULT, **options: Any) -> Settings:
    """The settings of a preset, overridden by `options`."""
    return preset(preset_name).settings(**options)


def stylization(
    content: Any,
    style: Any,
    settings: Settings | None = None,
    *,
    init: Any = None,
    masks: Any = (),
    style_masks: Any = (),
    content_map: Any = None,
    weights: str | Path | None = None,
    changes: Sequence[Change] = (),
    resume: Checkpoint | str | Path | None = None,
) -> Stylization:
    """Paint step by step: yields Progress after every iteration; stop iterating to cancel.

    Pictures are read and settings checked before the first step, when this is called.

    Args:
        content, style, init, masks, style_masks, content_map, weights: as for `stylize`.
        settings: the default preset's, if None.
        changes: of settings, to be made again as a recipe tells of them.
        resume: a checkpoint, or the path of one, of a painting that these pictures and settings began; the first
            Progress is the one that it was taken of.

    Raises:
        ImpastoError: as for `stylize`; CheckpointError if the checkpoint cannot be read, or is of another painting.
    """
    settings = settings_for() if settings is None else settings
    masks, style_masks = _each(masks), _each(style_masks)
    network = architecture(settings.backbone)
    without_effect = settings.without_effect(masked=bool(masks))
    without_effect |= network.without_effect(settings.pooling, settings.padding)
    for name, reason in without_effect.items():
        warnings.warn(SettingsWarning(name, reason), stacklevel=2)
    photograph = load(content)
    paintings = [load(one) for one in _each(style)]
    if not paintings:
        raise SettingsError("style", "got no painting; name at least one")
    chosen = settings.init if init is None else init
    own = None if isinstance(chosen, str) and chosen in OPTIONS["init"][1].words else load(chosen)
    settings = resolved(settings).replace(init=(own.name or "a picture") if own else chosen)
    start = _fast_start(photograph, paintings, settings) if settings.init == "fast" else own
    device = torch.device(settings.device)
    guidance = None
    if masks or style_masks or content_map is not None:
        guidance = Guidance(
            content_masks=tuple(map(load, masks)),
            style_masks=tuple(map(load, style_masks)),
            content_map=None if content_map is None else load(content_map),
            paintings=len(paintings),
        )
    if isinstance(resume, str | Path):
        resume = Checkpoint.load(resume)
    if resume is not None and resume.recipe.threads != (threads := torch.get_num_threads()):
        before = f"it was painted with {resume.recipe.threads} threads so far"
        warnings.warn(f"{before}; with {threads}, the last digits may differ", ImpastoWarning, stacklevel=2)
    return method.stylization(
        photograph,
        paintings,
        settings,
        init=start,
        guidance=guidance,
        weights=None if weights is None else Path(weights),
        device=device,
        changes=changes,
        resume=resume,
    )


def resolved(settings: Settings) -> Settings:
    """The settings with the device and the precision that `auto` means on this machine, and the layers of the backbone.

    Raises:
        DeviceError: the device is not here.
        SettingsError: a backbone or layer does not exist.
    """
    device = devices.resolve(settings.device)
    precision = str(devices.precision(settings.precision, device)).removeprefix("torch.")
    if settings.backbone != VGG19.architecture.name:
        content, style = layer_weights(settings, architecture(settings.backbone))
        settings = settings.replace(content_layers=content, style_layers=style)
    return settings.replace(device=str(device), precision=precision)


def _fast_start(photograph: Image, paintings: Sequence[Image], settings: Settings) -> Image:
    """What the fast engine makes of the pictures, at the first size that is painted."""
    # Here, for it takes a while to import and few want it.
    from impasto.fast import FastModel

    height, width = pyramid(photograph.size, settings, min_side=VGG19.architecture.min_side)[0].size
    return FastModel.load().stylize(
        photograph.resized((height, width)),
        paintings,
        blend=shares_of(settings, len(paintings)),
        style_size=max(VGG19.architecture.min_side, round(usual_scale(settings) * math.sqrt(height * width))),
        device=settings.device,
        precision=settings.precision,
    )


def _each(pictures: Any) -> list[Any]:
    """The pictures of a list, or one picture as a list."""
    several = isinstance(pictures, Sequence) and not isinstance(pictures, str | bytes)
    return list(pictures) if several else [pictures]


def judge(content: Any, style: Any, pastiche: Any) -> Judgement:
    """How good `pastiche` is: near `style` in style, near `content` in content, and which faults it shows.

    For several pastiches of one pair, `metrics.Judge` looks at the pair only once.

    Args:
        content, style, pastiche: anything that `load` takes; `style` may be a list, and `pastiche` a Pastiche.

    Raises:
        ImpastoError: a picture cannot be read, or is too small to be looked at.
    """
    paintings = [load(one) for one in _each(style)]
    picture = pastiche.image if isinstance(pastiche, Pastiche) else load(pastiche)
    return Judge(load(content), paintings).judge(picture)


def explain(
    what: str,
    picture: Any,
    *,
    layers: str | Sequence[str] = "",
    weights: str | Path | None = None,
    **options: Any,
) -> Explanation:
    """Draw a figure that explains what a network's layers know of `picture`.

    Args:
        what: `content` or `style`: what of the picture some layers know, painted from noise; `gram`: feature maps and
            Gram matrices; `network`: how far each layer sees, and what pooling keeps.
        picture: the photograph or the painting; anything that `load` takes.
        layers: to explain; those of the paper by default.
        weights: as for `stylize`.
        **options: `size`, `iterations`, `seed`, `backbone`, `pooling`, `device`, `precision`, as in `Settings`.

    Raises:
        ImpastoError: the picture, a setting, a layer or the device cannot be used.
    """
    settings = settings_to_explain(what, **options)
    *_, last = explaining(what, load(picture), settings, layers, weights=None if weights is None else Path(weights))
    return last.explanation()


def input_of(wanted: Fingerprint, folders: Sequence[Path]) -> Image:
    """The picture that a recipe notes.

    A recipe may come from a stranger, so no path in it is followed: a file is looked for by its bare name in `folders`,
    and taken only if its contents are those that the recipe was painted from.

    Raises:
        ImageReadError: the picture is not found, or has changed since.
        AssetError: no bundled picture has the name that the recipe gives.
    """
    if wanted.name.startswith((SAMPLE_PREFIX, BLANK_PREFIX)):
        candidates: list[Any] = [wanted.name]
    else:
        bare = Path(wanted.name.replace("\\", "/")).name
        candidates = [path for folder in folders if bare and _is_file(path := folder / bare)]
    for candidate in candidates:
        image = load(candidate)
        if Fingerprint.of(image).sha256 == wanted.sha256:
            return image
    where = " or ".join(str(folder) for folder in folders)
    if candidates:
        raise ImageReadError(
            f"{wanted.name} is not the picture it was when the recipe was written; name the right file"
        )
    raise ImageReadError(f"{wanted.name} is not in {where}; say where it is")


def weights_of(wanted: Fingerprint, backbone: str, folders: Sequence[Path]) -> Path | None:
    """The file of weights that a recipe notes; None for the backbone's own.

    As with pictures, no path in a recipe is followed, and what has the name is taken only if it has the contents.

    Raises:
        AssetError: the file is not found, or is another.
        SettingsError: there is no such backbone.
    """
    bare = Path(wanted.name.replace("\\", "/")).name
    found = [path for folder in folders if bare and _is_file(path := folder / bare)]
    for path in found:
        if WeightsFile.of(path).sha256 == wanted.sha256:
            return path
    if architecture(backbone).own_weights() == bare:
        # They have their hash in their name, and are held to it.
        return None
    if found:
        raise AssetError(f"{bare} is not the file of weights that the picture was painted with; name the right one")
    where = " or ".join(str(folder) for folder in folders)
    raise AssetError(f"{backbone} had its weights from {bare}, which is not in {where}; say where it is")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # Such as a name of thousands of letters.
        return False
