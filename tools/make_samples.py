"""Generates `src/impasto/assets/samples/`: the bundled photographs and paintings.

    python tools/make_samples.py                  generates the files and their manifest entries
    python tools/make_samples.py --check          writes nothing; fails if a bundled file or an entry differs
    python tools/make_samples.py --data DIR       takes the pictures from DIR/ship (or $IMPASTO_DATA, ../shared/data)

A picture is copied byte for byte if possible. It is encoded again only to crop what does not belong to the painting (a
black border, the edge of the canvas), to make it smaller, or because its file has EXIF or is a PNG; the manifest
records this. Author, licence and origin come from the data folder's `ship/SHIP.tsv`.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageCms, ImageStat

import asset_manifest

FOLDER = "samples"
LONG_SIDE = 1024
QUALITY = 95
MAX_BYTES = 3_000_000

# Mean difference in levels of 255 that --check allows, because JPEG libraries round differently.
TOLERANCE = 0.5


@dataclass(frozen=True, kw_only=True)
class SampleSource:
    """How a bundled picture is generated.

    Attributes:
        name: name of the sample.
        kind: `"painting"` or `"photo"`.
        title: title of the painting, or what the photograph shows.
        source: file below the data folder's `ship/`.
        licence: the licence in a few words; SHIP.tsv has the original statement.
        crop: (left, top, right, bottom) in the source's pixels, or None for the whole picture.
    """

    name: str
    kind: str
    title: str
    source: str
    licence: str
    crop: tuple[int, int, int, int] | None = None


def _painting(name: str, title: str, source: str, crop: tuple[int, int, int, int] | None = None) -> SampleSource:
    return SampleSource(
        name=name,
        kind="painting",
        title=title,
        source=f"paintings_pd/{source}",
        licence="public domain",
        crop=crop,
    )


def _photo(name: str, title: str, source: str, licence: str) -> SampleSource:
    return SampleSource(name=name, kind="photo", title=title, source=f"photos_pd_cc0/{source}", licence=licence)


SAMPLES = (
    _painting("cafe_terrace", "Café Terrace at Night, 1888", "van_gogh_cafe_terrace_at_night.webp"),
    _painting("church_at_auvers", "The Church at Auvers-sur-Oise, 1890", "van_gogh_church_at_auvers.webp"),
    # Without white strips of the page at the top and the bottom.
    _painting("harvest", "The Harvest, 1888", "van_gogh_harvest.webp", (2, 10, 604, 491)),
    _painting("night_cafe", "The Night Café, 1888", "van_gogh_night_cafe.webp"),
    _painting(
        "painter_on_the_road", "The Painter on His Way to Work, 1888", "van_gogh_painter_on_his_way_to_work.webp"
    ),
    # Without a strip of the frame's shadow at the right.
    _painting("pere_tanguy", "Portrait of Père Tanguy, 1887-8", "van_gogh_pere_tanguy.webp", (0, 0, 390, 496)),
    # Without the bare edge of the canvas on black.
    _painting("starry_night", "The Starry Night, 1889", "van_gogh_starry_night.jpg", (26, 16, 730, 576)),
    # Without white lines at the left and the right.
    _painting("the_scream", "The Scream, 1893", "munch_the_scream.jpg", (1, 0, 350, 448)),
    _photo("astronaut", "The astronaut Eileen Collins", "skimage_astronaut.png", "public domain"),
    _photo("coffee", "A cup of espresso", "skimage_coffee.png", "CC0 1.0"),
    _photo("great_wall", "The Great Wall of China", "explore_monuments_greatWallofChina.webp", "CC0 1.0"),
    _photo("mont_saint_michel", "Mont Saint-Michel", "explore_monuments_montStMichel.webp", "CC0 1.0"),
    _photo("neuschwanstein", "Neuschwanstein Castle", "explore_monuments_neuschwansteinCastle.webp", "CC0 1.0"),
    _photo("red_panda", "A red panda", "erase_red_panda.webp", "CC0 1.0"),
)


def listing(ship: Path) -> dict[str, dict[str, str]]:
    """Return the rows of SHIP.tsv by file."""
    with (ship / "SHIP.tsv").open(encoding="utf-8", newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}


def srgb(image: Image.Image) -> Image.Image:
    """Return the picture as 8-bit sRGB without metadata."""
    profile = image.info.get("icc_profile")
    if profile:
        source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        if not ImageCms.getProfileDescription(source).startswith("sRGB"):
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            if converted is None:
                raise SystemExit("the picture's colours could not be converted to sRGB")
            image = converted
    plain = image.convert("RGB")
    plain.info.clear()
    return plain


def make(sample: SampleSource, ship: Path) -> tuple[bytes, str, str]:
    """Return the bytes of a bundled picture, the suffix of its file, and the changes (empty if there are none)."""
    source = ship / sample.source
    with Image.open(source) as image:
        image.load()
        changes: list[str] = []
        if sample.crop is not None:
            left, top, right, bottom = sample.crop
            changes.append(f"cropped to {right - left}x{bottom - top} px at ({left}, {top})")
        if max(image.size) > LONG_SIDE:
            changes.append(f"made smaller, long side {LONG_SIDE} px")
        if "exif" in image.info:
            changes.append("EXIF removed")
        if not changes and image.format in ("JPEG", "WEBP"):
            return source.read_bytes(), source.suffix, ""
        picture = srgb(image)
    if sample.crop is not None:
        picture = picture.crop(sample.crop)
    if max(picture.size) > LONG_SIDE:
        scale = LONG_SIDE / max(picture.size)
        size = (round(picture.width * scale), round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY, subsampling="4:4:4", optimize=True)
    return buffer.getvalue(), ".jpg", "; ".join([*changes, f"encoded again as JPEG, quality {QUALITY}"])


def entry(sample: SampleSource, row: dict[str, str], file: Path, changes: str) -> asset_manifest.Entry:
    """Return the manifest entry of a bundled picture."""
    with Image.open(file) as image:
        width, height = image.size
    fields: dict[str, str | int] = {
        "path": f"{FOLDER}/{file.name}",
        **asset_manifest.digest(file),
        "licence": sample.licence,
        "author": row["author"],
        "title": sample.title,
        "origin": f"{row['package']}, {row['path in package']}",
        "made_by": "python tools/make_samples.py",
        "name": sample.name,
        "kind": sample.kind,
        "height": height,
        "width": width,
        "licence_as_stated": row["licence as stated"],
    }
    optional = {"changes": changes, "source": row["source"]}
    return {**fields, **{key: value for key, value in optional.items() if value}}


def difference(content: bytes, file: Path) -> float:
    """Return the mean absolute difference of two pictures in levels of 255; infinite if their sizes differ."""
    with Image.open(io.BytesIO(content)) as expected, Image.open(file) as found:
        if expected.size != found.size:
            return float("inf")
        means = ImageStat.Stat(ImageChops.difference(expected.convert("RGB"), found.convert("RGB"))).mean
    return sum(means) / len(means)


def check(made: dict[str, tuple[SampleSource, bytes, str]], rows: dict[str, dict[str, str]], assets: Path) -> list[str]:
    """Return the errors in the bundled pictures and their entries, one line each."""
    folder = assets / FOLDER
    wrong = [f"{file.name}: not made by this script" for file in sorted(folder.iterdir()) if file.name not in made]
    entries: list[asset_manifest.Entry] = []
    for name, (sample, content, changes) in made.items():
        file = folder / name
        if not file.exists():
            wrong.append(f"{name}: missing")
            continue
        if not changes and file.read_bytes() != content:
            wrong.append(f"{name}: differs from {sample.source}, of which it should be a copy")
        elif changes and difference(content, file) > TOLERANCE:
            wrong.append(f"{name}: does not show what {sample.source} gives")
        entries.append(entry(sample, rows[sample.source], file, changes))
    manifest = assets / "manifest.toml"
    if manifest.read_text(encoding="utf-8") != asset_manifest.merged(manifest, entries, FOLDER + "/"):
        wrong.append(f"{manifest.name}: the entries of {FOLDER}/ differ")
    return wrong


def main(arguments: list[str] | None = None) -> None:
    """Generate the pictures and their manifest entries, or check them."""
    repository = Path(__file__).resolve().parent.parent
    default = Path(os.environ.get("IMPASTO_DATA") or repository.parent / "shared" / "data")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=default, help="folder that contains ship/ (%(default)s)")
    parser.add_argument("--assets", type=Path, default=asset_manifest.ASSETS, help="the assets folder")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if anything differs")
    options = parser.parse_args(arguments)

    ship: Path = options.data / "ship"
    if not (ship / "SHIP.tsv").exists():
        raise SystemExit(f"{ship} has no SHIP.tsv; give the data folder with --data or IMPASTO_DATA")
    rows = listing(ship)
    made: dict[str, tuple[SampleSource, bytes, str]] = {}
    for sample in SAMPLES:
        content, suffix, changes = make(sample, ship)
        made[sample.name + suffix] = (sample, content, changes)
    total = sum(len(content) for _, content, _ in made.values())
    if total > MAX_BYTES:
        raise SystemExit(f"the pictures take {total} bytes together, more than {MAX_BYTES}")

    if options.check:
        wrong = check(made, rows, options.assets)
        if wrong:
            raise SystemExit("\n".join(wrong))
    else:
        folder: Path = options.assets / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():
            if file.name not in made:
                file.unlink()
        for name, (_, content, _) in made.items():
            (folder / name).write_bytes(content)
        entries = [entry(sample, rows[sample.source], folder / name, text) for name, (sample, _, text) in made.items()]
        asset_manifest.record(options.assets / "manifest.toml", entries, FOLDER + "/")
    print(f"{len(made)} pictures, {total} bytes")


if __name__ == "__main__":
    main()
