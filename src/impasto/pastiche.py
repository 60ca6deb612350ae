"""Owns the result: the picture, what it was made from, its losses as they fell, and what a file says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from impasto._version import __version__
from impasto.images import Image, write
from impasto.recipes import METADATA_KEY, Recipe
from impasto.settings import Settings
from impasto.trace import TracePoint


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
        dpi: int | None = None,
        overwrite: bool = True,
    ) -> Path:
        """Write the picture, whole or not at all; the format follows from the suffix.

        Args:
            path: PNG, JPEG, WebP, TIFF, AVIF or BMP.
            with_recipe: put settings, versions, seed and the hashes of the inputs into the file.
            protect: files that must not be overwritten, such as the inputs.
            quality: of JPEG, WebP and AVIF, 1 to 100.
            bit_depth: 8, or 16 where the format allows it.
            dpi: dots an inch of a print, which the file notes.
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
            dpi=dpi,
            overwrite=overwrite,
        )
        return Path(path)

    def _repr_png_(self) -> bytes:
        return self.image._repr_png_()
