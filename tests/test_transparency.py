"""A photograph's transparency comes through every engine, into the file."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

import impasto
from impasto.cli import main
from impasto.images import Image, read
from tests.images.drawing import deep_png, tiff_file


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


@pytest.mark.parametrize("size", [(), ("--size", "32")])
def test_of_the_fast_engine_without_torch(logo, size, exported, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    logo.save("logo.png")
    model = str(exported / "small.onnx")
    assert main(["fast", "logo.png", "night", "--model", model, "-o", "out.png", "-q", *size]) == 0
    alpha = read("out.png").alpha
    wanted = logo.resized((24, 32)) if size else logo
    assert alpha is not None and wanted.alpha is not None
    assert float((alpha - wanted.alpha).abs().max()) < (0.2 if size else 0.01)
    assert main(["fast", "logo.png", "night", "--model", model, "-o", "out.jpg", "-q", *size]) == 0
    assert "JPEG has no transparency, so the picture was put onto " in capsys.readouterr().err


def test_formats_without_alpha_get_a_ground_that_contrasts(logo, tmp_path, monkeypatch, capsys):
    """The white disc is put onto black, and this is said."""
    monkeypatch.chdir(tmp_path)
    logo.save("logo.png")
    assert main(["fast", "logo.png", "starry_night", "--strength", "0", "-o", "out.jpg", "-q"]) == 0
    assert "JPEG has no transparency, so the picture was put onto black" in capsys.readouterr().err
    assert float(read("out.jpg").pixels[0, :, 0, 0].max()) < 0.1


@pytest.mark.parametrize("kind", ["LA", "palette", "LA of 16 bits", "premultiplied TIFF"])
def test_of_every_kind_of_file(kind, tmp_path, monkeypatch):
    """A grey disc of half opacity on nothing."""
    monkeypatch.chdir(tmp_path)
    y, x = np.mgrid[-1:1:32j, -1:1:48j]
    alpha = np.where(x**2 + y**2 < 0.5, 128, 0).astype(np.uint8)
    grey = np.full((32, 48), 200, np.uint8)
    path = "in.png"
    if kind == "LA":
        PIL.Image.fromarray(np.dstack([grey, alpha]), "LA").save(path)
    elif kind == "palette":
        picture = PIL.Image.fromarray((alpha > 0).astype(np.uint8), "P")
        picture.putpalette([9, 9, 9, 200, 200, 200])
        picture.save(path, transparency=bytes([0, 128]))
    elif kind == "LA of 16 bits":
        deep = np.dstack([grey, alpha]).astype(np.uint16) * 257
        Path(path).write_bytes(deep_png(deep, 4))
    else:
        path = "in.tif"
        color = np.repeat((grey * (alpha / 255.0)).round().astype(np.uint8)[..., None], 3, axis=2)
        Path(path).write_bytes(tiff_file(np.dstack([color, alpha]), extrasamples=["assocalpha"]))
    assert main(["fast", path, "starry_night", "--strength", "0", "-o", "out.png", "-q"]) == 0
    painted = read("out.png")
    assert painted.alpha is not None
    np.testing.assert_allclose(painted.alpha[0, 0].numpy() * 255, alpha, atol=1)
    # With strength 0 the photograph stays about as it is.
    assert abs(float(painted.pixels[0, :, 16, 24].mean()) * 255 - 200) < 30


def test_what_is_opaque_stays_so(photo, painting):
    pastiche = impasto.stylize(photo(30, 40), painting(40, 40), size=40, scales=1, iterations=1, device="cpu")
    assert pastiche.image.alpha is None
