"""What each size starts from: the first picture, and the detail and grain that an enlarged one gets.

That the method begins with the first picture is tested in `test_method`.
"""

import pytest
import torch
from torch import Tensor

from impasto.images import Image, resize
from impasto.initialization import detail_share, enlarged, first_picture
from impasto.settings import Settings, strength_of


def root_mean_square(a: Tensor, b: Tensor) -> float:
    """In levels of 255."""
    return 255.0 * float((a - b).square().mean().sqrt())


@pytest.mark.parametrize("word", ["content", "noise", "style"])
def test_a_picture_to_start_from_goes_before_a_word(photo, painting, word):
    photograph, start = photo(32, 48).pixels, painting(16, 24)
    first = first_picture(photograph, [painting(20, 20)], start, word, torch.Generator())
    assert torch.equal(first, resize(start.pixels, (32, 48)))


def test_noise_in_the_colours_of_all_paintings(photo):
    # Half of the pixels are of one painting, half of the other; pale, so that little noise is clipped.
    red, blue = (
        Image(torch.tensor(color).view(1, 3, 1, 1).expand(1, 3, 40, 40)) for color in ([0.7, 0.3, 0.3], [0.3, 0.3, 0.7])
    )
    first = first_picture(photo(64, 64).pixels, [red, blue], None, "style", torch.Generator().manual_seed(0))
    torch.testing.assert_close(first.mean((0, 2, 3)), torch.tensor([0.5, 0.3, 0.5]), rtol=0, atol=0.02)
    # Where there is more red, there is less blue.
    assert float(torch.corrcoef(first[0].flatten(1))[0, 2]) < -0.9


@pytest.mark.parametrize(
    ("chosen", "share"),
    [
        ({"detail": 1.0, "strength": 0.2}, 1.0),
        ({"detail": 0.6, "strength": 0.5}, 0.6),
        ({"detail": 1.0, "strength": strength_of(0.75)}, 0.5),
        ({"detail": 1.0, "strength": 1.0}, 2 / (1 + 2 ** (11 / 6))),
        ({"detail": 1.0, "content_weight": 0}, 0.0),
        ({"detail": 0.0}, 0.0),
    ],
)
def test_detail_fades_out_as_the_photograph_counts_less(chosen, share):
    assert detail_share(Settings(**chosen)) == pytest.approx(share)


def test_an_enlarged_photograph_gets_all_of_its_detail_back(photo):
    photograph = photo(64, 96).pixels
    small = resize(photograph, (32, 48))
    settings = Settings(detail=1.0, grain=0.0)
    whole = enlarged(small, photograph, settings, torch.Generator())
    assert torch.allclose(whole, photograph, atol=1e-6)
    assert (
        root_mean_square(enlarged(small, photograph, settings.replace(detail=0.0), torch.Generator()), photograph) > 1
    )


def test_grain_is_grey_and_of_its_size(photo):
    flat = torch.full((1, 3, 64, 96), 0.5)
    grainy = enlarged(flat[..., ::2, ::2], flat, Settings(grain=0.05), torch.Generator().manual_seed(1))
    grain = grainy - 0.5
    assert torch.equal(grain[:, 0], grain[:, 1])
    assert float(grain.std()) == pytest.approx(0.05, rel=0.3)
    # As in pictures, neighbours are alike.
    assert float((grain[..., 1:] * grain[..., :-1]).mean() / grain.square().mean()) > 0.3
