"""Makes `src/impasto/assets/models/*.safetensors`, the bundled models of the fast engine, and their manifest entries.

    python tools/make_models.py any --data DIR         trains the model for any painting; hours on a CPU
    python tools/make_models.py brushes --data DIR     trains the bundled paintings, beginning from it
    python tools/make_models.py record                 writes the entries of the files that are there

DIR holds `paintings/pd` (paintings of artists who died by 1955), `ship` (public domain, CC0 and CC BY pictures) and
`classic/kodak` (the Kodak suite). Training may be stopped, and the same command goes on. Numbers depend on the machine
in their last digits, and so a model that is trained again is not the same to the byte.

Nor have the bundled models come of these very commands: they were trained in pieces while the network became what it
is, and each command is one training of about as many steps. What was done is in the manifest:

- `any`: 13600 steps instead of 13000. 1700 with 320 of the paintings by a network that enlarged by repetition, 5200 by
  one that padded with zeros, 3400 by one without noise, and 3300 by the network of today.
- `brushes`: 5700 steps instead of 5500, from `any` as it was after 8500: 2200 without noise, and 3500 with it.
- The last piece of each had a learning rate of 0.0005 instead of 0.0006, and left 5 in 100 crops as they are instead
  of 10.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import asset_manifest
from impasto import assets
from impasto.fast import FastModel

FOLDER = asset_manifest.ASSETS / "models"
TITLES = {"any": "Fast model for any painting", "brushes": "Fast model for the bundled paintings"}
SEED = "0"


def command(name: str, data: Path, out: Path) -> list[str]:
    """The training of a model."""
    contents = [data / "ship" / "photos_pd_cc0", data / "ship" / "photos_cc_by", data / "classic" / "kodak"]
    shared = [*(part for folder in contents for part in ("--content", str(folder))), "--seed", SEED, "--batch", "4"]
    shared += ["--out", str(out), "--learning-rate", "0.0006"]
    if name == "any":
        styles = [data / "paintings" / "pd", data / "ship" / "paintings_pd"]
        named = [part for folder in styles for part in ("--styles", str(folder))]
        return ["train", "--any", *named, "--limit", "960", "--steps", "13000", "--side", "128", *shared]
    paintings = [sample.name for sample in assets.samples() if sample.kind == "painting"]
    named = [part for painting in paintings for part in ("--style", f"sample:{painting}")]
    return ["train", *named, "--from", "any", "--steps", "5500", "--side", "128", *shared]


def record() -> None:
    """Write the manifest entries of the models that are there."""
    entries = []
    for path in sorted(FOLDER.glob("*.safetensors")):
        card = FastModel.load(path).card
        entries.append(
            {
                "path": f"models/{path.name}",
                **asset_manifest.digest(path),
                "licence": "MIT",
                "author": "The Impasto authors",
                "title": TITLES[path.stem],
                "origin": f"trained for Impasto: {json.dumps(card, ensure_ascii=False, sort_keys=True)}",
                "made_by": f"python tools/make_models.py {path.stem} --data DIR",
            }
        )
    asset_manifest.record(asset_manifest.MANIFEST, entries, "models/")


def main() -> None:
    """Train, or record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*TITLES, "record"])
    parser.add_argument("--data", type=Path, help="the folder of pictures")
    chosen = parser.parse_args()
    if chosen.what != "record":
        if chosen.data is None:
            parser.error("--data: name the folder of pictures")
        out = FOLDER / f"{chosen.what}.safetensors"
        out.parent.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-m", "impasto", *command(chosen.what, chosen.data, out)], check=True)
    record()


if __name__ == "__main__":
    main()
