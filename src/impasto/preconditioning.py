"""Owns the frequency preconditioner, which weights an image's spectrum: what steps, and noise, are smoothed by."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

Pixels = Float[Tensor, "1 3 h w"]


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
        height, width = image.shape[-2:]
        if self.wrap:
            periodic: Tensor = torch.fft.irfft2(torch.fft.rfft2(image) * self.response, s=(height, width))
            return periodic
        # An even continuation on both axes turns the Fourier transform into a cosine transform.
        tall = torch.cat([image, image.flip(-2)], dim=-2)
        even = torch.cat([tall, tall.flip(-1)], dim=-1)
        weighted: Tensor = torch.fft.irfft2(torch.fft.rfft2(even) * self.response, s=even.shape[-2:])
        return weighted[..., :height, :width].contiguous()
