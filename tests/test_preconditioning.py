"""The frequency preconditioner of giants: the same filter, in the memory of one copy."""

from __future__ import annotations

import pytest
import torch

from impasto import preconditioning
from impasto.preconditioning import CosineFilter, FrequencyPreconditioner


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
