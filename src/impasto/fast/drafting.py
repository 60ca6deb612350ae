"""Owns the coarse-to-fine network: a draft on a small picture, revised at each larger size.

After Lin et al., "Drafting and Revision: Laplacian Pyramid Network for Fast High-Quality Artistic Style Transfer",
CVPR 2021. A wide network paints the picture at a quarter of its size, where a stroke spans few pixels and all of its
arithmetic costs a sixteenth. Then the draft is enlarged, and at each larger size a light network adds what is missing:
the photograph's Laplacian band in the painting's colours, and a residual. Differences from the paper:

- The draft is made by `Network`, with its conditions, noise and recolouring, so that one model has many styles.
- A revision has a scale and a shift for each feature from the condition, and no normalisation. So it depends on a
  neighbourhood of a few pixels only, and large pictures are revised in strips.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from impasto.fast.network import COLORS, MARGIN, Enlarging, Network, NetworkArchitecture, bordered, color_map

# The draft has a side of one in this many pixels; `bordered` makes sides multiples of it.
_FACTOR = 4
_LEVELS = 2
# Pixels on either side of a strip, at its own size, that a revision and the enlarging before it see: 16 are enough for
# convolutions on blocks of 2 × 2 pixels.
_HALO = 16
# Slope of a revision's activations below zero.
_LEAK = 0.2
# Number of pixels of a strip.
_STRIP = 1 << 20


@dataclass(frozen=True)
class DraftingArchitecture:
    """The sizes of a coarse-to-fine network.

    Attributes:
        draft: of the network that paints the draft.
        revision: channels of each revision.
    """

    draft: NetworkArchitecture = field(default_factory=lambda: NetworkArchitecture(fine=24, middle=48, coarse=128))
    revision: int = 24

    @property
    def condition_size(self) -> int:
        """Count of numbers in a condition: the draft's style, the revisions' scales and shifts, the draft's colours."""
        return self.draft.condition_size + _LEVELS * self.revised

    @property
    def revised(self) -> int:
        """Count of numbers for one revision: a scale and a shift for each channel of two layers."""
        return 4 * self.revision

    def to_mapping(self) -> dict[str, int | dict[str, int]]:
        """Names and values."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, mapping: dict[str, int | dict[str, int]]) -> DraftingArchitecture:
        """The architecture that `to_mapping` describes.

        Raises:
            TypeError: it describes none.
        """
        draft, revision = mapping["draft"], mapping["revision"]
        if not isinstance(draft, dict) or not isinstance(revision, int):
            raise TypeError(f"no sizes of a network: {mapping}")
        return cls(NetworkArchitecture(**draft), revision)


class Revision(nn.Module):
    """What is added to an enlarged draft at one size, from the draft and the photograph's band at that size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(4 * 6, channels, 3, padding=1, padding_mode="reflect")
        self.second = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.last = Enlarging(channels, 3)
        with torch.no_grad():
            # Before training, little is added.
            self.last.weight.mul_(0.1)

    def forward(
        self, draft: Float[Tensor, "n 3 h w"], band: Float[Tensor, "n 3 h w"], style: Float[Tensor, "n k"]
    ) -> Float[Tensor, "n 3 h w"]:
        """The residual; h and w are even, and at least 4."""
        scales = style.view(len(style), 2, 2, -1, 1, 1)
        x = F.pixel_unshuffle(torch.cat([draft, band], 1), 2).to(self.first.weight.dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        for number, layer in enumerate((self.first, self.second)):
            x = layer(x) * (1.0 + scales[:, number, 0]) + scales[:, number, 1]
            # Leaky: without a normalisation, a feature could die for all pixels.
            x = F.leaky_relu(x.to(self.first.weight.dtype), _LEAK, inplace=True)
        return F.pixel_shuffle(self.last(x.to(self.last.weight.dtype)), 2)


class DraftingNetwork(nn.Module):
    """A network from photographs and conditions to pastiches, coarse to fine."""

    def __init__(self, architecture: DraftingArchitecture | None = None) -> None:
        super().__init__()
        self.architecture = a = architecture or DraftingArchitecture()
        self.draft = Network(a.draft)
        # From coarse to fine.
        self.revisions = nn.ModuleList(Revision(a.revision) for _ in range(_LEVELS))

    def forward(
        self,
        image: Float[Tensor, "n 3 h w"],
        condition: Float[Tensor, "n k"],
        *,
        noise: Float[Tensor, "n _ _ _"] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Float[Tensor, "n 3 h w"]:
        """The pastiches of `image`, see `Network.forward`."""
        height, width = image.shape[-2:]
        sizes = _pyramid(bordered(image))
        painted, matrix, styles = self._drafted(sizes[-1], condition, noise, dtype)
        mixed = contextlib.nullcontext() if dtype == torch.float32 else torch.autocast(image.device.type, dtype)
        for number, (fine, coarse) in enumerate(zip(sizes[-2::-1], sizes[:0:-1], strict=True)):
            with mixed:
                painted = self._revised(number, painted, fine, coarse, matrix, styles)
        return painted[..., MARGIN : MARGIN + height, MARGIN : MARGIN + width]

    def noise(self, generators: Sequence[torch.Generator], size: Sequence[int]) -> Float[Tensor, "n _ _ _"]:
        """Random noise for pictures of a (height, width), from one generator for each."""
        return self.draft.noise(generators, [-(-side // _FACTOR) + 2 * MARGIN // _FACTOR for side in size])

    def cast(self, dtype: torch.dtype) -> None:
        """Compute features in a number type; what makes pixels stays float32."""
        self.draft.cast(dtype)
        for revision in self.revisions:
            for name, part in revision.named_children():
                if name != "last":
                    part.to(dtype)

    def paint_in_strips(
        self, pixels: Float[Tensor, "1 3 h w"], condition: Float[Tensor, "1 k"], *, in_place: bool = False
    ) -> Float[Tensor, "1 3 h w"]:
        """The pastiche of `pixels` in [0, 1], on the CPU; only the draft is painted at once.

        Args:
            in_place: whether the pastiche overwrites `pixels`.
        """
        height, width = pixels.shape[-2:]
        sizes = _pyramid(bordered(pixels))
        painted, matrix, styles = self._drafted(sizes[-1].to(condition.device), condition, None, torch.float32)
        painted = painted.cpu()
        for number, (fine, coarse) in enumerate(zip(sizes[-2::-1], sizes[:0:-1], strict=True)):
            larger = torch.empty_like(fine)
            rows = fine.shape[-2]
            step = max(_HALO, _STRIP // fine.shape[-1] // 4 * 4)
            for top in range(0, rows, step):
                end = min(rows, top + step)
                # Borders of the picture stay borders of the strip.
                begin, stop = max(0, top - _HALO), min(rows, end + _HALO)
                half = (..., slice(begin // 2, stop // 2), slice(None))
                small, large, halved = (
                    part.to(condition.device) for part in (painted[half], fine[..., begin:stop, :], coarse[half])
                )
                strip = self._revised(number, small, large, halved, matrix, styles)
                larger[..., top:end, :] = strip[..., top - begin : end - begin, :].cpu()
            painted = larger
        painted = painted[..., MARGIN : MARGIN + height, MARGIN : MARGIN + width].clamp(0.0, 1.0)
        return pixels.copy_(painted) if in_place else painted

    def _drafted(
        self, small: Tensor, condition: Tensor, noise: Tensor | None, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
        """The draft, the matrix that recolours the photograph's bands, (n, 3, 3), and the style of each revision."""
        own = self.architecture.draft.condition_size - COLORS
        style, *revisions, color = torch.split(condition, [own, *[self.architecture.revised] * _LEVELS, COLORS], dim=1)
        draft = self.draft(small, torch.cat([style, color], 1), noise=noise, dtype=dtype)
        rows = small.flatten(2)
        mean = rows.mean(2)
        covariance = rows @ rows.mT / rows.shape[2] - mean[:, :, None] * mean[:, None, :]
        return draft, color_map(mean, covariance, color)[0], revisions

    def _revised(
        self, number: int, painted: Tensor, fine: Tensor, coarse: Tensor, matrix: Tensor, styles: Sequence[Tensor]
    ) -> Tensor:
        """A painted picture at twice its size, given the photograph at both."""
        band = fine - _enlarged(coarse)
        painted = _enlarged(painted)
        residual: Tensor = self.revisions[number](painted, band, styles[number])
        recolored: Tensor = torch.einsum("nij,njhw->nihw", matrix.float(), band)
        return painted + recolored + residual.float()


def _pyramid(image: Float[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n 3 _ _"]]:
    """The picture at its size, at half and at a quarter of it; sides are multiples of 4."""
    sizes = [image]
    for _ in range(_LEVELS):
        sizes.append(F.avg_pool2d(sizes[-1], 2))
    return sizes


def _enlarged(image: Tensor) -> Tensor:
    return F.interpolate(image, scale_factor=2.0, mode="bilinear", align_corners=False)
