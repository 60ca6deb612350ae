"""Owns colour: the OkLab space, and the transfer of colours from one picture to another.

Style transfer transfers colours along with strokes. To keep the photograph's colours, either the painting is recoloured
with them before the style transfer, or the result afterwards (Gatys, Bethge, Hertzmann & Shechtman, "Preserving Color
in Neural Artistic Style Transfer", 2016).

All pictures are (1, 3, height, width), sRGB (gamma encoded) in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.images import resize

Pixels = Float[Tensor, "1 3 _ _"]
ColorMode = Literal["none", "luminance", "covariance", "histogram"]

#: Weights of red, green and blue in luma by Rec. 709, which applies them to gamma-encoded values.
LUMA = (0.2126, 0.7152, 0.0722)

# Ottosson, "A perceptual color space for image processing", 2020: linear sRGB to cone responses, and their cube roots
# to lightness, green-red and blue-yellow.
_TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
# Added to the diagonal of covariances, so that they are not singular for pictures of few colours.
_LEAST_VARIANCE = 1e-6


def to_oklab(image: Pixels) -> Pixels:
    """sRGB to OkLab: lightness in [0, 1], green-red and blue-yellow within about ±0.4."""
    linear = torch.where(image <= 0.04045, image / 12.92, ((image.clamp_min(0.0) + 0.055) / 1.055).pow(2.4))
    cones = _mixed(_TO_CONES, linear)
    return _mixed(_TO_LAB, cones.sign() * cones.abs().pow(1 / 3))


def from_oklab(lab: Pixels) -> Pixels:
    """OkLab to sRGB; colours outside the sRGB gamut have values outside [0, 1]."""
    roots = _mixed(_inverse(_TO_LAB), lab)
    linear = _mixed(_inverse(_TO_CONES), roots.pow(3))
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp_min(0.0031308).pow(1 / 2.4) - 0.055)


def with_luminance(picture: Pixels, luminance: Pixels) -> Pixels:
    """The colours of `picture` with the lightness of `luminance`; both have the same size."""
    lab = to_oklab(picture)
    return from_oklab(torch.cat([to_oklab(luminance)[:, :1], lab[:, 1:]], dim=1)).clamp(0.0, 1.0)


def match_covariance(picture: Pixels, reference: Pixels) -> Pixels:
    """`picture` with the mean and covariance of `reference`'s colours, by the linear map that changes colours least.

    The map is D^½ (D^½ C D^½)^-½ D^½, symmetric (Pitié & Kokaram, "The Linear Monge-Kantorovitch Linear Colour Mapping
    for Example-Based Colour Transfer", 2007), between covariances C and D in OkLab.
    """
    source, target = (to_oklab(image).flatten(2)[0].double() for image in (picture, reference))
    identity = torch.eye(3, dtype=torch.float64, device=picture.device)
    covariance, wanted = (_covariance(colors) + _LEAST_VARIANCE * identity for colors in (source, target))
    root = _power(wanted, 0.5)
    mapping = root @ _power(root @ covariance @ root, -0.5) @ root
    moved = mapping @ (source - source.mean(1, keepdim=True)) + target.mean(1, keepdim=True)
    return from_oklab(moved.float().view_as(picture)).clamp(0.0, 1.0)


def match_histogram(picture: Pixels, reference: Pixels, *, rounds: int = 12) -> Pixels:
    """`picture` with the distribution of `reference`'s colours.

    In each round, OkLab is rotated at random and the histograms along its axes are matched (Pitié, Kokaram & Dahyot,
    "N-Dimensional Probability Density Function Transfer", ICCV 2005). The seed of the rotations is fixed.
    """
    source, target = (to_oklab(image).flatten(2)[0] for image in (picture, reference))
    generator = torch.Generator().manual_seed(0)
    for index in range(rounds):
        rotation = torch.eye(3) if index == 0 else torch.linalg.qr(torch.randn((3, 3), generator=generator)).Q
        rotation = rotation.to(source)
        source = rotation.T @ torch.stack(
            [_matched(one, other) for one, other in zip(rotation @ source, rotation @ target, strict=True)]
        )
    return from_oklab(source.view_as(picture)).clamp(0.0, 1.0)


def keep_luminance(picture: Pixels, photograph: Pixels) -> Pixels:
    """The lightness of `picture` with the colours of `photograph`, which is resized to its size."""
    size = (picture.shape[-2], picture.shape[-1])
    return with_luminance(resize(photograph, size), picture)


#: Functions that give a picture the photograph's colours, by the value of the setting `keep_color`.
KEEP: Mapping[ColorMode, Callable[[Pixels, Pixels], Pixels]] = {
    "luminance": keep_luminance,
    "covariance": match_covariance,
    "histogram": match_histogram,
}


def keep_colors(picture: Pixels, photograph: Pixels, mode: ColorMode, amount: float = 1.0) -> Pixels:
    """`picture` with the photograph's colours.

    Args:
        picture, photograph: of any sizes.
        mode: value of the setting `keep_color`; `none` returns the picture unchanged.
        amount: 0 returns the picture unchanged, 1 gives it the photograph's colours; values between interpolate.
    """
    if mode == "none" or amount == 0:
        return picture
    return torch.lerp(picture, KEEP[mode](picture, photograph), amount)


def gray_like(painting: Pixels, photograph: Pixels) -> Pixels:
    """The painting in greys, with the mean and standard deviation of the photograph's lightness.

    It is the style image for luminance-only transfer (Gatys et al. 2016, "Luminance-only transfer").
    """
    lightness, wanted = (to_oklab(image)[:, :1] for image in (painting, photograph))
    spread = wanted.std() / lightness.std().clamp_min(1e-6)
    matched = ((lightness - lightness.mean()) * spread + wanted.mean()).clamp(0.0, 1.0)
    return from_oklab(torch.cat([matched, torch.zeros_like(matched).expand(-1, 2, -1, -1)], dim=1)).clamp(0.0, 1.0)


def gray(picture: Pixels) -> Pixels:
    """`picture` in greys: its OkLab lightness, as sRGB."""
    lightness = to_oklab(picture)[:, :1]
    return from_oklab(torch.cat([lightness, torch.zeros_like(lightness).expand(-1, 2, -1, -1)], dim=1)).clamp(0.0, 1.0)


def _mixed(matrix: tuple[tuple[float, ...], ...], image: Tensor) -> Tensor:
    """The matrix product with the colour of each pixel."""
    mixed: Tensor = torch.einsum("ij,njhw->nihw", image.new_tensor(matrix), image)
    return mixed


def _inverse(matrix: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, torch.linalg.inv(torch.tensor(matrix, dtype=torch.float64)).tolist()))


def _covariance(colors: Float[Tensor, "3 n"]) -> Float[Tensor, "3 3"]:
    centred = colors - colors.mean(1, keepdim=True)
    return centred @ centred.T / colors.shape[1]


def _power(matrix: Float[Tensor, "3 3"], exponent: float) -> Float[Tensor, "3 3"]:
    """A power of a symmetric positive-definite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    power: Tensor = (vectors * values.clamp_min(_LEAST_VARIANCE**2).pow(exponent)) @ vectors.T
    return power


def _matched(values: Float[Tensor, " n"], reference: Float[Tensor, " m"]) -> Float[Tensor, " n"]:
    """The values with the distribution of the reference: each is replaced by the reference's value of its rank."""
    order = values.argsort()
    ordered = reference.sort().values
    position = torch.linspace(0, len(ordered) - 1, len(values), device=values.device)
    low = position.floor().long()
    high = (low + 1).clamp_max(len(ordered) - 1)
    wanted = torch.lerp(ordered[low], ordered[high], position - low)
    return torch.empty_like(values).scatter_(0, order, wanted)
