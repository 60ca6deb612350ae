"""Masks: the regions they define, the check that they match, and that regions take their own styles."""

from __future__ import annotations

import json
import math
import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import impasto
from impasto.backbones.vgg import LAYERS
from impasto.color import to_oklab
from impasto.errors import ImageReadError, ImpastoWarning, SettingsError
from impasto.guidance import Guidance, at_layer, inside
from impasto.images import Image, read, write
from impasto.loading import load
from impasto.recipes import Recipe
from impasto.settings import Settings
from impasto.weighting import strengths_of
from tests.cli_running import QUICK, make_pictures, run
from tests.conftest import painting_pixels, photo_pixels


def mask(*boxes: tuple[slice, slice], size: tuple[int, int] = (48, 64)) -> Image:
    pixels = torch.zeros(1, 3, *size)
    for rows, columns in boxes:
        pixels[..., rows, columns] = 1.0
    return Image(pixels=pixels)


WHOLE = slice(None)
LEFT, RIGHT = mask((WHOLE, slice(0, 32))), mask((WHOLE, slice(32, 64)))


def colored(*parts: tuple[slice, tuple[float, float, float]]) -> Image:
    """Vertical stripes, each in a colour."""
    pixels = torch.zeros(1, 3, 48, 64)
    for columns, rgb in parts:
        pixels[..., columns] = torch.tensor(rgb).view(1, 3, 1, 1)
    return Image(pixels=pixels)


RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


# --- Regions from masks


def test_regions_and_background_add_up_to_one():
    guidance = Guidance(content_masks=(LEFT, mask((slice(0, 24), WHOLE))))
    planes, background = guidance.cover((96, 128))
    total = torch.stack([*planes, background]).sum(0)
    assert torch.allclose(total, torch.ones(96, 128), atol=1e-5)
    # Where two regions overlap, each has weight ½.
    assert float(planes[0][10, 10]) == pytest.approx(0.5)
    assert float(planes[0][90, 10]) == pytest.approx(1.0)
    assert float(background[90, 120]) == pytest.approx(1.0)


def test_grey_is_a_soft_edge():
    soft = Image(pixels=torch.full((1, 3, 48, 64), 0.25))
    (plane,), background = Guidance(content_masks=(soft,)).cover((48, 64))
    assert float(plane.mean()) == pytest.approx(0.25)
    assert float(background.mean()) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("masks", "style_masks", "paintings", "expected"),
    [
        (2, 0, 1, [None, None]),
        (2, 0, 2, [0, 1]),
        (2, 2, 2, [0, 1]),
        (2, 2, 1, [None, None]),
        (2, 0, 3, [None, None]),
        (1, 0, 1, [None]),
        (0, 0, 1, []),
    ],
)
def test_which_painting_a_region_is_painted_after(masks, style_masks, paintings, expected):
    guidance = Guidance(
        content_masks=(LEFT, RIGHT)[:masks], style_masks=(LEFT, RIGHT)[:style_masks], paintings=paintings
    )
    assert [region.painting for region in guidance.regions] == expected
    assert all((region.style is not None) == bool(style_masks) for region in guidance.regions)


@pytest.mark.parametrize(
    ("masks", "style_masks", "paintings", "said"),
    [
        ((LEFT, RIGHT), (LEFT,), 1, "got 1 for 2 masks"),
        ((), (LEFT,), 1, "got 1 for 0 masks"),
        ((LEFT, RIGHT), (LEFT, RIGHT), 3, "got 2 for 3 paintings"),
    ],
)
def test_masks_that_do_not_fit_each_other(masks, style_masks, paintings, said):
    with pytest.raises(SettingsError, match=said):
        Guidance(content_masks=masks, style_masks=style_masks, paintings=paintings)


def test_a_mask_of_nothing_is_refused():
    with pytest.raises(SettingsError, match="number 2 is completely black"):
        Guidance(content_masks=(LEFT, mask()))
    with pytest.raises(SettingsError, match="style_mask: number 1"):
        Guidance(content_masks=(LEFT,), style_masks=(mask(),))


def test_a_map_in_colours_has_a_region_for_each_colour():
    content = colored((slice(0, 16), RED), (slice(16, 40), GREEN), (slice(40, 64), BLUE))
    style = colored((slice(0, 30), BLUE), (slice(30, 64), RED))
    guidance = Guidance(content_masks=(content,), style_masks=(style,))
    red, blue = sorted((float(g.content.mean()), float(g.style.mean())) for g in guidance.regions)
    # Green is not in the style map, so it is background.
    assert red == pytest.approx((16 / 64, 34 / 64))
    assert blue == pytest.approx((24 / 64, 30 / 64))
    assert float(guidance.cover((48, 64))[1][:, 16:40].mean()) == pytest.approx(1.0)


