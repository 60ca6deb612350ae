"""The preconditioner is its definition, and does to an image what it is for."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from impasto import preconditioning
from impasto.preconditioning import CosineFilter, FrequencyPreconditioner
from tests import reference


def drawn(seed: int, size: tuple[int, int]) -> Tensor:
    return torch.rand(1, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(4, 4), (5, 8), (7, 3), (1, 6)])
@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_preconditioner_is_its_definition(size, power):
    image = drawn(0, size)
    expected = (reference.frequency_preconditioner(size, power) @ image[0].numpy().reshape(3, -1).T).T
    # Its response is kept in float32.
    np.testing.assert_allclose(
        FrequencyPreconditioner(size, power)(image)[0].numpy().reshape(3, -1),
        expected,
        atol=1e-5 * np.abs(expected).max(),
    )


def dense(precondition: Callable[[Tensor], Tensor], size: tuple[int, int]) -> Tensor:
    """The matrix of a linear map on images."""
    count = 3 * size[0] * size[1]
    unit = torch.eye(count, dtype=torch.float64)
    return torch.stack([precondition(row.view(1, 3, *size)).flatten() for row in unit])


@pytest.mark.parametrize("power", [0.0, 1.0, 3.0])
def test_preconditioner_is_symmetric_and_positive_definite(power):
    matrix = dense(FrequencyPreconditioner((5, 4), power), (5, 4))
    torch.testing.assert_close(matrix, matrix.T, rtol=0, atol=1e-6 * float(matrix.abs().max()))
    assert float(torch.linalg.eigvalsh(matrix).min()) > 0


@pytest.mark.parametrize("size", [(8, 8), (9, 6), (3, 16)])
@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_preconditioner_leaves_the_energy_of_white_noise(size, power):
    # White noise has as much of every cosine: what counts is the mean of what becomes of each.
    precondition = FrequencyPreconditioner(size, power)
    basis = [torch.from_numpy(reference.cosine_basis(length)) for length in size]
    energies = []
    for k in range(size[0]):
        for m in range(size[1]):
            wave = torch.outer(basis[0][k], basis[1][m]).expand(1, 3, *size)
            energies.append(float(precondition(wave).square().sum() / 3))
    assert np.mean(energies) == pytest.approx(1.0, rel=1e-5)


def test_preconditioner_smooths():
    noise = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))

    def roughness(image: Tensor) -> float:
        return float((image[..., 1:] - image[..., :-1]).square().mean() / image.square().mean())

    assert roughness(FrequencyPreconditioner((32, 32), 1.0)(noise)) < 0.7 * roughness(noise)


def test_opposite_borders_are_not_tied_together():
    image = torch.zeros(1, 3, 16, 16)
    image[..., 0] = 1.0
    smoothed = FrequencyPreconditioner((16, 16), 1.0)(image)
    # A plain Fourier filter would treat the last column as the first one's neighbour, like the second.
    assert float(smoothed[..., -1].mean().abs()) < 0.1 * float(smoothed[..., 1].mean())


def test_a_preconditioner_that_wraps_knows_no_border():
    image = torch.randn((1, 3, 16, 24), generator=torch.Generator().manual_seed(4))
    precondition = FrequencyPreconditioner((16, 24), 0.75, wrap=True)
    moved = precondition(image.roll((5, 7), (2, 3)))
    assert torch.allclose(moved, precondition(image).roll((5, 7), (2, 3)), atol=1e-5)
    plain = FrequencyPreconditioner((16, 24), 0.75)
    assert not torch.allclose(plain(image.roll(5, 2)), plain(image).roll(5, 2), atol=1e-2)


# --- Giants


@pytest.mark.parametrize("size", [(33, 48), (64, 31)], ids=str)
@pytest.mark.parametrize("power", [0.25, 1.0])
def test_giants_are_filtered_alike(size, power, monkeypatch):
    monkeypatch.setattr(preconditioning, "_BLOCK", 100)
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    before = image.clone()
    expected = FrequencyPreconditioner(size, power)(image)
    found = CosineFilter(size, power)(image)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    assert torch.equal(image, before)


def test_only_giants_are_filtered_by_blocks(monkeypatch):
    monkeypatch.setattr(preconditioning, "GIANT_PIXELS", 1000)
    assert FrequencyPreconditioner((40, 40), 0.75)._by_blocks is not None
    assert FrequencyPreconditioner((20, 40), 0.75)._by_blocks is None
    # What wraps around is no cosine transform, and nothing is filtered by a power of 0.
    assert FrequencyPreconditioner((40, 40), 0.75, wrap=True)._by_blocks is None
    assert FrequencyPreconditioner((40, 40), 0.0)._by_blocks is None
