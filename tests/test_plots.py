"""Figures: their content, and that they are written atomically."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image as PilImage

from impasto import plots
from impasto.errors import ImageWriteError, SettingsError
from impasto.images import Image
from impasto.pastiche import Pastiche
from impasto.recipes import Fingerprint, Recipe
from impasto.settings import Settings
from impasto.trace import TracePoint

RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def plain(color: tuple[float, float, float], size: tuple[int, int] = (40, 60), name: str = "plain.png") -> Image:
    return Image(pixels=torch.tensor(color).view(1, 3, 1, 1).expand(1, 3, *size).clone(), name=name)


def painted(
    scales: int = 3, iterations: int = 5, *, trace: Sequence[TracePoint] | None = None, image: Image | None = None
) -> Pastiche:
    if trace is None:
        trace = [
            TracePoint(
                scale,
                (40 * (scale + 1), 60 * (scale + 1)),
                iteration,
                3.0 / iteration,
                {"content relu4_2": 1.0 / iteration, "style relu1_1": 2.0 / iteration},
            )
            for scale in range(scales)
            for iteration in range(1, iterations + 1)
        ]
    recipe = Recipe(settings=Settings(), content=Fingerprint("a.jpg", "0"), styles=(Fingerprint("b.jpg", "1"),))
    return Pastiche(image or plain(BLUE), recipe, trace)


def words(figure: Any) -> str:
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def losses(figure: Any) -> Any:
    return next(axes for axes in figure.axes if axes.get_label() == "losses")


def drawn(figure: Any) -> PilImage.Image:
    figure.canvas.draw()
    return PilImage.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])


def test_the_figure_shows_what_went_in_and_how_it_went() -> None:
    figure = plots.figure(plain(RED, name="photo.jpg"), [plain(GREEN, name="art.jpg")], painted())
    said = words(figure)
    for word in ("photo.jpg", "art.jpg", "Total", "relu4_2", "relu1_1", "strength 0.5", "60", "120", "180 px"):
        assert word in said
    assert "15 iterations at 3 scales" in said
    assert "?" not in said
    assert [axes.get_label() for axes in figure.axes] == ["Content photo.jpg", "Style art.jpg", "Pastiche", "losses"]


def test_several_styles_and_their_shares_are_said() -> None:
    pastiche = painted()
    shared = dataclasses.replace(pastiche.recipe, settings=pastiche.settings.replace(blend=(0.7, 0.3)))
    for recipe, said in ((pastiche.recipe, "2 styles in equal parts"), (shared, "blend 0.7, 0.3")):
        figure = plots.figure(plain(RED), [plain(GREEN)] * 2, dataclasses.replace(pastiche, recipe=recipe))
        assert said in words(figure)
        assert ("equal parts" in words(figure)) == (recipe is pastiche.recipe)


def test_the_losses_are_those_of_the_trace() -> None:
    pastiche = painted(scales=3, iterations=5)
    axes = losses(plots.figure(plain(RED), [plain(GREEN)], pastiche))
    assert axes.get_yscale() == "log"
    lines = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert set(lines) == {"Total", "Content relu4_2", "Style relu1_1"}
    for label, value in (("Total", lambda p: p.value), ("Style relu1_1", lambda p: p.terms["style relu1_1"])):
        x, y = lines[label].get_data()
        seen = np.isfinite(y)
        assert list(x[seen]) == list(range(1, 16))
        assert list(y[seen]) == [value(point) for point in pastiche.trace]
        # One gap after each scale, so that the curves are interrupted.
        assert (~seen).sum() == 3
    assert lines["Total"].get_linewidth() > 1.5 * lines["Style relu1_1"].get_linewidth()
    assert len({line.get_color() for line in lines.values()}) == 3
    marks = [line.get_xdata()[0] for line in axes.lines if line.get_label().startswith("_")]
    assert sorted(marks) == [5.5, 10.5]
    low, high = axes.get_ylim()
    assert low < 0.2
    assert high > 3.0


def test_a_change_of_settings_is_marked_and_parts_the_lines() -> None:
    trace = [dataclasses.replace(point, changed=("strength",) * (i == 7)) for i, point in enumerate(painted().trace)]
    axes = losses(plots.figure(plain(RED), [plain(GREEN)], painted(trace=trace)))
    marks = [line.get_xdata()[0] for line in axes.lines if line.get_label().startswith("_")]
    assert sorted(marks) == [5.5, 7.5, 10.5]
    total = next(line for line in axes.lines if line.get_label() == "Total")
    assert (~np.isfinite(total.get_ydata())).sum() == 4
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["Total", "Content relu4_2", "Style relu1_1"]


def test_the_legend_covers_no_data() -> None:
    figure = plots.figure(plain(RED), [plain(GREEN)], painted())
    figure.canvas.draw()
    axes = losses(figure)
    legend = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["Total", "Content relu4_2", "Style relu1_1"]
    assert legend.get_window_extent().x0 >= axes.get_window_extent().x1
    assert legend.get_window_extent().x1 <= figure.bbox.x1


def test_style_layers_darken_with_depth() -> None:
    terms = {f"style relu{block}_1": 1.0 for block in (3, 1, 5, 2, 4)}
    pastiche = painted(trace=[TracePoint(0, (40, 60), iteration, 5.0, terms) for iteration in (1, 2)])
    lines = list(losses(plots.figure(plain(RED), [plain(GREEN)], pastiche)).lines)[:5]
    assert [line.get_label() for line in lines] == [f"Style relu{block}_1" for block in range(1, 6)]
    # Rec. 709 luma, as seen without colour vision.
    lightness = [np.dot(to_rgb(line.get_color()), (0.2126, 0.7152, 0.0722)) for line in lines]
    assert all(shallow - deep > 0.05 for shallow, deep in itertools.pairwise(lightness))


@pytest.mark.parametrize("value", [math.inf, math.nan, 1e31])
def test_a_wild_step_does_not_flatten_the_rest(value: float) -> None:
    trace = list(painted(scales=1, iterations=30).trace)
    trace[7] = TracePoint(0, (40, 60), 8, value, {"content relu4_2": value, "range": 0.0})
    low, high = losses(plots.figure(plain(RED), [plain(GREEN)], painted(trace=trace))).get_ylim()
    assert 0.01 < low < high < 1000


def test_terms_too_small_to_see_are_left_out() -> None:
    def labels(size: float) -> list[str]:
        trace = [
            TracePoint(p.scale, p.size, p.iteration, p.value, {**p.terms, "range": size}) for p in painted(1).trace
        ]
        legend = losses(plots.figure(plain(RED), [plain(GREEN)], painted(trace=trace))).get_legend()
        return [text.get_text() for text in legend.get_texts()]

    assert "Range" not in labels(1e-9)
    assert "Range" not in labels(0.0)
    # The least of the others is 0.2.
    assert "Range" not in labels(0.1)
    assert "Range" in labels(0.3)


def test_a_rounding_error_does_not_stretch_the_axis() -> None:
    trace = list(painted(scales=1).trace)
    trace[0] = TracePoint(0, (40, 60), 1, 3.0, {"content relu4_2": 1e-14, "style relu1_1": 3.0})
    low, _ = losses(plots.figure(plain(RED), [plain(GREEN)], painted(trace=trace))).get_ylim()
    assert low > 1e-7


def test_size_labels_do_not_overlap() -> None:
    trace = [TracePoint(i, (1000 + i, 2000 + i), 1, 1.0, {"content relu4_2": 1.0}) for i in range(60)]
    figure = plots.figure(plain(RED), [plain(GREEN)], painted(trace=trace))
    labels = [text for text in figure.texts if text.get_text().split()[0].isdecimal() and len(text.get_text()) < 9]
    spans = sorted((text.get_window_extent().x0, text.get_window_extent().x1) for text in labels)
    assert len(spans) > 5
    assert "2059 px" in words(figure)
    assert all(left[1] < right[0] for left, right in itertools.pairwise(spans))


@pytest.mark.parametrize("iterations", [1, 2])
def test_few_iterations_can_be_seen(iterations: int) -> None:
    figure = plots.figure(plain(RED), [plain(GREEN)], painted(scales=1, iterations=iterations))
    axes = losses(figure)
    box = axes.get_window_extent()
    height = figure.bbox.height
    inside = drawn(figure).crop((int(box.x0), int(height - box.y1), int(box.x1), int(height - box.y0)))
    # Only the total is darker than the marks and grid lines.
    assert (np.asarray(inside.convert("L")) < 60).sum() > 20


def test_no_trace_no_plot() -> None:
    figure = plots.figure(plain(RED), [plain(GREEN)], painted(trace=[]))
    assert [axes.get_label() for axes in figure.axes] == ["Content plain.png", "Style plain.png", "Pastiche"]


@pytest.mark.parametrize("styles", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("size", [(20, 160), (40, 60), (60, 40), (160, 20)])
def test_pictures_keep_their_shape_and_their_distance(styles: int, size: tuple[int, int]) -> None:
    figure = plots.figure(
        plain(RED, size), [plain(GREEN, (30, 30 + 7 * i)) for i in range(styles)], painted(1, image=plain(BLUE, size))
    )
    pictures = [axes for axes in figure.axes if axes.images]
    assert len(pictures) == styles + 2
    boxes = [axes.get_window_extent() for axes in pictures]
    for axes, box in zip(pictures, boxes, strict=True):
        height, width = axes.images[0].get_array().shape[:2]
        assert box.width / box.height == pytest.approx(width / height, rel=1e-6)
        assert box.width > 20
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1 + 1e-6
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert max(boxes[-1].width, boxes[-1].height) > 0.2 * figure.bbox.width


def test_no_words_leave_their_place() -> None:
    figure = plots.figure(plain(RED, name="a long name " * 9 + ".jpg"), [plain(GREEN, name="x" * 99)] * 4, painted())
    titles = [text for text in figure.texts if text.get_text().endswith("…")]
    assert len(titles) == 5
    boxes = [axes.get_window_extent() for axes in figure.axes]
    for title in titles:
        extent = title.get_window_extent()
        assert any(box.x0 <= extent.x0 and extent.x1 <= box.x1 + 1 and extent.y0 > box.y1 for box in boxes)
    for text in figure.texts:
        assert text.get_window_extent().x1 <= figure.bbox.x1
        assert text.get_window_extent().y0 >= 0


def test_a_name_is_no_formula_and_no_command() -> None:
    said = words(plots.figure(plain(RED, name="$x_1$\x1b\n绘画.jpg"), [plain(GREEN)], painted(1)))
    assert "$x_1$????.jpg" in said
    assert "\x1b" not in said


def test_a_figure_needs_a_painting() -> None:
    with pytest.raises(SettingsError, match="painting"):
        plots.figure(plain(RED), [], painted())


def test_nothing_global_is_touched() -> None:
    code = """
