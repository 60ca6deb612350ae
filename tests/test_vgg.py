"""The embedded VGG-19: its layers, its first features against NumPy, all features against a fingerprint.

Tolerances: the network computes in float32; its first layers sum up to 576 products, so 1e-5 of a layer's largest
feature is what rounding may make of them. The fingerprint holds across machines and JPEG decoders: 1 % of a
layer's standard deviation.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from impasto import assets
from impasto.backbones import VGG19
from impasto.backbones.vgg import LAYERS
from impasto.errors import AssetError, SettingsError
from impasto.loading import load
from tests import reference
from tests.conftest import photo_pixels

canonical_name = VGG19.architecture.canonical_name

ROUNDING = 1e-5
FINGERPRINT = 0.01

CONVOLUTIONS = {1: 2, 2: 2, 3: 4, 4: 4, 5: 4}
CHANNELS = {1: 64, 2: 128, 3: 256, 4: 512, 5: 512}
NAMES = [
    name
    for block, count in CONVOLUTIONS.items()
    for name in [f"{kind}{block}_{i}" for i in range(1, count + 1) for kind in ("conv", "relu")] + [f"pool{block}"]
]
RELUS = [name for name in NAMES if name.startswith("relu")]


def small_image(height: int = 12, width: int = 13) -> np.ndarray:
    return np.random.default_rng(5).uniform(size=(3, height, width))


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image)[None].float()


# --- The table


def test_layers_are_named_and_ordered_as_in_the_paper():
    assert list(LAYERS) == NAMES
    assert [LAYERS[name].channels for name in NAMES] == [CHANNELS[int(name[4])] for name in NAMES]
    assert all(layer.name == name for name, layer in LAYERS.items())


@pytest.mark.parametrize(
    ("name", "receptive_field", "stride"),
    [
        ("relu1_1", 3, 1),
        ("relu1_2", 5, 1),
        ("relu2_1", 10, 2),
        ("relu3_1", 24, 4),
        ("relu4_1", 68, 8),
        ("relu4_2", 84, 8),
        ("relu5_1", 156, 16),
        ("pool5", 268, 32),
    ],
)
def test_known_receptive_fields(name, receptive_field, stride):
    assert (LAYERS[name].receptive_field, LAYERS[name].stride) == (receptive_field, stride)


class OneChannel(VGG19):
    """The network's own sequence of layers, with one channel per layer and positive weights only."""

    def __init__(self) -> None:
        super().__init__("pool5", pooling="average")
        for name in list(self.convolutions):
            shape = (1,) if name.endswith("bias") else (1, 3 if name == "conv1_1_weight" else 1, 3, 3)
            value = torch.zeros(shape) if name.endswith("bias") else torch.full(shape, 1 / 9)
            self.convolutions[name] = nn.Parameter(value)


@pytest.mark.parametrize("axis", [0, 1])
def test_receptive_fields_and_strides_are_the_pixels_that_a_feature_depends_on(axis):
    # Weights, features and pooling are positive, so a pixel has a gradient exactly if the feature depends on it. The
    # image is long enough for the widest receptive field, and as narrow as the network allows.
    image = torch.full((1, 3, 320, 32) if axis == 0 else (1, 3, 32, 320), 2.0, requires_grad=True)
    activations = [name for name in NAMES if not name.startswith("conv")]
    features = OneChannel()(image, activations)
    for name in activations:
        line = features[name][0, 0].select(1 - axis, 0)
        middle = len(line) // 2
        seen = []
        for position in (middle - 1, middle):
            (gradient,) = torch.autograd.grad(line[position], image, retain_graph=True)
            seen.append(gradient[0].sum((0, 2 - axis)).nonzero().flatten().tolist())
            assert seen[-1] == list(range(seen[-1][0], seen[-1][-1] + 1)), name
            assert len(seen[-1]) == LAYERS[name].receptive_field, name
        assert seen[1][0] - seen[0][0] == LAYERS[name].stride, name
    for name in RELUS:
        # A ReLU has the receptive field of its convolution.
        assert replace(LAYERS[name], name="") == replace(LAYERS[f"conv{name[4:]}"], name="")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("relu4_2", "relu4_2"),
        (" RELU4_2 ", "relu4_2"),
        ("conv4_2", "conv4_2"),
        ("block4_conv2", "relu4_2"),
        ("block1_conv1", "relu1_1"),
        ("Block5_conv4", "relu5_4"),
        ("block3_pool", "pool3"),
        ("pool1", "pool1"),
    ],
)
def test_names_and_keras_names(written, meant):
    assert canonical_name(written) == meant


