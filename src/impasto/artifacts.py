"""Owns the faults that a pastiche may show, each found by a measure of its own: grids, noise, specks, halos, seams.

The measures look at the picture alone or beside the photograph and the paintings it was made from, because what is a
fault in one picture is texture in another: a woven canvas, a starry sky, a white wall. Only what goes beyond the
originals counts. Each gives a number that is 0 for a clean picture and grows with the fault, and each has a limit above
which a person sees it; the limits were set by looking at pictures with and without.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from impasto.color import LUMA
from impasto.images import Image, of_area, resize

Pixels = Float[Tensor, "1 3 _ _"]
Plane = Float[Tensor, "_ _"]

# Sides of the windows that spectra are taken in, the larger one where the picture has room for it.
_WINDOWS = (128, 64)
# Windows along a side of the picture, at most.
_MOST_WINDOWS = 20
_PERIODS = (2, 4, 8, 16)
# Dots are looked for in the picture and in one of half its size, where blots are dots.
_SPECK_FACTORS = (1, 2)
# Cells in which dead areas and noise are looked for.
_CELL = 8
# Kinds of which there is not one and another.
_WITHOUT_ARTICLE = ("noise", "specks", "not a number")
# Lines a picture must have for a seam to stand out among them, and parts of a line that are looked at.
_SHORTEST = 12
_PARTS = 8


@dataclass(frozen=True)
class Artifact:
    """A fault that was found.

    Attributes:
        kind: `grid`, `noise`, `specks`, `halo`, `seam`, `dead area` or `not a number`.
        amount: the measure, see the function of that name.
        limit: what it may be at most.
        where: what and where it is, in words.
        advice: what to change.
    """

    kind: str
    amount: float
    limit: float
    where: str
    advice: str

    def __str__(self) -> str:
        article = "" if self.kind in _WITHOUT_ARTICLE else "a "
        return f"{article}{self.kind}: {self.where}; {self.advice}"


@dataclass(frozen=True)
class _Check:
    kind: str
    limit: float
    measure: Callable[[Pixels, Pixels, Sequence[Pixels]], tuple[float, str]]
    advice: str


def find(pastiche: Image, content: Image, styles: Sequence[Image]) -> tuple[Artifact, ...]:
    """The faults that `pastiche` shows beyond those of the pictures it was made from; the worst first.

    Args:
        pastiche: the picture to look at, of any size.
        content: the photograph; it is compared at the size of the pastiche.
        styles: the paintings.
    """
    picture = pastiche.pixels
    if broken := not_finite(picture):
        return (
            Artifact(
                "not a number",
                broken,
                0.0,
                f"{broken:.2%} of the values are infinite or not a number",
                "this is a fault of Impasto or of the hardware; try `precision` float32",
            ),
        )
    photograph = resize(content.pixels, pastiche.size)
    paintings = [style.pixels for style in styles]
    found = []
    for check in _CHECKS:
        amount, where = check.measure(picture, photograph, paintings)
        if amount > check.limit:
            found.append(Artifact(check.kind, amount, check.limit, where, check.advice))
    return tuple(sorted(found, key=lambda artifact: artifact.limit / artifact.amount))


def not_finite(picture: Pixels) -> float:
    """Share of the values that are infinite or not a number, 0 to 1."""
    return float((~torch.isfinite(picture)).double().mean())


# --- Woven grid -------------------------------------------------------------------------------------------------------


def grid(picture: Pixels, photograph: Pixels, paintings: Sequence[Pixels]) -> tuple[float, str]:
    """How far a regular weave of 2, 4, 8 or 16 px stands out of the spectrum, beyond the originals' own.

    Networks with pooling see the picture on grids of these periods, and may weave them into it. In the mean power
    spectrum over windows (Welch 1967), a weave is a ridge along the frequency 1 / period, or a peak where two such
    ridges cross; the measure is how many times stronger it is than the spectrum beside it, as a natural logarithm.
    """
    # All in windows of one size, but for what is too small for any.
    fitting = [_window(original) for original in (picture, photograph, *paintings)]
    if not fitting[0]:
        return 0.0, ""
    side = min(filter(None, fitting))
    # A ridge nobody can see is none: half a level of 255 in amplitude.
    peaks = _peaks(_spectrum(luma(picture), side), floor=(0.5 / 255) ** 2)
    for original, fits in zip((photograph, *paintings), fitting[1:], strict=True):
        if fits:
            peaks = peaks - _peaks(_spectrum(luma(original), side), floor=(0.5 / 255) ** 2).clamp_min(0)
    index = int(peaks.argmax())
    return max(0.0, float(peaks[index])), f"a regular pattern every {_PERIODS[index]} px"


def _window(picture: Pixels) -> int:
    """Side of the largest window that the picture has room for, 0 if it has for none."""
    return next((side for side in _WINDOWS if min(picture.shape[-2:]) >= side), 0)


def _spectrum(plane: Plane, side: int) -> Tensor:
    """Mean power spectrum over windows: frequencies along y (all) and x (non-negative)."""
    # Half overlapping; in a large picture further apart, for so many windows tell enough.
    rows, columns = (max(side // 2, -(-(length - side) // (_MOST_WINDOWS - 1))) for length in plane.shape)
    tiles = plane.unfold(0, side, rows).unfold(1, side, columns).reshape(-1, side, side).double()
    hann = torch.hann_window(side, periodic=False, dtype=torch.float64, device=plane.device)
    window = torch.outer(hann, hann)
    tiles = (tiles - tiles.mean((1, 2), keepdim=True)) * window
    power: Tensor = torch.fft.rfft2(tiles).abs().square().mean(0)
    return power / window.square().sum()


def _peaks(power: Tensor, floor: float) -> Tensor:
    """For each period, the logarithm of how far its ridges and crossings stand above what is beside them."""
    half = power.shape[0] // 2
    # Fold negative frequencies along y onto positive ones: a quadrant (half + 1, half + 1).
    quadrant = power[: half + 1].clone()
    quadrant[1:half] = (quadrant[1:half] + power[half + 1 :].flip(0)) / 2
    logs = (quadrant + floor).log()
    found = []
    for period in _PERIODS:
        at = power.shape[0] // period
        ridges = [_above(logs.mean(1), at), _above(logs.mean(0), at)]
        # Stripes across the whole picture gather in one point of an axis; axes are ridges in every picture.
        stripes = [
            min(_above(logs[:, 0], at), _above_around(logs, at, 0)),
            min(_above(logs[0], at), _above_around(logs, 0, at)),
        ]
        crossing = _above_around(logs, at, at)
        # A single point scatters more than the mean over a ridge.
        found.append(max(*ridges, *(point / 2 for point in (*stripes, crossing))))
    return torch.tensor(found)


def _above(line: Tensor, at: int) -> float:
    """How far a point of a line stands above the mean of those three and four steps to either side."""
    beside = [line[place] for place in (at - 4, at - 3, at + 3, at + 4) if 0 < place < len(line)]
    return float(line[at] - torch.stack(beside).mean())


def _above_around(plane: Tensor, row: int, column: int) -> float:
    """How far a point of a plane stands above the median of those three to five steps away."""
    patch = plane[max(0, row - 5) : row + 6, max(0, column - 5) : column + 6]
    rows = (torch.arange(len(patch)) + max(0, row - 5) - row).abs()
    columns = (torch.arange(patch.shape[1]) + max(0, column - 5) - column).abs()
    ring = torch.maximum(rows[:, None], columns[None, :]) >= 3
    return float(plane[row, column] - patch[ring].median())


# --- Noise ------------------------------------------------------------------------------------------------------------


def noise(picture: Pixels, photograph: Pixels, paintings: Sequence[Pixels]) -> tuple[float, str]:
    """How much noisier the smoothest fifth of the picture is than that of the originals, in levels of 255.

    Of the originals the noisiest counts, each with as many pixels as the picture. Where a picture should be smooth,
    there is nothing but noise to be measured: by a mask that no plane and no straight edge along an axis excites
    (Immerkær, "Fast Noise Variance Estimation", 1996), in cells of 8 × 8 px.
    """
    area = picture.shape[-2] * picture.shape[-1]
    originals = [photograph, *(resize(painting, of_area(_size(painting), area)) for painting in paintings)]
    return max(0.0, _noise(picture) - max(map(_noise, originals))), "fine noise, also where it should be smooth"


def _noise(picture: Pixels) -> float:
    """Standard deviation of the noise in the picture's smoothest fifth, in levels of 255."""
    if min(picture.shape[-2:]) < _CELL + 2:
        return 0.0
    plane = luma(picture)[None, None]
    line = plane.new_tensor([1.0, -2.0, 1.0])
    mask = torch.outer(line, line)[None, None] / 6
    cells = F.avg_pool2d(F.conv2d(plane, mask).square(), _CELL)
    return 255.0 * float(cells.flatten().sort().values[cells.numel() // 5].sqrt())


# --- Specks -----------------------------------------------------------------------------------------------------------


def specks(picture: Pixels, photograph: Pixels, paintings: Sequence[Pixels]) -> tuple[float, str]:
    """Isolated pixels, or blots of two or three, far lighter or darker than all around: how many in a million pixels.

    Where the photograph has a dot itself, however faint, it is what is painted; and of the rest only those count that
    are more than the paintings have.
    """
    found = 0.0
    for factor in _SPECK_FACTORS:
        dots = _dots(picture, factor, least=0.2)
        own = _dots(photograph, factor, least=0.02, alone=False)
        if dots is None or own is None:
            break
        near = F.max_pool2d(own.float()[None, None], 3, stride=1, padding=1)[0, 0].bool()
        found += float((dots & ~near).sum())
    pixels = picture.shape[-2] * picture.shape[-1]
    share = max(0.0, found / pixels - max(map(_speck_share, paintings), default=0.0))
    count = round(share * pixels)
    return (1e6 * share if count >= 3 else 0.0), f"about {count} isolated dots"


def _speck_share(picture: Pixels) -> float:
    """Dots for each pixel of a picture."""
    dots = [found for factor in _SPECK_FACTORS if (found := _dots(picture, factor, least=0.2)) is not None]
    return sum(float(found.sum()) for found in dots) / (picture.shape[-2] * picture.shape[-1])


def _dots(picture: Pixels, factor: int, least: float, *, alone: bool = True) -> Bool[Tensor, "_ _"] | None:
    """Where a pixel is darker or lighter than all around it by `least`; if `alone`, by more than they differ, too.

    Of the picture made smaller by a factor; None of one that has no pixel with eight others around.
    """
    small = F.avg_pool2d(luma(picture)[None, None], factor) if min(picture.shape[-2:]) >= 3 * factor else None
    if small is None:
        return None
    center = small[0, 0]
    padded = F.pad(small, (1, 1, 1, 1), mode="replicate")[0, 0]
    high, low = torch.full_like(center, -math.inf), torch.full_like(center, math.inf)
    for row, column in itertools.product(range(3), range(3)):
        if (row, column) != (1, 1):
            neighbor = padded[row : row + center.shape[0], column : column + center.shape[1]]
            high, low = torch.maximum(high, neighbor), torch.minimum(low, neighbor)
    beyond = torch.maximum(center - high, low - center)
    return (beyond > least) & (beyond > high - low) if alone else beyond > least


# --- Border halos -----------------------------------------------------------------------------------------------------


def halo(picture: Pixels, photograph: Pixels, paintings: Sequence[Pixels]) -> tuple[float, str]:
    """How far a strip along a border differs in colour from the picture beside it, more than in the photograph.

    The strip is one hundredth of the short side wide, two pixels at least. The measure is the largest difference in
    pixel values, 0 to 1, over the four borders and three colours; of each, the median over the border's length.
    """
    best, where = 0.0, ""
    width = max(2, round(0.01 * min(picture.shape[-2:])))
    if min(picture.shape[-2:]) < 8 * width:
        return best, where
    for name, turned, reference in zip(
        ("upper", "lower", "left", "right"), _sides(picture), _sides(photograph), strict=True
    ):
        # Painting gives the photograph's own frame another colour; only a stronger step is a fault.
        amount = float(_step(turned, width).abs().max() - _step(reference, width).abs().max())
        if amount > best:
            best, where = amount, f"the {name} border has another colour than the picture beside it"
    return best, where


def _sides(picture: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The picture four times, with another border on top each time."""
    return picture, picture.flip(-2), picture.mT, picture.mT.flip(-2)


def _step(picture: Tensor, width: int) -> Tensor:
    """Median over the border's length of the step in colour from the strip inside it to the strip at it, (3,)."""
    outer = picture[0, :, :width].mean(1)
    inner = picture[0, :, width : 3 * width].mean(1)
    return (outer - inner).median(-1).values


# --- Dead areas -------------------------------------------------------------------------------------------------------


def dead_area(picture: Pixels, photograph: Pixels, paintings: Sequence[Pixels]) -> tuple[float, str]:
    """Share of the picture, 0 to 1, in cells of 8 × 8 px of one flat colour or stuck at black or white.

    What the photograph or a painting has of that itself does not count.
    """
    share = max(0.0, _dead(picture) - max(map(_dead, (photograph, *paintings))))
    return share, f"{share:.0%} of the picture is flat, or stuck at the darkest or the lightest value"


def _dead(picture: Pixels) -> float:
    if min(picture.shape[-2:]) < _CELL:
        return 0.0
    highest = F.max_pool2d(picture, _CELL)
    lowest = -F.max_pool2d(-picture, _CELL)
    level = 1 / 255
    flat = (highest - lowest < level).all(1)
    stuck = ((highest < level) | (lowest > 1 - level)).sum(1) >= 2
    return float((flat | stuck).double().mean())


# --- Seams ------------------------------------------------------------------------------------------------------------


def seam(picture: Pixels, photograph: Pixels, paintings: Sequence[Pixels]) -> tuple[float, str]:
    """A straight step across the whole picture: how many times larger than the steps beside it, as a natural logarithm.

    A tile painted by itself ends in such a line. It must stand out in six of eight parts of a row's or column's length,
    so that the edge of a tree or a wall does not count, nor several that happen to lie on a line; nor does one that
    stands out in three parts of the photograph, there or up to two pixels beside, nor lines such as the paintings have.
    Lines along a border are none, two hundredths of the lines on either side: in the picture that is a halo, and in a
    painting it comes of how it was cut out.
    """
    lines = (_inner(_line_steps(side)[_PARTS - 6]) for painting in paintings for side in (painting, painting.mT))
    usual = max((float(steps.max()) for steps in lines if len(steps)), default=0.0)
    best, where = 0.0, ""
    turned = ((picture, photograph, "row"), (picture.mT, photograph.mT, "column"))
    for image, reference, name in turned:
        steps, own = _line_steps(image)[_PARTS - 6], _line_steps(reference)[_PARTS - 3]
        if not len(steps):
            continue
        own = F.max_pool1d(own[None], 5, stride=1, padding=2)[0]
        excess = _inner(steps - own.clamp_min(max(0.0, usual)))
        place = int(excess.argmax())
        if float(excess[place]) > best:
            best, where = float(excess[place]), f"a straight step at {name} {_border(len(steps)) + place + 1}"
    return best, where


def _inner(steps: Tensor) -> Tensor:
    """Those of lines that are further than two hundredths from where the picture ends."""
    border = _border(len(steps))
    return steps[border:-border]


def _border(lines: int) -> int:
    return max(1, round(0.02 * lines))


def _line_steps(image: Tensor) -> Tensor:
    """For each row but the last, how its step to the next stands out in the parts of its length, least first.

    Of each part: the logarithm of the step, the median along the part, over those of the lines around it.

    Returns:
        (parts, rows - 1), or no column for a picture of a few pixels.
    """
    plane = luma(image)
    if min(plane.shape) < _SHORTEST:
        return plane.new_zeros(_PARTS, 0)
    parts = (plane[1:] - plane[:-1]).abs().tensor_split(_PARTS, dim=1)
    steps = torch.stack([part.median(1).values for part in parts]) + 1 / 255
    around = F.pad(steps[None], (4, 4), mode="reflect")[0].unfold(1, 9, 1)
    # Not the line itself and its two neighbours, which an antialiased seam reaches.
    beside = torch.cat([around[..., :3], around[..., 6:]], dim=-1)
    return (steps / beside.amax(-1)).log().sort(0).values


def _size(picture: Pixels) -> tuple[int, int]:
    return picture.shape[-2], picture.shape[-1]


def luma(picture: Pixels) -> Plane:
    return torch.einsum("c,chw->hw", picture.new_tensor(LUMA), picture[0])


_CHECKS = (
    _Check("grid", 0.7, grid, "raise `grain`, or lower `strength`"),
    _Check("noise", 4.0, noise, "lower `grain`, or raise `iterations`"),
    _Check("specks", 30.0, specks, "give `tv_weight` a small value, or raise `iterations`"),
    _Check("halo", 0.08, halo, "set `padding` to reflect"),
    _Check("dead area", 0.05, dead_area, "raise `content_weight`, or choose a painting with more texture"),
    _Check("seam", 0.3, seam, "report it, if Impasto painted it: a picture in tiles should have no seams"),
)
