"""Owns what the names of pictures on the command line stand for: a file, `sample:NAME`, or `-` for standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
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

# Bytes of a file name made from the names of inputs; the longest that file systems take is 255.
_LONGEST_STEM = 200


def check_standard(names: Iterable[str]) -> None:
    """Refuse names of which more than one is standard input, or one is where standard input is a keyboard.

    Raises:
        SettingsError: standard input would be read twice.
        ImageReadError: there is nothing to read.
    """
    times = sum(name == STANDARD for name in names)
    if times > 1:
        raise SettingsError("-", "standard input can be read only once; name the other pictures")
    if times and sys.stdin is None:
        raise ImageReadError("- is standard input, and that is closed; pipe a picture into it, or name a file")
    if times and sys.stdin.isatty():
        raise ImageReadError("- is standard input, and that is the keyboard; pipe a picture into it")


def picture(name: str) -> Image:
    """The picture of that name."""
    from impasto import images, loading

    return images.read(sys.stdin.buffer, name="stdin") if name == STANDARD else loading.load(name)


def pixels(name: str) -> NDArray[np.float32]:
    """The picture of that name as an array (1, 3, h, w), for those who do without torch."""
    from impasto.images import read_pixels

    if name == STANDARD:
        return read_pixels(sys.stdin.buffer, name="stdin")
    if name.startswith(assets.SAMPLE_PREFIX):
        return read_pixels(assets.sample(name.removeprefix(assets.SAMPLE_PREFIX)).path)
    return read_pixels(name)


def files(names: Iterable[str]) -> list[str]:
    """Those of the names that are files, which must not be overwritten."""
    return [name for name in names if name != STANDARD and not name.startswith(assets.SAMPLE_PREFIX)]


def starting_picture(init: str | None) -> list[str]:
    """The name of the picture to start from, if `init` is one and not a word."""
    return [] if init is None or init in OPTIONS["init"][1].words else [init]


def optional(name: str | None) -> list[str]:
    """The name, if there is one."""
    return [] if name is None else [name]


def stem(content: str, styles: Iterable[str]) -> str:
    """What a picture made from these is called: `photo-starry_night`."""
    whole = f"{_stem(content)}-{'+'.join(map(_stem, styles))}"
    while len(os.fsencode(whole)) > _LONGEST_STEM:
        whole = whole[:-1]
    return whole


def _stem(name: str) -> str:
    return "stdin" if name == STANDARD else Path(name.rpartition(":")[2] if name.startswith("sample:") else name).stem
