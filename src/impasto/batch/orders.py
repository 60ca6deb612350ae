"""Owns what travels to the process that paints, and back: bytes of files, so that no disk need be shared."""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from impasto import api, artifacts
from impasto.batch.items import Item
from impasto.errors import ImageReadError, ImpastoError, out_of_memory
from impasto.files import label
from impasto.images import Image, encode, read
from impasto.inputs import Inputs
from impasto.loading import SAMPLE_PREFIX, load
from impasto.messages import reason
from impasto.settings import Settings


@dataclass(frozen=True)
class Picture:
    """An input: a file's name and its bytes; a bundled picture has its name alone."""

    name: str
    data: bytes | None

    @classmethod
    def of(cls, name: str) -> Picture:
        """The picture of that name.

        Raises:
            ImageReadError: the file cannot be read.
        """
        if name.startswith(SAMPLE_PREFIX):
            return cls(name, None)
        try:
            return cls(Path(name).name, Path(name).read_bytes())
        except OSError as error:
            raise ImageReadError(f"{label(name)}: it cannot be read ({reason(error)})") from error

    def load(self) -> Image:
        """The picture, decoded."""
        return load(self.name) if self.data is None else read(io.BytesIO(self.data), name=self.name)


@dataclass(frozen=True, kw_only=True)
class FileFormat:
    """How pictures are encoded; see `images.encode`."""

    quality: int = 95
    bit_depth: int = 8
    with_recipe: bool = True


@dataclass(frozen=True)
class Order:
    """A picture to paint.

    Attributes:
        number: of the item, which the result has again.
        content, styles: the inputs.
        settings: all settings.
        suffix: of the output.
        file_format: how it is encoded.
    """

    number: int
    content: Picture
    styles: tuple[Picture, ...]
    settings: Settings
    suffix: str
    file_format: FileFormat

    @classmethod
    def of(cls, number: int, item: Item, file_format: FileFormat) -> Order:
        """The order for an item.

        Raises:
            ImageReadError: an input cannot be read.
        """
        content, *styles = map(Picture.of, item.inputs)
        return cls(number, content, tuple(styles), item.settings, item.output.suffix, file_format)


@dataclass(frozen=True)
class Result:
    """What became of an order.

    Attributes:
        number: of the order.
        data: the file; None if there is none.
        seconds: that it took.
        notes: warnings, and the faults that the picture shows.
        error: why it could not be painted; empty if it was.
    """

    number: int
    data: bytes | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    error: str = ""


def paint(order: Order, stopping: Callable[[], bool] = lambda: False) -> Result:
    """Paint a picture.

    Args:
        order: what to paint.
        stopping: asked after every iteration whether to give up.
    """
    begin = time.monotonic()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            inputs = Inputs.load(order.content.load(), [style.load() for style in order.styles])
            for progress in api.begin(inputs, order.settings):
                if stopping():
                    return failed(order, "the batch was stopped")
                last = progress
            pastiche = last.pastiche()
            faults = artifacts.find(pastiche.image, inputs.content, inputs.styles, pastiche.recipe.last_settings)
            data = encode(
                pastiche.image,
                order.suffix.removeprefix("."),
                metadata=pastiche.metadata() if order.file_format.with_recipe else None,
                quality=order.file_format.quality,
                bit_depth=order.file_format.bit_depth,
            )
    except ImpastoError as error:
        return failed(order, str(error))
    except Exception as error:
        if out_of_memory(error):
            return failed(order, "there is not enough memory; choose a smaller size, or fewer workers")
        return failed(order, f"this is a bug ({type(error).__name__}: {reason(error)}); please report it")
    # Of an enlarged painting was warned when the picture was begun.
    shown = (f"the picture shows {fault}" for fault in faults if fault.kind != "enlarged painting")
    notes = dict.fromkeys([*(str(one.message) for one in caught), *shown])
    return Result(order.number, data, time.monotonic() - begin, tuple(notes))


def failed(order: Order, error: str) -> Result:
    """The result of an order that could not be painted."""
    return Result(order.number, error=error)
