"""Owns the plan of a painting: at each size whole or in tiles, so that it fits a budget of memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from impasto import devices
from impasto.backbones import architecture
from impasto.errors import DeviceError, SettingsError
from impasto.losses import CONTENT_LOSSES, STYLE_LOSSES
from impasto.planning.memory import reach_of, scale_bytes
from impasto.pyramid import Scale, pyramid
from impasto.settings import OPTIONS, Settings
from impasto.tiling import TiledEvaluator

# Sides of tiles that are tried, largest first. Larger ones have less around them that is computed twice.
_SIDES = (2048, 1536, 1024, 768, 512, 384, 256, 192, 128, 96, 80, 64, 48, 32)
# Numbers of steps that L-BFGS remembers, if those asked for do not fit.
_HISTORIES = (20, 12, 8, 5, 3, 2)
# Of the memory that is free, what a picture in tiles may take: estimates are that exact.
_SHARE = 0.85
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


@dataclass(frozen=True)
class ScalePlan:
    """How one size is painted.

    Attributes:
        scale: the size and its iterations.
        side: of the tiles, in pixels; None for the whole picture at once.
        peak_bytes: peak memory that way.
        whole_bytes: peak memory as a whole.
    """

    scale: Scale
    side: int | None
    peak_bytes: int
    whole_bytes: int


@dataclass(frozen=True)
class TilePlan:
    """How a picture is painted within a budget of memory.

    Attributes:
        settings: those asked for, with a shorter `history` where the memory asks for it.
        scales: coarse to fine.
        budget: bytes that may be used; None if unknown.
        fits: whether it fits them, by the estimate.
    """

    settings: Settings
    scales: tuple[ScalePlan, ...]
    budget: int | None
    fits: bool

    @property
    def peak_bytes(self) -> int:
        """Peak memory of all scales."""
        return max(scale.peak_bytes for scale in self.scales)

    @property
    def whole_bytes(self) -> int:
        """Peak memory without tiles."""
        return max(scale.whole_bytes for scale in self.scales)

    @property
    def side(self) -> int | None:
        """Side of the tiles of the largest size; None if it is painted as a whole."""
        return self.scales[-1].side

    def evaluator(self) -> TiledEvaluator:
        """What computes by this plan; it takes smaller tiles if memory runs out all the same."""
        sides = [scale.side for scale in self.scales if scale.side is not None]
        if not sides:
            return TiledEvaluator(whole=2**62)
        whole = [scale.scale.size[0] * scale.scale.size[1] for scale in self.scales if scale.side is None]
        return TiledEvaluator(min(sides), whole=max(whole, default=0) or None)


def plan(
    content_size: tuple[int, int],
    settings: Settings,
    *,
    styles: int = 1,
    budget: int | None = None,
    tile: int | None = None,
) -> TilePlan:
    """Choose for each size whether it is painted as a whole or in tiles, and how large they are.

    Args:
        content_size: (height, width) of the photograph as read, in pixels.
        settings: the settings.
        styles: number of paintings.
        budget: bytes that may be used; those that are free, if None.
        tile: side of the tiles, in pixels; chosen by the memory, if None.

    Raises:
        SettingsError: `tile` is smaller than what the network sees around a tile.
        DeviceError: the device does not exist.
    """
    if tile is not None and additive(settings):
        reach_of(settings).side(tile)
    free = devices.memory(devices.resolve(settings.device))
    spare = budget if budget is not None else None if free is None else free.available
    tightly = budget if budget is not None else None if free is None else round(_SHARE * free.available)
    for history in _histories(settings):
        chosen = settings if history == settings.history else settings.replace(history=history)
        scales = tuple(_planned(content_size, chosen, styles, spare, tightly, tile))
        if all(fits for _, fits in scales):
            return TilePlan(chosen, tuple(one for one, _ in scales), spare, fits=True)
    scales = tuple(_planned(content_size, settings, styles, spare, tightly, tile))
    return TilePlan(settings, tuple(one for one, _ in scales), spare, fits=False)


def checked_plan(
    content_size: tuple[int, int],
    settings: Settings,
    *,
    styles: int = 1,
    budget: int | None = None,
    tile: int | None = None,
) -> TilePlan:
    """The plan, if it fits the budget, or the machine's memory if there is no budget.

    Raises:
        SettingsError: as `plan`.
        DeviceError: it does not fit; says what would.
    """
    chosen = plan(content_size, settings, styles=styles, budget=budget, tile=tile)
    if chosen.fits or chosen.budget is None:
        return chosen
    total = devices.memory(devices.resolve(settings.device))
    most = budget if budget is not None or total is None else total.total
    assert most is not None

    # What fits at all fits with the shortest history.
    shortest = settings.replace(history=min(_histories(settings)))

    def within(size: int) -> bool:
        # In the whole memory, and not only what is free now: other programs may be closed.
        return plan(content_size, shortest.replace(size=size), styles=styles, budget=most, tile=tile).fits

    if budget is None and within(settings.size):
        return chosen
    fits, too_large = int(OPTIONS["size"][1].low or 1), settings.size
    while too_large - fits > 8:
        middle = (fits + too_large) // 2
        fits, too_large = (middle, too_large) if within(middle) else (fits, middle)
    least = plan(content_size, shortest, styles=styles, budget=1, tile=tile)
    words = "the budget is" if budget is not None else f"{devices.resolve(settings.device)} has"
    tiles = ", even in tiles," if additive(settings) else ""
    raise DeviceError(
        f"--size {settings.size} takes about {gigabytes(least.peak_bytes)} of memory{tiles} and {words} "
        f"{gigabytes(most)}; the largest that fits is about {fits}"
    )


def additive(settings: Settings) -> bool:
    """Whether the losses of these settings are sums, so that they can be computed in tiles."""
    return STYLE_LOSSES[settings.style_loss]((0,)).additive and CONTENT_LOSSES[settings.content_loss].additive


def parse_bytes(text: str | int) -> int:
    """A number of bytes from text: `4GB`, `3.5 GiB`, `800M`.

    Raises:
        SettingsError: the text is not of that form.
    """
    if isinstance(text, int):
        return text
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?|)b?\s*", text, re.IGNORECASE)
    size = round(float(found[1]) * _UNITS[found[2].lower()]) if found else 0
    if size < 1:
        raise SettingsError("memory", f"got {text!r}; write a size such as 4GB, 3.5GiB or 800MB")
    return size


def gigabytes(size: float) -> str:
    """Bytes as GiB, for people."""
    return f"{size / 2**30:.1f} GiB"


def _histories(settings: Settings) -> Iterator[int]:
    yield settings.history
    if settings.optimizer == "lbfgs":
        yield from (one for one in _HISTORIES if one < settings.history)


def _planned(
    content_size: tuple[int, int],
    settings: Settings,
    styles: int,
    spare: int | None,
    tightly: int | None,
    tile: int | None,
) -> Iterator[tuple[ScalePlan, bool]]:
    """The plan of each scale, and whether it fits."""
    least = architecture(settings.backbone).min_side
    remembered = 0
    for scale in pyramid(content_size, settings, min_side=least):
        remembered += scale.iterations
        needs = _Needs(content_size, settings, scale, styles, remembered)
        whole = needs.bytes(None)
        in_one = tile is not None and scale.size[0] * scale.size[1] <= tile**2
        if not additive(settings) or in_one or (tile is None and (spare is None or whole <= spare)):
            yield ScalePlan(scale, None, whole, whole), spare is None or whole <= spare
            continue
        sides = [tile] if tile is not None else needs.sides()
        side = next((one for one in sides if tightly is None or needs.bytes(one) <= tightly), sides[-1])
        peak = needs.bytes(side)
        yield ScalePlan(scale, side, peak, whole), tightly is None or peak <= tightly


@dataclass(frozen=True)
class _Needs:
    """What one scale needs."""

    content_size: tuple[int, int]
    settings: Settings
    scale: Scale
    styles: int
    remembered: int

    def bytes(self, side: int | None) -> int:
        return scale_bytes(
            self.content_size, self.settings, self.scale, styles=self.styles, remembered=self.remembered, side=side
        )

    def sides(self) -> list[int]:
        """The sides of tiles that may be used, largest first; at least one."""
        reach = reach_of(self.settings)
        return [reach.side(side) for side in _SIDES if side >= reach.halo] or [reach.halo]
