"""Owns how good a pastiche is, in numbers that no objective of ours minimises: near in style, near in content, faults.

A loss cannot be its own judge. These measures look at layers that the default objective leaves out, by distances that
it does not use, at two sizes; and each has a meaning of its own: 0 is the painting (or the photograph) itself, and 1 is
as far from it as the other one is, or as a picture that has nothing to do with it.
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

#: Layers that style is compared at: the default objective uses relu1_1, relu2_1, … relu5_1.
STYLE_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
#: Layers that content is compared at: the default objective uses relu4_2.
CONTENT_LAYERS = ("relu4_4", "relu5_2")

# Long side of the larger of the two sizes that pictures are judged at; the other is half of it.
_SIDE = 512
# What the deepest layer would see next to nothing of is not looked at.
_LEAST_SIDE = VGG19.architecture.min_side
# Directions that features are projected on, positions that are drawn from a picture, and quantiles compared.
_DIRECTIONS = 128
_POSITIONS = 16384
_QUANTILES = 1024


@dataclass(frozen=True)
class Judgement:
    """How good a pastiche is.

    Attributes:
        style: distance to the paintings in style: 0 = the painting, 1 = the photograph. See `style_distance`.
        content: distance to the photograph in what it shows: 0 = the photograph, 1 = another picture. See
            `content_distance`.
        edges: distance to the photograph in where its edges are: 0 = the photograph, 1 = unrelated. See
            `edge_distance`.
        artifacts: the faults it shows, the worst first.
    """

    style: float
    content: float
    edges: float
    artifacts: tuple[Artifact, ...]


class Judge:
    """Compares pastiches to the photograph and the paintings they were made from.

    Pictures are looked at with a long side of 512 px (or their own, if that is less) and of half of it. The same
    pictures always give the same numbers: nothing is drawn at random but by a fixed seed.

    Args:
        content: the photograph.
        styles: the paintings, at least one; of several, the style distance is the mean.
        device: where to compute; the CPU by default.

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
        """How good `pastiche` is.

        Raises:
            SettingsError: it is too small to be looked at.
        """
        found = artifacts.find(pastiche, self.content, self.styles)
        if artifacts.not_finite(pastiche.pixels):
            return Judgement(math.nan, math.nan, math.nan, found)
        style, content, edges = [], [], []
        for size in self._sizes(pastiche):
            reference = self._reference(size)
            picture = resize(pastiche.pixels, size).to(self.device)
            features = self._features(picture)
            style.append(style_distance(features, reference.photograph, reference.paintings))
            content.append(content_distance(features, reference.photograph))
            edges.append(edge_distance(picture, resize(self.content.pixels, size).to(self.device)))
        return Judgement(_mean(style), _mean(content), _mean(edges), found)

    def _sizes(self, pastiche: Image) -> list[tuple[int, int]]:
        side = min(_SIDE, max(pastiche.size))
        sizes = [fit(pastiche.size, side), fit(pastiche.size, side // 2)]
        sizes = [size for size in sizes if min(size) >= _LEAST_SIDE]
        if not sizes:
            raise SettingsError(
                "pastiche", f"{pastiche.height} × {pastiche.width} px is too small; each side needs {_LEAST_SIDE}"
            )
        return sizes

    def _reference(self, size: tuple[int, int]) -> _Reference:
        if size not in self._references:
            area = size[0] * size[1]
            self._references[size] = _Reference(
                photograph=self._features(resize(self.content.pixels, size).to(self.device)),
                # As many pixels as the pastiche has, in the painting's own shape.
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
    """How far the pastiche's features are from the paintings', as a share of how far the photograph's are.

    At each of `STYLE_LAYERS`: the sliced Wasserstein distance between the pictures' features. The shares are averaged
    over layers and paintings.

    Args:
        pastiche, photograph, paintings: features by layer, each (1, channels, height, width).
    """
    shares = []
    for layer in STYLE_LAYERS:
        for painting in paintings:
            far = sliced_wasserstein(photograph[layer], painting[layer])
            near = sliced_wasserstein(pastiche[layer], painting[layer])
            # A photograph that is the painting itself: anything else is infinitely farther from it.
            shares.append(near / far if far else (0.0 if near == 0 else math.inf))
    return _mean(shares)


def sliced_wasserstein(
    features: Float[Tensor, "1 c _ _"], target: Float[Tensor, "1 c _ _"], *, directions: int = _DIRECTIONS
) -> float:
    """Sliced Wasserstein-2 distance between two pictures' feature vectors, wherever in the picture they lie.

    The vectors are projected on random directions; in one dimension the distance is that between the sorted values
    (Rabin, Peyré, Delon & Bernot, "Wasserstein Barycenter and Its Application to Texture Mixing", 2011; on features,
    Heitz et al., "A Sliced Wasserstein Loss for Neural Texture Synthesis", CVPR 2021). Pictures of different sizes are
    compared by their quantiles. Directions and positions are drawn by a fixed seed.
    """
    generator = torch.Generator().manual_seed(0)
    axes = torch.randn((features.shape[1], directions), generator=generator).to(features)
    axes = axes / axes.norm(dim=0)
    difference = _quantiles(features, axes) - _quantiles(target, axes)
    return math.sqrt(float(difference.square().mean()))


def _quantiles(features: Tensor, axes: Tensor) -> Tensor:
    """Evenly spaced quantiles of the features' projections on each axis, (quantiles, axes)."""
    rows = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
    if len(rows) > _POSITIONS:
        chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(len(rows)))[:_POSITIONS]
        rows = rows[chosen.to(rows.device)]
    ordered = (rows @ axes).sort(0).values
    return F.interpolate(ordered.T[None], size=_QUANTILES, mode="linear", align_corners=True)[0].T


def content_distance(pastiche: Mapping[str, Tensor], photograph: Mapping[str, Tensor]) -> float:
    """How far the deep features, place by place, point elsewhere than the photograph's.

    At each of `CONTENT_LAYERS`: the features less their mean over the picture, which style shifts; then one less the
    cosine between the two pictures' vectors, averaged over places and layers. 0 = the same; unrelated pictures come to
    about 1.
    """
    found = []
    for layer in CONTENT_LAYERS:
        one, other = (f[layer] - f[layer].mean((2, 3), keepdim=True) for f in (pastiche, photograph))
        found.append(float(_unlike(one, other).mean()))
    return _mean(found)


def _unlike(one: Tensor, other: Tensor) -> Tensor:
    """One less the cosine of vectors along the first dimension but one; 0 where both are zero, 1 where only one is."""
    return torch.where((one == other).all(1), 0.0, 1 - F.cosine_similarity(one, other, dim=1))


def edge_distance(pastiche: Float[Tensor, "1 3 h w"], photograph: Float[Tensor, "1 3 h w"]) -> float:
    """One less the correlation of where the two pictures have edges.

    Edges are the magnitude of the luminance's gradient (Sobel), averaged over about a hundredth of the long side, so
    that a stroke along a contour counts and one beside it does not. 0 = the same; 1 = unrelated.
    """
    one, other = (_edges(picture).flatten()[None] for picture in (pastiche, photograph))
    return float(_unlike(one - one.mean(), other - other.mean()))


def _edges(picture: Tensor) -> Tensor:
    plane = artifacts.luma(picture)[None, None]
    sobel = plane.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])[None, None] / 8
    padded = F.pad(plane, (1, 1, 1, 1), mode="replicate")
    strength = torch.hypot(F.conv2d(padded, sobel), F.conv2d(padded, sobel.mT))
    side = 2 * max(1, round(0.005 * max(picture.shape[-2:]))) + 1
    return F.avg_pool2d(strength, side, stride=1, padding=side // 2, count_include_pad=False)