import sys, impasto.plots
assert "matplotlib" not in sys.modules
import matplotlib, torch
from impasto.images import Image

def parameters():
    # Reading the backend would select one and import pyplot.
    return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}

before = parameters()
impasto.plots.grid_figure([("one", Image(torch.zeros(1, 3, 8, 8)))], columns=1).canvas.draw()
assert "matplotlib.pyplot" not in sys.modules
assert parameters() == before
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=120)


def test_the_pictures_are_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    assert plots.save_figure(plain(RED), [plain(GREEN)] * 2, painted(1), path) == path
    with PilImage.open(path) as file:
        colors = {color for count, color in file.convert("RGB").getcolors(1 << 24) if count > 1000}
        assert file.width == 1440
    assert {(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)} <= colors


def test_a_sheet_is_a_grid_with_labels() -> None:
    figure = plots.grid_figure(
        [("relu1_1", plain(RED)), ("relu2_1", plain(GREEN)), ("relu3_1", plain(BLUE, (60, 40)))], columns=2
    )
    assert [text.get_text() for text in figure.texts] == ["relu1_1", "relu2_1", "relu3_1"]
    first, second, third = (axes.get_window_extent() for axes in figure.axes)
    assert first.y0 == second.y0 > third.y1
    assert first.x0 == third.x0 < first.x1 < second.x0
    assert first.width == pytest.approx(third.width)
    seen = drawn(figure)
    for box, color in ((first, RED), (second, GREEN), (third, BLUE)):
        middle = (int((box.x0 + box.x1) / 2), int(figure.bbox.height - (box.y0 + box.y1) / 2))
        assert seen.getpixel(middle) == tuple(round(255 * level) for level in color)
    with pytest.raises(SettingsError, match="none"):
        plots.grid_figure([], columns=2)
    with pytest.raises(SettingsError, match="columns"):
        plots.grid_figure([("one", plain(RED))], columns=0)


