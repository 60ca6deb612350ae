"""Owns the pictures for training: found in folders, read when needed, cropped at random."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Sequence
from copy import copy
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.errors import ImageError, ImageReadError, ImpastoWarning
from impasto.images import Folder, Image, read, resize
from impasto.images.pixels import quantize
from impasto.messages import counted

# Bytes of decoded pictures that stay in memory.
_CACHE = 1 << 30


class PictureDataset:
    """The pictures in files and folders, by their index in a sorted list.

    A warning names each file that cannot be read once, and the next file replaces it.

    Args:
        sources: pictures, and folders with pictures in them or in their subfolders.
        most: longest short side of a picture, in pixels; larger pictures are reduced to it.
        limit: how many pictures to take, evenly over the list; all if 0.

    Raises:
        ImageReadError: a source does not exist, or holds no picture.
    """

    def __init__(self, sources: Sequence[Path], most: int = 512, limit: int = 0) -> None:
        self.paths: list[Path] = []
        for source in sources:
            if not source.exists():
                raise ImageReadError(f"{source}: there is no such file or folder; check its name")
            self.paths += Folder.of(source.rglob("*")).pictures if source.is_dir() else [source]
        if 0 < limit < len(self.paths):
            self.paths = [self.paths[index * len(self.paths) // limit] for index in range(limit)]
        self.most = most
        self._bad: set[Path] = set()
        self._cache: OrderedDict[Path, Tensor] = OrderedDict()
        self._cached = 0
        if not self.paths:
            named = ", ".join(str(source) for source in sources) or "no folder"
            raise ImageReadError(f"{named}: there is no picture in it; name a folder of JPEG, PNG, WebP or TIFF files")

    def held_out(self, one_in: int) -> PictureDataset:
        """Every `one_in`-th picture, removed from this dataset; if there are fewer, a copy of this dataset."""
        other = copy(self)
        if len(self) >= one_in:
            other.paths = self.paths[one_in - 1 :: one_in]
            self.paths = [path for number, path in enumerate(self.paths, start=1) if number % one_in]
        return other

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Image:
        """The picture at `index`, or the next that can be read; its short side is at most `most` pixels.

        Raises:
            ImageReadError: no picture can be read.
        """
        for offset in range(len(self.paths)):
            path = self.paths[(index + offset) % len(self.paths)]
            if path in self._bad:
                continue
            try:
                return self._read(path)
            except (ImageError, OSError) as error:
                self._bad.add(path)
                warnings.warn(f"{path.name} is left out: {error}", ImpastoWarning, stacklevel=2)
        raise ImageReadError(f"of {counted(len(self.paths), 'picture')} in {self.paths[0].parent}, none can be read")

    def _read(self, path: Path) -> Image:
        levels = self._cache.pop(path, None)
        if levels is None:
            image = read(path)
            factor = self.most / min(image.size)
            if factor < 1:
                image = image.resized((round(image.height * factor), round(image.width * factor)))
            levels = torch.from_numpy(quantize(image.pixels)).permute(2, 0, 1)[None].contiguous()
            self._cached += levels.numel()
        self._cache[path] = levels
        while self._cached > _CACHE:
            self._cached -= self._cache.popitem(last=False)[1].numel()
        return Image(pixels=levels.float() / 255.0, name=path.name)

    def crop(self, side: int, generator: torch.Generator) -> Float[Tensor, "1 3 side side"]:
        """A square from a picture; picture, position, size and mirroring are drawn at random."""
        index, mirror = (int(torch.randint(high, (), generator=generator)) for high in (len(self), 2))
        zoom, down, across = torch.rand(3, generator=generator).tolist()
        pixels = self[index].pixels
        short = min(pixels.shape[-2:])
        # Between `side` pixels, if the picture has as many, and its short side.
        square = round(short - zoom * max(0, short - side))
        top, left = (round(share * (s - square)) for share, s in zip((down, across), pixels.shape[-2:], strict=True))
        pixels = resize(pixels[..., top : top + square, left : left + square], (side, side))
        return pixels.flip(-1) if mirror else pixels

    def crops(self, side: int, generators: Sequence[torch.Generator]) -> Float[Tensor, "n 3 side side"]:
        """A random square for each generator, see `crop`."""
        return torch.cat([self.crop(side, generator) for generator in generators])
