"""Owns the feed-forward network: one pass from a photograph to a pastiche, in the style given by a condition.

An image-transformation network (Johnson, Alahi & Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and
Super-Resolution", ECCV 2016) whose every instance normalisation takes its scale and shift from outside (Dumoulin,
Shlens & Kudlur, "A Learned Representation for Artistic Style", ICLR 2017): the convolutions are common to all styles,
and a style is a vector of scales and shifts, its *condition*. The network adds brushwork to the photograph in the
painting's colours, by mean and standard deviation along three opponent axes (after Reinhard et al., "Color Transfer
between Images", 2001), which are part of the condition too. Differences from Johnson's network:

- The first layer works on blocks of 2 × 2 pixels, and nothing is normalised at full resolution, which halves the time.
- Beyond the border the picture and all maps are mirrored. Padded with zeros, a network learns to paint a frame.
- Enlarging is bilinear interpolation and a convolution in one, which leaves no checkerboard (Odena, Dumoulin & Olah,
  "Deconvolution and Checkerboard Artifacts", Distill 2016); enlarged pixels are normalised separately (see
  `Enlarging`).
- Noise is added to the features, from which textures grow where the photograph has none (see `Grain`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

#: Count of numbers about colour in a condition: the share of the photograph's colours that is lost, three means, three
#: deviations.
COLORS = 7
# Lightness, red against blue, green against both: nearly uncorrelated axes in most pictures.
_AXES = ((3**-0.5, 3**-0.5, 3**-0.5), (2**-0.5, 0.0, -(2**-0.5)), (6**-0.5, -2 * 6**-0.5, 6**-0.5))
# Added to the deviation of a photograph's colours, so that a grey one does not become coloured noise.
_LEAST_DEVIATION = 0.03
# Pixels mirrored beyond each border and cut off at the end, so that border effects of convolutions are not visible.
MARGIN = 4
# Sides must be multiples of this after the margin.
_STRIDE = 4

# Added to a variance before the square root, as in torch's normalisations.
_EPSILON = 1e-5
# Number of planes of noise at quarter resolution, one for each pixel at half, and their period in positions.
_NOISES, _PERIOD = 4, 128

# Bilinear weights in quarters: of the pixel before, the pixel itself and the pixel after (rows), in each of three
# adjacent pixels of the enlarged map (columns); for the first and the second of the two pixels that one becomes.
_QUARTERS = (((3, 1, 0), (1, 3, 3), (0, 0, 1)), ((1, 0, 0), (3, 3, 1), (0, 1, 3)))

#: Normalises features (n, c, h, w), then applies scale and shift, each (n, c).
Normalize = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class NetworkArchitecture:
    """The sizes of a network.

    Attributes:
        fine, middle, coarse: channels at full, half and quarter resolution.
        blocks: residual blocks at quarter resolution, two convolutions each.
    """

    fine: int = 16
    middle: int = 32
    coarse: int = 80
    blocks: int = 5

    @property
    def normalized(self) -> tuple[int, ...]:
        """Channels of each normalisation, in the order of the network."""
        return (self.middle, self.coarse, *[self.coarse] * (2 * self.blocks), self.middle, self.fine)

    @property
    def condition_size(self) -> int:
        """Count of numbers in a condition: a scale and a shift for each normalised channel, and those about colour."""
        return 2 * sum(self.normalized) + COLORS

    def to_mapping(self) -> dict[str, int]:
        """Names and values."""
        return asdict(self)


class Network(nn.Module):
    """A network from photographs and conditions to pastiches.

    A condition holds for each normalisation the scales minus 1 and then the shifts, and at its end the numbers about
    colour; zeros there leave the photograph's colours as they are.
    """

    def __init__(self, architecture: NetworkArchitecture | None = None) -> None:
        super().__init__()
        self.architecture = a = architecture or NetworkArchitecture()
        self.first = _convolution(4 * 3, a.middle)
        self.down = _convolution(a.middle, a.coarse, stride=2)
        self.grain = Grain(a.coarse)
        self.body = nn.ModuleList(_convolution(a.coarse, a.coarse) for _ in range(2 * a.blocks))
        self.up = Enlarging(a.coarse, a.middle)
        self.refine = _convolution(a.middle, a.fine)
        self.last = Enlarging(a.fine, 3)
        self.normalize: Normalize = normalized
        with torch.no_grad():
            # Before training, little is added to the photograph.
            self.last.weight.mul_(0.1)

    def forward(
        self,
        image: Float[Tensor, "n 3 h w"],
        condition: Float[Tensor, "n k"],
        *,
        noise: Float[Tensor, "n _ _ _"] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Float[Tensor, "n 3 h w"]:
        """The pastiches of `image` (RGB in [0, 1], of any size); values may lie somewhat outside [0, 1].

        Args:
            noise: from the method `noise`; if None, it is always the same.
            dtype: of the features; pixels and colours are always float32.
        """
        height, width = image.shape[-2:]
        x = bordered(image)
        brushwork = self.brushwork(x, condition, noise, dtype)[..., MARGIN : MARGIN + height, MARGIN : MARGIN + width]
        return recolored(image, condition[:, -COLORS:]) + brushwork

    def noise(self, generators: Sequence[torch.Generator], size: Sequence[int]) -> Float[Tensor, "n _ _ _"]:
        """Random noise for pictures of a (height, width), from one generator for each."""
        height, width = (-(-side // _STRIDE) + 2 * MARGIN // _STRIDE for side in size)
        return self.grain.drawn(generators, height, width)

    def cast(self, dtype: torch.dtype) -> None:
        """Compute features in a number type; the last convolution, which makes pixels, stays float32."""
        for name, part in self.named_children():
            if name != "last":
                part.to(dtype)

    def brushwork(
        self,
        x: Float[Tensor, "n 3 h w"],
        condition: Float[Tensor, "n k"],
        noise: Tensor | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Float[Tensor, "n 3 h w"]:
        """The brushwork that is added to the photograph; `x` has its margin, and sides that are multiples of 4."""
        mixed = contextlib.nullcontext() if dtype == torch.float32 else torch.autocast(x.device.type, dtype)
        with mixed:
            features = self.features(x, condition, noise)
        # Always float32: with 8 significant bits, a smooth sky would show bands.
        return F.pixel_shuffle(self.last(features.to(self.last.weight.dtype)), 2)

    def features(
        self, x: Float[Tensor, "n 3 h w"], condition: Float[Tensor, "n k"], noise: Tensor | None
    ) -> Float[Tensor, "n c _ _"]:
        """The input of the last layer, at half the size of `x`."""
        styles = iter(self.split(condition))

        def normal(features: Tensor, repeat: int = 1) -> Tensor:
            scale, shift = (numbers.repeat_interleave(repeat, 1) for numbers in next(styles))
            return self.normalize(features, 1.0 + scale, shift)

        x = F.pixel_unshuffle(x, 2).to(self.first.weight.dtype).contiguous(memory_format=torch.channels_last)
        x = F.relu(normal(self.first(x)), inplace=True)
        x = self.down(x)
        if noise is None:
            noise = self.grain.plane(*(torch.arange(side, device=x.device) for side in x.shape[-2:]))
        x = x + self.grain(noise)
        x = F.relu(normal(x), inplace=True)
        for one, two in zip(self.body[::2], self.body[1::2], strict=True):
            x = x + normal(two(F.relu(normal(one(x)), inplace=True)))
        # Each of the four pixels of an enlarged one is normalised separately, see Enlarging.
        x = F.pixel_shuffle(F.relu(normal(self.up(x), repeat=4), inplace=True), 2)
        x = F.pixel_unshuffle(self.refine(x), 2)
        return F.pixel_shuffle(F.relu(normal(x, repeat=4), inplace=True), 2)

    def split(self, condition: Float[Tensor, "n k"]) -> list[tuple[Float[Tensor, "n _"], Float[Tensor, "n _"]]]:
        """(scale minus 1, shift) of each normalisation."""
        sizes = [size for channels in self.architecture.normalized for size in (channels, channels)]
        parts = torch.split(condition[:, :-COLORS], sizes, dim=1)
        return list(zip(parts[::2], parts[1::2], strict=True))


class Grain(nn.Module):
    """Noise that is added to features, with a learned weight for each feature and plane of noise.

    Convolutions turn a flat sky into a flat area; the only texture they can add is the lattice of enlarged pixels. From
    noise they can make any texture (Ulyanov, Lebedev, Vedaldi & Lempitsky, "Texture Networks", ICML 2016). The noise
    depends on the position only, so that a photograph is always painted the same, in strips or at once. In training it
    is drawn at random, or the network would learn the noise of each position.
    """

    noise: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.1 * torch.randn(features, _NOISES, 1, 1))
        generator = torch.Generator().manual_seed(0)
        # Rounded to half precision, as it is stored.
        self.register_buffer("noise", torch.randn(1, _NOISES, _PERIOD, _PERIOD, generator=generator).half().float())

    def forward(self, noise: Float[Tensor, "n 4 h w"]) -> Float[Tensor, "n c h w"]:
        """The term that is added to the features."""
        noise = noise.to(self.weight.dtype).contiguous(memory_format=torch.channels_last)
        return F.conv2d(noise, self.weight)

    def plane(self, rows: Int[Tensor, " h"], columns: Int[Tensor, " w"]) -> Float[Tensor, "1 4 h w"]:
        """The noise at these positions of a map; it repeats after 128 of them, which is 512 pixels."""
        # A tensor, because the ONNX exporter supports no other remainder.
        period = torch.full((), _PERIOD, device=rows.device)
        return self.noise.index_select(-2, rows.remainder(period)).index_select(-1, columns.remainder(period))

    def drawn(self, generators: Sequence[torch.Generator], height: int, width: int) -> Float[Tensor, "n 4 h w"]:
        """Random noise, from one generator on the CPU for each image."""
        each = [torch.randn(1, _NOISES, height, width, generator=generator) for generator in generators]
        return torch.cat(each).to(self.noise.device, non_blocking=True)


class Enlarging(nn.Conv2d):
    """Bilinear interpolation to twice the size and a 3 × 3 convolution, computed as one convolution of the small map.

    Each of the four pixels that replace one is a weighted sum of the 3 × 3 pixels around that one. The enlarged map,
    which takes longer to write and read than to compute, is never stored. Maps are mirrored at their borders.

    The four pixels are separate channels, which `pixel_shuffle` arranges. Interpolation gives them different variances,
    which an activation turns into different means: a visible grid of 4 px. So each is normalised with its own mean and
    variance before the activation.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n _ h w"]:
        """Four channels for each feature, for `pixel_shuffle`."""
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), *self.kernel())

    def kernel(self) -> tuple[Float[Tensor, "_ c 3 3"], Float[Tensor, " _"]]:
        """Weight and bias of the convolution."""
        quarters = _sent(torch.tensor(_QUARTERS), self.weight) / 4
        weight = torch.einsum("ocab,pia,qjb->opqcij", self.weight, quarters, quarters)
        assert self.bias is not None
        return weight.flatten(0, 2), self.bias.repeat_interleave(4)


