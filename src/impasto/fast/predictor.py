"""Owns what makes a condition of any painting: statistics of the embedded VGG-19, and a small network that reads them.

After Ghiasi et al., "Exploring the structure of a real-time, arbitrary neural artistic stylization network", BMVC 2017,
who train a style prediction network on pictures; departing from it, the prediction begins from the means and standard
deviations of VGG-19's features (Huang & Belongie, ICCV 2017), which say already what style is.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from impasto.backbones import VGG19
from impasto.fast.network import COLORS, color_of
from impasto.images import Image, of_area, resize
from impasto.representations import Moments

#: Layers that the statistics are taken at.
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
# Numbers in the statistics that are about features: a mean and a standard deviation for each channel.
_FEATURES = 2 * (64 + 128 + 256 + 512)
#: Numbers in the statistics: those, and what `color_of` says.
STATISTICS = _FEATURES + COLORS
#: Side, in pixels, of the square that a painting's area is brought to before it is looked at.
STYLE_SIDE = 256


def style_statistics(backbone: VGG19, painting: Image, side: int = STYLE_SIDE) -> Float[Tensor, " s"]:
    """What a condition is predicted from: `painting` is looked at with an area of `side` × `side` pixels."""
    pixels = resize(painting.pixels, of_area(painting.size, side**2, least=VGG19.architecture.min_side))
    with torch.no_grad():
        features = backbone(pixels.to(next(backbone.parameters()).device), LAYERS)
        moments = [Moments.of(features[layer]) for layer in LAYERS]
    parts = [part.cpu() for m in moments for part in (m.mean, m.standard_deviation)]
    return torch.cat([*parts, color_of(pixels)])


class Predictor(nn.Module):
    """From statistics to conditions, by way of an embedding.

    Args:
        condition_size: numbers in a condition.
        embedding: numbers in the embedding, in which styles can be compared.
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
        # At first a style is its colours.
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def fit_range(self, statistics: Float[Tensor, "n s"]) -> None:
        """Learn from examples how large statistics are, and how much they differ from painting to painting."""
        spread = compressed(statistics[:, :-COLORS])
        self.mean.copy_(spread.mean(0))
        self.deviation.copy_(spread.std(0).clamp_min(1e-3))

    def forward(self, statistics: Float[Tensor, "n s"]) -> Float[Tensor, "n k"]:
        """Conditions of paintings with these statistics."""
        x = (compressed(statistics[:, :-COLORS]) - self.mean) / self.deviation
        x = torch.relu(self.embed(x.clamp(-5.0, 5.0)))
        x = x + torch.relu(self.mix(x))
        conditions: Tensor = self.out(x)
        return torch.cat([conditions[:, :-COLORS], conditions[:, -COLORS:] + statistics[:, -COLORS:]], dim=1)


def compressed(statistics: Tensor) -> Tensor:
    """Statistics on a scale of ratios: features span several powers of ten."""
    return torch.log1p(statistics.clamp_min(0.0))
