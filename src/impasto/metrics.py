"""Owns the quality metrics of a pastiche: distances in style, content and edges, things taken over, and artifacts.

The metrics are independent of the objective: they use layers that the default objective does not use and distances that
it does not minimise, at two sizes. A style distance of 0 is the painting and 1 the photograph; a content or edge
distance of 0 is the photograph and 1 an unrelated picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from impasto import artifacts
from impasto.artifacts import Artifact
from impasto.backbones import VGG19
from impasto.errors import SettingsError
from impasto.images import Image, fit, of_area, resize

#: Layers of the style distance; the default objective uses relu1_1, relu2_1, … relu5_1.
STYLE_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
#: Layers of the content distance; the default objective uses relu4_2.
CONTENT_LAYERS = ("relu4_4", "relu5_2")
#: Layer by which things of the painting are recognized.
THINGS_LAYER = "relu4_3"

# Long side of the larger of the two sizes, in pixels; the other is half of it.
_SIDE = 512
# Sizes with a shorter side than this are left out: the deepest layer would have next to no features.
_LEAST_SIDE = VGG19.architecture.min_side
# For the style distance: directions, positions that are sampled from a picture, and quantiles that are compared.
_DIRECTIONS = 128
_POSITIONS = 16384
_QUANTILES = 1024
# Things of the painting: the largest long side at which they are looked for, in pixels; the side of a patch, relative
# to the short side; the distance of patches of the painting, in positions; and the limit. Of
# sixty pictures, those that showed things of the painting had 0.33 and more, all others less than 0.3.
_THINGS_SIDE = 256
_PATCH = 0.3
_PATCH_STEP = 2
_THINGS_LIMIT = 0.3


@dataclass(frozen=True)
class Judgement:
    """The metrics of a pastiche.

    Attributes:
        style: style distance from the paintings: 0 = the painting, 1 = the photograph. See `style_distance`.
        content: content distance from the photograph: 0 = the photograph, 1 = an unrelated picture. See
            `content_distance`.
        edges: edge distance from the photograph: 0 = the photograph, 1 = unrelated. See `edge_distance`.
        things: how clearly a thing of a painting is in the pastiche: 0 = not at all, 1 = a copy. See `things_taken`.
        artifacts: its artifacts, the worst first; too many `things` are the last.
    """

    style: float
    content: float
    edges: float
    things: float
    artifacts: tuple[Artifact, ...]


class Judge:
    """Compares pastiches with the photograph and the paintings they were made from.

    Pictures are compared at a long side of 512 px (or the pastiche's, if that is less) and at half of it. The results
    are reproducible: all random numbers have fixed seeds.

    Args:
        content: the photograph.
        styles: the paintings, at least one; for several, the style distance is the mean.
        device: device to compute on; the CPU by default.

    Raises:
        SettingsError: there is no painting.
    """

    def __init__(self, content: Image, styles: Sequence[Image], *, device: torch.device | None = None) -> None:
        if not styles:
            raise SettingsError("style", "got no painting; name at least one")
        self.content = content
        self.styles = tuple(styles)
        self.device = device or torch.device("cpu")
        self.backbone = VGG19(CONTENT_LAYERS[-1]).to(self.device)
        self._references: dict[tuple[int, int], _Reference] = {}

    def judge(self, pastiche: Image) -> Judgement:
        """The metrics of `pastiche`.

        Raises:
            SettingsError: `pastiche` is too small.
        """
        found = artifacts.find(pastiche, self.content, self.styles)
        if artifacts.not_finite(pastiche.pixels):
            return Judgement(math.nan, math.nan, math.nan, math.nan, found)
        style, content, edges, things = [], [], [], [0.0]
        sizes = self._sizes(pastiche)
        for size in sizes:
            reference = self._reference(size)
            picture = resize(pastiche.pixels, size).to(self.device)
            features = self._features(picture)
            style.append(style_distance(features, reference.photograph, reference.paintings))
            content.append(content_distance(features, reference.photograph))
            edges.append(edge_distance(picture, resize(self.content.pixels, size).to(self.device)))
            if max(size) <= _THINGS_SIDE or size == sizes[-1]:
                things.append(things_taken(features, reference.photograph, reference.paintings))
        if max(things) > _THINGS_LIMIT:
            found = (*found, _things(max(things)))
        return Judgement(_mean(style), _mean(content), _mean(edges), max(things), found)

    def _sizes(self, pastiche: Image) -> list[tuple[int, int]]:
        side = min(_SIDE, max(pastiche.size))
        sizes = [fit(pastiche.size, side), fit(pastiche.size, side // 2)]
        sizes = [size for size in sizes if min(size) >= _LEAST_SIDE]
        if not sizes:
            raise SettingsError(
                "pastiche",
                f"{pastiche.height} × {pastiche.width} px is too small; each side must be at least {_LEAST_SIDE} px",
            )
        return sizes

    def _reference(self, size: tuple[int, int]) -> _Reference:
        if size not in self._references:
            area = size[0] * size[1]
            self._references[size] = _Reference(
                photograph=self._features(resize(self.content.pixels, size).to(self.device)),
                # As many pixels as the pastiche, with the painting's aspect ratio.
                paintings=[
                    self._features(resize(style.pixels, of_area(style.size, area, least=_LEAST_SIDE)).to(self.device))
                    for style in self.styles
                ],
            )
        return self._references[size]

    @torch.no_grad()
    def _features(self, picture: Tensor) -> dict[str, Tensor]:
        features: dict[str, Tensor] = self.backbone(picture, (*STYLE_LAYERS, *CONTENT_LAYERS))
        return features


@dataclass(frozen=True)
class _Reference:
    photograph: Mapping[str, Tensor]
    paintings: Sequence[Mapping[str, Tensor]]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def style_distance(
    pastiche: Mapping[str, Tensor], photograph: Mapping[str, Tensor], paintings: Sequence[Mapping[str, Tensor]]
) -> float:
    """Sliced Wasserstein distance from the paintings, divided by that of the photograph.

    The distances are computed at each of `STYLE_LAYERS`; the quotients are averaged over layers and paintings.

    Args:
        pastiche, photograph, paintings: features by layer, each (1, channels, height, width).
    """
    quotients = []
    for layer in STYLE_LAYERS:
        for painting in paintings:
            far = sliced_wasserstein(photograph[layer], painting[layer])
            near = sliced_wasserstein(pastiche[layer], painting[layer])
            # If the photograph is the painting itself, everything else is infinitely farther away.
            quotients.append(near / far if far else (0.0 if near == 0 else math.inf))
    return _mean(quotients)


def sliced_wasserstein(
    features: Float[Tensor, "1 c _ _"], target: Float[Tensor, "1 c _ _"], *, directions: int = _DIRECTIONS
) -> float:
    """Sliced Wasserstein-2 distance between the distributions of two pictures' feature vectors.

    The vectors are projected on random directions; in one dimension the distance is that of the sorted values
    (Rabin, Peyré, Delon & Bernot, "Wasserstein Barycenter and Its Application to Texture Mixing", 2011; on features,
    Heitz et al., "A Sliced Wasserstein Loss for Neural Texture Synthesis", CVPR 2021). Pictures of different sizes are
    compared by their quantiles. The seeds of the random directions and positions are fixed.
    """
    generator = torch.Generator().manual_seed(0)
    axes = torch.randn((features.shape[1], directions), generator=generator).to(features)
    axes = axes / axes.norm(dim=0)
    difference = _quantiles(features, axes) - _quantiles(target, axes)
    return math.sqrt(float(difference.square().mean()))


def _quantiles(features: Tensor, axes: Tensor) -> Tensor:
    """Evenly spaced quantiles of the features' projections on the axes, (quantiles, axes)."""
    rows = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
    if len(rows) > _POSITIONS:
        chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(len(rows)))[:_POSITIONS]
        rows = rows[chosen.to(rows.device)]
    ordered = (rows @ axes).sort(0).values
    return F.interpolate(ordered.T[None], size=_QUANTILES, mode="linear", align_corners=True)[0].T