def normalized(features: Float[Tensor, "n c h w"], scale: Float[Tensor, "n c"], shift: Float[Tensor, "n c"]) -> Tensor:
    """Instance normalisation (Ulyanov, Vedaldi & Lempitsky, 2016) with a scale and shift for each image.

    On a CPU each picture is normalised as a batch of one, because torch's batch normalisation is fast for channels-last
    memory. Elsewhere a call for each picture would take longer than its work.
    """
    if len(features) > 1 and features.device.type != "cpu":
        variance, mean = torch.var_mean(features.float(), (2, 3), correction=0, keepdim=True)
        factor = scale[:, :, None, None] * (variance + _EPSILON).rsqrt()
        return (features * factor + (shift[:, :, None, None] - mean * factor)).to(features.dtype)
    each = [
        F.batch_norm(one[None], None, None, weight, bias, training=True)
        for one, weight, bias in zip(features, scale, shift, strict=True)
    ]
    # One picture is the usual case, and copying it would take as long as normalising it.
    return each[0] if len(each) == 1 else torch.cat(each)


def recolored(image: Float[Tensor, "n 3 h w"], color: Float[Tensor, "n 7"]) -> Float[Tensor, "n 3 h w"]:
    """`image` in the colours of a condition, given its part about colour."""
    rows = image.flatten(2)
    mean = rows.mean(2)
    covariance = rows @ rows.mT / rows.shape[2] - mean[:, :, None] * mean[:, None, :]
    matrix, offset = color_map(mean, covariance, color)
    return (matrix @ rows + offset[:, :, None]).view_as(image)


