"""Owns file <-> Image: reading, converting, resizing and writing pictures.

Colour spaces, orientation, transparency and bit depth are handled here and nowhere else: an Image is upright sRGB in
[0, 1], with alpha if it is not opaque. Reading any file gives an Image or an ImageReadError. Writing leaves a complete
new file, or the old one unchanged.

| module | owns |
|---|---|
| `image` | Image, `resize` |
| `sizes` | `fit`, `of_area` |
| `reading` | `read`, `read_metadata` |
| `pixels` | pictures as NumPy arrays, without torch |
| `opening` | sources of every kind, errors of reading them |
| `folders` | which files of a folder are pictures |
| `conversion` | `as_image`: tensors, arrays, Pillow pictures |
| `writing` | `write`, `encode`, `check_output` |
| `formats` | the formats, their suffixes and first bytes |
| `folders` | which files of a folder are pictures |
| `decoding` | a file of each format to a Raster |
| `png`, `tiff`, `heif`, `raw` | the files that Pillow does not read, or not in full |
| `jpeg` | limits on the work that a JPEG file asks for |
| `directories` | the tags of TIFF pages |
| `raster` | Raster, the result of decoding, and its conversion to pixels |
| `profiles` | ICC profiles |
| `colorspaces` | colour spaces that files name by numbers, HDR |
| `alpha` | transparency |
| `exif` | orientation, colour space and text in EXIF |
| `metadata` | the text embedded in a picture |

Names are imported on first use, so that reading arrays and writing do not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impasto.images.conversion import as_image
    from impasto.images.folders import Folder, output_suffix
    from impasto.images.formats import PICTURE_SUFFIXES, READABLE_FORMATS, WRITABLE_SUFFIXES
    from impasto.images.image import Image, resize
    from impasto.images.opening import DEFAULT_MAX_PIXELS
    from impasto.images.pixels import read_pixels, read_pixels_and_alpha, resize_pixels
    from impasto.images.reading import read, read_metadata
    from impasto.images.sizes import fit, of_area
    from impasto.images.writing import check_output, encode, write

_HOMES = {
    "DEFAULT_MAX_PIXELS": "opening",
    "Folder": "folders",
    "Image": "image",
    "PICTURE_SUFFIXES": "formats",
    "READABLE_FORMATS": "formats",
    "WRITABLE_SUFFIXES": "formats",
    "as_image": "conversion",
    "check_output": "writing",
    "encode": "writing",
    "fit": "sizes",
    "of_area": "sizes",
    "output_suffix": "folders",
    "read": "reading",
    "read_metadata": "reading",
    "read_pixels": "pixels",
    "read_pixels_and_alpha": "pixels",
    "resize": "image",
    "resize_pixels": "pixels",
    "write": "writing",
}

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "PICTURE_SUFFIXES",
    "READABLE_FORMATS",
    "WRITABLE_SUFFIXES",
    "Folder",
    "Image",
    "as_image",
    "check_output",
    "encode",
    "fit",
    "of_area",
    "output_suffix",
    "read",
    "read_metadata",
    "read_pixels",
    "read_pixels_and_alpha",
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
