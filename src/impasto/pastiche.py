"""Owns the result: the picture, what it was made from, its losses as they fell, and what a file says of itself."""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import torch

from impasto._version import __version__
from impasto.errors import ImageReadError
from impasto.images import Image, read_metadata, write
from impasto.images.metadata import FAST_METADATA
from impasto.settings import Settings, strength_of

#: Name of the metadata entry that holds a picture's recipe as JSON.
METADATA_KEY = "impasto"
_RECIPE_FORMAT = 3
# In form 1 a strength was what now is its pull; in forms 1 and 2 scales that chose themselves went by √2.
_PULLS, _ROOTS = 1, 2


@dataclass(frozen=True)
class TracePoint:
    """The losses at one iteration.

    Attributes:
        scale: index of the scale, from 0, coarse to fine.
        size: (height, width) painted at, in pixels.
        iteration: index within the scale, from 1.
        value: total loss.
        terms: weighted terms that add up to it, by name.
        changed: settings that changed just before it, so that its loss is no sequel to the one before.
    """

    scale: int
    size: tuple[int, int]
    iteration: int
    value: float
    terms: Mapping[str, float]
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fingerprint:
    """Which picture, or other file, went in.

    Attributes:
        name: of the file, without its folder, which is nobody's business; or `sample:` and the name of a bundled
            picture.
        sha256: of the file's bytes, or of the pixels where there was no file.
    """

    name: str
    sha256: str

    @classmethod
    def of(cls, image: Image) -> Self:
        """The note on `image`."""
        digest = image.sha256 or hashlib.sha256(image.pixels.cpu().contiguous().numpy().tobytes()).hexdigest()
        return cls(image.name, digest)


