"""Makes the pack for a machine with a GPU: pictures to train on, and Python packages that it may lack.

    python tools/gpu/pack.py --data DIR [--out build/gpu/pack] [--state DIR]

DIR contains `paintings/pd`, `ship` and `classic/kodak`, as `tools/make_models.py` wants them. Kodak pictures by which
models are judged are left out. The pack takes at most 40 MB, and with the files under version control at most 64 MiB.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import packs
import PIL.Image

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from benchmarks.pairs import classic  # noqa: E402
from impasto.fast.predictor import STYLE_SIDE  # noqa: E402
from impasto.images import Folder, Image, of_area, read, resize  # noqa: E402
from impasto.images.pixels import quantize  # noqa: E402

PHOTOGRAPHS = ("ship/photos_pd_cc0", "ship/photos_cc_by", "classic/kodak")
PAINTINGS = ("ship/paintings_pd", "paintings/pd")
#: Packages that a machine with torch may lack; all are pure Python.
WHEELS: Sequence[str] = (
    *("cyclopts", "docstring-parser", "rich-rst", "rich", "markdown-it-py", "mdurl", "pygments"),
    *("attrs", "beartype", "jaxtyping", "wadler-lindig"),
)
_QUALITY = 90
# Share of the room for pictures that photographs get.
_PHOTOGRAPHS = 0.6
# Squares that are cut from a photograph, at most.
_MOST_SQUARES = 12


def pack(
    data: Path, out: Path, *, most: int, state: Path | None = None, wheels: Sequence[str] = WHEELS, python: str = "3.12"
) -> None:
    """Write the pack.

    Args:
        most: bytes that it may take in all.
        state: results of an earlier training, which goes on from there.
        wheels: names of packages to take along, in the versions that are installed here.
        python: version of Python on the machine.

    Raises:
        SystemExit: there are no pictures, or no room for them.
    """
    photographs, paintings = (_pictures(data, folders) for folders in (PHOTOGRAPHS, PAINTINGS))
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    if wheels:
        _fetch(wheels, out / "wheels", python)
    if state is not None:
        shutil.copytree(state, out / "state")
    # The list takes about 150 bytes a file.
    room = most - packs.size(out) - 200 * (len(photographs) * _MOST_SQUARES + len(paintings))
    if room <= 0:
        raise SystemExit(f"there is no room for pictures in {most} bytes; allow more with --most")
    origins = _write(_squares(photographs), out, "photographs", int(_PHOTOGRAPHS * room))
    origins |= _write(_reduced(paintings), out, "paintings", room - int(_PHOTOGRAPHS * room))
    packs.write_list(out, origins)


def _pictures(data: Path, folders: Sequence[str]) -> list[Path]:
    """The pictures in folders that exist, in a random but fixed order; not those by which models are judged."""
    judged = {path.name for pair in classic() for path in (pair.content, pair.style)}
    found = [
        path for name in folders if (data / name).is_dir() for path in Folder.of((data / name).rglob("*")).pictures
    ]
    found = sorted(path for path in found if path.name not in judged)
    if not found:
        raise SystemExit(f"{data} has no pictures in {', '.join(folders)}; name the folder of pictures with --data")
    random.Random(0).shuffle(found)
    return found


def _squares(paths: Sequence[Path]) -> Iterator[tuple[str, Image]]:
    """Squares of photographs: first the largest of each, then ever smaller ones."""
    chance = random.Random(1)
    for turn in range(_MOST_SQUARES):
        for path in paths:
            image = read(path)
            short = min(image.size)
            side = max(min(short, packs.SIDE), round(short / (1 + turn / 3)))
            top, left = (round(chance.random() * (length - side)) for length in image.size)
            pixels = image.pixels[..., top : top + side, left : left + side]
            yield path.name, Image(pixels=resize(pixels, (packs.SIDE, packs.SIDE)))


def _reduced(paths: Sequence[Path]) -> Iterator[tuple[str, Image]]:
    for path in paths:
        image = read(path)
        yield path.name, Image(pixels=resize(image.pixels, of_area(image.size, STYLE_SIDE**2, least=32)))


def _write(pictures: Iterator[tuple[str, Image]], out: Path, kind: str, room: int) -> dict[str, str]:
    """Write pictures until the room is used up; returns the origin of each."""
    (out / kind).mkdir()
    origins = {}
    for number, (origin, image) in enumerate(pictures):
        buffer = io.BytesIO()
        PIL.Image.fromarray(quantize(image.pixels)).save(buffer, "JPEG", quality=_QUALITY)
        room -= buffer.tell()
        if room < 0:
            break
        name = f"{kind}/{number:05}.jpg"
        (out / name).write_bytes(buffer.getvalue())
        origins[name] = origin
    if not origins:
        raise SystemExit(f"there is no room for {kind}; allow more with --most")
    return origins


def _fetch(names: Sequence[str], folder: Path, python: str) -> None:
    """Download packages in the versions that are installed here."""
    wanted = [f"{name}=={importlib.metadata.version(name)}" for name in names]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*command, "--python-version", python, "--dest", str(folder), *wanted], check=True)


def room_beside_the_repository(most: int, together: int) -> int:
    """Bytes for the pack: at most `most`, and at most `together` with the files under version control."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    tracked = sum((ROOT / name).stat().st_size for name in listed.split("\0") if name and (ROOT / name).is_file())
    # Uncommitted files and folders themselves take room, too.
    return min(most, together - tracked - 2 * 2**20)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "gpu" / "pack", help="default: build/gpu/pack")
    parser.add_argument("--state", type=Path, help="results from which training goes on")
    parser.add_argument("--most", type=float, default=40, help="megabytes of the pack; default 40")
    parser.add_argument("--together", type=float, default=64, help="MiB of pack and repository; default 64")
    parser.add_argument("--python", default="3.12", help="version of Python on the machine; default 3.12")
    parser.add_argument("--no-wheels", action="store_true", help="take no packages along")
    chosen = parser.parse_args(arguments)
    most = room_beside_the_repository(int(chosen.most * packs.MEGABYTE), int(chosen.together * 2**20))
    wheels = () if chosen.no_wheels else WHEELS
    pack(chosen.data, chosen.out, most=most, state=chosen.state, wheels=wheels, python=chosen.python)
    counts = {kind: len([*(chosen.out / kind).iterdir()]) for kind in ("photographs", "paintings")}
    print(f"{chosen.out}: {packs.size(chosen.out) / packs.MEGABYTE:.1f} MB, {counts}")


if __name__ == "__main__":
    main()
