"""Owns the evaluator in tiles: value and gradient of large pictures in the memory of one tile."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from impasto.backbones import Backbone
from impasto.errors import ImpastoWarning, SettingsError, out_of_memory
from impasto.evaluators import Evaluator
from impasto.losses import StyleLoss
from impasto.losses.content import SquaredError, content_error, content_factor
from impasto.losses.style import layers_of
from impasto.objective import Evaluation, Objective
from impasto.tiling.grid import DEFAULT_SIDE, Reach, Tile, grid
from impasto.tiling.image_terms import add_term
from impasto.tiling.pooling import pooled_part
from impasto.tiling.sums import Total, tensors

T = TypeVar("T")


class TiledEvaluator(Evaluator):
    """Computes targets, values and gradients in tiles, where a picture is larger than one; others as a whole.

    Up to rounding, the result is that of the whole picture: tiles see all pixels that their features depend on.
    If memory runs out, tiles are made smaller, as long as the network allows.

    Args:
        side: the most that a tile has, in pixels, without what the network sees around it.
        whole: pictures of at most this many pixels are computed as a whole; None for those of one tile.

    Attributes:
        side, whole: as they are by now; memory that ran out has made them smaller.
    """

    def __init__(self, side: int = DEFAULT_SIDE, *, whole: int | None = None) -> None:
        self.side = side
        self.whole = side**2 if whole is None else whole
        self._sizes: dict[Any, dict[str, tuple[int, int]]] = {}

    def evaluate(self, objective: Objective, image: Float[Tensor, "1 3 h w"]) -> Evaluation:
        """Value and gradient of `objective` at `image`.

        Raises:
            SettingsError: a loss is no sum over positions, the network cannot be computed in tiles, or tiles would be
                smaller than what the network sees around them.
        """
        if self._as_a_whole(image):
            return self._retried(
                image,
                lambda: super(TiledEvaluator, self).evaluate(objective, image),
                lambda: self.evaluate(objective, image),
                in_tiles=objective.additive,
            )
        objective.check_additive()
        return self._retried(image, lambda: self._evaluated(objective, image))

    def content_features(
        self, backbone: Backbone, photograph: Float[Tensor, "1 3 h w"], layers: Iterable[str]
    ) -> Mapping[str, Float[Tensor, "1 _ _ _"]]:
        """The photograph's features at `layers`, by layer."""
        wanted = list(layers)
        if self._as_a_whole(photograph):
            return self._retried(
                photograph,
                lambda: super(TiledEvaluator, self).content_features(backbone, photograph, wanted),
                lambda: self.content_features(backbone, photograph, wanted),
            )
        return self._retried(photograph, lambda: self._features(backbone, photograph, wanted))

    def style_targets(
        self,
        backbone: Backbone,
        painting: Float[Tensor, "1 3 h w"],
        loss: StyleLoss[Any, Any],
        terms: Iterable[str],
        masks: Iterable[Mapping[str, Float[Tensor, "_ _"]]],
    ) -> list[dict[str, Any]]:
        """What `loss` keeps of a painting, once for each region of it."""
        terms, masks = list(terms), list(masks)
        if self._as_a_whole(painting):
            return self._retried(
                painting,
                lambda: super(TiledEvaluator, self).style_targets(backbone, painting, loss, terms, masks),
                lambda: self.style_targets(backbone, painting, loss, terms, masks),
                in_tiles=loss.additive,
            )
        _check_style_loss(loss)
        return self._retried(painting, lambda: self._targets(backbone, painting, loss, terms, masks))

    def _as_a_whole(self, image: Tensor) -> bool:
        return image.shape[-2] * image.shape[-1] <= self.whole

    def _retried(
        self, image: Tensor, work: Callable[[], T], smaller: Callable[[], T] | None = None, *, in_tiles: bool = True
    ) -> T:
        """What `work` returns; where memory runs out, tried again in smaller tiles, by `smaller` if it is given."""
        try:
            return work()
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error) or not in_tiles:
                raise
            message = str(error)
        # Outside of the handler, whose error holds on to the tensors of what failed.
        if image.device.type == "cuda":
            torch.cuda.empty_cache()
        pixels = image.shape[-2] * image.shape[-1]
        if smaller is not None:
            self.whole = min(self.whole, pixels - 1)
            self.side = min(self.side, max(image.shape[-2:]) // 2)
        else:
            self.side //= 2
        warnings.warn(
            f"memory ran out at {image.shape[-1]} × {image.shape[-2]} px; trying tiles of {self.side} px",
            ImpastoWarning,
            stacklevel=2,
        )
        try:
            return (smaller or (lambda: self._retried(image, work)))()
        except SettingsError as error:
            if error.setting != "tile_size":
                raise
            # Not even the smallest tiles fit.
            raise MemoryError(message) from error

    def _tiles(self, backbone: Backbone, layers: Iterable[str], image: Tensor) -> list[Tile]:
        return grid((image.shape[-2], image.shape[-1]), self.side, Reach.of(backbone, layers))

    def _map_sizes(self, backbone: Backbone, layers: Sequence[str], image: Tensor) -> dict[str, tuple[int, int]]:
        """(rows, columns) of the whole picture's features by layer, from those of its last tile."""
        size = (image.shape[-2], image.shape[-1])
        key = (id(backbone), tuple(layers), size)
        if key not in self._sizes:
            tile = self._tiles(backbone, layers, image)[-1]
            with torch.no_grad():
                found = dict(backbone(tile.crop(image), layers))
            self._sizes = {key: {layer: _whole_size(tile, found[layer], backbone, layer) for layer in layers}}
        return self._sizes[key]

    @torch.no_grad()
    def _features(self, backbone: Backbone, photograph: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        _check_wraps(backbone, layers, photograph)
        if not layers:
            return {}
        sizes = self._map_sizes(backbone, layers, photograph)
        whole: dict[str, Tensor] = {}
        for tile in self._tiles(backbone, layers, photograph):
            for layer, map_ in backbone.iter_features(tile.crop(photograph), layers):
                stride = backbone.layers[layer].stride
                if layer not in whole:
                    whole[layer] = map_.new_empty((1, map_.shape[1], *sizes[layer])).contiguous(
                        memory_format=torch.channels_last
                    )
                tile.window.of(whole[layer], stride).copy_(tile.inner.of(map_, stride))
        return {layer: whole[layer] for layer in layers}

    @torch.no_grad()
    def _targets(
        self,
        backbone: Backbone,
        painting: Tensor,
        loss: StyleLoss[Any, Any],
        terms: Sequence[str],
        masks: Sequence[Mapping[str, Tensor]],
    ) -> list[dict[str, Any]]:
        layers = [layer for layer in backbone.layers if any(layer in layers_of(term) for term in terms)]
        sizes = self._map_sizes(backbone, layers, painting) if _pairs(terms) else {}
        totals = [{term: Total() for term in terms} for _ in masks]
        for tile in self._tiles(backbone, layers, painting):
            for _, _, ready in _features_of_terms(backbone, tile.crop(painting), tile, terms, layers, sizes):
                for term, features in ready.items():
                    for mask, total in zip(masks, totals, strict=True):
                        total[term].add(loss.target(term, features, _cut(mask, tile, backbone)))
        return [{term: total[term].value for term in terms} for total in totals]

    def _evaluated(self, objective: Objective, image: Tensor) -> Evaluation:
        backbone, layers = objective.backbone, [name for name in objective.backbone.layers if name in objective.layers]
        _check_wraps(backbone, layers, image)
        tiles = self._tiles(backbone, layers, image)
        terms = list(dict.fromkeys(term for region in objective.regions for term in region.style))
        style_layers = [layer for layer in layers if any(layer in layers_of(term) for term in terms)]
        sizes = self._map_sizes(backbone, layers, image) if _pairs(terms) else {}
        with torch.no_grad():
            totals = [{term: Total() for term in region.style} for region in objective.regions]
            for tile in tiles if terms else ():
                crop = tile.crop(image)
                for _, _, ready in _features_of_terms(backbone, crop, tile, terms, style_layers, sizes):
                    for term, features in ready.items():
                        for region, total in zip(objective.regions, totals, strict=True):
                            if term in region.style:
                                weights = _cut(region.masks, tile, backbone)
                                total[term].add(objective.style_loss.statistics(term, features, weights))
        style = [{term: one.value for term, one in total.items()} for total in totals]
        values, slopes = _style_slopes(objective, style)
        content = _Content(objective)
        errors = {f"content {layer}": 0.0 for layer in objective.content}
        gradient = torch.zeros_like(image, memory_format=torch.contiguous_format)
        for tile in tiles if layers else ():
            leaf = tile.crop(image).detach().requires_grad_(True)
            of_content: dict[str, Tensor] = {}
            pulled: list[Tensor] = []
            with torch.enable_grad():
                for layer, own, ready in _features_of_terms(backbone, leaf, tile, terms, layers, sizes):
                    of_content |= content.term(layer, own, tile)
                    for term, features in ready.items():
                        for region, slope in zip(objective.regions, slopes, strict=True):
                            if term in region.style:
                                weights = _cut(region.masks, tile, backbone)
                                statistics = objective.style_loss.statistics(term, features, weights)
                                pulled += _products(statistics, slope[term])
                (of_tile,) = torch.autograd.grad(torch.stack([*pulled, *of_content.values()]).sum(), leaf)
            tile.add(gradient, of_tile)
            for name, loss in of_content.items():
                errors[name] += float(loss.detach())
            # The graph holds the tile's features.
            del of_tile, leaf, of_content, pulled, own, ready
        found = errors | values
        for on_image in objective.image_terms:
            found[on_image.name] = add_term(on_image, image, gradient)
        return Evaluation(image=image.detach(), value=sum(found.values()), terms=found, gradient=gradient)


class _Content:
    """The content terms of parts of a picture; what all parts share of the whole target is computed once."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        targets = objective.content if isinstance(objective.content_loss, SquaredError) else {}
        self._factors = {layer: content_factor(target, objective.normalization) for layer, target in targets.items()}

    def term(self, layer: str, features: Tensor, tile: Tile) -> dict[str, Tensor]:
        """The content term of a part at a layer, if it has one; of the features of those positions that count."""
        objective = self._objective
        if layer not in objective.content:
            return {}
        part = partial(tile.window.of, stride=objective.backbone.layers[layer].stride)
        target, weight = objective.content[layer], objective.content_masks.get(layer)
        if layer in self._factors:
            error = content_error(features, part(target), None if weight is None else part(weight))
            loss = self._factors[layer] * error
        else:
            loss = objective.content_loss.compare(features, target, objective.normalization, weight, part)
        return {f"content {layer}": objective.content_weights[layer] * loss}


def _style_slopes(
    objective: Objective, style: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, float], list[dict[str, list[Tensor | None]]]]:
    """The style terms from the sums of the whole picture, and their derivatives by each tensor of these sums."""
    if not style:
        return {}, []
    leaves = [
        {term: [tensor.requires_grad_(True) for tensor in tensors(one)] for term, one in of_region.items()}
        for of_region in style
    ]
    with torch.enable_grad():
        terms = objective.style_terms(style)
        flat = [tensor for region in leaves for several in region.values() for tensor in several]
        slopes = iter(torch.autograd.grad(torch.stack(list(terms.values())).sum(), flat, allow_unused=True))
    derived: list[dict[str, list[Tensor | None]]] = [
        {term: [next(slopes) for _ in several] for term, several in region.items()} for region in leaves
    ]
    return {name: float(term.detach()) for name, term in terms.items()}, derived


def _products(statistics: Any, slopes: Sequence[Tensor | None]) -> list[Tensor]:
    """The products of a tile's statistics and the derivatives by them, whose gradient is the tile's."""
    pairs = zip(tensors(statistics), slopes, strict=True)
    return [(one * slope).sum() for one, slope in pairs if slope is not None and one.requires_grad]


def _features_of_terms(
    backbone: Backbone,
    crop: Tensor,
    tile: Tile,
    terms: Sequence[str],
    layers: Sequence[str],
    sizes: Mapping[str, tuple[int, int]],
) -> Iterator[tuple[str, Tensor, dict[str, Mapping[str, Tensor]]]]:
    """For each layer of a tile, before the next is computed: its name, its features at the positions that count, and
    the features of those terms that need no later layer.

    A term on two layers gets the finer features as means over the positions of the coarser ones.
    """
    whole: dict[str, Tensor] = {}
    paired = {layer for term in terms if len(layers_of(term)) > 1 for layer in layers_of(term)[:-1]}
    for layer, map_ in backbone.iter_features(crop, layers):
        own = tile.inner.of(map_, backbone.layers[layer].stride)
        if layer in paired:
            whole[layer] = map_
        ready: dict[str, Mapping[str, Tensor]] = {
            term: {
                **{
                    name: _pooled(whole[name], name, layer, own, tile, backbone, sizes) for name in layers_of(term)[:-1]
                },
                layer: own,
            }
            for term in terms
            if layers_of(term)[-1] == layer
        }
        yield layer, own, ready


def _pooled(
    map_: Tensor,
    name: str,
    coarser: str,
    own: Tensor,
    tile: Tile,
    backbone: Backbone,
    sizes: Mapping[str, tuple[int, int]],
) -> Tensor:
    """Features of a finer layer, as means over the positions of a coarser one that count in a tile."""
    fine, coarse = (backbone.layers[layer].stride for layer in (name, coarser))
    top, left = tile.window.top // coarse, tile.window.left // coarse
    positions = (range(top, top + own.shape[-2]), range(left, left + own.shape[-1]))
    return pooled_part(
        map_, (tile.around.top // fine, tile.around.left // fine), sizes[name], positions, sizes[coarser]
    )


def _whole_size(tile: Tile, map_: Tensor, backbone: Backbone, layer: str) -> tuple[int, int]:
    """(rows, columns) of a layer of the whole picture, from its last tile."""
    stride = backbone.layers[layer].stride
    if tile.inside:
        return tile.around.top // stride + map_.shape[-2], tile.around.left // stride + map_.shape[-1]
    return tile.size[0] // stride, tile.size[1] // stride


def _cut(masks: Mapping[str, Tensor], tile: Tile, backbone: Backbone) -> dict[str, Tensor]:
    return {layer: tile.window.of(mask, backbone.layers[layer].stride) for layer, mask in masks.items()}


def _pairs(terms: Iterable[str]) -> bool:
    return any(len(layers_of(term)) > 1 for term in terms)


def _check_style_loss(loss: StyleLoss[Any, Any]) -> None:
    if not loss.additive:
        raise SettingsError(
            "style_loss",
            "it sorts or matches the features of the whole painting, so it cannot be computed in tiles; choose gram, "
            "gram_statistics, cross_gram, statistics or wasserstein, or a smaller size",
        )


def _check_wraps(backbone: Backbone, layers: Iterable[str], image: Tensor) -> None:
    """Refuse a picture whose opposite borders belong together, and which the network's strides do not divide."""
    if backbone.padding != "wrap":
        return
    align = Reach.of(backbone, layers).align
    if image.shape[-2] % align or image.shape[-1] % align:
        raise SettingsError(
            "padding",
            f"wrap needs sides that are multiples of {align} px in tiles, and got {image.shape[-1]} × "
            f"{image.shape[-2]} px; choose another size, or another backbone",
        )
