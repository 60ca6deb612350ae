"""Owns the pictures and files that these tests draw, and the pixels they expect of them."""

from __future__ import annotations

import io
import json
import struct
import zlib
from typing import Any

import numpy as np
import PIL.Image
import tifffile

from impasto.images import (
    WRITABLE_SUFFIXES,
    Image,
)

HEIGHT, WIDTH = 30, 42
METADATA = {"impasto": json.dumps({"style": "Käse «été»", "steps": 3}), "Software": "Impasto 0.1.0"}
WRITABLE = tuple(dict.fromkeys(WRITABLE_SUFFIXES.values()))


def scene(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A smooth, muted, asymmetric uint8 picture: lossy formats come close, and every orientation differs."""
    y, x = np.mgrid[0:height, 0:width] / (max(height, width) - 1)
    return np.stack([40 + 150 * x, 60 + 120 * y, 220 - 80 * x - 80 * y], axis=-1).astype(np.uint8)


def deep_scene(channels: int = 3) -> np.ndarray:
    """16-bit noise: no two bytes of a sample may be mixed up unnoticed."""
    return np.random.default_rng(7).integers(0, 65536, (HEIGHT, WIDTH, channels)).astype(np.uint16)


def saved(picture: PIL.Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def pixels_of(image: Image) -> np.ndarray:
    """(height, width, 3) float64 in [0, 1]."""
    return image.pixels[0].permute(1, 2, 0).double().numpy()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_file(
    width: int, height: int, depth: int, color: int, rows: bytes, extra: bytes = b"", interlace: int = 0
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def deep_png(samples: np.ndarray, color: int, extra: bytes = b"", interlaced: bool = False) -> bytes:
    """A 16-bit PNG written by the specification: filter 0, and Adam7's seven passes where interlaced."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b""
    for top, left, down, across in passes if interlaced else [(0, 0, 1, 1)]:
        part = samples[top::down, left::across].astype(">u2")
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    return png_file(samples.shape[1], samples.shape[0], 16, color, rows, extra, int(interlaced))


def tiff_file(samples: np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, samples, **{"photometric": "rgb", "metadata": None, **options})
    return out.getvalue()


def palette_picture() -> PIL.Image.Image:
    picture = PIL.Image.fromarray((np.arange(HEIGHT * WIDTH, dtype=np.uint8) % 4).reshape(HEIGHT, WIDTH), mode="P")
    picture.putpalette([250, 0, 0, 0, 240, 0, 0, 0, 230, 9, 9, 9])
    return picture


PALETTE = np.array([[250, 0, 0], [0, 240, 0], [0, 0, 230], [9, 9, 9]])
INDEX = (np.arange(HEIGHT * WIDTH) % 4).reshape(HEIGHT, WIDTH)
ALPHA = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) * 255 // (HEIGHT * WIDTH - 1)).astype(np.uint8)


def shown(image: Image) -> np.ndarray:
    """(height, width, 3) float64 in [0, 1]: the picture as it is seen on white."""
    assert image.alpha is not None
    alpha = image.alpha[0].permute(1, 2, 0).double().numpy()
    return pixels_of(image) * alpha + 1 - alpha


def on_white(color: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255
    return color * share + 255 * (1 - share)


def grey3(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=2).astype(float)


def animations() -> list[tuple[str, bytes]]:
    frames = [PIL.Image.fromarray(scene()), PIL.Image.fromarray(scene()[::-1].copy())]
    several = {"save_all": True, "append_images": frames[1:]}
    grey = [frame.convert("L") for frame in frames]
    return [
        ("GIF", saved(grey[0], "GIF", save_all=True, append_images=grey[1:])),
        ("WEBP", saved(frames[0], "WEBP", lossless=True, **several)),
        ("PNG", saved(frames[0], "PNG", **several)),
        ("AVIF", saved(frames[0], "AVIF", quality=100, **several)),
        ("TIFF", saved(frames[0], "TIFF", **several)),
        ("TIFF 16", tiff_file(np.stack([deep_scene(), deep_scene()[::-1]]))),
    ]
