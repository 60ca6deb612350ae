"""Owns opening: any source becomes a seekable file, and every error of reading one becomes an ImageReadError."""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, runtime_checkable

import PIL.Image

from impasto.errors import ImageError, ImageReadError
from impasto.images.formats import HEAD_BYTES, READABLE_FORMATS, identify
from impasto.images.raster import File
from impasto.images.raw import is_raw
from impasto.messages import printable, reason

# 200 megapixels are 2.4 GB as float32 RGB. Full-frame cameras have about 50 megapixels.
DEFAULT_MAX_PIXELS = 200_000_000

# The longest allowed file: four float32 samples a pixel, plus room for text, profiles and previews.
_BYTES_PER_PIXEL = 16
_BYTES_ASIDE = 64 << 20

_READ_BLOCK = 1 << 20


@runtime_checkable
class BinaryFile(Protocol):
    """Anything whose `read` returns bytes: an open file, standard input's buffer, an upload."""

    def read(self, size: int = -1, /) -> bytes: ...


Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile


class _Hush:
    """Suspends Pillow's own warnings and size limit while pictures are being decoded.

    Both are global to the process, and reads may overlap in threads: the first read to begin suspends them, the last
    read to end restores them. `check_size` checks sizes instead of Pillow.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._filters = warnings.catch_warnings()
        self._limit: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._depth == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=r"(PIL|tifffile)\b")
                self._limit, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
            self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                PIL.Image.MAX_IMAGE_PIXELS = self._limit
                self._filters.__exit__(kind, error, trace)


_HUSH = _Hush()


@contextmanager
def translated(label: str) -> Iterator[None]:
    """Turns every exception of decoding into an ImageReadError about `label`, and silences decoders' warnings."""
    try:
        with _HUSH:
            yield
    except ImageError as error:
        raise ImageReadError(f"{label}: {error}") from error
    except MemoryError as error:
        raise _out_of_memory(label) from error
    except Exception as error:
        # Decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error, SystemError and more on damage.
        if "allocate memory" in str(error):
            raise _out_of_memory(label) from error
        raise ImageReadError(
            f"{label}: the file is damaged or cut short ({reason(error)}); get a fresh copy of it, or save it again"
        ) from error


def _out_of_memory(label: str) -> ImageReadError:
    return ImageReadError(f"{label}: there is not enough memory to read it; make the picture smaller")


def kind_of(file: File) -> str:
    """The format of `file`: one of READABLE_FORMATS, or "RAW".

    Raises:
        ImageReadError: the file is empty, or of another format.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if not head:
        raise ImageReadError(f"the file is empty (0 bytes); allowed are {', '.join(READABLE_FORMATS)}")
    kind = identify(head)
    return "RAW" if kind == "TIFF" and is_raw(file) else kind


def base_name(source: Source) -> str:
    """The file's name without folders; "" if there is none."""
    name = source if isinstance(source, (str, os.PathLike)) else getattr(source, "name", "")
    # A file opened by its descriptor has that number as its name; standard streams have a name in angle brackets.
    return "" if not isinstance(name, (str, os.PathLike)) or str(name).startswith("<") else Path(name).name


@contextmanager
def opened(source: Source, max_pixels: int, name: str | None = None) -> Iterator[tuple[File, str]]:
    """A seekable file with the bytes of `source`, and its name for messages."""
    most = _BYTES_PER_PIXEL * max_pixels + _BYTES_ASIDE
    file: File
    with ExitStack() as stack:
        if isinstance(source, (str, os.PathLike)):
            label = printable(os.fspath(source) if name is None else name, 240)
            try:
                stream = stack.enter_context(Path(source).open("rb"))
            except (OSError, ValueError) as error:
                raise ImageReadError(f"{label}: {_why_not_opened(error)}") from error
            file = _rewindable(stream, label, most)
        else:
            label = printable(base_name(source) if name is None else name) or "the picture"
            file = _hold(source, label, most)
        yield file, label


def _rewindable(file: io.BufferedReader, label: str, most: int) -> File:
    status = os.fstat(file.fileno())
    # A pipe, such as the shell's <(...), is not seekable. A device may have no end.
    if stat.S_ISFIFO(status.st_mode):
        return _hold(file, label, most)
    if not stat.S_ISREG(status.st_mode):
        raise ImageReadError(f"{label}: this is a device, not a file; give a picture file")
    if status.st_size > most:
        raise _too_long(label, most)
    return file


def _hold(source: object, label: str, most: int) -> io.BytesIO:
    """The bytes of `source` in memory. Reading stops at `most` bytes, more than any allowed picture has."""
    if isinstance(source, BinaryFile):
        return io.BytesIO(_drained(source, label, most))
    if not isinstance(source, (bytes, bytearray, memoryview)):
        raise ImageReadError(
            f"{label}: received {type(source).__name__}; allowed are a path, bytes, or a file open in binary mode"
        )
    if len(source) > most:
        raise _too_long(label, most)
    return io.BytesIO(source)


def _drained(file: BinaryFile, label: str, most: int) -> bytes:
    data = bytearray()
    while len(data) <= most:
        try:
            block = file.read(_READ_BLOCK)
        except (OSError, ValueError) as error:
            raise ImageReadError(f"{label}: it could not be read ({reason(error)})") from error
        if not isinstance(block, bytes):
            raise ImageReadError(f"{label}: reading gave {type(block).__name__}; open the file in binary mode, 'rb'")
        if not block:
            return bytes(data)
        data += block
    raise _too_long(label, most)


def _too_long(label: str, most: int) -> ImageReadError:
    return ImageReadError(
        f"{label}: the file is longer than {most >> 20:,} MB, which no picture of the allowed size is"
    )


def _why_not_opened(error: OSError | ValueError) -> str:
    match getattr(error, "errno", None):
        case errno.ENOENT | errno.ENOTDIR:
            return "there is no such file; check its name and folder"
        case errno.EISDIR:
            return "this is a folder; give a picture file in it"
        case errno.EACCES | errno.EPERM:
            return "there is no permission to read it; change its permissions, or copy it"
        case _:
            return f"it could not be opened ({reason(error)})"
