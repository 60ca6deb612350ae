"""Owns the prediction of a condition from any painting: statistics of VGG-19's features, and a small network.

After Ghiasi et al., "Exploring the structure of a real-time, arbitrary neural artistic stylization network", BMVC 2017,
whose style prediction network reads pictures. This one reads the means and standard deviations of VGG-19's features,
which represent style already (Huang & Belongie, ICCV 2017).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from impasto.backbones import VGG19
from impasto.fast.network import COLORS, color_of
from impasto.images import Image, of_area, resize
from impasto.representations import Moments

#: Layers whose features give the statistics.
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
# Count of numbers about features in the statistics: a mean and a standard deviation for each channel.
_FEATURES = 2 * (64 + 128 + 256 + 512)
#: Count of numbers in the statistics: those, and those of `color_of`.
STATISTICS = _FEATURES + COLORS
#: Square root of the area that a painting is resized to before its statistics are computed, in pixels.
STYLE_SIDE = 256


def style_statistics(backbone: VGG19, painting: Image, side: int = STYLE_SIDE) -> Float[Tensor, " s"]:
    """The statistics that predict a condition; `painting` is resized to an area of `side` × `side` pixels."""
    pixels = resize(painting.pixels, of_area(painting.size, side**2, least=VGG19.architecture.min_side))
    with torch.no_grad():
        features = backbone(pixels.to(next(backbone.parameters()).device), LAYERS)
        moments = [Moments.of(features[layer]) for layer in LAYERS]
    parts = [part.cpu() for m in moments for part in (m.mean, m.standard_deviation)]
    return torch.cat([*parts, color_of(pixels)])


class Predictor(nn.Module):
    """A network from statistics to conditions, through an embedding.

    Args:
        condition_size: numbers in a condition.
        embedding: numbers in the embedding.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, condition_size: int, embedding: int = 192) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(_FEATURES))
        self.register_buffer("deviation", torch.ones(_FEATURES))
        self.embed = nn.Linear(_FEATURES, embedding)
        self.mix = nn.Linear(embedding, embedding)
        self.out = nn.Linear(embedding, condition_size)
        # Before training, a condition holds the painting's colours only.
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def fit_range(self, statistics: Float[Tensor, "n s"]) -> None:
        """Take mean and deviation, which normalise the input, from the statistics of examples."""
        spread = compressed(statistics[:, :-COLORS])
        self.mean.copy_(spread.mean(0))
        self.deviation.copy_(spread.std(0, correction=0).clamp_min(1e-3))

    def forward(self, statistics: Float[Tensor, "n s"]) -> Float[Tensor, "n k"]:
        """Conditions of paintings with these statistics."""
        x = (compressed(statistics[:, :-COLORS]) - self.mean) / self.deviation
        x = torch.relu(self.embed(x.clamp(-5.0, 5.0)))
        x = x + torch.relu(self.mix(x))
        conditions: Tensor = self.out(x)
        return torch.cat([conditions[:, :-COLORS], conditions[:, -COLORS:] + statistics[:, -COLORS:]], dim=1)


def compressed(statistics: Tensor) -> Tensor:
    """Statistics on a logarithmic scale, because features span several powers of ten."""
    return torch.log1p(statistics.clamp_min(0.0))
