"""Owns the bundled files: their paths, the check of their hashes, their authors and licences.

`manifest.toml`, beside this module, has one entry for each file in `weights/` and `samples/`; the scripts in `tools/`
write it. Presets (`presets/*.toml`) are text files that users may edit; their hashes are not checked.

This module imports neither torch nor Pillow, so that `impasto samples` starts quickly.
"""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Literal, cast

from impasto.errors import AssetError

__all__ = [
    "DEMO_PAINTING",
    "DEMO_PHOTO",
    "SAMPLE_PREFIX",
    "Asset",
    "Sample",
    "manifest",
    "path",
    "preset_text",
    "presets",
    "sample",
    "samples",
    "verified",
]

#: Prefix of a bundled picture's name where a path is expected: `sample:starry_night`.
SAMPLE_PREFIX = "sample:"
#: Names of the pictures that `impasto demo`, the README and the documentation use.
DEMO_PHOTO = "neuschwanstein"
DEMO_PAINTING = "starry_night"

_ADVICE = "reinstall impasto (pip install --force-reinstall --no-deps impasto)"

# The assets folder. Impasto must be installed unpacked: a zipped package has no file paths.
_root = Path(str(resources.files(__name__)))


@dataclass(frozen=True, kw_only=True)
class Asset:
    """The manifest's entry for one bundled file.

    Attributes:
        path: relative to the assets folder, with forward slashes, for example `"weights/vgg19.safetensors"`.
        sha256: hash of the file, 64 hexadecimal digits.
        bytes: size of the file.
        licence: the licence, in a few words.
        author: author of the work; for a painting, the painter.
        title: title of the work.
        origin: package, version and path in the package.
        made_by: the command, run in the repository, that generates the file.
        changes: changes to the original file; empty if there are none.
        name: name of a sample, else empty.
        kind: `"painting"` or `"photo"` for a sample, else empty.
        height: height of a sample in pixels, else 0.
        width: width of a sample in pixels, else 0.
        source: URL where the author published the work; empty if unknown.
        licence_as_stated: the package's statement about the file's licence, verbatim; may be empty.
    """

    path: str
    sha256: str
    bytes: int
    licence: str
    author: str
    title: str
    origin: str
    made_by: str
    changes: str = ""
    name: str = ""
    kind: str = ""
    height: int = 0
    width: int = 0
    source: str = ""
    licence_as_stated: str = ""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A bundled picture.

    Attributes:
        name: its name on the command line, for example `"starry_night"`.
        kind: `"painting"` (a style) or `"photo"` (a content).
        title: title of the painting, or what the photograph shows.
        author: painter or photographer.
        licence: the licence, in a few words; `manifest` has the original statement.
        origin: package, version and path in the package.
        path: path of the image file.
        height: height in pixels.
        width: width in pixels.
    """

    name: str
    kind: Literal["painting", "photo"]
    title: str
    author: str
    licence: str
    origin: str
    path: Path
    height: int
    width: int


def path(relative: str) -> Path:
    """Return the path of a bundled file or folder, whether or not it exists (see `verified`).

    Args:
        relative: path below the assets folder, with forward slashes, for example `"weights/vgg19.safetensors"`.

    Raises:
        AssetError: `relative` leads out of the assets folder.
    """
    parts = PurePosixPath(relative)
    if parts.is_absolute() or ".." in parts.parts or "\\" in relative or ":" in relative:
        raise AssetError(f"{relative!r} is not a path below the assets folder, such as 'weights/vgg19.safetensors'")
    return _root.joinpath(*parts.parts)


def verified(relative: str) -> Path:
    """Return the path of a bundled file after checking its hash against the manifest.

    The check reads the whole file once per process (20 MB take about 20 ms).

    Args:
        relative: path of a file in the manifest, for example `"weights/vgg19.safetensors"`.

    Raises:
        AssetError: the file is not in the manifest, is missing, or has another hash.
    """
    return _verified(_root, relative)


def manifest() -> tuple[Asset, ...]:
    """Return the manifest's entries, sorted by path.

    Raises:
        AssetError: the manifest is missing or damaged.
    """
    return tuple(_manifest(_root).values())


def samples() -> list[Sample]:
    """Return the bundled pictures, photographs first, then paintings, each sorted by name. The files are not read."""
    found = [_sample(asset) for asset in manifest() if asset.kind]
    return sorted(found, key=lambda sample: (sample.kind != "photo", sample.name))


def sample(name: str) -> Sample:
    """Return the bundled picture called `name`, after checking its hash.

    Raises:
        AssetError: there is no such picture (the message lists all), or its file is missing or has another hash.
    """
    known = {sample.name: sample for sample in samples()}
    if name not in known:
        raise AssetError(_unknown("sample picture", name, known))
    verified(known[name].path.relative_to(_root).as_posix())
    return known[name]


def presets() -> list[str]:
    """Return the names of the bundled presets, sorted; `preset_text` gives the TOML text of one."""
    return sorted(file.stem for file in path("presets").glob("*.toml"))


def preset_text(name: str) -> str:
    """Return the TOML text of the bundled preset called `name`.

    Raises:
        AssetError: there is no such preset (the message lists all), or it cannot be read.
    """
    known = presets()
    if name not in known:
        raise AssetError(_unknown("preset", name, known))
    file = path(f"presets/{name}.toml")
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AssetError(f"the bundled preset {file} cannot be read ({error}): {_ADVICE}") from error


@cache
def _manifest(root: Path) -> dict[str, Asset]:
    """Return the entries of `root`'s manifest by path."""
    file = root / "manifest.toml"
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8"))["file"]
        assets = [Asset(**entry) for entry in entries]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise AssetError(f"the list of bundled files {file} is missing or damaged ({error}): {_ADVICE}") from error
    return {asset.path: asset for asset in sorted(assets, key=lambda asset: asset.path)}


@cache  # exceptions are not cached: a repaired file is checked again
def _verified(root: Path, relative: str) -> Path:
    """Check a file below `root` against the manifest there."""
    asset = _manifest(root).get(relative)
    if asset is None:
        raise AssetError(_unknown("bundled file", relative, _manifest(root)))
    file = root / relative
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise AssetError(f"the bundled file {file} is missing or cannot be read ({error}): {_ADVICE}") from error
    if sha256 != asset.sha256:
        raise AssetError(
            f"the bundled file {file} is not the one that came with Impasto "
            f"({size} bytes, sha256 {sha256[:12]}…; expected {asset.bytes} bytes, {asset.sha256[:12]}…): {_ADVICE}"
        )
    return file


def _sample(asset: Asset) -> Sample:
    """Return the sample that a manifest entry describes."""
    if asset.kind not in ("painting", "photo"):
        raise AssetError(f"the manifest calls {asset.path} a {asset.kind!r}, expected 'painting' or 'photo': {_ADVICE}")
    return Sample(
        name=asset.name,
        kind=cast(Literal["painting", "photo"], asset.kind),
        title=asset.title,
        author=asset.author,
        licence=asset.licence,
        origin=asset.origin,
        path=_root / asset.path,
        height=asset.height,
        width=asset.width,
    )


def _unknown(noun: str, name: str, known: Iterable[str]) -> str:
    """The message that `name` is not among `known`, with suggestions and all known names."""
    names = list(known)
    close = difflib.get_close_matches(name.lower().replace("-", "_").replace(" ", "_"), names, n=3)
    meant = f"did you mean {' or '.join(close)}? " if close else ""
    there_is = f"there are {', '.join(names)}" if names else f"there is none: {_ADVICE}"
    return f"no {noun} is called {name!r}; {meant}{there_is}"
