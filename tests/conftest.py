"""Owns what the tests share: annotations that are executed, two small pictures, and the writing of golden files.

The import hook stands before anything imports `impasto`: while the tests run, every annotation of the package, the
shapes of its tensors included, is checked by beartype at each call. `test_annotations.py` holds that it is so.
"""

import importlib.util
import pkgutil

import beartype.typing  # noqa: F401 - named in the string below
from jaxtyping import install_import_hook

# Settings take anything and check it themselves, with better words. A whole number may stand where a float is asked for
# (PEP 484's tower). `Self` goes unchecked: the hook decorates methods one by one, outside their class, where beartype
# does not know what it means.
_package = importlib.util.find_spec("impasto")
assert _package is not None
_modules = {module.name for module in pkgutil.iter_modules(_package.submodule_search_locations)}
install_import_hook(
    [f"impasto.{name}" for name in sorted(_modules - {"settings"})],
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True, "
    "hint_overrides=beartype.FrozenDict({beartype.typing.Self: object})))",
)

import math  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings as hypothesis_settings  # noqa: E402
from torch import Tensor  # noqa: E402

from impasto import assets  # noqa: E402
from impasto.backbones import VGG19  # noqa: E402
from impasto.images import Image  # noqa: E402

# No deadline: the machine may be busy. The same examples on every run: a red suite is red for everyone.
hypothesis_settings.register_profile("impasto", deadline=None, max_examples=50, derandomize=True, database=None)
hypothesis_settings.load_profile("impasto")

# A shell has what it starts in the background ignore Ctrl-C, and some tests send themselves one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/golden anew instead of comparing with what is there"
    )
    parser.addoption(
        "--require-browser",
        action="store_true",
        default=os.environ.get("CI", "").lower() not in ("", "0", "false"),
        help="fail where a test in tests/browser would skip for want of Chromium, Node.js or a package; the default "
        "where the environment variable CI is set",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="there is no GPU: neither CUDA nor MPS"))


def _grid(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of the pixels' centres, in [0, 1]."""
    rows = (torch.arange(height, dtype=torch.float64) + 0.5) / height
    columns = (torch.arange(width, dtype=torch.float64) + 0.5) / width
    return rows[:, None].expand(height, width), columns[None, :].expand(height, width)


def photo_pixels(height: int, width: int) -> Tensor:
    """A landscape drawn by formula: sky, sun, hills, a dark tower and grain; (1, 3, height, width) in [0, 1]."""
    y, x = _grid(height, width)
    sky = torch.stack([0.55 + 0.3 * y, 0.7 + 0.1 * y, 0.95 - 0.2 * y])
    sun = torch.sigmoid(60 * (0.1 - ((x - 0.7).square() + (y - 0.25).square()).sqrt()))
    hills = torch.sigmoid(80 * (y - 0.6 - 0.1 * torch.sin(7 * x)))
    tower = torch.sigmoid(120 * (0.05 - (x - 0.3).abs())) * torch.sigmoid(120 * (y - 0.2))
    grass = torch.stack([0.2 + 0.1 * torch.sin(40 * x), 0.45 + 0.1 * torch.sin(31 * y), 0.15 + 0 * y])
    picture = sky * (1 - sun) + sun * torch.tensor([1.0, 0.95, 0.6], dtype=torch.float64).view(3, 1, 1)
    picture = picture * (1 - hills) + grass * hills
    picture = picture * (1 - 0.8 * tower)
    grain = 0.02 * torch.sin(911 * x + 577 * y)
    return (picture + grain).clamp(0, 1).float()[None]


def painting_pixels(height: int, width: int) -> Tensor:
    """Blue and yellow swirls with a fine weave, by formula; (1, 3, height, width) in [0, 1]."""
    y, x = _grid(height, width)
    dx, dy = x - 0.45, y - 0.5
    swirl = torch.sin(40 * (dx.square() + dy.square()).sqrt() + 3 * torch.atan2(dy, dx))
    stroke = torch.sin(25 * x + 9 * torch.sin(11 * y))
    weave = 0.08 * torch.sin(2 * math.pi * 24 * (x + 0.6 * y))
    warm = 0.5 + 0.3 * swirl + 0.2 * stroke
    return torch.stack([0.85 * warm + weave, 0.25 + 0.5 * warm + weave, 0.75 - 0.6 * warm]).clamp(0, 1).float()[None]


@pytest.fixture(scope="session")
def photo() -> Callable[[int, int], Image]:
    """Makes the landscape at a height and width, in pixels."""
    return lambda height, width: Image(photo_pixels(height, width), name="photo.png")


@pytest.fixture(scope="session")
def painting() -> Callable[[int, int], Image]:
    """Makes the swirls at a height and width, in pixels."""
    return lambda height, width: Image(painting_pixels(height, width), name="painting.png")


@pytest.fixture(scope="session")
def weights_path() -> Path:
    """The bundled VGG-19, checked."""
    return assets.verified("weights/vgg19.safetensors")


@pytest.fixture(scope="session")
def vgg() -> VGG19:
    """The whole network, pooling and padding as by default. It is frozen, so that tests may share it."""
    return VGG19("pool5")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, list[str]], list[str]]:
    """Reads the lines of a golden file; `--update-golden` writes the given ones first, so that they compare equal."""

    def lines(name: str, new: list[str]) -> list[str]:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.write_text("\n".join(new) + "\n", encoding="utf-8", newline="\n")
        return path.read_text(encoding="utf-8").splitlines()

    return lines


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small fast model of two styles, `small.safetensors`, and `small.onnx`, exported from it."""
    from impasto.fast import FastModel
    from impasto.fast.network import COLORS, Network, NetworkArchitecture
    from tests.cli_running import run

    folder = tmp_path_factory.mktemp("exported")
    network = Network(NetworkArchitecture(fine=8, middle=16, coarse=24, blocks=1))
    size = network.architecture.condition_size
    generator = torch.Generator().manual_seed(1)
    for weights in network.parameters():
        weights.data = 0.1 * torch.randn(weights.shape, generator=generator)
    network.last.weight.data *= 0.4
    conditions = 0.3 * torch.randn(3, size, generator=generator)
    conditions[:, -COLORS:] = torch.tensor([0.8, 0.9, 0.1, 0.0, 0.3, 0.1, 0.05])
    photo, night, noon = conditions
    model = FastModel(
        name="small", network=network.requires_grad_(False), photo=0.01 * photo, table={"night": night, "noon": noon}
    )
    model.save(folder / "small.safetensors")
    done = run("export", str(folder / "small.safetensors"), "-o", str(folder / "small.onnx"), "-q")
    assert done.code == 0, done.err
    return folder