@pytest.mark.parametrize("name", ["relu4_5", "block1_conv3", "relu6_1", "fc6", "", "22"])
def test_a_layer_that_does_not_exist(name):
    with pytest.raises(SettingsError, match="VGG-19 has no layer") as caught:
        canonical_name(name, setting="style_layers")
    assert caught.value.setting == "style_layers"


def test_a_misspelled_layer_suggests_the_nearest():
    with pytest.raises(SettingsError, match="relu4_1"):
        canonical_name("rlu4_1")
    with pytest.raises(SettingsError, match="conv1_1 to conv5_4"):
        canonical_name("the sky")


# --- The numbers


def dequantized(weights_path, name: str) -> tuple[np.ndarray, np.ndarray]:
    with safe_open(weights_path, framework="np") as file:
        weight = file.get_tensor(f"{name}.table").astype(np.float64)[file.get_tensor(f"{name}.codes")]
        return weight, file.get_tensor(f"{name}.bias").astype(np.float64)


def test_the_weights_are_simonyan_and_zissermans(weights_path, vgg):
    _, bias = dequantized(weights_path, "conv1_1")
    assert [round(float(b), 4) for b in bias[:4]] == [0.7302, 0.0649, 0.0343, 0.8260]
    assert torch.equal(vgg.convolutions["conv1_1_bias"], torch.from_numpy(bias).float())


@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
@pytest.mark.parametrize("padding", ["replicate", "zeros", "reflect"])
def test_the_first_layers_are_their_definition(weights_path, pooling, padding):
    image = small_image()
    expected = {}
    x = reference.network_input(image)
    for name in ("conv1_1", "conv1_2", "conv2_1"):
        if name == "conv2_1":
            x = expected["pool1"] = reference.pool(x, pooling)
        x = expected[name] = reference.convolution(
            x, *dequantized(weights_path, name), padding if name == "conv1_1" or padding == "reflect" else "zeros"
        )
        x = expected[f"relu{name[4:]}"] = reference.relu(x)
    features = VGG19("relu2_1", pooling=pooling, padding=padding)(tensor(image), expected)
    assert set(features) == set(expected)
    for name, array in expected.items():
        # The constant under l2 pooling's root adds at most its own root, 1e-4, to features of some hundreds.
        np.testing.assert_allclose(features[name][0], array, rtol=0, atol=ROUNDING * np.abs(array).max(), err_msg=name)


def test_red_is_red(weights_path, vgg):
    means = {}
    for color, index in (("red", 0), ("blue", 2)):
        image = np.zeros((3, 6, 6))
        image[index] = 1.0
        expected = reference.convolution(
            reference.network_input(image), *dequantized(weights_path, "conv1_1"), "replicate"
        )
        found = vgg(tensor(image), ["conv1_1"])["conv1_1"][0].numpy()
        np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING * np.abs(expected).max(), err_msg=color)
        means[color] = expected
    # The order of the channels matters far more than the tolerance.
    assert np.abs(means["red"] - means["blue"]).max() > 0.1 * np.abs(means["red"]).max()


