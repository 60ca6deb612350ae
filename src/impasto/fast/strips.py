"""Owns a pass through the network strip by strip: pictures of any size, in little memory, with the same result.

A picture cannot simply be cut up, because instance normalisation needs the mean and variance of the whole of it. So the
network is computed layer by layer, and each layer strip by strip: its statistics are summed, and it is normalised when
the next layer reads it. Only two maps of features at quarter resolution stay in memory; the larger maps of the first
and the last layers are computed again whenever they are read. The result equals that of the whole picture up to
rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from impasto.fast.network import COLORS, MARGIN, Enlarging, Grain, Network, color_map, mirrored

# Added to a variance before the square root, as in torch's normalisations.
_EPSILON = 1e-5
# Number of positions of a map that are computed at once.
_POSITIONS = 1 << 18


def paint(
    network: Network, pixels: Float[Tensor, "1 3 h w"], condition: Float[Tensor, "1 k"], *, in_place: bool = False
) -> Float[Tensor, "1 3 h w"]:
    """The pastiche of `pixels` in [0, 1], on the CPU; the network computes where the condition is.

    Args:
        in_place: whether the pastiche overwrites `pixels`.
    """
    styles = iter(network.split(condition))

    def normal(layer: _Layer, relu: bool = True, repeat: int = 1) -> _Layer:
        scale, shift = (numbers[0].repeat_interleave(repeat) for numbers in next(styles))
        return _normalized(layer, 1.0 + scale, shift, relu)

    entry = _entry(pixels, condition.device, network.first.weight.dtype)
    first = normal(_convolved(entry, network.first))
    x = _stored(_grained(_convolved(first, network.down), network.grain))
    x = _stored(normal(x), x)
    y = None
    for one, two in zip(network.body[::2], network.body[1::2], strict=True):
        y = _stored(_convolved(x, one), y)
        y = _stored(_convolved(normal(y), two), y)
        x = _stored(_sum(x, normal(y, relu=False)), x)
    up = _shuffled(normal(_enlarged(x, network.up), repeat=4))
    refine = _shuffled(normal(_unshuffled(_convolved(up, network.refine)), repeat=4))
    last = _shuffled(_enlarged(_cast(refine, network.last.weight.dtype), network.last))

    height, width = pixels.shape[-2:]
    matrix, offset = _colors(pixels, condition[:, -COLORS:])
    # From here on, no layer reads the photograph: the remaining features come from stored ones.
    painted = pixels if in_place else torch.empty_like(pixels, memory_format=torch.contiguous_format)
    for begin, end in last.strips(MARGIN, MARGIN + height):
        brushwork = last.read(begin, end)[..., MARGIN : MARGIN + width].cpu()
        rows = slice(begin - MARGIN, end - MARGIN)
        recolored = torch.einsum("ij,njhw->nihw", matrix, pixels[:, :, rows]) + offset
        painted[:, :, rows] = (recolored + brushwork).clamp(0.0, 1.0)
    return painted


def _colors(pixels: Tensor, color: Tensor) -> tuple[Tensor, Tensor]:
    """The matrix, (3, 3), and the offset, (3, 1, 1), that recolour the whole picture, as in `network.recolored`."""
    total, products = torch.zeros(3, dtype=torch.float64), torch.zeros(3, 3, dtype=torch.float64)
    for rows in torch.split(pixels[0], 256, dim=1):
        colors = rows.flatten(1)
        total += colors.sum(1).double()
        products += (colors @ colors.T).double()
    count = pixels.shape[-2] * pixels.shape[-1]
    mean = total / count
    covariance = products / count - mean[:, None] * mean[None, :]
    matrix, offset = color_map(mean[None], covariance[None], color.cpu().double())
    return matrix[0].float(), offset[0].float()[:, None, None]


@dataclass(frozen=True)
class _Layer:
    """Features that are computed, or taken from memory, when they are read.

    Attributes:
        channels, height, width: of the whole map.
        read: returns rows `begin` to `end`, (1, channels, end - begin, width).
        stored: the whole map, if it is in memory.
    """

    channels: int
    height: int
    width: int
    read: Callable[[int, int], Tensor]
    stored: Tensor | None = None

    def padded(self, begin: int, end: int) -> Tensor:
        """Rows `begin` to `end`, at least three, with mirrored borders: a column on either side, and rows outside."""
        top, bottom = max(0, begin), min(self.height, end)
        return F.pad(self.read(top, bottom), (1, 1, top - begin, end - bottom), mode="reflect")

    def strips(self, begin: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
        """Split the rows from `begin` to `end` into strips; yields the begin and end of each."""
        end = self.height if end is None else end
        step = max(4, _POSITIONS // self.width)
        for top in range(begin, end, step):
            yield top, min(end, top + step)


def _entry(pixels: Tensor, device: torch.device, dtype: torch.dtype) -> _Layer:
    """The input of the first convolution: blocks of 2 × 2 pixels of the picture, mirrored at its borders."""
    height, width = (side + -side % 4 + 2 * MARGIN for side in pixels.shape[-2:])
    down, across = (
        mirrored(torch.arange(-MARGIN, whole - MARGIN), side)
        for whole, side in zip((height, width), pixels.shape[-2:], strict=True)
    )

    def read(begin: int, end: int) -> Tensor:
        rows = pixels.index_select(-2, down[2 * begin : 2 * end]).index_select(-1, across).to(device)
        return F.pixel_unshuffle(rows, 2).to(dtype).contiguous(memory_format=torch.channels_last)

    return _Layer(12, height // 2, width // 2, read)


def _convolved(layer: _Layer, convolution: nn.Module) -> _Layer:
    assert isinstance(convolution, nn.Conv2d)
    stride = convolution.stride[0]

    def read(begin: int, end: int) -> Tensor:
        rows = layer.padded(begin * stride - 1, (end - 1) * stride + 2)
        return F.conv2d(rows, convolution.weight, convolution.bias, stride)

    return _Layer(convolution.out_channels, layer.height // stride, layer.width // stride, read)


def _grained(layer: _Layer, grain: Grain) -> _Layer:
    device = grain.noise.device
    columns = torch.arange(layer.width, device=device)

    def read(begin: int, end: int) -> Tensor:
        noise: Tensor = grain(grain.plane(torch.arange(begin, end, device=device), columns))
        return layer.read(begin, end) + noise

    return _Layer(layer.channels, layer.height, layer.width, read)


def _normalized(layer: _Layer, scale: Tensor, shift: Tensor, relu: bool) -> _Layer:
    # On the CPU, because some devices lack float64.
    total, squares = (torch.zeros(layer.channels, dtype=torch.float64) for _ in range(2))
    for begin, end in layer.strips():
        rows = layer.read(begin, end).float()
        total += rows.sum((0, 2, 3)).cpu().double()
        squares += rows.square().sum((0, 2, 3)).cpu().double()
    count = layer.height * layer.width
    mean = total / count
    deviation = (squares / count - mean.square()).clamp_min(0.0).add(_EPSILON).sqrt()
    factor = scale.cpu().double() / deviation
    offset = shift.cpu().double() - mean * factor
    factor, offset = (numbers.float().to(scale.device).view(1, -1, 1, 1) for numbers in (factor, offset))

    def read(begin: int, end: int) -> Tensor:
        rows = layer.read(begin, end)
        normal = torch.addcmul(offset, rows.float(), factor).to(rows.dtype)
        return normal.relu_() if relu else normal

    return _Layer(layer.channels, layer.height, layer.width, read)


def _stored(layer: _Layer, over: _Layer | None = None) -> _Layer:
    """The layer, computed once and stored; it may overwrite `over`, a stored layer, even if it reads that layer.

    A strip is written after the next one has been computed, because that one still reads a row of it.
    """
    stored = over.stored if over is not None else None
    if stored is None:
        sample = layer.read(0, 1)
        stored = sample.new_empty((1, layer.height, layer.width, layer.channels)).permute(0, 3, 1, 2)
    waiting: tuple[int, int, Tensor] | None = None
    for begin, end in layer.strips():
        rows = layer.read(begin, end)
        if waiting is not None:
            stored[:, :, waiting[0] : waiting[1]] = waiting[2]
        waiting = begin, end, rows
    if waiting is not None:
        stored[:, :, waiting[0] : waiting[1]] = waiting[2]
    whole = stored
    return _Layer(layer.channels, layer.height, layer.width, lambda begin, end: whole[:, :, begin:end], whole)


def _sum(one: _Layer, other: _Layer) -> _Layer:
    return _Layer(one.channels, one.height, one.width, lambda begin, end: one.read(begin, end) + other.read(begin, end))


def _enlarged(layer: _Layer, enlarging: nn.Module) -> _Layer:
    """The output of `Enlarging`: four channels for each feature, before the shuffle."""
    assert isinstance(enlarging, Enlarging)
    weight, bias = enlarging.kernel()

    def read(begin: int, end: int) -> Tensor:
        return F.conv2d(layer.padded(begin - 1, end + 1), weight, bias)

    return _Layer(4 * enlarging.out_channels, layer.height, layer.width, read)


def _shuffled(layer: _Layer) -> _Layer:
    def read(begin: int, end: int) -> Tensor:
        first, last = begin // 2, -(-end // 2)
        return F.pixel_shuffle(layer.read(first, last), 2)[:, :, begin - 2 * first : end - 2 * first]

    return _Layer(layer.channels // 4, 2 * layer.height, 2 * layer.width, read)


def _unshuffled(layer: _Layer) -> _Layer:
    def read(begin: int, end: int) -> Tensor:
        return F.pixel_unshuffle(layer.read(2 * begin, 2 * end), 2)

    return _Layer(4 * layer.channels, layer.height // 2, layer.width // 2, read)


def _cast(layer: _Layer, dtype: torch.dtype) -> _Layer:
    return _Layer(layer.channels, layer.height, layer.width, lambda begin, end: layer.read(begin, end).to(dtype))