def content_distance(pastiche: Mapping[str, Tensor], photograph: Mapping[str, Tensor]) -> float:
    """Mean cosine distance between the deep features of two pictures at the same positions.

    At each of `CONTENT_LAYERS`, the mean over the picture is subtracted first, because it depends on the style. 0 =
    equal; unrelated pictures have about 1. The distance is averaged over positions and layers.
    """
    found = []
    for layer in CONTENT_LAYERS:
        one, other = (f[layer] - f[layer].mean((2, 3), keepdim=True) for f in (pastiche, photograph))
        found.append(float(_cosine_distance(one, other).mean()))
    return _mean(found)


def _cosine_distance(one: Tensor, other: Tensor) -> Tensor:
    """One minus the cosine of vectors along dimension 1; 0 where both are zero, 1 where only one is."""
    return torch.where((one == other).all(1), 0.0, 1 - F.cosine_similarity(one, other, dim=1))


def things_taken(
    pastiche: Mapping[str, Tensor], photograph: Mapping[str, Tensor], paintings: Sequence[Mapping[str, Tensor]]
) -> float:
    """How clearly a thing of a painting is in the pastiche: 0 = no more than in the photograph, near 1 = copied.

    Brushwork recurs all over a painting, a face or a ship does not. So each large patch of the painting, as wide as
    three tenths of the short side, is looked for in the pastiche, in the photograph, and in the rest of the painting.
    How well it is found is the mean cosine between deep features, without their mean over the picture. The result is
    the largest lead, over all patches, of the pastiche over the other two.

    Args:
        pastiche, photograph: features by layer, of one size, (1, channels, height, width).
        paintings: features of each painting, of about as many positions.
    """
    here, there = (_directions(features[THINGS_LAYER]) for features in (pastiche, photograph))
    side = round(_PATCH * min(here.shape[-2:]))
    leads = [0.0]
    for painting in paintings:
        itself = _directions(painting[THINGS_LAYER])
        if side < 2 or min(itself.shape[-2:]) < side:
            continue
        patches = itself.unfold(2, side, _PATCH_STEP).unfold(3, side, _PATCH_STEP)
        rows, columns = patches.shape[2:4]
        kernels = patches[0].permute(1, 2, 0, 3, 4).flatten(0, 1) / side**2
        found, known, own = (F.conv2d(picture, kernels)[0] for picture in (here, there, itself))
        # A patch is not looked for where it is, nor where it would overlap itself.
        down, across = (
            (
                torch.arange(length, device=own.device)[None]
                - _PATCH_STEP * torch.arange(count, device=own.device)[:, None]
            )
            .abs()
            .lt(side)
            for length, count in zip(own.shape[-2:], (rows, columns), strict=True)
        )
        near = down[:, None, :, None] & across[None, :, None, :]
        own = own.masked_fill(near.flatten(0, 1), -1.0)
        elsewhere = torch.maximum(known.amax((1, 2)), own.amax((1, 2)))
        leads.append(float((found.amax((1, 2)) - elsewhere).max()))
    return max(leads)


