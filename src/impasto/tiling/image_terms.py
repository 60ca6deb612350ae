"""Owns the terms on the image itself for large pictures: value and gradient by bands of rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.losses import ColorRange, ImageTerm, TotalVariation

# Pixels of a band: few enough for its copies to take little memory beside a tile's features.
_BAND = 2**21


def add_term(term: ImageTerm, image: Float[Tensor, "1 3 h w"], gradient: Float[Tensor, "1 3 h w"]) -> float:
    """The value of a term; its gradient is added to `gradient`, in place.

    Total variation and the range of colours are sums over pixels and computed by bands of rows. Other terms are called
    with the whole image.
    """
    if isinstance(term, ColorRange):
        return _by_bands(image, gradient, partial(_outside, share=term.weight / image.numel()))
    if isinstance(term, TotalVariation):
        height, width = image.shape[-2:]
        share = term.weight / (3 * ((height - 1) * width + height * (width - 1)))
        return _by_bands(image, gradient, partial(_variation, share=share))
    leaf = image.detach().requires_grad_(True)
    with torch.enable_grad():
        value = term(leaf)
        (slope,) = torch.autograd.grad(value, leaf)
    gradient.add_(slope)
    return float(value.detach())


def _by_bands(image: Tensor, gradient: Tensor, function: Callable[[Tensor, bool], Tensor]) -> float:
    """The sum of a function over bands of rows; each has the first row of the next one as well, but for the last."""
    height, width = image.shape[-2:]
    step = max(1, _BAND // width)
    total = 0.0
    for top in range(0, height, step):
        rows = slice(top, top + step + 1)
        leaf = image[..., rows, :].detach().requires_grad_(True)
        with torch.enable_grad():
            value = function(leaf, top + step >= height)
            (slope,) = torch.autograd.grad(value, leaf)
        gradient[..., rows, :].add_(slope)
        total += float(value.detach())
    return total


def _outside(band: Float[Tensor, "1 3 _ _"], last: bool, share: float) -> Float[Tensor, ""]:
    own = band if last else band[..., :-1, :]
    return share * (own - own.clamp(0.0, 1.0)).square().sum()


def _variation(band: Float[Tensor, "1 3 _ _"], last: bool, share: float) -> Float[Tensor, ""]:
    down = band[..., 1:, :] - band[..., :-1, :]
    own = band if last else band[..., :-1, :]
    across = own[..., :, 1:] - own[..., :, :-1]
    return share * (down.square().sum() + across.square().sum())
