"""Owns the detection of artifacts in a pastiche: grids, noise, specks, halos, dead areas and seams.

Each kind of artifact has a measure. It compares the pastiche with the photograph and the paintings it was made from,
because an artifact in one picture is texture in another: a woven canvas, a starry sky, a white wall. Only what exceeds
the originals counts. A measure is 0 for a clean picture and grows with the artifact. Above a measure's limit, a person
sees the artifact; the limits were set by looking at pictures with and without artifacts.
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

# Sides of the windows for spectra, in pixels; the largest that fits into the picture is used.
_WINDOWS = (128, 64)
# The most windows along a side of the picture.
_MOST_WINDOWS = 20
_PERIODS = (2, 4, 8, 16)
# Specks are searched for in the picture and at half its size, where blots of a few pixels are single pixels.
_SPECK_FACTORS = (1, 2)
# Side of the cells in which dead areas and noise are measured, in pixels.
_CELL = 8
# Kinds whose names take no article.
_WITHOUT_ARTICLE = ("noise", "specks", "not a number")
# The fewest rows or columns of a picture in which seams are measured, and the parts into which each is divided.
_SHORTEST = 12
_PARTS = 8


@dataclass(frozen=True)
class Artifact:
    """An artifact that was found.

    Attributes:
        kind: `grid`, `noise`, `specks`, `halo`, `seam`, `dead area` or `not a number`; `thing of the painting` from
            `metrics.Judge`, whose network can tell.
        amount: the measure, see the function of that name.
        limit: the largest acceptable amount.
        where: description of the artifact and its position.
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
    """A kind of artifact, with its measure, its limit, and advice against it."""

    kind: str
    limit: float
    measure: Callable[[Pixels, Pixels, Sequence[Pixels]], tuple[float, str]]
    advice: str


