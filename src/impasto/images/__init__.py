"""Owns file <-> Image: reading, converting, resizing and writing pictures.

ICC profiles, EXIF orientation, transparency and bit depth are dealt with here and nowhere else: an Image is upright,
opaque sRGB in [0, 1]. Whatever a file is or does, reading it gives an Image or an ImageReadError, and writing leaves a
whole file or the one that was there.

| module | owns |
|---|---|
| `image` | Image, `resize` |
| `sizes` | `fit`, `of_area` |
| `reading` | `read`, `read_metadata` |
| `pixels` | pictures as arrays, for those who do without torch |
| `opening` | sources, errors |
| `folders` | which files of a folder are pictures |
| `conversion` | `as_image`: tensors, arrays, Pillow pictures |
| `writing` | `write`, `encode`, `check_output` |
| `decoding` | what a file is by its first bytes; each format to a Raster |
| `png`, `tiff` | what Pillow leaves undone with these |
| `raster` | Raster, what decoders yield, and its development into pixels |
| `profiles` | ICC profiles |
| `metadata` | the text inside a picture |

Names are imported when they are first used, so that reading arrays and writing do not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impasto.images.conversion import as_image
    from impasto.images.decoding import READABLE_FORMATS
    from impasto.images.folders import Folder
    from impasto.images.image import Image, resize
    from impasto.images.opening import DEFAULT_MAX_PIXELS
    from impasto.images.pixels import read_pixels, resize_pixels
    from impasto.images.reading import read, read_metadata
    from impasto.images.sizes import fit, of_area
    from impasto.images.writing import WRITABLE_SUFFIXES, check_output, encode, write

_HOMES = {
    "DEFAULT_MAX_PIXELS": "opening",
    "Folder": "folders",
    "Image": "image",
    "READABLE_FORMATS": "decoding",
    "WRITABLE_SUFFIXES": "writing",
    "as_image": "conversion",
    "check_output": "writing",
    "encode": "writing",
    "fit": "sizes",
    "of_area": "sizes",
    "read": "reading",
    "read_metadata": "reading",
    "read_pixels": "pixels",
    "resize": "image",
    "resize_pixels": "pixels",
    "write": "writing",
}

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "READABLE_FORMATS",
    "WRITABLE_SUFFIXES",
    "Folder",
    "Image",
    "as_image",
    "check_output",
    "encode",
    "fit",
    "of_area",
    "read",
    "read_metadata",
    "read_pixels",
    "resize",
    "resize_pixels",
    "write",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'impasto.images' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"impasto.images.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
