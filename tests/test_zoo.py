"""torchvision's networks as backbones: against the embedded VGG-19, against hand calculation, and wrong files.

Tolerances: the same weights in two programs differ by rounding, 1e-5 of a layer's largest feature in float32. Where
padding is the mean colour, the mean colours of the two networks differ slightly.
"""

import json
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import impasto
from impasto import api, planning
from impasto.backbones import VGG19, architecture, geometry, torchvision_hub, zoo
from impasto.errors import AssetError, CheckpointError, ImpastoWarning, SettingsError
from impasto.loading import load
from impasto.planning.counting import count
from impasto.presets import preset
from impasto.recipes import Recipe
from impasto.settings import Settings
from impasto.weighting import layer_weights
from tests.cli_running import QUICK, run
from tests.conftest import painting_pixels, photo_pixels
from tests.zoo_weights import FAMILIES, embedded_weights, random_state, random_weights

ROUNDING = 1e-5
SIZE_64 = ("--size", "64", "--iterations", "2", "--coarse-iterations", "2")
LAYERS = ["conv1_1", "relu1_1", "conv2_2", "relu2_2", "pool3", "relu4_2", "relu5_1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def embedded(folder) -> Path:
    return embedded_weights(folder)


@pytest.fixture(scope="module")
def squeezenet(folder) -> Path:
    return random_weights(folder, "squeezenet1_1")


@pytest.fixture
def pictures(tmp_path, photo, painting, monkeypatch) -> Path:
    """A folder with photo.png and painting.png, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    photo(48, 64).save("photo.png")
    painting(60, 50).save("painting.png")
    return tmp_path


# --- The same network twice


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({}, ROUNDING),
        ({"pooling": "average"}, ROUNDING),
        ({"pooling": "l2"}, ROUNDING),
        ({"padding": "wrap"}, ROUNDING),
        ({"padding": "reflect"}, ROUNDING),
        ({"padding": "zeros"}, 0.01),
        ({"dtype": torch.bfloat16}, 0.02),
    ],
    ids=str,
)
def test_the_embedded_weights_in_torchvisions_vgg19_see_the_same(embedded, options, tolerance):
    image = photo_pixels(64, 80)
    theirs = architecture("torchvision:vgg19").build(LAYERS, weights=embedded, **options)(image, LAYERS)
    ours = VGG19("relu5_1", **options)(image, LAYERS)
    assert list(theirs) == list(ours) == LAYERS
    for layer, features in ours.items():
        assert theirs[layer].dtype == features.dtype
        difference = (theirs[layer].float() - features.float()).abs().max()
        assert float(difference / features.float().abs().max()) < tolerance, layer


def test_a_painting_with_either_falls_alike(embedded, photo, painting):
    quick: dict[str, Any] = {"size": 64, "iterations": 3, "coarse_iterations": 3, "precision": "float32"}
    ours = impasto.stylize(photo(48, 64), painting(60, 50), **quick)
    theirs = impasto.stylize(photo(48, 64), painting(60, 50), backbone="torchvision:vgg19", weights=embedded, **quick)
    assert [p.value for p in theirs.trace] == pytest.approx([p.value for p in ours.trace], rel=1e-3)
    assert theirs.recipe.weights.name == "embedded.safetensors"
    assert ours.recipe.weights is None


def test_gradients_reach_the_image_in_half_precision(squeezenet):
    tested = architecture("torchvision:squeezenet1_1")
    network = tested.build(tested.default_style_layers, weights=squeezenet, dtype=torch.bfloat16)
    image = photo_pixels(48, 48).requires_grad_()
    (gradient,) = torch.autograd.grad(sum(f.float().mean() for f in network(image, network.names).values()), image)
    assert gradient.dtype == torch.float32
    assert float(gradient.abs().max()) > 0


# --- Strides and receptive fields


def test_geometry_is_found_as_the_table_has_it():
    tested: Any = architecture("torchvision:vgg19")
    names = [name for name in VGG19.architecture.layers if name != "pool5"]
    fields = tested.receptive_fields(names[-1])
    for name in names:
        known = VGG19.architecture.layers[name]
        assert (tested.geometry(name).channels, tested.geometry(name).stride) == (known.channels, known.stride), name
        assert (fields[name].side, fields[name].before) == (known.receptive_field, known.reach[0]), name


def field_by_hand(windows: list[tuple[int, int]]) -> int:
    """Receptive field of a sequence of windows (kernel, stride)."""
    field, stride = 1, 1
    for kernel, step in windows:
        field, stride = field + (kernel - 1) * stride, stride * step
    return field


RESNET_STEM = [(7, 2), (3, 2), *3 * [(3, 1)]]
KNOWN_FIELDS = {
    ("resnet50", "relu"): [(7, 2)],
    ("resnet50", "layer1"): RESNET_STEM,
    ("resnet50", "layer2"): [*RESNET_STEM, (3, 2), *3 * [(3, 1)]],
    ("squeezenet1_1", "features.4"): [(3, 2), (3, 2), (3, 1), (3, 1)],
    ("squeezenet1_1", "features.7"): [(3, 2), (3, 2), (3, 1), (3, 1), (3, 2), (3, 1), (3, 1)],
    ("convnext_tiny", "features.1"): [(4, 4), *3 * [(7, 1)]],
    ("convnext_tiny", "features.3"): [(4, 4), *3 * [(7, 1)], (2, 2), *3 * [(7, 1)]],
}


@pytest.mark.parametrize(("model", "part"), KNOWN_FIELDS, ids=str)
def test_receptive_fields_by_hand(model, part):
    tested = architecture(f"torchvision:{model}")
    layer = tested.layers[tested.canonical_name(part)]
    windows = KNOWN_FIELDS[model, part]
    assert layer.receptive_field == field_by_hand(windows)
    stride = 1
    for _, step in windows:
        stride *= step
    assert layer.stride == stride


def test_what_sees_everything_is_said_to():
    def features(image):
        return {"mean": image.mean((2, 3), keepdim=True) + image, "pixel": image}

    assert geometry.receptive_fields(features, {"mean": 1, "pixel": 1}, 8) == {
        "mean": geometry.Field(geometry.UNBOUNDED, None),
        "pixel": geometry.Field(1, 0),
    }


# --- Names


@pytest.mark.parametrize(
    ("model", "written", "meant"),
    [
        ("vgg16", "relu4_2", "relu4_2"),
        ("vgg16", " RELU4_2", "relu4_2"),
        ("vgg16", "block4_conv2", "relu4_2"),
        ("vgg16", "features.20", "relu4_2"),
        ("vgg16", "block5_pool", "pool5"),
        ("resnet50", "layer2.3.relu_2", "layer2.3.relu_2"),
        ("resnet50", "layer2", "layer2.3.relu_2"),
        ("resnet50", "Layer2.0", "layer2.0.relu_2"),
        ("convnext_tiny", "features.3", "features.3.2.add"),
    ],
)
def test_every_spelling_of_a_layer(model, written, meant):
    assert architecture(f"torchvision:{model}").canonical_name(written) == meant


def test_a_misspelled_layer_suggests_the_backbones_own():
    tested = architecture("torchvision:resnet50")
    with pytest.raises(SettingsError, match=r"layer2\.3\.relu_2") as caught:
        tested.canonical_name("layr2.3.relu_2", setting="style_layers")
    assert caught.value.setting == "style_layers"
    with pytest.raises(SettingsError, match="impasto backbones torchvision:resnet50"):
        tested.canonical_name("the sky")
    with pytest.raises(SettingsError, match="no layer 'relu4_2'"):
        tested.canonical_name("relu4_2")


@pytest.mark.parametrize("name", ["torchvision:resnet5", "torchvision:", "torchvision:ResNet50"])
def test_a_network_that_torchvision_has_not(name):
    with pytest.raises(SettingsError, match="no classification network") as caught:
        architecture(name)
    assert caught.value.setting == "backbone"


@pytest.mark.parametrize("name", ["vit_b_16", "swin_t"])
def test_networks_without_maps_are_refused(name, capfd):
    with pytest.raises(SettingsError, match="convolutional"):
        architecture(f"torchvision:{name}")
    assert capfd.readouterr().err == ""


def test_the_papers_layers_are_those_of_other_networks_all_alike():
    tested = architecture("torchvision:squeezenet1_1")
    _, style = layer_weights(preset("gatys").settings(), tested)
    assert style == dict.fromkeys(tested.default_style_layers, 1.0)
    _, finer = layer_weights(Settings(), tested)
    weights = list(finer.values())
    assert weights == [2 * weight for weight in weights[1:]] + [1.0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", ["alexnet", "densenet121", "efficientnet_b0", "googlenet", "mobilenet_v2", "regnet_y_400mf", "vgg11_bn"]
)
def test_other_families_have_defaults_too(model):
    tested: Any = architecture(f"torchvision:{model}")
    (content,) = tested.default_content_layers
    assert tested.geometry(content).stride == 8
    strides = [tested.geometry(name).stride for name in tested.default_style_layers]
    assert strides == sorted(set(strides))
    assert strides[-1] == 16


# --- Files of weights


@pytest.mark.parametrize("model", FAMILIES)
def test_every_family_paints_with_weights_from_a_file(model, folder, pictures):
    weights = random_weights(folder, model)
    done = run(
        "stylize", "photo.png", "painting.png", "--out", "out.png", *SIZE_64, "--largest-form", "0",
        "--backbone", f"torchvision:{model}", "--weights", str(weights), "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    record = json.loads(done.out)
    tested = architecture(f"torchvision:{model}")
    assert record["settings"]["content_layers"] == tested.default_content_layers
    assert set(record["terms"]) >= {f"style {layer}" for layer in tested.default_style_layers}
    recipe = Recipe.of_file("out.png")
    assert recipe.weights.name == weights.name
    assert len(recipe.weights.sha256) == 64
    # The recipe does not reveal the folder of the file.
    assert str(folder) not in (pictures / "out.png").read_bytes().decode("latin-1")


@pytest.mark.promise("no-pickles")
def test_a_pth_of_tensors_is_read_and_what_else_is_in_one_is_not_run(tmp_path, squeezenet):
    tested = architecture("torchvision:squeezenet1_1")
    state = load_file(squeezenet)
    torch.save({"state_dict": state}, tmp_path / "right.pth")
    layers = tested.default_style_layers
    image = photo_pixels(64, 64)
    one, other = (tested.build(layers, weights=path)(image, layers) for path in (squeezenet, tmp_path / "right.pth"))
    assert all(torch.equal(one[name], other[name]) for name in layers)

    class Canary:
        def __reduce__(self):
            return Path.touch, (tmp_path / "sung",)

    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Canary()))
    torch.save({"weight": Canary()}, tmp_path / "worse.pth")
    for name in ("evil.pth", "worse.pth"):
        with pytest.raises(SettingsError, match="weights"):
            tested.build(layers, weights=tmp_path / name)
    assert not (tmp_path / "sung").exists()


def wrong_files(folder: Path, right: Path) -> dict[str, str]:
    """Files that are not the network's weights, with their error messages."""
    state = load_file(right)
    key = "features.3.squeeze.weight"
    save_file({name: value for name, value in state.items() if name != key}, folder / "lacking.safetensors")
    save_file({"some": torch.ones(2)}, folder / "other.safetensors")
    save_file(state | {key: torch.ones(3, 3)}, folder / "shape.safetensors")
    (folder / "cut.safetensors").write_bytes(right.read_bytes()[:1000])
    (folder / "text.pth").write_text("hello")
    (folder / "empty.pth").touch()
    torch.save([1, 2], folder / "list.pth")
    (folder / "weights.bin").touch()
    return {
        "lacking.safetensors": f"lacks 1 of the network's .* {key}",
        "other.safetensors": "it has some",
        "shape.safetensors": rf"the shape of {key} is \(3, 3\), expected \(16, 64, 1, 1\)",
        "cut.safetensors": "cannot be read",
        "text.pth": "text.pth",
        "empty.pth": "empty.pth",
        "list.pth": "not a state dict",
        "weights.bin": r"must be a \.safetensors file",
        "nothing.safetensors": "No such file",
    }


@pytest.mark.promise("no-pickles")
def test_wrong_files_of_weights(tmp_path, squeezenet):
    tested = architecture("torchvision:squeezenet1_1")
    for name, said in wrong_files(tmp_path, squeezenet).items():
        with pytest.raises(SettingsError, match=said) as caught:
            tested.build(tested.default_style_layers, weights=tmp_path / name)
        assert caught.value.setting == "weights"
        assert "\n" not in str(caught.value)


def test_weights_for_the_embedded_network_are_refused(squeezenet):
    with pytest.raises(SettingsError, match="bundled weights"):
        VGG19.architecture.build(["relu1_1"], weights=squeezenet)


def test_offline_without_weights(pictures, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(pictures / "hub"))
    # No proxy listens at this address, as if there were no network.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    done = run("stylize", "photo.png", "painting.png", *QUICK, "--backbone", "torchvision:resnet50")
    assert done.code == 1
    said = done.error()
    assert "resnet50-11ad3fa6.pth" in said
    assert "https://download.pytorch.org/models/resnet50-11ad3fa6.pth" in said
    assert str(pictures / "hub" / "checkpoints") in said
    assert "--weights FILE" in said


def test_a_file_in_the_hub_is_held_to_its_name(tmp_path, monkeypatch, squeezenet):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    path = torchvision_hub.hub_file("squeezenet1_1")
    path.parent.mkdir()
    path.write_bytes(squeezenet.read_bytes())
    with pytest.raises(AssetError, match="its hash is not the one in its name"):
        architecture("torchvision:squeezenet1_1").build(["features.1"])


def test_rerun_asks_for_the_weights_again(pictures, squeezenet):
    painted = (
        "stylize",
        "photo.png",
        "painting.png",
        "-o",
        "out.png",
        *QUICK,
        "--backbone",
        "torchvision:squeezenet1_1",
    )
    assert run(*painted, "--weights", str(squeezenet)).code == 0
    asked = run("rerun", "out.png", "-o", "again.png")
    assert asked.code == 1
    assert "squeezenet1_1.safetensors" in asked.error()
    assert "with --weights" in asked.error()
    again = run("rerun", "out.png", "-o", "again.png", "--weights", str(squeezenet))
    assert again.code == 0, again.err
    assert torch.equal(load("out.png").pixels, load("again.png").pixels)
    # Beside the picture it is found, unless it is another.
    (pictures / squeezenet.name).write_bytes(squeezenet.read_bytes())
    assert run("rerun", "out.png", "-o", "beside.png").code == 0
    save_file(random_state("squeezenet1_1"), pictures / squeezenet.name)
    assert "not the file of weights" in run("rerun", "out.png", "-o", "other.png").error()
    differs = run("rerun", "out.png", "-o", "other.png", "--weights", squeezenet.name)
    assert "the result will differ" in differs.err
    # Another backbone uses its own layers and weights.
    embedded = run("rerun", "out.png", "-o", "embedded.png", "--backbone", "vgg19")
    assert embedded.code == 0, embedded.err
    assert Recipe.of_file("embedded.png").settings.content_layers == Settings().content_layers


def test_a_painting_does_not_go_on_with_other_weights(pictures, squeezenet):
    settings = Settings(backbone="torchvision:squeezenet1_1", size=32, iterations=3, coarse_iterations=3, tolerance=0)
    begun = next(api.stylization("photo.png", "painting.png", settings, weights=squeezenet))
    begun.checkpoint().save("half.safetensors")
    save_file(random_state("squeezenet1_1"), pictures / "others.safetensors")
    with pytest.raises(CheckpointError, match="other weights"):
        api.stylization("photo.png", "painting.png", settings, weights="others.safetensors", resume="half.safetensors")
    on = api.stylization("photo.png", "painting.png", settings, weights=squeezenet, resume="half.safetensors")
    assert len(list(on)) == 3


def test_a_sweep_does_not_take_pictures_of_other_weights(pictures, squeezenet):
    out = pictures / "sheet.png"
    swept = ("sweep", "photo.png", "painting.png", "-o", str(out), "--strength", "0.4,0.6", *QUICK, "--force")
    save_file(random_state("squeezenet1_1"), pictures / "others.safetensors")
    for weights in (squeezenet, pictures / "others.safetensors"):
        done = run(*swept, "--backbone", "torchvision:squeezenet1_1", "--weights", str(weights))
        assert done.code == 0, done.err
        (picture, _) = sorted((pictures / "sheet-pictures").iterdir())
        assert Recipe.of_file(picture).weights.name == weights.name


def test_it_explains_with_weights_from_a_file(pictures, squeezenet):
    asked = ("--backbone", "torchvision:squeezenet1_1", "--weights", str(squeezenet), "--size", "64")
    for what, more in (("gram", ()), ("content", ("--iterations", "1", "--layers", "features.0"))):
        done = run("explain", what, "photo.png", *asked, *more, "-o", f"{what}.svg")
        assert done.code == 0, done.err
    refused = run("explain", "network", "photo.png", "--weights", str(squeezenet))
    assert (refused.code, "--weights: they have no effect on `network`" in refused.error()) == (2, True)


# --- Settings that a network does not support


def test_a_network_with_borders_of_its_own_cannot_wrap(squeezenet):
    tested = architecture("torchvision:squeezenet1_1")
    with pytest.raises(SettingsError, match="does not support wrap") as caught:
        tested.build(tested.default_style_layers, weights=squeezenet, padding="wrap")
    assert caught.value.setting == "padding"


def test_a_resnet_wraps_around_its_padded_pooling(folder):
    tested = architecture("torchvision:resnet50")
    layers = ["relu", "layer1.2.relu_2"]
    network = tested.build(layers, weights=random_weights(folder, "resnet50"), padding="wrap")
    image = photo_pixels(64, 64)
    here, there = network(image, layers), network(image.roll((8, 4), (2, 3)), layers)
    for name, stride in (("relu", 2), ("layer1.2.relu_2", 4)):
        torch.testing.assert_close(
            here[name].roll((8 // stride, 4 // stride), (2, 3)), there[name], rtol=1e-4, atol=1e-4
        )


def test_a_resnet_mirrors_borders_of_any_breadth(folder):
    tested = architecture("torchvision:resnet50")
    layers = ["conv1", "layer3.5.relu_2"]
    network: Any = tested.build(layers, weights=random_weights(folder, "resnet50"), padding="reflect")
    image = photo_pixels(tested.min_side, tested.min_side)
    found = network(image, layers)
    around = torch.nn.functional.pad((image - network.mean) / network.deviation, (3, 3, 3, 3), mode="reflect")
    weight = network.network.get_parameter("conv1.weight")
    expected = torch.nn.functional.conv2d(around, weight, stride=2)
    torch.testing.assert_close(found["conv1"], expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    assert found["layer3.5.relu_2"].isfinite().all()


def test_settings_without_effect_are_said(folder, photo, painting):
    weights = random_weights(folder, "convnext_tiny")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ImpastoWarning)
        settings = Settings(backbone="torchvision:convnext_tiny", pooling="l2", padding="zeros")
        api.stylization(photo(32, 32), painting(32, 32), settings, weights=weights)
    said = [str(one.message) for one in caught]
    assert any("pooling has no effect" in one for one in said)
    assert any("padding has no effect" in one for one in said)


def test_asked_layers_do_not_change_each_other(folder):
    tested = architecture("torchvision:resnet50")
    layers = ["layer1.0.conv3", "layer1.0.bn3", "layer1.0.add", "layer1.0.relu_2"]
    network = tested.build(layers, weights=random_weights(folder, "resnet50"))
    image = photo_pixels(48, 48)
    together = network(image, layers)
    for name in layers:
        assert torch.equal(network(image, [name])[name], together[name]), name
    assert float(together["layer1.0.add"].min()) < 0
    with pytest.raises(SettingsError, match=r"layer4"):
        network(image, ["layer4.2.relu_2"])


# --- Without torchvision; estimates


def test_without_torchvision_the_error_says_what_to_install(pictures):
    blocked = (
        "import sys\n"
        "class Blocker:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'torchvision':\n"
        "            raise ModuleNotFoundError(\"No module named 'torchvision'\", name=name)\n"
        "sys.meta_path.insert(0, Blocker())\n"
        "from impasto.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", blocked, "stylize", "photo.png", "painting.png", "--size", "32"]
    done = subprocess.run(
        [*command, "--backbone", "torchvision:vgg16"], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 2
    assert "pip install 'impasto[torchvision]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_count_is_the_tables():
    layers = frozenset(Settings().style_layers)
    for gradient, of in ((False, "multiply_adds"), (True, "gradient_multiply_adds")):
        assert getattr(count("vgg19", layers), of) == planning.multiply_adds(layers, gradient=gradient)
        assert getattr(count("torchvision:vgg19", layers), of) == planning.multiply_adds(layers, gradient=gradient)


def test_memory_of_other_networks_is_foretold():
    sizes = {name: planning.peak_bytes((512, 512), Settings(backbone=name)) for name in ("vgg19", "torchvision:vgg19")}
    # The embedded network computes the indices of maxima again, and its loss terms layer by layer.
    assert sizes["vgg19"] < sizes["torchvision:vgg19"] < 1.5 * sizes["vgg19"]
    small = planning.peak_bytes((512, 512), Settings(backbone="torchvision:squeezenet1_1"))
    assert small < sizes["vgg19"]


# --- The list


def test_the_command_lists_layers():
    done = run("backbones", "torchvision:squeezenet1_1")
    assert done.code == 0, done.err
    (line,) = [line for line in done.out.splitlines() if line.startswith("features.7.cat")]
    assert line.split()[1:] == ["256", "8", "px", "63", "px", "content,", "style"]
    assert "--content-layers features.7.cat=1" in done.out
    record = json.loads(run("backbones", "vgg19", "--json").out)
    assert record["default_content_layers"] == {"relu4_2": 1.0}
    assert [layer["name"] for layer in record["layers"]] == list(VGG19.architecture.layers)


def test_the_command_lists_networks():
    names = run("backbones").out.split()
    assert names[0] == "vgg19"
    assert {f"torchvision:{model}" for model in FAMILIES} <= set(names)


def test_the_documented_defaults_are_the_programs():
    page = (Path(__file__).parent.parent / "docs" / "backbones.md").read_text(encoding="utf-8")
    for model in FAMILIES:
        tested = architecture(f"torchvision:{model}")
        content, style = (", ".join(f"`{name}`" for name in chosen) for chosen in
                          (tested.default_content_layers, tested.default_style_layers))  # fmt: skip
        assert f"| `torchvision:{model}` | {content} | {style} |" in page


def test_a_layer_before_the_first_convolution_is_no_style():
    tested = zoo.TorchvisionArchitecture("googlenet")
    assert "cat" not in tested.default_style_layers


def test_painting_pixels_are_seen_in_their_colours(embedded):
    network = architecture("torchvision:vgg19").build(["relu1_1"], weights=embedded)
    image = painting_pixels(32, 32)
    assert not torch.equal(network(image, ["relu1_1"])["relu1_1"], network(image.flip(1), ["relu1_1"])["relu1_1"])