def test_soft_edges_of_a_map_are_no_regions():
    sharp = colored((slice(0, 32), RED), (slice(32, 64), BLUE))
    soft = sharp.resized((47, 63)).resized((48, 64))
    assert len(Guidance(content_masks=(soft,), style_masks=(sharp,)).regions) == 2


def test_maps_that_do_not_fit():
    red, green = colored((WHOLE, RED)), colored((WHOLE, GREEN))
    with pytest.raises(SettingsError, match="no colour in common"):
        Guidance(content_masks=(red,), style_masks=(green,))
    with pytest.raises(SettingsError, match="needs a map of the painting"):
        Guidance(content_masks=(red,))
    with pytest.raises(SettingsError, match="2 masks, one of them in colours"):
        Guidance(content_masks=(red, LEFT), style_masks=(red,))


@pytest.mark.parametrize("name", ["red_panda", "coffee", "starry_night"])
def test_a_photograph_is_no_map(name):
    picture, flat = load(f"sample:{name}"), colored((WHOLE, RED))
    with pytest.raises(SettingsError, match=rf"^mask: sample:{name} is not a map: only \d+% .* fill each region"):
        Guidance(content_masks=(picture,), style_masks=(flat,))
    with pytest.raises(SettingsError, match=rf"^style_mask: sample:{name} is not a map"):
        Guidance(content_masks=(flat,), style_masks=(picture,))


def test_noise_has_no_colours_to_be_a_map_by():
    noise = Image(pixels=torch.rand(1, 3, 300, 300, generator=torch.Generator().manual_seed(1)))
    with pytest.raises(SettingsError, match="mask: it is not a map: only 0%"):
        Guidance(content_masks=(noise,), style_masks=(noise,))


def test_a_map_saved_as_jpeg_is_a_map(tmp_path):
    sharp = colored((slice(0, 20), RED), (slice(20, 40), GREEN), (slice(40, 64), BLUE))
    write(sharp.resized((96, 128)), tmp_path / "map.jpg", quality=40)
    soft = read(tmp_path / "map.jpg")
    assert len(Guidance(content_masks=(soft,), style_masks=(sharp,)).regions) == 3


def test_a_large_map_takes_memory_by_its_pixels_and_not_by_its_colours_as_well():
    ramp = torch.arange(64)
    colors = torch.stack([ramp // 16, ramp // 4 % 4, ramp % 4]).float() / 3
    many = Image(pixels=colors[:, None, :].repeat_interleave(16, 2).expand(-1, 1200, -1).contiguous()[None])
    one = colored((slice(0, 64), tuple(colors[:, 7].tolist())))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    Guidance(content_masks=(many,), style_masks=(one,))
    # An array of pixels × colours × channels would have 900 MB.
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 2e8


def test_content_counts_more_where_the_map_is_white():
    guidance = Guidance(content_map=LEFT)
    factor = guidance.content_factor((48, 64))
    assert float(factor[:, :30].mean()) == pytest.approx(10.0)
    assert float(factor[:, 34:].mean()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("given", "regions", "expected"), [((), 2, (0.5, 0.5)), ((0.2, 1.0), 2, (0.2, 1.0)), ((), 0, ())]
)
def test_strengths_of_regions(given, regions, expected):
    assert strengths_of(Settings(region_strength=given), regions) == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((0.5,), "got 1 for 2 regions"),
        ((0.5, 2), "got 2; each must be a number, 0 to 1"),
        ("0.5,-0.1", "0 to 1"),
    ],
)
def test_bad_strengths_of_regions(given, said):
    with pytest.raises(SettingsError, match=said):
        strengths_of(Settings(region_strength=given), 2)


# --- At a layer


