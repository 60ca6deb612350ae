"""Owns finding the artifacts of a pastiche: which measures exceed their limits, and what to change.

Above a measure's limit, a person sees the artifact; the limits were set by looking at pictures with and without
artifacts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from impasto.artifacts.measures import Pixels, dead_area, grid, halo, noise, not_finite, seam, specks
from impasto.images import Image, resize
from impasto.settings import OPTIONS, Settings

# Paintings of fewer pixels than this one squared have no strokes to be seen when they are enlarged.
_FINE_PAINTING = 256
# The most that such a painting may be enlarged, as a ratio of lengths.
_ENLARGED = 3.0
# Kinds whose names take no article.
_WITHOUT_ARTICLE = ("noise", "specks", "not a number")


@dataclass(frozen=True)
class Artifact:
    """An artifact that was found.

    Attributes:
        kind: `grid`, `noise`, `specks`, `halo`, `seam`, `dead area`, `enlarged painting` or `not a number`;
            `thing of the painting` from `metrics.Judge`, whose network can tell.
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
        article = "" if self.kind in _WITHOUT_ARTICLE else "an " if self.kind[0] in "aeio" else "a "
        return f"{article}{self.kind}: {self.where}; {self.advice}"


@dataclass(frozen=True)
class _Advice:
    """What to change, and whether the settings have it already."""

    words: str
    followed: Callable[[Settings], bool] = lambda _: False


@dataclass(frozen=True)
class _Check:
    """A kind of artifact, with its measure, its limit, and advice against it."""

    kind: str
    limit: float
    measure: Callable[[Pixels, Pixels, Sequence[Pixels]], tuple[float, str]]
    advice: Sequence[_Advice]

    def advice_for(self, settings: Settings | None) -> str:
        """What to change in these settings."""
        return ", or ".join(one.words for one in self.advice if settings is None or not one.followed(settings))


def find(
    pastiche: Image, content: Image, styles: Sequence[Image], settings: Settings | None = None
) -> tuple[Artifact, ...]:
    """The artifacts of `pastiche` that exceed those of its originals, the worst first.

    Args:
        pastiche: the picture to check, of any size.
        content: the photograph; it is resized to the size of the pastiche.
        styles: the paintings.
        settings: those that it was painted with, if they are known; advice that they follow already is not given.
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
            found.append(Artifact(check.kind, amount, check.limit, where, check.advice_for(settings)))
    if (enlarged := enlarged_painting(pastiche.size, styles)) is not None:
        found.append(enlarged)
    return tuple(sorted(found, key=lambda artifact: artifact.limit / artifact.amount))


def enlarged_painting(size: tuple[int, int], styles: Sequence[Image]) -> Artifact | None:
    """A painting that is far too small for a picture of this size: enlarged, its pixels take the place of strokes.

    Args:
        size: of the picture, (height, width) in pixels.
        styles: the paintings.
    """
    small = [style for style in styles if style.height * style.width < _FINE_PAINTING**2]
    if not small:
        return None
    style = min(small, key=lambda style: style.height * style.width)
    factor = math.sqrt(size[0] * size[1] / (style.height * style.width))
    if factor <= _ENLARGED:
        return None
    return Artifact(
        "enlarged painting",
        factor,
        _ENLARGED,
        f"{style.name or 'the painting'} has only {style.width} × {style.height} px and is enlarged {factor:.0f} times",
        "take a larger copy of it, or lower `size`",
    )


def _is(name: str, *values: object) -> Callable[[Settings], bool]:
    """Whether a setting has one of these values."""
    return lambda settings: getattr(settings, name) in values


_CHECKS = (
    _Check(
        "grid",
        0.7,
        grid,
        (
            _Advice("raise `grain`", _is("grain", OPTIONS["grain"][1].high)),
            _Advice("lower `strength`", _is("strength", 0.0)),
        ),
    ),
    _Check(
        "noise",
        4.0,
        noise,
        (_Advice("lower `grain`", _is("grain", 0.0)), _Advice("raise `iterations`")),
    ),
    _Check(
        "specks",
        30.0,
        specks,
        (
            _Advice("give `tv_weight` a small value", lambda settings: settings.tv_weight > 0),
            _Advice("raise `iterations`"),
        ),
    ),
    _Check(
        "halo",
        0.08,
        halo,
        (
            _Advice("set `padding` to reflect", _is("padding", "reflect", "wrap")),
            _Advice("crop it off"),
        ),
    ),
    _Check(
        "dead area",
        0.05,
        dead_area,
        (_Advice("raise `content_weight`"), _Advice("choose a painting with more texture")),
    ),
    _Check(
        "seam",
        0.3,
        seam,
        (_Advice("please report it if Impasto painted this picture: it should have no seams"),),
    ),
)
