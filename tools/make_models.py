"""Trains the bundled models of the fast engine, `src/impasto/assets/models/*.safetensors`, and records them.

    python tools/make_models.py any --data DIR         trains the model for any painting; takes hours on a CPU
    python tools/make_models.py brushes --data DIR     trains the model for the bundled paintings, from `any`
    python tools/make_models.py record                 writes the manifest entries of the existing files

DIR contains `paintings/pd` (paintings of artists who died by 1955), `ship` (public domain, CC0 and CC BY pictures) and
`classic/kodak` (the Kodak suite). If training is interrupted, the same command continues it. Rounding differs between
machines, so a model that is trained again is not identical to the byte.

The bundled models were not trained by exactly these commands, but in parts while the network was developed; each
command is a single training of about as many steps. The manifest records the actual trainings:

- `any`: 13600 steps instead of 13000: 1700 on 320 of the paintings, with a network that enlarged by repetition; 5200
  with one that padded with zeros; 3400 with one without noise; 3300 with the present network.
- `brushes`: 5700 steps instead of 5500, from the state of `any` after 8500: 2200 without noise, and 3500 with it.
- The last part of each used a learning rate of 0.0005 instead of 0.0006, and left 5 % of the crops unchanged instead
  of 10 %.
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
    """The arguments of `impasto` that train a model."""
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
    """Write the manifest entries of the existing models."""
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
    parser.add_argument("--data", type=Path, help="folder of the pictures")
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