def test_fingerprint_of_every_layer(vgg, golden):
    """Mean, standard deviation and the means of four maps of every ReLU and pooling layer, on a bundled photograph."""
    photograph = load("sample:coffee")
    top, left = (photograph.height - 128) // 2, (photograph.width - 128) // 2
    features = vgg(photograph.pixels[..., top : top + 128, left : left + 128], RELUS)
    rows = {}
    for name in RELUS:
        maps = features[name][0].double()
        quarters = [float(maps[index].mean()) for index in range(0, maps.shape[0], maps.shape[0] // 4)]
        rows[name] = [float(maps.mean()), float(maps.std()), *quarters]
    header = "# coffee, middle 128 × 128: layer, mean, standard deviation, means of maps 0, ¼, ½, ¾"
    new = [header, *(f"{name} " + " ".join(f"{value:.6g}" for value in row) for name, row in rows.items())]
    lines = golden("vgg_fingerprint.txt", new)
    assert lines[0] == header
    assert [line.split()[0] for line in lines[1:]] == RELUS
    for line in lines[1:]:
        name, *known = line.split()
        atol = FINGERPRINT * float(known[1])
        np.testing.assert_allclose(rows[name], [float(value) for value in known], rtol=0, atol=atol, err_msg=name)


# --- How it runs


def test_it_is_frozen(vgg):
    assert not vgg.training
    assert not any(parameter.requires_grad for parameter in vgg.parameters())


def test_gradients_reach_the_image():
    image = tensor(small_image(32, 32)).requires_grad_(True)
    features = VGG19("relu2_1")(image, ["relu2_1"])["relu2_1"]
    (gradient,) = torch.autograd.grad(features.square().mean(), image)
    assert torch.isfinite(gradient).all()
    assert float(gradient.abs().min(dim=1).values.max()) > 0


def test_it_is_built_only_as_deep_as_asked():
    shallow = VGG19("relu1_2")
    assert set(shallow.convolutions) == {f"conv1_{i}_{part}" for i in (1, 2) for part in ("weight", "bias")}
    with pytest.raises(SettingsError, match="relu2_1: deeper than relu1_2"):
        shallow(tensor(small_image()), ["relu1_1", "relu2_1"])


def test_it_runs_only_as_deep_as_asked(vgg, monkeypatch):
    ran = []
    real = torch.nn.functional.conv2d
    monkeypatch.setattr(torch.nn.functional, "conv2d", lambda *args, **kwargs: ran.append(1) or real(*args, **kwargs))
    vgg(tensor(small_image()), ["relu1_1", "relu2_1"])
    assert len(ran) == 3


def test_nothing_asked_nothing_found(vgg):
    assert vgg(tensor(small_image()), []) == {}


def test_what_else_is_asked_for_does_not_change_a_layer(vgg):
    # ReLU works in place if possible; it must not change features that were requested.
    image = tensor(small_image(36, 40))
    together = vgg(image, NAMES)
    for name in RELUS:
        assert torch.equal(together[name], together[f"conv{name[4:]}"].clamp_min(0)), name
    kinds = [[name for name in NAMES if name.startswith(kind)] for kind in ("conv", "relu", "pool")]
    for names in [*kinds, *([name] for name in NAMES[:10])]:
        found = vgg(image, names)
        assert list(found) == names
        for name in names:
            assert torch.equal(found[name], together[name]), name


def test_the_image_is_not_touched(vgg):
    image = tensor(small_image())
    before = image.clone()
    vgg(image, ["conv1_1", "relu1_2"])
    VGG19("relu1_1", padding="zeros")(image, ["relu1_1"])
    assert torch.equal(image, before)


def test_the_root_of_l2_pooling_has_a_finite_gradient_at_zero():
    network = VGG19("pool1", pooling="l2")
    for name in network.convolutions:
        network.convolutions[name].zero_()
    image = tensor(small_image()).requires_grad_(True)
    pooled = network(image, ["pool1"])["pool1"]
    # All pooled features are 0, so the result is the root of the small constant.
    assert float(pooled.detach().max()) == pytest.approx(1e-4)
    (gradient,) = torch.autograd.grad(pooled.sum(), image)
    assert torch.isfinite(gradient).all()


def test_shapes_follow_the_strides(vgg):
    features = vgg(tensor(small_image(70, 45)), NAMES)
    for name in NAMES:
        stride = LAYERS[name].stride
        assert tuple(features[name].shape) == (1, LAYERS[name].channels, 70 // stride, 45 // stride), name


def test_the_smallest_picture_it_can_see(vgg):
    least = VGG19.architecture.min_side
    assert vgg(tensor(small_image(least, least)), ["pool5"])["pool5"].shape[-2:] == (1, 1)
    with pytest.raises(RuntimeError, match="too small"):
        vgg(tensor(small_image(least - 1, least - 1)), ["pool5"])


def test_a_file_that_is_not_weights(tmp_path):
    for name, content in [("empty", b""), ("text", b"these are no weights"), ("torn", None)]:
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(
            assets.verified("weights/vgg19.safetensors").read_bytes()[:100_000] if content is None else content
        )
        with pytest.raises(AssetError, match=name):
            VGG19("relu1_1", weights=path)
    with pytest.raises(AssetError, match=r"missing\.safetensors"):
        VGG19("relu1_1", weights=tmp_path / "missing.safetensors")


def test_a_weights_file_without_a_layer(tmp_path, weights_path):
    from safetensors.torch import load_file, save_file

    kept = {name: tensor for name, tensor in load_file(weights_path).items() if not name.startswith("conv1_2")}
    save_file(kept, tmp_path / "partial.safetensors")
    with pytest.raises(AssetError, match="partial"):
        VGG19("relu1_2", weights=tmp_path / "partial.safetensors")


FIVE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def test_half_precision_is_near_full_precision(vgg):
    image = photo_pixels(64, 96)
    half = VGG19("relu5_1", dtype=torch.bfloat16)
    for layer, features in half(image, FIVE).items():
        full = vgg(image, [layer])[layer]
        assert features.dtype == torch.bfloat16
        assert float((features.float() - full).norm() / full.norm()) < 0.02, layer


def test_half_precision_sees_small_steps():
    """The first convolution is float32: a change of a thousandth has an effect, which bfloat16 would round away."""
    half = VGG19("relu1_1", dtype=torch.bfloat16)
    image = photo_pixels(32, 32)
    changed = half(image + 1e-3, ["relu1_1"])["relu1_1"].float() - half(image, ["relu1_1"])["relu1_1"].float()
    assert float(changed.abs().mean()) > 0
    assert half.convolutions["conv1_1_weight"].dtype == torch.float32


def test_gradients_in_half_precision_reach_the_image(vgg):
    half = VGG19("relu5_1", dtype=torch.bfloat16)
    gradients = []
    for network in (vgg, half):
        leaf = photo_pixels(64, 64).requires_grad_(True)
        sum(features.float().square().mean() for features in network(leaf, FIVE).values()).backward()
        gradients.append(leaf.grad.flatten())
    assert gradients[1].dtype == torch.float32
    assert float(torch.cosine_similarity(*gradients, dim=0)) > 0.95  # type: ignore[misc,arg-type]


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_what_wraps_around_has_no_border(pooling):
    """If the picture is rolled by a stride, its features are rolled with it, also at the border."""
    network = VGG19("relu4_1", padding="wrap", pooling=pooling)
    image = photo_pixels(64, 96)
    for layer in ("relu1_1", "relu3_1", "relu4_1"):
        stride = LAYERS[layer].stride
        moved = network(image.roll((3 * stride, 2 * stride), (2, 3)), [layer])[layer]
        still = network(image, [layer])[layer]
        assert torch.allclose(moved, still.roll((3, 2), (2, 3)), atol=1e-3 * float(still.abs().max()))


def test_the_mirror_of_a_single_feature_is_that_feature():
    image = photo_pixels(16, 40)
    mirrored = VGG19("conv5_2", padding="reflect")
    features = mirrored(image, ["relu5_1", "conv5_2"])
    before = features["relu5_1"]
    assert before.shape == (1, 512, 1, 2)
    around = torch.nn.functional.pad(before, (1, 1, 1, 1), mode="replicate")
    weight, bias = mirrored.convolutions["conv5_2_weight"], mirrored.convolutions["conv5_2_bias"]
    expected = torch.nn.functional.conv2d(around, weight, bias)
    torch.testing.assert_close(features["conv5_2"], expected, rtol=0, atol=ROUNDING * float(expected.abs().max()))


def test_max_pooling_keeps_no_places_and_sends_the_gradient_to_the_maxima(vgg):
    kept: list[torch.Tensor] = []
    x = photo_pixels(64, 64).requires_grad_(True)
    with torch.autograd.graph.saved_tensors_hooks(lambda it: kept.append(it) or it, lambda it: it):
        pooled = vgg(x, ["relu1_2", "pool1"])
    assert len(kept) > 2
    assert all(it.is_floating_point() for it in kept)
    down = torch.randn(pooled["pool1"].shape, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad(pooled["pool1"], pooled["relu1_2"], down)
    features = pooled["relu1_2"].detach().requires_grad_(True)
    (expected,) = torch.autograd.grad(nn.functional.max_pool2d(features, 2), features, down)
    assert torch.equal(gradient, expected)
    assert gradient.count_nonzero() > 0


@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
def test_walking_finds_what_asking_finds_in_the_order_of_the_network(pooling):
    network, x, layers = VGG19("relu3_1", pooling=pooling), photo_pixels(64, 64), ["relu3_1", "conv1_1", "pool2"]
    found = network(x, layers)
    walked = list(network.iter_features(x, layers))
    assert [name for name, _ in walked] == ["conv1_1", "pool2", "relu3_1"]
    assert all(torch.equal(features, found[name]) for name, features in walked)
