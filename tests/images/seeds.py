"""Owns one sound file of every kind, to be cut and damaged."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import PIL.Image
from PIL import ExifTags, PngImagePlugin

from tests.images.drawing import (
    ALPHA,
    METADATA,
    deep_png,
    deep_scene,
    palette_picture,
    saved,
    scene,
    tiff_file,
)
from tests.images.icc import (
    ADOBE_D50,
    cmyk_profile,
    matrix_profile,
)
from tests.images.test_colorspaces import ADOBE_CHRM, cicp, gama, png_with
from tests.images.test_heif import heic
from tests.images.test_raw import jpeg, nef
from tests.images.test_tiff import pages


def seeds() -> dict[str, bytes]:
    picture = PIL.Image.fromarray(scene())
    exif = PIL.Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\0\0\0" + json.dumps(METADATA).encode()
    rich: dict[str, Any] = {"exif": exif, "icc_profile": matrix_profile(ADOBE_D50, 2.2)}
    info = PngImagePlugin.PngInfo()
    info.add_text("impasto", METADATA["impasto"], zip=True)
    rgba = PIL.Image.fromarray(np.dstack([scene(), ALPHA]))
    several: dict[str, Any] = {"save_all": True, "append_images": [picture]}
    return {
        "PNG": saved(picture, pnginfo=info, **rich),
        "PNG palette": saved(palette_picture(), transparency=b"\x80\0"),
        "PNG 16": deep_png(deep_scene(), 2),
        "APNG": saved(picture, **several),
        "JPEG": saved(picture, "JPEG", **rich),
        "JPEG progressive": saved(picture, "JPEG", progressive=True),
        "JPEG CMYK": saved(picture.convert("CMYK"), "JPEG", icc_profile=cmyk_profile()),
        "WebP": saved(picture, "WEBP", **rich),
        "WebP lossless": saved(rgba, "WEBP", lossless=True),
        "WebP animated": saved(picture, "WEBP", **several),
        "AVIF": saved(picture, "AVIF", **rich),
        "HEIC": heic(rgba),
        "PNG colour": png_with(scene(), cicp(9, 16), gama(1.8), ADOBE_CHRM),
        "MPO": saved(picture, "MPO", **several),
        "RAW": nef(jpeg(480, 640)),
        "GIF": saved(palette_picture(), "GIF", transparency=1),
        "BMP": saved(picture, "BMP"),
        "TIFF": saved(picture, "TIFF", **rich),
        "TIFF pages": pages(scene()[::2, ::2], scene(), reduced=(0,)),
        "TIFF LAB": tiff_file(deep_scene(), photometric="cielab"),
        "TIFF LZW": saved(picture, "TIFF", compression="tiff_lzw"),
        "TIFF JPEG": saved(picture, "TIFF", compression="jpeg"),
        "TIFF 16": tiff_file(deep_scene(), compression="zlib", iccprofile=matrix_profile(ADOBE_D50, 2.2)),
        "TIFF float": tiff_file((scene() / 255).astype(np.float32), tile=(16, 16)),
    }


SEEDS = seeds()
