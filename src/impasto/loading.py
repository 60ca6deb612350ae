"""Owns what a picture may be given as: a path, a name with a meaning of its own, or a picture in memory."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from typing import Any

import torch

from impasto import assets
from impasto.errors import ImageReadError
from impasto.images import Image, as_image, read

#: How a bundled picture is named where a path may stand: `sample:starry_night`.
SAMPLE_PREFIX = assets.SAMPLE_PREFIX
#: How a picture that only has a size is named: `blank:640x480`, width first.
BLANK_PREFIX = "blank:"
#: Sides of a picture that is made, in pixels, are at most this.
LARGEST_SIDE = 32768


def load(picture: Any) -> Image:
    """An Image of whatever `picture` is.

    Args:
        picture: a path, where `~` at its beginning is the home folder; `sample:NAME` for a bundled picture;
            `blank:WIDTHxHEIGHT` for a grey one; a PIL image; a tensor (3, height, width), RGB in [0, 1]; an array
            (height, width, 3), uint8 or RGB in [0, 1]; the bytes of a file; an open binary file; or an Image.

    Raises:
        ImageReadError: it cannot be read as a picture.
        AssetError: no bundled picture has that name.
    """
    if isinstance(picture, str) and picture.startswith(SAMPLE_PREFIX):
        sample = assets.sample(picture.removeprefix(SAMPLE_PREFIX))
        return dataclasses.replace(read(sample.path), name=f"{SAMPLE_PREFIX}{sample.name}")
    if isinstance(picture, str) and picture.startswith(BLANK_PREFIX):
        return _blank(picture)
    if isinstance(picture, str) and picture.startswith("~"):
        # No shell has replaced it, as in a preset's file. An unknown home folder stays as it is.
        picture = os.path.expanduser(picture)  # noqa: PTH111  (Path's raises for that)
    return as_image(picture)


def _blank(name: str) -> Image:
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", name.removeprefix(BLANK_PREFIX))
    width, height = map(int, found.groups()) if found else (0, 0)
    if not 1 <= min(width, height) <= max(width, height) <= LARGEST_SIDE:
        raise ImageReadError(
            f"{name}: a blank picture is named like {BLANK_PREFIX}640x480, with sides of at most {LARGEST_SIDE} px"
        )
    # The name may come from a stranger's recipe: one pixel in memory stands for all, and the name for their hash.
    pixels = torch.full((1, 3, 1, 1), 0.5).expand(1, 3, height, width)
    return Image(pixels=pixels, name=name, sha256=hashlib.sha256(name.encode()).hexdigest())
