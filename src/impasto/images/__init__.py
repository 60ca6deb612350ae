"""Owns file <-> Image: reading, converting, resizing and writing pictures.

ICC profiles, EXIF orientation, transparency and bit depth are dealt with here and nowhere else: an Image is upright,
opaque sRGB in [0, 1]. Whatever a file is or does, reading it gives an Image or an ImageReadError, and writing leaves a
whole file or the one that was there.

| module | owns |
|---|---|
| `image` | Image, `resize`, `fit`, `of_area` |
| `reading` | `read`, `read_metadata`: sources, errors |
| `conversion` | `as_image`: tensors, arrays, Pillow pictures |
| `writing` | `write`, `encode`, `check_output`: the atomic write |
| `decoding` | what a file is by its first bytes; each format to a Raster |
| `png`, `tiff` | what Pillow leaves undone with these |
| `raster` | Raster, what decoders yield, and its development into pixels |
| `profiles` | ICC profiles |
| `metadata` | the text inside a picture |
| `messages` | how a file's words reach a message |
"""

from impasto.images.conversion import as_image
from impasto.images.decoding import READABLE_FORMATS
from impasto.images.image import Image, fit, of_area, resize
from impasto.images.reading import DEFAULT_MAX_PIXELS, read, read_metadata
from impasto.images.writing import WRITABLE_SUFFIXES, check_output, encode, write

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "READABLE_FORMATS",
    "WRITABLE_SUFFIXES",
    "Image",
    "as_image",
    "check_output",
    "encode",
    "fit",
    "of_area",
    "read",
    "read_metadata",
    "resize",
    "write",
]
