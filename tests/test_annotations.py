"""The shapes in the package's annotations are executed while the tests run."""

import pytest
import torch
from jaxtyping import TypeCheckError

from impasto.losses import total_variation_loss
from impasto.representations import Moments


def test_a_wrong_shape_is_caught():
    with pytest.raises(TypeCheckError, match="total_variation_loss"):
        total_variation_loss(torch.zeros(3, 4, 4))


def test_shapes_that_disagree_are_caught():
    with pytest.raises(TypeCheckError, match="weight"):
        Moments.of(torch.zeros(1, 2, 4, 4), torch.ones(4, 5))