def find(pastiche: Image, content: Image, styles: Sequence[Image]) -> tuple[Artifact, ...]:
    """The artifacts of `pastiche` that exceed those of its originals, the worst first.

    Args:
        pastiche: the picture to check, of any size.
        content: the photograph; it is resized to the size of the pastiche.
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
                "this is an error of Impasto or of the hardware; try `precision` float32",
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
    """Share of the values that are infinite or NaN, 0 to 1."""
    return float((~torch.isfinite(picture)).double().mean())


# --- Grid -------------------------------------------------------------------------------------------------------------


def grid(picture: Pixels, photograph: Pixels, paintings: Sequence[Pixels]) -> tuple[float, str]:
    """How far a regular pattern of period 2, 4, 8 or 16 px stands out of the spectrum, more than in the originals.

    Pooling networks sample the picture on grids of these periods, and optimizing their features may leave such patterns
    in it. In the mean power spectrum over windows (Welch 1967), a pattern is a ridge along the frequency 1 / period, or
    a peak where two such ridges cross. The measure is the natural logarithm of its power relative to the spectrum
    beside it.
    """
    # The windows of all pictures have the same size; pictures that are too small for any window are left out.
    fitting = [_window(original) for original in (picture, photograph, *paintings)]
    if not fitting[0]:
        return 0.0, ""
    side = min(filter(None, fitting))
    # The floor hides ridges that are invisible: below half a level of 255 in amplitude.
    peaks = _peaks(_spectrum(luma(picture), side), floor=(0.5 / 255) ** 2)
    for original, fits in zip((photograph, *paintings), fitting[1:], strict=True):
        if fits:
            peaks = peaks - _peaks(_spectrum(luma(original), side), floor=(0.5 / 255) ** 2).clamp_min(0)
    index = int(peaks.argmax())
    return max(0.0, float(peaks[index])), f"a regular pattern every {_PERIODS[index]} px"


def _window(picture: Pixels) -> int:
    """Side of the largest window that fits into the picture, 0 if none fits."""
    return next((side for side in _WINDOWS if min(picture.shape[-2:]) >= side), 0)


def _spectrum(plane: Plane, side: int) -> Tensor:
    """Mean power spectrum over windows, with all vertical and the non-negative horizontal frequencies."""
    # Windows overlap by half; in large pictures they are further apart, to limit their number.
    rows, columns = (max(side // 2, -(-(length - side) // (_MOST_WINDOWS - 1))) for length in plane.shape)
    tiles = plane.unfold(0, side, rows).unfold(1, side, columns).reshape(-1, side, side).double()
    hann = torch.hann_window(side, periodic=False, dtype=torch.float64, device=plane.device)
    window = torch.outer(hann, hann)
    tiles = (tiles - tiles.mean((1, 2), keepdim=True)) * window
    power: Tensor = torch.fft.rfft2(tiles).abs().square().mean(0)
    return power / window.square().sum()


def _peaks(power: Tensor, floor: float) -> Tensor:
    """For each period, the logarithm of the power of its ridges and crossings relative to the spectrum beside them."""
    half = power.shape[0] // 2
    # Fold the negative vertical frequencies onto the positive ones: a quadrant (half + 1, half + 1).
    quadrant = power[: half + 1].clone()
    quadrant[1:half] = (quadrant[1:half] + power[half + 1 :].flip(0)) / 2
    logs = (quadrant + floor).log()
    found = []
    for period in _PERIODS:
        at = power.shape[0] // period
        ridges = [_above(logs.mean(1), at), _above(logs.mean(0), at)]
        # Stripes across the whole picture are one point on an axis. The axes themselves are ridges in every picture.
        stripes = [
            min(_above(logs[:, 0], at), _above_around(logs, at, 0)),
            min(_above(logs[0], at), _above_around(logs, 0, at)),
        ]
        crossing = _above_around(logs, at, at)
        # A single point varies more than the mean over a ridge, so it counts half.
        found.append(max(*ridges, *(point / 2 for point in (*stripes, crossing))))
    return torch.tensor(found)


def _above(line: Tensor, at: int) -> float:
    """How far a point of a line exceeds the mean of the points three and four steps to either side."""
    beside = [line[index] for index in (at - 4, at - 3, at + 3, at + 4) if 0 < index < len(line)]
    return float(line[at] - torch.stack(beside).mean())


def _above_around(plane: Tensor, row: int, column: int) -> float:
    """How far a point of a plane exceeds the median of the points three to five steps away."""
    patch = plane[max(0, row - 5) : row + 6, max(0, column - 5) : column + 6]
    rows = (torch.arange(len(patch)) + max(0, row - 5) - row).abs()
    columns = (torch.arange(patch.shape[1]) + max(0, column - 5) - column).abs()
    ring = torch.maximum(rows[:, None], columns[None, :]) >= 3
    return float(plane[row, column] - patch[ring].median())


# --- Noise ------------------------------------------------------------------------------------------------------------


def noise(picture: Pixels, photograph: Pixels, paintings: Sequence[Pixels]) -> tuple[float, str]:
    """How much noisier the smoothest fifth of the picture is than that of the noisiest original, in levels of 255.

    Noise is the standard deviation after a filter that planes and axis-parallel edges do not excite (Immerkær, "Fast
    Noise Variance Estimation", 1996), in cells of 8 × 8 px. Only the smoothest fifth is used, because there is nothing
    but noise in it. The paintings are resized to as many pixels as the picture.
    """
    area = picture.shape[-2] * picture.shape[-1]
    originals = [photograph, *(resize(painting, of_area(_size(painting), area)) for painting in paintings)]
    return max(0.0, _noise(picture) - max(map(_noise, originals))), "fine noise, even in smooth areas"


def _noise(picture: Pixels) -> float:
    """Standard deviation of the noise in the smoothest fifth of the picture, in levels of 255."""
    if min(picture.shape[-2:]) < _CELL + 2:
        return 0.0
    plane = luma(picture)[None, None]
    line = plane.new_tensor([1.0, -2.0, 1.0])
    mask = torch.outer(line, line)[None, None] / 6
    cells = F.avg_pool2d(F.conv2d(plane, mask).square(), _CELL)
    return 255.0 * float(cells.flatten().sort().values[cells.numel() // 5].sqrt())


# --- Specks -----------------------------------------------------------------------------------------------------------


def specks(picture: Pixels, photograph: Pixels, paintings: Sequence[Pixels]) -> tuple[float, str]:
    """Isolated dots of one to three pixels, much lighter or darker than all their neighbours, per million pixels.

    Dots do not count where the photograph has a dot too, however faint. From the rest, the density of dots in the
    paintings is subtracted.
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
    """Dots per pixel of a picture."""
    dots = [found for factor in _SPECK_FACTORS if (found := _dots(picture, factor, least=0.2)) is not None]
    return sum(float(found.sum()) for found in dots) / (picture.shape[-2] * picture.shape[-1])


def _dots(picture: Pixels, factor: int, least: float, *, alone: bool = True) -> Bool[Tensor, "_ _"] | None:
    """Mask of the pixels that are darker or lighter than all 8 neighbours by at least `least`.

    With `alone`, the difference must also exceed the range of the neighbours. The picture is first reduced by `factor`;
    if it then has no pixel with 8 neighbours, the result is None.
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


# --- Halos ------------------------------------------------------------------------------------------------------------


def halo(picture: Pixels, photograph: Pixels, paintings: Sequence[Pixels]) -> tuple[float, str]:
    """How much the colour of a strip along a border differs from the picture beside it, more than in the photograph.

    The strip is one hundredth of the short side wide, at least two pixels. The measure is the largest difference in
    pixel values, 0 to 1, over the four borders and three channels; each difference is a median over the border's
    length.
    """
    best, where = 0.0, ""
    width = max(2, round(0.01 * min(picture.shape[-2:])))
    if min(picture.shape[-2:]) < 8 * width:
        return best, where
    for name, turned, reference in zip(
        ("upper", "lower", "left", "right"), _sides(picture), _sides(photograph), strict=True
    ):
        # If the photograph has a frame, the pastiche may recolour it; only a stronger step is an artifact.
        amount = float(_step(turned, width).abs().max() - _step(reference, width).abs().max())
        if amount > best:
            best, where = amount, f"the {name} border differs in colour from the picture beside it"
    return best, where


def _sides(picture: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The picture four times, each time with another border at the top."""
    return picture, picture.flip(-2), picture.mT, picture.mT.flip(-2)


def _step(picture: Tensor, width: int) -> Tensor:
    """Colour of the strip at the upper border minus that of the strip below it: medians over its length, (3,)."""
    outer = picture[0, :, :width].mean(1)
    inner = picture[0, :, width : 3 * width].mean(1)
    return (outer - inner).median(-1).values


# --- Dead areas -------------------------------------------------------------------------------------------------------


def dead_area(picture: Pixels, photograph: Pixels, paintings: Sequence[Pixels]) -> tuple[float, str]:
    """Share of the picture, 0 to 1, in cells of 8 × 8 px that have one flat colour or are clipped to black or white.

    The largest such share of an original is subtracted.
    """
    share = max(0.0, _dead(picture) - max(map(_dead, (photograph, *paintings))))
    return share, f"{share:.0%} of the picture is flat, or clipped to the darkest or lightest value"


def _dead(picture: Pixels) -> float:
    """Share of the picture in flat or clipped cells."""
    if min(picture.shape[-2:]) < _CELL:
        return 0.0
    highest = F.max_pool2d(picture, _CELL)
    lowest = -F.max_pool2d(-picture, _CELL)
    level = 1 / 255
    flat = (highest - lowest < level).all(1)
    clipped = ((highest < level) | (lowest > 1 - level)).sum(1) >= 2
    return float((flat | clipped).double().mean())


# --- Seams ------------------------------------------------------------------------------------------------------------


def seam(picture: Pixels, photograph: Pixels, paintings: Sequence[Pixels]) -> tuple[float, str]:
    """Natural logarithm of a straight step across the whole picture, relative to the steps beside it.

    Tiles that are painted separately may meet in such a line. It must stand out in six of eight parts of a row's or
    column's length, so that edges of objects do not count, even if several lie on one line. It does not count if it
    stands out in three parts of the photograph, at the same line or up to two pixels beside it, or if the paintings
    have equally strong lines. The outer two hundredths of the lines at each border are ignored: in the pastiche such a
    line is a halo, and in a painting it comes from cropping.
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
        index = int(excess.argmax())
        if float(excess[index]) > best:
            best, where = float(excess[index]), f"a straight step at {name} {_border(len(steps)) + index + 1}"
    return best, where


def _inner(steps: Tensor) -> Tensor:
    """The lines without the outer two hundredths at each end."""
    border = _border(len(steps))
    return steps[border:-border]


def _border(lines: int) -> int:
    """Number of lines at each border that are ignored."""
    return max(1, round(0.02 * lines))


def _line_steps(image: Tensor) -> Tensor:
    """How far the step from each row to the next stands out, in each part of the row's length.

    For each part: the logarithm of the median step along the part, divided by the largest of the rows around it.

    Returns:
        (parts, rows - 1), sorted along the parts in ascending order; (parts, 0) if the picture is too small.
    """
    plane = luma(image)
    if min(plane.shape) < _SHORTEST:
        return plane.new_zeros(_PARTS, 0)
    parts = (plane[1:] - plane[:-1]).abs().tensor_split(_PARTS, dim=1)
    steps = torch.stack([part.median(1).values for part in parts]) + 1 / 255
    around = F.pad(steps[None], (4, 4), mode="reflect")[0].unfold(1, 9, 1)
    # Without the row itself and its neighbours, into which an antialiased seam extends.
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
    _Check("seam", 0.3, seam, "please report it if Impasto painted this picture: it should have no seams"),
)
