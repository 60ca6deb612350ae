"""Owns the Recipe: all that is needed to paint a picture again, and the form it has inside a file."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import torch

from impasto._version import __version__
from impasto.errors import ImageReadError
from impasto.images import Image, read_metadata
from impasto.images.metadata import FAST_METADATA
from impasto.recipes import migrations
from impasto.settings import Settings

#: Name of the metadata entry that holds a picture's recipe as JSON.
METADATA_KEY = "impasto"


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
            "format": migrations.CURRENT,
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
            if type(form) is not int or form not in migrations.KNOWN:
                raise ImageReadError(
                    f"the recipe has form {form!r}, and this version of Impasto knows form {migrations.CURRENT}; "
                    "update impasto"
                )
            styles = tuple(_fingerprint(style) for style in record["styles"])
            threads, stopped = record["threads"], record.get("stopped")
            if not styles or type(threads) is not int or not 1 <= threads <= 4096:
                raise ValueError("styles or threads")
            if stopped is not None and (type(stopped) is not int or stopped < 0):
                raise ValueError("stopped")
            changes = [migrations.mapping(change) for change in record.get("changes", ())]
            first, changed = migrations.all_settings(
                record["settings"], [change["settings"] for change in changes], form
            )
            recipe = cls(
                settings=Settings.from_mapping(first),
                content=_fingerprint(record["content"]),
                styles=styles,
                init=_fingerprint(record["init"]) if record["init"] else None,
                # Pictures painted before there were masks or other networks do not speak of them.
                masks=tuple(_fingerprint(mask) for mask in record.get("masks", ())),
                style_masks=tuple(_fingerprint(mask) for mask in record.get("style_masks", ())),
                content_map=_fingerprint(record["content_map"]) if record.get("content_map") else None,
                changes=tuple(
                    _change(change["after"], settings) for change, settings in zip(changes, changed, strict=True)
                ),
                weights=_fingerprint(record["weights"]) if record.get("weights") else None,
                stopped=stopped,
                threads=threads,
                versions={str(name): str(version) for name, version in migrations.mapping(record["versions"]).items()},
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


def _fingerprint(value: Any) -> Fingerprint:
    name, sha256 = migrations.mapping(value)["name"], value["sha256"]
    if not isinstance(name, str) or not isinstance(sha256, str):
        raise TypeError("not a note on an input")
    return Fingerprint(name, sha256)


def _change(after: Any, settings: Mapping[str, Any]) -> Change:
    if type(after) is not int or after < 0 or not settings:
        raise ValueError("not a change of settings")
    return Change(after, settings)