def _directions(features: Tensor) -> Tensor:
    """Features without their mean over the picture, each of length 1."""
    return F.normalize(features - features.mean((2, 3), keepdim=True), dim=1)


def _things(amount: float) -> Artifact:
    return Artifact(
        "thing of the painting",
        amount,
        _THINGS_LIMIT,
        "a figure or thing of the painting has come into the picture",
        "lower `largest_form` or `strength`",
    )


def edge_distance(pastiche: Float[Tensor, "1 3 h w"], photograph: Float[Tensor, "1 3 h w"]) -> float:
    """One minus the correlation of the two pictures' edge maps.

    The edge map is the magnitude of the luma gradient (Sobel), averaged over about a hundredth of the long side, so
    that edges of strokes match a contour only if they lie along it. 0 = equal; 1 = unrelated.
    """
    one, other = (_edges(picture).flatten()[None] for picture in (pastiche, photograph))
    return float(_cosine_distance(one - one.mean(), other - other.mean()))


def _edges(picture: Tensor) -> Tensor:
    plane = artifacts.luma(picture)[None, None]
    sobel = plane.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])[None, None] / 8
    padded = F.pad(plane, (1, 1, 1, 1), mode="replicate")
    strength = torch.hypot(F.conv2d(padded, sobel), F.conv2d(padded, sobel.mT))
    side = 2 * max(1, round(0.005 * max(picture.shape[-2:]))) + 1
    return F.avg_pool2d(strength, side, stride=1, padding=side // 2, count_include_pad=False)
