"""Owns the paintings of a training: the targets that they set, and the statistics that conditions are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.backbones import VGG19
from impasto.fast.criterion import Criterion
from impasto.fast.dataset import PictureDataset
from impasto.fast.predictor import LAYERS, STYLE_SIDE, style_statistics
from impasto.images import Image
from impasto.objective import Objective
from impasto.representations import Moments
from impasto.settings import Settings
from impasto.targets import objective_at
from impasto.weighting import layer_weights

#: Number of targets that are cached: about 2.4 MB each.
TARGETS = 600


class Styles:
    """The paintings to learn.

    Args:
        paintings: by index.
        settings: of the loss.
        device, dtype: of the backbones that compute statistics and losses.
        targets: number of paintings whose targets are kept in the device's memory, 2.4 MB each.
    """

    def __init__(
        self,
        paintings: Sequence[Image] | PictureDataset,
        settings: Settings,
        *,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
        targets: int = TARGETS,
    ) -> None:
        self.paintings = paintings
        self.settings = settings
        # Statistics are computed as a fast model computes them for painting; padding may differ from the loss's.
        self._reader = VGG19(LAYERS[-1], dtype=dtype).to(device)
        content, style = layer_weights(settings, VGG19.architecture)
        self._judge = VGG19.architecture.build(
            {**content, **style}, pooling=settings.pooling, padding=settings.padding, dtype=dtype
        ).to(device)
        self._device = device or torch.device("cpu")
        self._targets = targets
        self._objectives: dict[int, Objective] = {}
        self._statistics: dict[int, Tensor] = {}
        self._content_layers = content

    def __len__(self) -> int:
        return len(self.paintings)

    def objective(self, index: int, photograph: Float[Tensor, "1 3 h w"]) -> Objective:
        """The objective for the pastiche of `photograph` in the style of painting `index`."""
        with torch.no_grad():
            return replace(self._styled(index), content=self._judge(photograph, self._content_layers))

    def terms(
        self,
        pastiches: Float[Tensor, "n 3 h w"],
        photographs: Float[Tensor, "n 3 h w"],
        indices: Sequence[int],
    ) -> dict[str, Float[Tensor, " n"]]:
        """The weighted terms of that objective for each pastiche of a batch, by name; differentiable."""
        styles: list[Mapping[str, Moments]] = [self._styled(index).regions[0].style for index in indices]
        return self._criterion(pastiches, photographs, styles)

    def statistics(self, indices: Sequence[int]) -> Float[Tensor, "n s"]:
        """The statistics of the paintings at `indices`, on the device."""
        for index in indices:
            if index not in self._statistics:
                self._statistics[index] = style_statistics(self._reader, self.paintings[index]).to(self._device)
        return torch.stack([self._statistics[index] for index in indices])

    def prepare(self) -> None:
        """Compute the targets and statistics of all paintings, as many as are kept."""
        for index in range(min(len(self), self._targets)):
            self._styled(index)
        self.statistics(range(len(self)))

    @cached_property
    def _criterion(self) -> Criterion:
        return Criterion(self._styled(0))

    def _styled(self, index: int) -> Objective:
        """The objective of a painting, without a photograph."""
        known = self._objectives.get(index)
        if known is None:
            # The content is replaced later; a small one costs nothing.
            blank = torch.full((1, 3, STYLE_SIDE // 8, STYLE_SIDE // 8), 0.5, device=self._device)
            settings = self.settings.replace(style_scale=8.0)
            known = replace(objective_at(self._judge, blank, [self.paintings[index]], settings), content={})
            if len(self._objectives) < self._targets:
                self._objectives[index] = known
        return known