def color_map(
    mean: Float[Tensor, "n 3"], covariance: Float[Tensor, "n 3 3"], color: Float[Tensor, "n 7"]
) -> tuple[Float[Tensor, "n 3 3"], Float[Tensor, "n 3"]]:
    """The matrix and the offset that recolour pictures whose colours have this mean and covariance."""
    axes = _sent(torch.tensor(_AXES, dtype=torch.float64), mean)
    lost, means, deviations = color[:, :1], color[:, 1:4], color[:, 4:]
    own = (axes @ covariance @ axes.T).diagonal(dim1=1, dim2=2).clamp_min(0.0)
    gain = deviations / ((own + 1e-8).sqrt() + _LEAST_DEVIATION)
    matrix = axes.T @ ((1.0 - lost + gain)[:, :, None] * axes)
    offset = (means - gain * (mean @ axes.T)) @ axes
    return matrix, offset


def color_of(painting: Float[Tensor, "1 3 h w"]) -> Float[Tensor, " 7"]:
    """The part of a condition that gives photographs the colours of `painting`."""
    axes = _sent(torch.tensor(_AXES, dtype=torch.float64), painting)
    colors = axes @ painting[0].flatten(1)
    return torch.cat([torch.ones_like(colors[:1, 0]), colors.mean(1), colors.std(1)])


