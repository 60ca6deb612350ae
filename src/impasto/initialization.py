"""Owns the picture that each size starts from: the first one, then the result of the size before, enlarged."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.images import Image, resize
from impasto.preconditioning import FrequencyPreconditioner, is_giant
from impasto.settings import Settings, style_balance
from impasto.targets import painting_at


def first_picture(
    photograph: Tensor, styles: Sequence[Image], init: Image | None, word: str, generator: torch.Generator
) -> Tensor:
    """The first picture, of the photograph's size.

    Args:
        photograph: (1, 3, height, width), at the first size.
        styles: the paintings, for noise in their colours.
        init: a picture to start from.
        word: `content`, `noise` or `style`; counts only without `init`.
        generator: for noise, on the CPU.
    """
    size, device = (photograph.shape[-2], photograph.shape[-1]), photograph.device
    if init is not None:
        return resize(init.pixels, size).to(device)
    if word == "content":
        return photograph
    noise = torch.randn(photograph.shape, generator=generator).to(device)
    if word == "noise":
        return (0.5 + 0.1 * noise).clamp(0, 1)
    # Noise with the mean and covariance of the painting's colours.
    colors = torch.cat([painting_at(style, size, 1.0, least=1).flatten(2) for style in styles], dim=-1)[0].to(device)
    mixing = torch.linalg.cholesky(torch.cov(colors) + 1e-5 * torch.eye(3, device=device))
    colored = torch.einsum("ij,njhw->nihw", mixing, noise) + colors.mean(1).view(1, 3, 1, 1)
    return colored.clamp(0, 1)


def enlarged(picture: Tensor, photograph: Tensor, settings: Settings, generator: torch.Generator) -> Tensor:
    """The picture at the photograph's size, with the fine detail that enlarging cannot give.

    The detail is the photograph's own: the part that it shows at this size and not at the size before. Without it, what
    the coarse scales lost stays lost. Also, on a smooth picture the gradient through the network has a faint grid,
    which every step makes stronger. Where the photograph itself is smooth, grain breaks the grid: grey noise whose
    amplitude falls with frequency, as in natural pictures.
    """
    before = (picture.shape[-2], picture.shape[-1])
    size = (photograph.shape[-2], photograph.shape[-1])
    larger = _resized_around(picture, size) if settings.padding == "wrap" else resize(picture, size)
    # In place, for each copy of a giant picture takes its gigabyte.
    added = torch.sub(photograph, resize(resize(photograph, before), size))
    larger = added.mul_(detail_share(settings)).add_(larger)
    noise = torch.randn((1, 1, *size), generator=generator).to(picture.device)
    # All channels are alike; the transform of a giant is made of one.
    noise = noise if is_giant(size) else noise.expand_as(photograph)
    grain = FrequencyPreconditioner(size, 1.0, wrap=settings.padding == "wrap", device=picture.device)(noise)
    return larger.add_(settings.grain * grain)


def _resized_around(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """The picture at another size, resized as one tile of many; sides are multiples of 16."""
    (top, left), (rows, columns) = ((height // 4, width // 4) for height, width in (picture.shape[-2:], size))
    around = F.pad(picture, (left, left, top, top), mode="circular")
    larger = resize(around, (size[0] + 2 * rows, size[1] + 2 * columns))
    return larger[..., rows : rows + size[0], columns : columns + size[1]]


def detail_share(settings: Settings) -> float:
    """How much of the photograph's detail is added to an enlarged picture.

    It falls to 0.44 of itself as strength goes from ½ to 1, and is 0 where content has no weight.
    """
    if settings.content_weight == 0:
        return 0.0
    return settings.detail * min(1.0, 2 * (1 - style_balance(settings.strength)))
