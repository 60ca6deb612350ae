"""Owns colour profiles made for these tests, and the colours they stand for."""

from __future__ import annotations

import struct

import numpy as np

# The primaries of sRGB and of Adobe RGB (1998), adapted to D50 as ICC demands; columns are red, green, blue.
SRGB_D50 = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
ADOBE_D50 = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
D50 = (0.9642, 1.0, 0.8249)


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def icc_profile(space: bytes, device: bytes, tags: dict[bytes, bytes], pcs: bytes = b"XYZ ") -> bytes:
    """An ICC profile of version 2 with a description, a white point and `tags`."""
    name = b"Test profile\0"
    description = b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(4 + 4 + 2 + 1 + 67)
    tags = {
        b"desc": description,
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + fixed(*D50),
        **tags,
    }
    table, body = b"", b""
    offset = 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        data += bytes(-len(data) % 4)
        table += tag + struct.pack(">II", offset + len(body), len(data))
        body += data
    header = bytes(4) + b"test" + bytes.fromhex("02400000") + device + space + pcs + bytes(12) + b"acsp" + bytes(28)
    header += fixed(*D50) + bytes(48)
    assert len(header) == 128
    profile = header + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(profile)) + profile[4:]


def gamma_curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def matrix_profile(primaries: np.ndarray, gamma: float) -> bytes:
    tags = {}
    for letter, column in zip((b"r", b"g", b"b"), primaries.T, strict=True):
        tags[letter + b"XYZ"] = b"XYZ " + bytes(4) + fixed(*column)
        tags[letter + b"TRC"] = gamma_curve(gamma)
    return icc_profile(b"RGB ", b"mntr", tags)


def grey_profile(gamma: float) -> bytes:
    return icc_profile(b"GRAY", b"mntr", {b"kTRC": gamma_curve(gamma)})


def cmyk_profile() -> bytes:
    """Ink to Lab by a table of the 16 corners: lightness falls with every ink, and all is grey."""
    corners = [(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    clut = b"".join(bytes([round(255 * (1 - sum(corner) / 4)), 128, 128]) for corner in corners)
    identity = bytes(range(256))
    table = (
        b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + identity * 4 + clut + identity * 3
    )
    return icc_profile(b"CMYK", b"prtr", {b"A2B0": table}, pcs=b"Lab ")


def srgb_encoded(linear: np.ndarray) -> np.ndarray:
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def adobe_to_srgb(values: np.ndarray, gamma: float = 2.2) -> np.ndarray:
    return srgb_encoded((values**gamma) @ ADOBE_D50.T @ np.linalg.inv(SRGB_D50).T)
