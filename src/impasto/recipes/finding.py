"""Owns how the files that a recipe notes are found again: by name and contents, in folders that the user chose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from impasto.backbones import WeightsFile, architecture
from impasto.errors import AssetError, ImageReadError
from impasto.images import Image
from impasto.loading import BLANK_PREFIX, SAMPLE_PREFIX, load
from impasto.recipes.recipe import Fingerprint


def find_picture(wanted: Fingerprint, folders: Sequence[Path]) -> Image:
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


def find_weights(wanted: Fingerprint, backbone: str, folders: Sequence[Path]) -> Path | None:
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
