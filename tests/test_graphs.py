"""Networks of torchvision taken apart: nodes by name, the part for some of them, other poolings, borders mirrored."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from torch import Tensor, nn

from impasto.backbones import graphs, torchvision_hub

if importlib.util.find_spec("torchvision") is None:
    pytest.skip("the graphs are those of impasto[torchvision]", allow_module_level=True)
torchvision_hub.models()


class Small(nn.Module):
    """Two convolutions and a pooling, with an activation that writes in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.second = nn.Conv2d(4, 5, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.relu(self.first(x), inplace=True)
        x = self.pool(x)
        y: Tensor = self.second(x)
        return y


@pytest.fixture
def network() -> Small:
    torch.manual_seed(0)
    return Small().eval().requires_grad_(False)


IMAGE = torch.rand((1, 3, 12, 16), generator=torch.Generator().manual_seed(1))


def test_all_nodes_are_computed_by_name(network):
    found = graphs.extractor(network)(IMAGE)
    assert list(found) == ["first", "relu", "pool", "second"]
    torch.testing.assert_close(found["second"], network(IMAGE))


def test_nothing_is_written_over_once_that_is_forbidden(network):
    extractor = graphs.extractor(network)
    graphs.without_writing_in_place(extractor)
    found = extractor(IMAGE)
    torch.testing.assert_close(found["first"], network.first(IMAGE))
    torch.testing.assert_close(found["relu"], found["first"].relu())


def test_only_what_is_wanted_is_kept_under_its_new_name(network):
    part = graphs.only(graphs.extractor(network), {"pool": "pool1"})
    found = part(IMAGE)
    assert list(found) == ["pool1"]
    torch.testing.assert_close(found["pool1"], network.pool(network.first(IMAGE).relu()))
    assert "second" not in dict(part.named_children())


def test_the_first_convolution_is_the_one_that_sees_the_image(network):
    assert graphs.first_convolution(graphs.extractor(network)).in_channels == 3


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("average", lambda windows: windows.mean(-1)),
        ("l2", lambda windows: windows.square().mean(-1).sqrt()),
        ("max", lambda windows: windows.amax(-1)),
    ],
)
def test_poolings_are_exchanged(network, pooling, expected):
    graphs.repool(network, pooling, wrap=False)
    windows = IMAGE.unfold(2, 2, 2).unfold(3, 2, 2).flatten(-2)
    torch.testing.assert_close(network.pool(IMAGE), expected(windows), rtol=1e-5, atol=1e-4)


def test_a_padded_pooling_goes_on_over_the_opposite_border():
    network = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1))
    graphs.repool(network, "max", wrap=True)
    torch.testing.assert_close(network(IMAGE.roll(5, 3)), network(IMAGE).roll(5, 3), rtol=0, atol=0)


def test_mirrored_convolutions_see_no_zeros(network):
    graphs.mirror(network)
    around = nn.functional.pad(IMAGE, (1, 1, 1, 1), mode="reflect")
    expected = torch.conv2d(around, network.first.weight, network.first.bias)
    torch.testing.assert_close(network.first(IMAGE), expected)


@pytest.mark.parametrize(
    ("module", "expected"), [(nn.MaxPool2d(3, padding=1), (1, 1)), (nn.Conv2d(1, 1, 3, padding=(2, 0)), (2, 0))]
)
def test_padding_is_said_down_and_across(module, expected):
    assert graphs.padded(module) == expected
