"""Each artifact is added to a clean picture and found, and no other; clean pictures and original texture pass."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import impasto
from impasto import artifacts, assets
from impasto.artifacts import Artifact, find
from impasto.images import Image, read, resize
from impasto.settings import Settings

SIZE = (192, 256)


@pytest.fixture(scope="module")
def photograph() -> Image:
    sample = read(assets.sample("neuschwanstein").path)
    return replace(sample, pixels=resize(sample.pixels, SIZE))


@pytest.fixture(scope="module")
def painting() -> Image:
    sample = read(assets.sample("starry_night").path)
    return replace(sample, pixels=resize(sample.pixels, (224, 224)))


@pytest.fixture(scope="module")
def clean(photograph: Image) -> Tensor:
    """A picture without artifacts: the photograph in other colours, slightly blurred."""
    soft = F.avg_pool2d(F.pad(photograph.pixels, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return 0.15 + 0.7 * (0.5 * photograph.pixels + 0.5 * soft).flip(1)


def found(pixels: Tensor, photograph: Image, painting: Image) -> list[Artifact]:
    return list(find(Image(pixels=pixels), photograph, [painting]))


def kinds(pixels: Tensor, photograph: Image, painting: Image) -> list[str]:
    return [artifact.kind for artifact in found(pixels, photograph, painting)]


def grid(period: int, amount: float) -> Callable[[Tensor], Tensor]:
    def planted(pixels: Tensor) -> Tensor:
        rows, columns = (torch.arange(side) for side in pixels.shape[-2:])
        phase = 2 * torch.pi / period
        weave = (rows * phase).cos()[:, None] * torch.ones(1, len(columns)) + (columns * phase).cos()[None, :]
        return (pixels + amount * weave).clamp(0, 1)

    return planted


def specks(count: int, side: int) -> Callable[[Tensor], Tensor]:
    def planted(pixels: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        changed = pixels.clone()
        for index in range(count):
            y, x = (int(torch.randint(4, length - 8, (), generator=generator)) // 2 * 2 for length in pixels.shape[-2:])
            changed[..., y : y + side, x : x + side] = float(index % 2)
        return changed

    return planted


def border(name: str) -> Callable[[Tensor], Tensor]:
    def planted(pixels: Tensor) -> Tensor:
        changed = pixels.clone()
        strip = {
            "upper": (slice(0, 3), slice(None)),
            "lower": (slice(-3, None), slice(None)),
            "left": (slice(None), slice(0, 3)),
            "right": (slice(None), slice(-3, None)),
        }[name]
        changed[(..., *strip)] += 0.2
        return changed.clamp(0, 1)

    return planted


def dead(value: float) -> Callable[[Tensor], Tensor]:
    def planted(pixels: Tensor) -> Tensor:
        changed = pixels.clone()
        changed[..., 40:120, 64:160] = value
        return changed

    return planted


def seam(axis: int, length: float = 1.0) -> Callable[[Tensor], Tensor]:
    """A step in the middle of an axis, along a share of the other axis."""

    def planted(pixels: Tensor) -> Tensor:
        changed = pixels.clone()
        half, other = pixels.shape[axis] // 2, 5 - axis
        darker = changed.narrow(axis, half, pixels.shape[axis] - half)
        darker.narrow(other, 0, round(length * pixels.shape[other])).mul_(0.75)
        return changed

    return planted


def noise(pixels: Tensor) -> Tensor:
    grains = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(2))
    return (pixels + 0.1 * grains).clamp(0, 1)


def test_a_clean_picture_has_none(clean: Tensor, photograph: Image, painting: Image) -> None:
    assert kinds(clean, photograph, painting) == []


def test_the_originals_have_none(photograph: Image, painting: Image) -> None:
    assert kinds(photograph.pixels, photograph, [painting][0]) == []
    assert kinds(painting.pixels, photograph, painting) == []


@pytest.mark.parametrize("period", [2, 4, 8, 16])
def test_a_woven_grid(period: int, clean: Tensor, photograph: Image, painting: Image) -> None:
    artifacts_found = found(grid(period, 0.03)(clean), photograph, painting)
    assert "grid" in [artifact.kind for artifact in artifacts_found]
    (weave,) = (artifact for artifact in artifacts_found if artifact.kind == "grid")
    assert f"every {period} px" in weave.where
    assert weave.amount > weave.limit


def test_a_grid_of_the_paintings_own_does_not_count(clean: Tensor, photograph: Image, painting: Image) -> None:
    woven = replace(painting, pixels=grid(8, 0.06)(painting.pixels))
    assert "grid" not in kinds(grid(8, 0.03)(clean), photograph, woven)
    # At any size.
    small = replace(woven, pixels=woven.pixels[..., 96:216, :120])
    assert "grid" not in kinds(grid(8, 0.03)(clean), photograph, small)


@pytest.mark.parametrize("side", [1, 2])
def test_specks(side: int, clean: Tensor, photograph: Image, painting: Image) -> None:
    assert kinds(specks(40, side)(clean), photograph, painting) == ["specks"]


def test_stars_in_the_photograph_are_no_specks(clean: Tensor, photograph: Image, painting: Image) -> None:
    starry = replace(photograph, pixels=specks(60, 1)(photograph.pixels))
    assert kinds(specks(40, 1)(clean), starry, painting) == []


@pytest.mark.parametrize("name", ["upper", "lower", "left", "right"])
def test_a_halo_along_a_border(name: str, clean: Tensor, photograph: Image, painting: Image) -> None:
    halos = [artifact for artifact in found(border(name)(clean), photograph, painting) if artifact.kind == "halo"]
    assert len(halos) == 1
    assert name in halos[0].where
    assert halos[0].advice == "set `padding` to reflect, or crop it off"


def test_a_frame_in_the_photograph_is_no_halo(clean: Tensor, photograph: Image, painting: Image) -> None:
    framed = replace(photograph, pixels=border("left")(photograph.pixels))
    assert "halo" not in kinds(border("left")(clean), framed, painting)


def test_strokes_along_a_border_are_no_halo(photograph: Image, painting: Image) -> None:
    """In a draft, a stroke is as wide as the strip along the border."""
    small = replace(photograph, pixels=resize(photograph.pixels, (96, 128)))
    stripes = 0.15 * (torch.arange(128) // 3 % 2)
    assert "halo" not in kinds((0.8 * small.pixels + stripes).clamp(0, 1), small, painting)


def test_a_frame_of_the_painting_is_no_halo(clean: Tensor, photograph: Image, painting: Image) -> None:
    framed = replace(painting, pixels=border("right")(border("right")(painting.pixels)))
    assert "halo" not in kinds(border("left")(clean), photograph, framed)


@pytest.mark.parametrize(
    ("fault", "options", "advice"),
    [
        (border("left"), {"padding": "zeros"}, "set `padding` to reflect, or crop it off"),
        (border("left"), {"padding": "reflect"}, "crop it off"),
        (specks(40, 1), {}, "give `tv_weight` a small value, or raise `iterations`"),
        (specks(40, 1), {"tv_weight": 0.1}, "raise `iterations`"),
        (noise, {"grain": 0.02}, "lower `grain`, or raise `iterations`"),
        (noise, {"grain": 0.0}, "raise `iterations`"),
        (grid(4, 0.03), {"grain": 0.02}, "raise `grain`, or lower `strength`"),
        (grid(4, 0.03), {"grain": 0.5}, "lower `strength`"),
    ],
)
def test_advice_that_is_followed_already_is_not_given(
    fault: Callable[[Tensor], Tensor],
    options: dict[str, Any],
    advice: str,
    clean: Tensor,
    photograph: Image,
    painting: Image,
) -> None:
    assert advice in [
        one.advice for one in find(Image(pixels=fault(clean)), photograph, [painting], Settings(**options))
    ]


@pytest.mark.parametrize(
    ("side", "size", "enlarged"),
    [(4, (192, 256), True), (24, (192, 256), True), (24, (40, 60), False), (300, (3000, 4000), False)],
)
def test_a_painting_far_smaller_than_the_picture(side: int, size: tuple[int, int], enlarged: bool) -> None:
    painting = Image(pixels=torch.rand((1, 3, side, side + 1)), name="dot.png")
    found = artifacts.enlarged_painting(size, [painting])
    assert (found is not None) == enlarged
    if found is not None:
        factor = math.sqrt(size[0] * size[1] / (side * (side + 1)))
        assert str(found) == (
            f"an enlarged painting: dot.png has only {side + 1} × {side} px and is enlarged {factor:.0f} times; "
            "take a larger copy of it, or lower `size`"
        )


def test_an_enlarged_painting_is_among_the_faults(clean: Tensor, photograph: Image) -> None:
    dot = Image(pixels=torch.full((1, 3, 4, 4), 0.4))
    assert kinds(clean, photograph, dot) == ["enlarged painting"]


@pytest.mark.slow
@pytest.mark.parametrize("size", [96, 128])
def test_no_false_alarm_in_drafts_of_the_bundled_pictures(size: int) -> None:
    photographs = [one.name for one in assets.samples() if one.kind == "photo"]
    paintings = [one.name for one in assets.samples() if one.kind == "painting"]
    for photograph, painting in zip(itertools.cycle(photographs), paintings, strict=False):
        pastiche = impasto.stylize(f"sample:{photograph}", f"sample:{painting}", size=size, device="cpu")
        originals = [read(assets.sample(name).path) for name in (photograph, painting)]
        assert find(pastiche.image, originals[0], originals[1:]) == (), (photograph, painting)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_dead_area(value: float, clean: Tensor, photograph: Image, painting: Image) -> None:
    assert "dead area" in kinds(dead(value)(clean), photograph, painting)


def test_a_flat_area_of_the_photograph_is_not_dead(clean: Tensor, photograph: Image, painting: Image) -> None:
    flat = replace(photograph, pixels=dead(0.5)(photograph.pixels))
    assert "dead area" not in kinds(dead(0.5)(clean), flat, painting)


@pytest.mark.parametrize(("axis", "name"), [(2, "row 96"), (3, "column 128")])
def test_a_seam(axis: int, name: str, clean: Tensor, photograph: Image, painting: Image) -> None:
    seams = [artifact for artifact in found(seam(axis)(clean), photograph, painting) if artifact.kind == "seam"]
    assert len(seams) == 1
    assert name in seams[0].where


@pytest.mark.parametrize("axis", [2, 3])
@pytest.mark.parametrize("side", [0, -1])
def test_a_line_along_the_border_is_no_seam(
    axis: int, side: int, clean: Tensor, photograph: Image, painting: Image
) -> None:
    lined = clean.clone()
    lined.select(axis, side).mul_(0.5)
    assert "seam" not in kinds(lined, photograph, painting)


@pytest.mark.parametrize("axis", [2, 3])
def test_a_straight_edge_that_ends_within_the_picture_is_no_seam(
    axis: int, clean: Tensor, photograph: Image, painting: Image
) -> None:
    assert "seam" not in kinds(seam(axis, 0.65)(clean), photograph, painting)


@pytest.mark.parametrize("shift", [-2, -1, 0, 1, 2])
def test_a_straight_edge_of_the_photograph_is_no_seam(
    shift: int, clean: Tensor, photograph: Image, painting: Image
) -> None:
    edged = replace(photograph, pixels=seam(2)(photograph.pixels).roll(shift, 2))
    assert "seam" not in kinds(seam(2)(clean), edged, painting)


def test_the_border_of_a_paintings_scan_excuses_no_seam(clean: Tensor, photograph: Image, painting: Image) -> None:
    framed = replace(painting, pixels=F.pad(painting.pixels[..., 4:-4, 4:-4], (4, 4, 4, 4)))
    assert "seam" in kinds(seam(3)(clean), photograph, framed)


def test_lines_such_as_the_painting_has_are_no_seams(clean: Tensor, photograph: Image, painting: Image) -> None:
    lined = replace(painting, pixels=seam(2)(seam(3)(clean)))
    assert "seam" not in kinds(seam(3)(clean), photograph, lined)


def test_noise(clean: Tensor, photograph: Image, painting: Image) -> None:
    assert "noise" in kinds(noise(clean), photograph, painting)
    grainy = replace(painting, pixels=noise(torch.full_like(clean, 0.5)))
    assert "noise" not in kinds(noise(clean), photograph, grainy)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_a_number_is_said_alone(value: float, clean: Tensor, photograph: Image, painting: Image) -> None:
    broken = noise(clean)
    broken[..., :2, :] = value
    (artifact,) = found(broken, photograph, painting)
    assert artifact.kind == "not a number"
    assert artifact.amount == pytest.approx(2 / SIZE[0])


def test_the_worst_comes_first(clean: Tensor, photograph: Image, painting: Image) -> None:
    both = found(specks(300, 1)(dead(0.0)(clean)), photograph, painting)
    assert len(both) >= 2
    severities = [artifact.amount / artifact.limit for artifact in both]
    assert severities == sorted(severities, reverse=True)
    assert all(severity > 1 for severity in severities)


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (40, 40), (65, 64)])
def test_pictures_of_any_size_are_looked_at(size: tuple[int, int], painting: Image) -> None:
    pixels = torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(3))
    assert find(Image(pixels=pixels), Image(pixels=pixels), [painting]) == ()


def test_every_fault_says_what_to_do(clean: Tensor, photograph: Image, painting: Image) -> None:
    for artifact in found(specks(300, 1)(dead(0.0)(clean)), photograph, painting):
        assert artifact.advice
        article = "a " if artifact.kind in {"grid", "halo", "seam", "dead area"} else ""
        assert str(artifact) == f"{article}{artifact.kind}: {artifact.where}; {artifact.advice}"


def test_the_measures_are_zero_for_the_photograph_itself(photograph: Image, painting: Image) -> None:
    pixels, paintings = photograph.pixels, [painting.pixels]
    for measure in (
        artifacts.grid,
        artifacts.noise,
        artifacts.specks,
        artifacts.halo,
        artifacts.dead_area,
        artifacts.seam,
    ):
        assert measure(pixels, pixels, paintings)[0] == 0.0
