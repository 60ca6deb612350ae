"""A photograph's transparency comes through every engine, into the file."""

import pytest
import torch

import impasto
from impasto.cli import main
from impasto.images import Image, read


@pytest.fixture
def logo() -> Image:
    """A white disc on nothing."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 48), torch.linspace(-1, 1, 64), indexing="ij")
    return Image(pixels=torch.ones(1, 3, 48, 64), alpha=((x.square() + y.square()) < 0.6).float()[None, None])


def test_of_the_optimise_engine(logo, painting):
    settings = impasto.Settings(size=40, scales=1, iterations=2, device="cpu")
    *_, last = impasto.stylization(logo, painting(40, 40), settings)
    pastiche = last.pastiche().image
    assert pastiche.alpha is not None and last.preview().alpha is not None
    assert pastiche.alpha.shape[-2:] == pastiche.pixels.shape[-2:] == (30, 40)
    assert float(pastiche.alpha[0, 0, 15, 20]) == 1.0 and float(pastiche.alpha[0, 0, 0, 0]) == 0.0


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff"])
@pytest.mark.parametrize("more", [(), ("--keep-color", "luminance")])
def test_of_the_fast_engine(logo, suffix, more, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    logo.save("logo.png")
    assert main(["fast", "logo.png", "starry_night", "-o", f"out.{suffix}", "-q", *more]) == 0
    alpha = read(f"out.{suffix}").alpha
    assert alpha is not None and logo.alpha is not None
    assert float((alpha - logo.alpha).abs().max()) < 0.02


def test_what_is_opaque_stays_so(photo, painting):
    pastiche = impasto.stylize(photo(30, 40), painting(40, 40), size=40, scales=1, iterations=1, device="cpu")
    assert pastiche.image.alpha is None
