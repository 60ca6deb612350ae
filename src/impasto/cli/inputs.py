"""Owns the names of pictures on the command line: a file, `sample:NAME`, or `-` for standard input."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from impasto import assets
from impasto.cli.options import STANDARD
from impasto.errors import ImageReadError, SettingsError
from impasto.settings import OPTIONS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from impasto.images import Image

# Most bytes of a file name made from the names of inputs; file systems allow 255.
_LONGEST_STEM = 200
# The fewest names that are taken for an expanded `*.suffix`.
_FEWEST_EXPANDED = 3


def check_sources(names: Iterable[str]) -> None:
    """Refuse addresses on the network, and standard input that is named twice, or is a keyboard or closed.

    Raises:
        SettingsError: standard input is named twice.
        ImageReadError: a name is an address; or standard input is a keyboard, or closed.
    """
    names = list(names)
    for name in names:
        if re.match(r"(?i)(https?|ftp)://", name):
            raise ImageReadError(f"{name}: Impasto fetches nothing from the network; download it, and name the file")
    times = names.count(STANDARD)
    if times > 1:
        raise SettingsError("-", "standard input can be read only once; name the other pictures")
    if times and sys.stdin is None:
        raise ImageReadError("- is standard input, which is closed; pipe a picture into it, or name a file")
    if times and sys.stdin.isatty():
        raise ImageReadError("- is standard input, which is the keyboard; pipe a picture into it, or name a file")


def check_names(
    photographs: Sequence[str], paintings: Sequence[str], *, command: str, blended: bool, batch: bool = False
) -> None:
    """Refuse an output without -o, and a pattern that a shell has expanded, with what to type instead.

    Args:
        photographs, paintings: names from the command line, in their order; there may be no photograph.
        command: for the messages.
        blended: whether shares of several paintings were given.
        batch: whether the command takes a folder or a quoted pattern of photographs.

    Raises:
        SettingsError: a shell has expanded a pattern.
        ImageReadError: the output is named without -o.
    """
    if len(paintings) > 1 and _is_output(paintings[-1]):
        raise ImageReadError(
            f"{paintings[-1]}: there is no such file; to write the result there, type -o {paintings[-1]}"
        )
    expanded = [*photographs, *paintings[:-1]]
    if photographs and len(paintings) > 1 and not blended and (pattern := _pattern_of(expanded, paintings[-1])):
        batched = f"impasto {command if batch else 'fast'} '{pattern}' {paintings[-1]} -o painted/"
        advice = (
            f"quote the pattern: {batched}"
            if batch
            else f"impasto {command} takes one photograph; impasto fast takes many: {batched}"
        )
        raise SettingsError(
            "content",
            f"got {len(expanded)} pictures that a shell seems to have put in place of {pattern}; {advice}. "
            f"If all but the first are paintings, say so with --blend {','.join('1' * len(paintings))}",
        )


def _is_output(name: str) -> bool:
    """Whether a name looks like that of a picture to be written: there is no such file, but its folder exists."""
    from impasto.images import WRITABLE_SUFFIXES

    path = Path(name)
    return path.suffix.lower() in WRITABLE_SUFFIXES and not path.exists() and path.parent.is_dir()


def _pattern_of(names: Sequence[str], last: str) -> str | None:
    """The pattern that a shell would replace by exactly these names, if there is a likely one.

    Likely are `folder/*.suffix`, and `folder/prefix*.suffix` where numbers follow the prefix, as cameras have it. If
    the last painting is a file of the same folder and kind, nothing tells paintings from photographs. Two names
    without numbers are a photograph and a painting more often than a pattern.
    """
    paths = [Path(name) for name in names]
    folder, suffix = paths[0].parent, paths[0].suffix
    if not suffix or any((path.parent, path.suffix) != (folder, suffix) or not path.is_file() for path in paths):
        return None
    if (Path(last).parent, Path(last).suffix) == (folder, suffix):
        return None
    prefixes = {path.stem.rstrip("0123456789") for path in paths}
    starts = {"", *prefixes} if len(prefixes) == 1 else {""}
    for start in starts if len(names) >= _FEWEST_EXPANDED else starts - {""}:
        found = [path for path in folder.glob(f"{start}*{suffix}") if not path.name.startswith(".")]
        if sorted(found) == sorted(paths):
            return str(folder / f"{start}*{suffix}")
    return None


def picture(name: str) -> Image:
    """The picture of that name."""
    from impasto import images, loading

    if name == STANDARD:
        return images.read(sys.stdin.buffer, name="stdin")
    with _hinting(name):
        return loading.load(name)


def pixels(name: str) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """The picture of that name as arrays, read without torch: (1, 3, h, w), and its alpha, (1, 1, h, w) or None."""
    from impasto.images import read_pixels_and_alpha

    if name == STANDARD:
        return read_pixels_and_alpha(sys.stdin.buffer, name="stdin")
    if name.startswith(assets.SAMPLE_PREFIX):
        return read_pixels_and_alpha(assets.sample(name.removeprefix(assets.SAMPLE_PREFIX)).path)
    with _hinting(name):
        return read_pixels_and_alpha(name)


@contextmanager
def _hinting(name: str) -> Iterator[None]:
    """Adds to the error that there is no such file that a bundled picture has this name."""
    try:
        yield
    except ImageReadError as error:
        if name in {sample.name for sample in assets.samples()} and not Path(name).exists():
            raise ImageReadError(
                f"{name}: there is no such file; for the bundled picture, type {assets.SAMPLE_PREFIX}{name}"
            ) from error
        raise


def files(names: Iterable[str]) -> list[str]:
    """The names that are files, which must not be overwritten."""
    return [name for name in names if name != STANDARD and not name.startswith(assets.SAMPLE_PREFIX)]


def starting_picture(init: str | None) -> list[str]:
    """The name of the picture to start from, if `init` names one; it may also be a word such as `noise`."""
    return [] if init is None or init in OPTIONS["init"][1].words else [init]


def optional(name: str | None) -> list[str]:
    """The name, if there is one."""
    return [] if name is None else [name]


def stem(content: str, styles: Iterable[str]) -> str:
    """The name of a picture made from these, without suffix: `photo-starry_night`."""
    whole = f"{_stem(content)}-{'+'.join(map(_stem, styles))}"
    while len(os.fsencode(whole)) > _LONGEST_STEM:
        whole = whole[:-1]
    return whole


def _stem(name: str) -> str:
    return "stdin" if name == STANDARD else Path(name.removeprefix(assets.SAMPLE_PREFIX)).stem
