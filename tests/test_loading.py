"""A picture is loaded from whatever form it is given in."""

import io

import numpy as np
import PIL.Image
import pytest
import torch

from impasto import assets
from impasto.errors import AssetError, ImageReadError
from impasto.loading import load
from impasto.recipes import Fingerprint


def test_load_takes_a_picture_in_any_form(photo, tmp_path):
    path = photo(30, 40).save(tmp_path / "photo.png")
    expected = load(path)
    assert (expected.size, expected.name) == ((30, 40), "photo.png")
    pil = PIL.Image.open(path).convert("RGB")
    levels = np.asarray(pil)
    others = {
        "path as text": str(path),
        "bytes": path.read_bytes(),
        "file": io.BytesIO(path.read_bytes()),
        "Pillow": pil,
        "uint8 array": levels,
        "float array": levels / 255.0,
        "tensor": torch.from_numpy(levels.copy()).permute(2, 0, 1) / 255.0,
        "tensor with a batch of one": expected.pixels,
    }
    for name, form in others.items():
        # All of them hold the same 8-bit levels; float32 and float64 divide them alike but for the last digit.
        torch.testing.assert_close(load(form).pixels, expected.pixels, rtol=0, atol=1e-6, msg=name)
    assert load(expected) is expected


def test_load_takes_a_sample():
    sample = assets.samples()[0]
    image = load(f"sample:{sample.name}")
    assert image.name == f"sample:{sample.name}"
    assert image.size == (sample.height, sample.width)
    assert image.sha256 is not None


def test_load_of_an_unknown_sample_lists_those_there_are():
    with pytest.raises(AssetError, match=assets.samples()[0].name):
        load("sample:mona_lisa_2")
    for name in ("sample:", "sample:../../etc/passwd", "sample:/etc/passwd"):
        with pytest.raises(AssetError):
            load(name)


@pytest.mark.parametrize(
    "picture", ["missing.png", "", b"", b"no picture", 3, None, object(), [], np.zeros((2, 3)) * np.nan]
)
def test_load_refuses_what_is_no_picture(picture):
    with pytest.raises(ImageReadError):
        load(picture)


@pytest.mark.parametrize("name", ["blank:", "blank:0x5", "blank:5", "blank:axb", "blank:-1x5", "blank:99999x9"])
def test_what_is_no_blank_picture(name):
    with pytest.raises(ImageReadError, match="blank:640x480"):
        load(name)


def test_a_blank_picture_of_any_size_takes_no_memory():
    image = load("blank:32768x32768")
    assert image.size == (32768, 32768)
    assert image.pixels.untyped_storage().nbytes() < 100
    assert Fingerprint.of(image).sha256 != Fingerprint.of(load("blank:32768x32767")).sha256