@pytest.mark.parametrize(
    ("suffix", "start"),
    [
        (".png", b"\x89PNG"),
        (".PNG", b"\x89PNG"),
        (".jpg", b"\xff\xd8\xff"),
        (".jpeg", b"\xff\xd8\xff"),
        (".pdf", b"%PDF"),
        (".svg", b"<?xml"),
    ],
)
def test_formats(tmp_path: Path, suffix: str, start: bytes) -> None:
    path = tmp_path / f"figure{suffix}"
    plots.write_figure(plots.grid_figure([("one", plain(RED))], columns=1), path)
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["figure.xyz", "figure", "nowhere/figure.png"])
def test_a_place_that_will_not_do_is_refused_before_and_after(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageWriteError):
        plots.check_figure_path(tmp_path / name)
    with pytest.raises(ImageWriteError):
        plots.write_figure(plots.grid_figure([("one", plain(RED))], columns=1), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_the_message_names_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(ImageWriteError, match=r"got '.gif'; allowed are .png, .jpg, .jpeg, .pdf, .svg"):
        plots.check_figure_path(tmp_path / "figure.gif")
    with pytest.raises(ImageWriteError, match="no folder"):
        plots.check_figure_path(tmp_path / "nowhere" / "figure.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ImageWriteError, match="this is a folder"):
        plots.check_figure_path(tmp_path / "folder.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageWriteError, match="pipe; name a file"):
        plots.check_figure_path(tmp_path / "pipe.png")


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to("real.png")
    plots.write_figure(plots.grid_figure([("one", plain(RED))], columns=1), tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "real.png").is_file()


@pytest.mark.parametrize(
    ("number", "message"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "permission"), (5, "not be")]
)
def test_a_failed_write_leaves_the_old_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    path = tmp_path / "figure.png"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(number, "no")

    figure = plots.grid_figure([("one", plain(RED))], columns=1)
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(ImageWriteError, match=message) as caught:
        plots.write_figure(figure, path)
    assert "figure.png" in str(caught.value)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
