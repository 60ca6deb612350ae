"""Owns the frequency preconditioner, which weights an image's spectrum: what steps, and noise, are smoothed by."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

Pixels = Float[Tensor, "1 _ h w"]

#: Pictures of more pixels are giants: what is done with them all at once takes little memory, and some more time.
GIANT_PIXELS = 24_000_000
# Numbers that are transformed at once.
_BLOCK = 2**21


def is_giant(size: tuple[int, int]) -> bool:
    """Whether a picture of that (height, width) is a giant."""
    return size[0] * size[1] > GIANT_PIXELS


class FrequencyPreconditioner:
    """Multiplies an image's cosine spectrum by 1 / frequency^power: what a step of the optimiser is smoothed by.

    Natural images have far more energy at low than at high frequencies; a gradient on raw pixels mostly asks for fine
    noise. With `power` 2α this is the same as optimising in a basis weighted by 1 / frequency^α (Olah, Mordvintsev &
    Schubert, "Feature Visualization", Distill 2017, "preconditioning"); departing from it, the basis is the cosine
    transform, whose even continuation does not tie opposite borders of the picture together. It is scaled to leave the
    energy of white noise alone.

    Args:
        size: (height, width) in pixels.
        power: 0 leaves the gradient as it is.
        wrap: whether opposite borders do belong together, as in a tile; then the basis is the Fourier transform.
    """

    def __init__(
        self, size: tuple[int, int], power: float, *, wrap: bool = False, device: torch.device | None = None
    ) -> None:
        height, width = size
        self.power, self.wrap = power, wrap
        self._by_blocks = None
        if power and not wrap and is_giant(size):
            self._by_blocks = CosineFilter(size, power)
            return
        periods = 1 if wrap else 2
        vertical = torch.fft.fftfreq(periods * height, dtype=torch.float64)
        horizontal = torch.fft.rfftfreq(periods * width, dtype=torch.float64)
        frequency = (vertical[:, None].square() + horizontal[None, :].square()).sqrt()
        frequency = frequency.clamp_min(1.0 / max(height, width))
        response = frequency.pow(-power)
        # The first quarter is the cosine spectrum; the rest mirrors it and adds frequencies that no cosine has.
        energy = response[:height, :width].square().mean()
        self.response = (response / energy.sqrt()).float().to(device)

    def __call__(self, image: Pixels) -> Pixels:
        """`image` with its spectrum weighted."""
        if self.power == 0:
            return image
        if self._by_blocks is not None:
            return self._by_blocks(image)
        height, width = image.shape[-2:]
        if self.wrap:
            periodic: Tensor = torch.fft.irfft2(torch.fft.rfft2(image) * self.response, s=(height, width))
            return periodic
        # An even continuation on both axes turns the Fourier transform into a cosine transform.
        tall = torch.cat([image, image.flip(-2)], dim=-2)
        even = torch.cat([tall, tall.flip(-1)], dim=-1)
        weighted: Tensor = torch.fft.irfft2(torch.fft.rfft2(even) * self.response, s=even.shape[-2:])
        return weighted[..., :height, :width].contiguous()


class CosineFilter:
    """The same weights of the cosine spectrum, for giants: row by row and column by column, in one copy of the image.

    The Fourier transform of an even continuation takes the memory of ten pictures; this takes that of one.
    """

    def __init__(self, size: tuple[int, int], power: float) -> None:
        self.size, self.power = size, power
        energy = sum(float(self._response(row).square().sum()) for row in range(size[0]))
        self._scale = math.sqrt(energy / (size[0] * size[1]))

    def __call__(self, image: Pixels) -> Pixels:
        """`image` with its spectrum weighted."""
        weighted = image.clone(memory_format=torch.contiguous_format)
        for plane in weighted[0]:
            _transform(plane)
            _transform(plane.T)
            step = max(1, _BLOCK // self.size[1])
            for top in range(0, self.size[0], step):
                rows = plane[top : top + step]
                response = torch.stack([self._response(top + row) for row in range(len(rows))])
                rows *= (response / self._scale).to(rows)
            _transform(plane.T, back=True)
            _transform(plane, back=True)
        return weighted

    def _response(self, row: int) -> Float[Tensor, " w"]:
        """The weights of one row of the spectrum, before they are scaled."""
        height, width = self.size
        across = torch.arange(width, dtype=torch.float64) / (2 * width)
        frequency = ((row / (2 * height)) ** 2 + across.square()).sqrt()
        return frequency.clamp_min(1.0 / max(height, width)).pow(-self.power)


def _transform(plane: Float[Tensor, "n m"], *, back: bool = False) -> None:
    """The cosine transform (DCT-II) of each row, or its inverse; in place, some rows at a time."""
    length = plane.shape[1]
    angles = torch.arange(length, dtype=torch.float64) * (math.pi / (2 * length))
    turned = torch.polar(torch.ones_like(angles), angles if back else -angles).to(torch.complex64).to(plane.device)
    step = max(1, _BLOCK // length)
    for top in range(0, len(plane), step):
        rows = plane[top : top + step]
        if back:
            spectrum = torch.zeros((len(rows), length + 1), dtype=torch.complex64, device=plane.device)
            spectrum[:, :length] = rows * turned
            rows.copy_(torch.fft.irfft(spectrum, n=2 * length)[:, :length])
        else:
            even = torch.cat([rows, rows.flip(-1)], dim=-1)
            rows.copy_((torch.fft.rfft(even)[:, :length] * turned).real)