def bordered(image: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 _ _"]:
    """The picture with mirrored borders of `MARGIN` pixels, extended at the bottom and right to multiples of 4."""
    down, right = (MARGIN + -side % _STRIDE for side in image.shape[-2:])
    if min(image.shape[-2:]) > max(down, right):
        return F.pad(image, (MARGIN, right, MARGIN, down), mode="reflect")
    # A small picture is mirrored repeatedly.
    for dim in (-2, -1):
        side = image.shape[dim]
        positions = torch.arange(-MARGIN, side + MARGIN + -side % _STRIDE, device=image.device)
        image = image.index_select(dim, mirrored(positions, side))
    return image


def mirrored(positions: Tensor, side: int) -> Tensor:
    """Positions folded into 0 to `side` - 1 by mirrors at both ends, without repeating the end pixels."""
    if side == 1:
        return torch.zeros_like(positions)
    period = 2 * (side - 1)
    positions = positions.remainder(period)
    return torch.minimum(positions, period - positions)


def _sent(constant: Tensor, like: Tensor) -> Tensor:
    """A constant in the number type and on the device of `like`, without waiting for that device."""
    return constant.to(like.dtype).to(like.device, non_blocking=True)


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    # Mirrored: from zeros the network would learn where the picture ends, and paint a frame.
    return nn.Conv2d(inputs, outputs, 3, stride, 1, padding_mode="reflect")
