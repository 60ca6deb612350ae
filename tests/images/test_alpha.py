"""Transparency from file to file: the colours under it, formats that keep it, and the ground in those that do not."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
import torch

from impasto.errors import ImageError, ImpastoWarning
from impasto.images import Image, as_image, encode, read, read_pixels_and_alpha, write
from impasto.images.alpha import fill, ground
from impasto.images.pixels import quantize
from tests.images.drawing import ALPHA, pixels_of, saved, scene


def logo(color: tuple[int, int, int], under: tuple[int, int, int] = (255, 255, 255)) -> PIL.Image.Image:
    """A disc of `color` on a transparent ground whose pixels hold the colour `under`."""
    picture = PIL.Image.new("RGBA", (60, 40), (*under, 0))
    PIL.ImageDraw.Draw(picture).ellipse([15, 5, 45, 35], fill=(*color, 255))
    return picture


@pytest.mark.parametrize("under", [(255, 255, 255), (0, 0, 0), (255, 0, 255)])
def test_colours_under_transparency_are_those_of_the_edge(under: tuple[int, int, int]) -> None:
    image = read(saved(logo((200, 40, 30), under)))
    np.testing.assert_allclose(pixels_of(image) * 255, np.broadcast_to((200, 40, 30), (40, 60, 3)), atol=1e-3)
    assert image.alpha is not None
    np.testing.assert_array_equal(image.alpha[0, 0].numpy() * 255, np.asarray(logo((0, 0, 0)))[..., 3])


def test_the_nearest_edge_counts_and_not_the_middle() -> None:
    picture = PIL.Image.new("RGBA", (90, 60), (0, 0, 0, 0))
    draw = PIL.ImageDraw.Draw(picture)
    draw.rectangle([10, 10, 79, 49], fill=(255, 0, 0, 255))
    draw.rectangle([45, 10, 79, 49], fill=(0, 0, 255, 255))
    draw.rectangle([20, 20, 69, 39], fill=(0, 255, 0, 255))
    pixels = pixels_of(read(saved(picture)))
    assert pixels[..., 1].max() == 1  # the green middle is there
    outside = np.asarray(picture)[..., 3] == 0
    assert pixels[outside][:, 1].max() < 1e-6  # and is not at the edge
    assert pixels[5, 20, 0] > 0.95
    assert pixels[5, 70, 2] > 0.95


def test_visible_pixels_keep_their_colours() -> None:
    generator = np.random.default_rng(5)
    pixels = generator.random((3, 31, 45)).astype(np.float32)
    alpha = (generator.random((31, 45)) * (generator.random((31, 45)) > 0.5)).astype(np.float32)
    filled = pixels.copy()
    fill(filled, alpha)
    visible = alpha >= 0.5 / 255
    np.testing.assert_array_equal(filled[:, visible], pixels[:, visible])
    assert filled.min() >= 0
    assert filled.max() <= 1


def test_no_foreign_colour_bleeds_in_when_it_is_resized() -> None:
    image = read(saved(logo((200, 40, 30), (0, 255, 0)))).resized((13, 17))
    assert image.alpha is not None
    assert image.alpha.shape == (1, 1, 13, 17)
    np.testing.assert_allclose(pixels_of(image) * 255, np.broadcast_to((200, 40, 30), (13, 17, 3)), atol=0.01)


@pytest.mark.parametrize("kind", ["PNG", "WebP", "TIFF", "AVIF"])
@pytest.mark.parametrize("bits", [8, 16])
def test_transparency_is_written(kind: str, bits: int) -> None:
    if bits == 16 and kind not in ("PNG", "TIFF"):
        pytest.skip("8 bits only")
    rgba = np.dstack([scene(), ALPHA])
    if bits == 16:
        rgba = rgba.astype(np.uint16) * 257 + np.random.default_rng(1).integers(0, 60, rgba.shape).astype(np.uint16)
    image = as_image(rgba)
    again = read(encode(image, kind, bit_depth=bits, quality=100))
    assert again.alpha is not None
    assert again.bit_depth == bits
    if kind in ("PNG", "TIFF"):
        np.testing.assert_array_equal(quantize(again.alpha, bits), rgba[..., 3:])
        visible = rgba[..., 3] >= 2 ** (bits - 8)
        np.testing.assert_array_equal(quantize(again.pixels, bits)[visible], rgba[..., :3][visible])
    else:
        np.testing.assert_allclose(pixels_of(again), pixels_of(image), atol=0.07)
        np.testing.assert_allclose(again.alpha.numpy(), image.alpha, atol=0.03)


@pytest.mark.parametrize("kind", ["PNG", "WebP", "TIFF", "AVIF"])
def test_other_programs_see_the_transparency(kind: str) -> None:
    data = encode(read(saved(logo((20, 80, 200)))), kind, quality=100)
    with PIL.Image.open(io.BytesIO(data)) as picture:
        assert picture.mode == "RGBA"
        alpha = picture.getchannel("A")
        assert alpha.getpixel((0, 0)) == 0
        assert alpha.getpixel((30, 20)) == 255


@pytest.mark.parametrize(
    ("color", "name", "level"),
    [((20, 80, 200), "white", 255), ((0, 0, 0), "white", 255),
     ((255, 255, 255), "black", 0), ((250, 240, 90), "black", 0)],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_formats_without_transparency_get_a_ground_that_contrasts(
    color: tuple[int, int, int], name: str, level: int, suffix: str, tmp_path: Path
) -> None:
    with pytest.warns(ImpastoWarning, match=rf"no transparency.*onto {name}.*PNG"):
        path = write(read(saved(logo(color))), tmp_path / f"out{suffix}")
    with PIL.Image.open(path) as picture:
        samples = np.asarray(picture)
    np.testing.assert_allclose(samples[2, 2], [level] * 3, atol=6)
    np.testing.assert_allclose(samples[20, 30], color, atol=8)


def test_an_object_of_black_and_white_edges_is_put_onto_grey() -> None:
    picture = logo((255, 255, 255))
    PIL.ImageDraw.Draw(picture).pieslice([15, 5, 45, 35], 90, 270, fill=(0, 0, 0, 255))
    image = read(saved(picture))
    assert image.alpha is not None
    assert ground(image.pixels[0].numpy(), image.alpha[0, 0].numpy())[0] == "grey"


def test_a_picture_that_is_half_transparent_everywhere_goes_onto_a_ground_too() -> None:
    with pytest.warns(ImpastoWarning, match="onto white"):
        data = encode(as_image(np.full((8, 8, 4), 0.5)), "BMP")
    np.testing.assert_allclose(pixels_of(read(data)), 0.75, atol=1 / 255)


def test_a_picture_that_is_transparent_everywhere_keeps_its_colours() -> None:
    rgba = np.dstack([scene(), np.zeros(scene().shape[:2], np.uint8)])
    with pytest.warns(ImpastoWarning, match="transparent everywhere"):
        image = read(saved(PIL.Image.fromarray(rgba)))
    assert image.alpha is None
    np.testing.assert_allclose(pixels_of(image) * 255, scene(), atol=1e-3)


def test_opaque_alpha_is_no_alpha() -> None:
    assert read(saved(PIL.Image.fromarray(scene()).convert("RGBA"))).alpha is None


def test_the_alpha_of_one_picture_for_another() -> None:
    cut_out = read(saved(logo((20, 80, 200))))
    painted = Image(torch.rand(1, 3, 80, 120), name="pastiche")
    result = painted.with_alpha_of(cut_out)
    assert result.pixels is painted.pixels
    assert result.name == "pastiche"
    assert result.alpha is not None
    assert result.alpha.shape == (1, 1, 80, 120)
    assert float(result.alpha[0, 0, 40, 60]) == 1
    assert float(result.alpha[0, 0, 0, 0]) == 0
    assert result.with_alpha_of(painted).alpha is None
    assert result.to_pil().mode == "RGBA"
    with PIL.Image.open(io.BytesIO(result._repr_png_())) as picture:
        assert picture.mode == "RGBA"


def test_a_picture_on_a_ground() -> None:
    cut_out = read(saved(logo((0, 0, 0))))
    assert cut_out.flattened().alpha is None
    assert [float(cut_out.flattened().pixels[0, 0, y, x]) for y, x in ((0, 0), (20, 30))] == [1, 0]
    assert float(cut_out.flattened(0.5).pixels[0, 0, 0, 0]) == 0.5
    opaque = as_image(scene())
    assert opaque.flattened() is opaque


def test_without_torch_the_alpha_is_an_array() -> None:
    pixels, alpha = read_pixels_and_alpha(saved(logo((20, 80, 200))))
    assert pixels.shape == (1, 3, 40, 60)
    assert alpha is not None
    assert alpha.shape == (1, 1, 40, 60)
    assert read_pixels_and_alpha(saved(PIL.Image.fromarray(scene())))[1] is None


def test_an_alpha_must_fit_its_pixels() -> None:
    for alpha in (torch.zeros(1, 1, 3, 4), torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4, dtype=torch.float64)):
        with pytest.raises((ImageError, TypeError)):
            Image(torch.zeros(1, 3, 4, 4), alpha=alpha)