@dataclass(frozen=True)
class Change:
    """Settings that changed while a picture was painted.

    Attributes:
        after: number of iterations painted before, of all scales.
        settings: their new values, by name.
    """

    after: int
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Recipe:
    """All that is needed to paint the same picture again.

    Attributes:
        settings: at the beginning; `device` is the one that was taken, never `auto`.
        content, styles, init: the pictures that went in; `init` only where it was a picture.
        masks, style_masks, content_map: the masks that guided it, see `guidance.Guidance`.
        changes: of settings, while it was painted.
        weights: of the backbone, unless they are those inside the package.
        stopped: number of iterations after which it was given up, if it was; whoever paints it again goes on.
        threads: of the CPU, which decide the order of its sums and so the last digits.
        versions: of impasto, torch and Python.
    """

    settings: Settings
    content: Fingerprint
    styles: tuple[Fingerprint, ...]
    init: Fingerprint | None = None
    masks: tuple[Fingerprint, ...] = ()
    style_masks: tuple[Fingerprint, ...] = ()
    content_map: Fingerprint | None = None
    changes: tuple[Change, ...] = ()
    weights: Fingerprint | None = None
    stopped: int | None = None
    threads: int = field(default_factory=torch.get_num_threads)
    versions: Mapping[str, str] = field(
        default_factory=lambda: {
            "impasto": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        }
    )

    @property
    def last_settings(self) -> Settings:
        """The settings at the end, after all changes."""
        settings = self.settings
        for change in self.changes:
            settings = settings.replace(**change.settings)
        return settings

    def to_json(self) -> str:
        """The recipe as JSON."""
        record = {
            "format": _RECIPE_FORMAT,
            "settings": self.settings.to_mapping(),
            "content": asdict(self.content),
            "styles": [asdict(style) for style in self.styles],
            "init": asdict(self.init) if self.init else None,
            "masks": [asdict(mask) for mask in self.masks],
            "style_masks": [asdict(mask) for mask in self.style_masks],
            "content_map": asdict(self.content_map) if self.content_map else None,
            "changes": [{"after": change.after, "settings": dict(change.settings)} for change in self.changes],
            "weights": asdict(self.weights) if self.weights else None,
            "stopped": self.stopped,
            "threads": self.threads,
            "versions": dict(self.versions),
        }
        return json.dumps(record, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The recipe in `text`, which may come from a stranger's file: every part is checked.

        Raises:
            ImageReadError: it is not a recipe, or of a later form than this version knows.
            SettingsError: a setting is unknown or out of range.
        """
        try:
            record = json.loads(text)
            form = record["format"]
            if type(form) is not int or form not in (_PULLS, _ROOTS, _RECIPE_FORMAT):
                raise ImageReadError(
                    f"the recipe has form {form!r}, and this version of Impasto knows form {_RECIPE_FORMAT}; "
                    "update impasto"
                )
            styles = tuple(_input(style) for style in record["styles"])
            threads, stopped = record["threads"], record.get("stopped")
            if not styles or type(threads) is not int or not 1 <= threads <= 4096:
                raise ValueError("styles or threads")
            if stopped is not None and (type(stopped) is not int or stopped < 0):
                raise ValueError("stopped")
            recipe = cls(
                settings=Settings.from_mapping(_first_settings(record["settings"], form)),
                content=_input(record["content"]),
                styles=styles,
                init=_input(record["init"]) if record["init"] else None,
                # Pictures painted before there were masks or other networks do not speak of them.
                masks=tuple(_input(mask) for mask in record.get("masks", ())),
                style_masks=tuple(_input(mask) for mask in record.get("style_masks", ())),
                content_map=_input(record["content_map"]) if record.get("content_map") else None,
                changes=tuple(_change(change, form) for change in record.get("changes", ())),
                weights=_input(record["weights"]) if record.get("weights") else None,
                stopped=stopped,
                threads=threads,
                versions={str(name): str(version) for name, version in _mapping(record["versions"]).items()},
            )
            # Whether the changes can be made at all is known only when they are.
            recipe.last_settings  # noqa: B018
            return recipe
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ImageReadError("the picture's metadata are not a recipe of Impasto's") from error

    @classmethod
    def of_file(cls, path: str | Path) -> Self:
        """The recipe inside the picture at `path`.

        Raises:
            ImageReadError: the file cannot be read, or was not painted by Impasto, or was saved without its recipe.
        """
        metadata = read_metadata(path)
        if FAST_METADATA in metadata:
            raise ImageReadError(f"{path} was painted by the fast engine, which notes no recipe; paint it so again")
        text = metadata.get(METADATA_KEY)
        if text is None:
            raise ImageReadError(f"{path} holds no recipe; only pictures that Impasto painted and saved with it do")
        try:
            return cls.from_json(text)
        except ImageReadError as error:
            raise ImageReadError(f"{path}: {error}") from error


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("not a mapping")
    return value


def _input(value: Any) -> Fingerprint:
    name, sha256 = _mapping(value)["name"], value["sha256"]
    if not isinstance(name, str) or not isinstance(sha256, str):
        raise TypeError("not a note on an input")
    return Fingerprint(name, sha256)


def _first_settings(value: Any, form: int) -> Mapping[str, Any]:
    """Settings at the beginning, where what they leave open is what it was then."""
    settings = dict(_settings(value, form))
    if form > _ROOTS:
        return settings
    settings.setdefault("style_loss", "gram")
    if settings.get("scales", 0) == 0:
        whole = Settings.from_mapping(settings)
        coarse = min(whole.coarse_size, whole.size)
        settings["scales"] = min(1 + round(math.log(whole.size / coarse, math.sqrt(2.0))), 20)
    if settings["scales"] == 1:
        # What the first of several scales was to have by default has no effect, and is nobody's wish.
        settings.pop("coarse_iterations", None)
    return settings


def _settings(value: Any, form: int) -> Mapping[str, Any]:
    """Settings, with strengths as they are counted today; what is no strength is left for Settings to refuse."""
    settings = dict(_mapping(value))
    if form == _PULLS:
        if "strength" in settings:
            settings["strength"] = _strength(settings["strength"])
        if isinstance(regions := settings.get("region_strength"), list):
            settings["region_strength"] = [_strength(region) for region in regions]
    return settings


def _strength(value: Any) -> Any:
    return strength_of(value) if isinstance(value, int | float) and 0 <= value <= 1 else value


def _change(value: Any, form: int) -> Change:
    after, settings = _mapping(value)["after"], _settings(value["settings"], form)
    if type(after) is not int or after < 0 or not settings:
        raise ValueError("not a change of settings")
    return Change(after, settings)


@dataclass(frozen=True)
class Pastiche:
    """A finished painting, or the best so far.

    Attributes:
        image: the picture.
        recipe: what it was made from.
        trace: losses over the iterations.
    """

    image: Image
    recipe: Recipe
    trace: Sequence[TracePoint] = ()

    @property
    def settings(self) -> Settings:
        """The settings it was painted with."""
        return self.recipe.settings

    def metadata(self) -> dict[str, str]:
        """What a file of this picture says of itself."""
        return {METADATA_KEY: self.recipe.to_json(), "Software": f"Impasto {__version__}"}

    def save(
        self,
        path: str | Path,
        *,
        with_recipe: bool = True,
        protect: Iterable[str | Path] = (),
        quality: int = 95,
        bit_depth: int = 8,
        overwrite: bool = True,
    ) -> Path:
        """Write the picture, whole or not at all; the format follows from the suffix.

        Args:
            path: PNG, JPEG, WebP, TIFF, AVIF or BMP.
            with_recipe: put settings, versions, seed and the hashes of the inputs into the file.
            protect: files that must not be overwritten, such as the inputs.
            quality: of JPEG, WebP and AVIF, 1 to 100.
            bit_depth: 8, or 16 where the format allows it.
            overwrite: whether an existing file may be replaced.

        Returns:
            The path written.

        Raises:
            ImageWriteError: it cannot be written there.
        """
        metadata = self.metadata() if with_recipe else None
        write(
            self.image,
            path,
            metadata=metadata,
            protect=protect,
            quality=quality,
            bit_depth=bit_depth,
            overwrite=overwrite,
        )
        return Path(path)

    def _repr_png_(self) -> bytes:
        return self.image._repr_png_()