def test_a_plane_at_a_layer_is_the_mean_of_its_pixels():
    plane = torch.rand(48, 64, generator=torch.Generator().manual_seed(1))
    for name in ("relu1_1", "relu3_1", "relu5_1"):
        stride = LAYERS[name].stride
        expected = plane.view(48 // stride, stride, 64 // stride, stride).mean((1, 3))
        torch.testing.assert_close(at_layer(plane, LAYERS[name]), expected)
    assert at_layer(plane[:41, :50], LAYERS["relu3_1"]).shape == (10, 12)


def test_inside_is_what_does_not_see_beyond():
    plane = torch.zeros(64, 64)
    plane[:, :40] = 1.0
    shrunk = inside(plane, LAYERS["relu3_1"])
    # The receptive field of 24 px extends 12 px, which is 3 positions of 4 px; the picture's border is not an edge.
    assert shrunk[:, :7].min() == 1.0
    assert shrunk[:, 7:].max() == 0.0


def test_where_the_opposite_border_is_seen_the_picture_has_an_edge():
    whole = torch.ones(64, 64)
    layer = LAYERS["relu3_1"]
    assert inside(whole, layer).min() == 1.0
    within = inside(whole, layer, wraps=True)
    assert within[3:-3, 3:-3].min() == 1.0
    assert within.sum() == 10 * 10


def test_a_small_region_is_not_shrunk_to_nothing():
    plane = torch.zeros(64, 64)
    plane[24:40, 24:40] = 1.0
    for name in ("relu3_1", "relu4_1", "relu5_1"):
        layer = LAYERS[name]
        assert float(inside(plane, layer).sum()) >= 0.25 * float(at_layer(plane, layer).sum()) > 0


# --- Painting


SMALL: dict[str, Any] = {
    "size": 64,
    "coarse_size": 32,
    "coarse_iterations": 6,
    "iterations": 5,
    "device": "cpu",
    "strength": 0.8,
}


def tone(pixels: Tensor, rgb: tuple[float, float, float]) -> Image:
    return Image(pixels=(0.25 * pixels + 0.75 * torch.tensor(rgb).view(1, 3, 1, 1)))


@pytest.fixture(scope="module")
def photo_image() -> Image:
    return Image(pixels=photo_pixels(48, 64))


REDDISH, BLUISH = (0.8, 0.2, 0.2), (0.2, 0.2, 0.8)


@pytest.fixture(scope="module")
def two() -> list[Image]:
    return [tone(painting_pixels(48, 64), rgb) for rgb in (REDDISH, BLUISH)]


def redness(pixels: Tensor) -> Tensor:
    """Red minus blue, by column."""
    return (pixels[0, 0] - pixels[0, 2]).mean(0)


def test_each_region_takes_on_its_own_painting(photo_image, two):
    picture = impasto.stylize(photo_image, two, masks=[LEFT, RIGHT], **SMALL).image.pixels
    columns = redness(picture) - redness(photo_image.pixels)
    assert float(columns[:16].mean()) > 0.1
    assert float(columns[48:].mean()) < -0.1


def test_a_style_mask_says_which_part_of_the_painting(photo_image, two):
    both = Image(pixels=torch.cat([two[0].pixels[..., :32], two[1].pixels[..., 32:]], dim=-1))
    picture = impasto.stylize(photo_image, both, masks=[LEFT, RIGHT], style_masks=[RIGHT, LEFT], **SMALL).image.pixels
    columns = redness(picture) - redness(photo_image.pixels)
    assert float(columns[:16].mean()) < -0.1
    assert float(columns[48:].mean()) > 0.1


def test_the_background_is_kept_if_wished(photo_image, two):
    painted, kept = (
        impasto.stylize(photo_image, two[0], masks=[LEFT], background=word, **SMALL).image.pixels
        for word in ("paint", "keep")
    )
    away = [(p - photo_image.pixels).abs()[..., 34:].max() for p in (painted, kept)]
    assert float(away[1]) < 1e-6 < 0.1 < float(away[0])
    assert float((kept - photo_image.pixels).abs()[..., :30].mean()) > 0.05


def test_a_region_of_no_strength_is_left(photo_image, two):
    picture = impasto.stylize(
        photo_image, two[0], masks=[LEFT, RIGHT], region_strength=(0.8, 0.0), **SMALL
    ).image.pixels
    away = (picture - photo_image.pixels).abs().mean((0, 1, 2))
    assert float(away[44:].mean()) < 0.4 * float(away[:20].mean())


def test_all_regions_may_be_of_no_strength(photo_image, two):
    settings = SMALL | {"region_strength": "0"}
    picture = impasto.stylize(photo_image, two[0], masks=[LEFT], **settings).image.pixels
    away = (picture - photo_image.pixels).abs().mean((0, 1, 2))
    assert float(away[:16].mean()) < 0.6 * float(away[44:].mean())


def test_of_no_strength_and_no_background_the_photograph_is_left(photo_image, two):
    settings = SMALL | {"region_strength": "0", "background": "keep", "grain": 0.0}
    picture = impasto.stylize(photo_image, two[0], masks=[LEFT], **settings).image.pixels
    assert float((picture - photo_image.pixels).abs().mean()) < 0.03


def test_shares_of_paintings_may_not_all_be_none():
    with pytest.raises(SettingsError, match="blend: every share is 0"):
        Settings(blend="0,0")  # type: ignore[arg-type]


@pytest.mark.parametrize("setting", ["masks", "style_masks", "content_map"])
def test_a_mask_of_another_shape_is_refused(photo_image, two, setting):
    tall = mask((WHOLE, WHOLE), size=(64, 48))
    given = {"masks": [tall], "style_masks": [tall], "content_map": tall}[setting]
    chosen: dict[str, Any] = {"masks": [LEFT], setting: given}
    with pytest.raises(SettingsError, match=r"is 48 × 64 px, which is not the shape of the (photograph|painting)"):
        impasto.stylization(photo_image, two[0], Settings(**SMALL), **chosen)


def test_all_controls_together(photo_image, two):
    options = {**SMALL, "blend": (0.7, 0.3), "region_strength": (0.9,), "stroke_size": 6.0, "style_loss": "statistics"}
    whole = impasto.stylize(
        photo_image,
        list(two),
        masks=[LEFT],
        content_map=mask((slice(24, 48), WHOLE)),
        background="keep",
        keep_color="luminance",
        **options,
    )
    picture, photograph = whole.image.pixels, photo_image.pixels
    assert float((picture - photograph).abs()[..., 34:].max()) < 1e-6
    assert float((picture - photograph).abs()[..., :30].mean()) > 0.02
    # The photograph's colours, except those outside the gamut at another lightness.
    hue = [to_oklab(pixels[..., :30])[:, 1:] for pixels in (picture, photograph)]
    assert float((hue[0] - hue[1]).abs().median()) < 0.01
    assert whole.recipe.settings.blend == (0.7, 0.3)
    assert (len(whole.recipe.masks), len(whole.recipe.styles)) == (1, 2)


def test_shapes_stay_where_the_map_is_white(photo_image, two):
    plain, held = (
        impasto.stylize(photo_image, two[0], content_map=chosen, **SMALL).trace[-1] for chosen in (None, LEFT)
    )
    assert held.terms["content relu4_2"] != plain.terms["content relu4_2"]


def test_a_mask_of_everything_is_no_mask(photo_image, two):
    whole = Image(pixels=torch.ones(1, 3, 6, 8))
    settings = SMALL | {"precision": "float32", "iterations": 2, "coarse_iterations": 2}
    plain, masked = (
        impasto.stylize(photo_image, two[0], masks=masks, **settings).image.pixels for masks in ([], [whole])
    )
    assert float((plain - masked).abs().max()) < 0.02


def test_one_mask_needs_no_list(photo_image, two, tmp_path):
    one, listed = (impasto.stylize(photo_image, two[0], masks=masks, **SMALL).image.pixels for masks in (LEFT, [LEFT]))
    assert torch.equal(one, listed)
    with pytest.raises(ImageReadError, match=r"missing\.png"):
        impasto.stylize(photo_image, two[0], masks=str(tmp_path / "missing.png"))


def test_a_background_without_masks_warns(photo_image, two):
    with pytest.warns(ImpastoWarning, match="background has no effect"):
        next(impasto.stylization(photo_image, two[0], Settings(background="keep", size=32, device="cpu")))


def test_without_a_mask_there_is_no_background_to_keep(photo_image, two):
    with pytest.warns(ImpastoWarning, match="background has no effect"):
        kept, painted = (
            impasto.stylize(photo_image, two[0], content_map=LEFT, background=word, **SMALL).image.pixels
            for word in ("keep", "paint")
        )
    assert torch.equal(kept, painted)
    assert float((kept - photo_image.pixels).abs().mean()) > 0.05


def test_a_region_of_a_few_pixels_is_painted_at_every_scale(photo_image, two):
    dot = mask((slice(10, 12), slice(20, 22)))
    last = impasto.stylize(photo_image, two[0], masks=[dot], style_masks=[dot], **SMALL).trace[-1]
    assert math.isfinite(last.value)


# --- The command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_pictures(tmp_path)
    monkeypatch.chdir(tmp_path)
    write(LEFT, "left.png")
    write(RIGHT, "right.png")
    return tmp_path


def test_masks_on_the_command_line_and_again(folder):
    masks = ("--mask", "left.png", "--mask", "right.png", "--content-map", "left.png", "--background", "keep")
    done = run("stylize", "photo.png", "painting.png", "other.png", *QUICK, *masks, "-o", "out.png", "-q")
    assert (done.code, done.notes) == (0, [])
    recipe = Recipe.of_file("out.png")
    assert [note.name for note in recipe.masks] == ["left.png", "right.png"]
    assert recipe.content_map.name == "left.png"
    assert run("rerun", "out.png", "-q", "-o", "again.png").code == 0
    assert Path("again.png").read_bytes() == Path("out.png").read_bytes()


def test_masks_that_moved_can_be_named(folder):
    write(mask((slice(0, 24), WHOLE)), "top.png")
    write(RIGHT.resized((40, 50)), "there.png")
    masks: tuple[str, ...] = ("--mask", "left.png", "--mask", "right.png")
    masks += ("--style-mask", "there.png", "--style-mask", "there.png", "--content-map", "top.png")
    assert run("stylize", "photo.png", "painting.png", *QUICK, *masks, "-o", "out.png", "-q").code == 0
    moved = [word if word.startswith("--") else f"moved-{word}" for word in masks]
    for name in set(masks[1::2]):
        Path(name).rename(f"moved-{name}")
    for known, name, option in (
        (0, "left.png", "--mask for each of the 2, in their order"),
        (4, "there.png", "--style-mask for each of the 2, in their order"),
        (8, "top.png", "--content-map"),
    ):
        refused = run("rerun", "out.png", "-q", *moved[:known])
        assert refused.code == 1
        assert refused.error().startswith(f"{name} is not in ")
        assert refused.error().endswith(f"say where it is, with {option}")
    done = run("rerun", "out.png", "-q", "-o", "again.png", *moved)
    assert (done.code, done.notes) == (0, [])
    assert torch.equal(read("again.png").pixels, read("out.png").pixels)


def test_masks_that_are_others_are_taken_and_said(folder):
    masks = ("--mask", "left.png", "--content-map", "left.png")
    assert run("stylize", "photo.png", "painting.png", *QUICK, *masks, "-o", "out.png", "-q").code == 0
    others = ("--mask", "right.png", "--content-map", "right.png")
    done = run("rerun", "out.png", "-q", "-o", "again.png", *others)
    said = "right.png is not the picture in the recipe; the result will differ"
    assert (done.code, done.notes) == (0, [f"impasto: warning: {said}"] * 2)
    expected = run("stylize", "photo.png", "painting.png", *QUICK, *others, "-o", "expected.png", "-q")
    assert expected.code == 0
    assert torch.equal(read("again.png").pixels, read("expected.png").pixels)
    more = run("rerun", "out.png", "-q", "-o", "more.png", "--mask", "left.png", "--mask", "right.png")
    assert more.notes == ["impasto: warning: --mask: got 2 pictures, and the recipe has 1; the result will differ"]


def test_a_mask_that_is_named_to_rerun_is_never_overwritten(folder):
    assert run("stylize", "photo.png", "painting.png", *QUICK, "--mask", "left.png", "-o", "out.png", "-q").code == 0
    refused = run("rerun", "out.png", "-q", "-f", "--mask", "right.png", "-o", "right.png")
    assert "it is an input" in refused.error()


def test_a_mask_is_never_overwritten(folder):
    before = Path("left.png").read_bytes()
    done = run("stylize", "photo.png", "painting.png", *QUICK, "--mask", "left.png", "-o", "left.png", "-f", "-q")
    assert done.code != 0
    assert Path("left.png").read_bytes() == before


def test_masks_that_do_not_fit_are_one_line(folder):
    done = run("stylize", "photo.png", "painting.png", *QUICK, "--mask", "left.png", "--style-mask", "gone.png")
    assert "gone.png" in done.error()
    done = run("stylize", "photo.png", "painting.png", *QUICK, "--style-mask", "left.png")
    assert "got 1 for 0 masks" in done.error()


def test_a_recipe_without_masks_can_still_be_read(folder):
    run("stylize", "photo.png", "painting.png", *QUICK, "-o", "out.png", "-q")
    record = json.loads(Recipe.of_file("out.png").to_json())
    for name in ("masks", "style_masks", "content_map"):
        del record[name]
    assert Recipe.from_json(json.dumps(record)) == Recipe.of_file("out.png")
    assert read("out.png").width == 32
