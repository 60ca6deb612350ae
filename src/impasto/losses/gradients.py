"""Owns the base of autograd functions that compute their gradient together with their value."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


class PrecomputedGradient(torch.autograd.Function):
    """A scalar function of features and of constants, in this order.

    Its `forward` saves one tensor for the backward pass: the gradient with respect to the features, in their number
    type. Nothing else has to be stored.
    """

    @staticmethod
    def backward(ctx: Any, gradient: Float[Tensor, ""]) -> tuple[Tensor | None, ...]:
        (slope,) = ctx.saved_tensors
        constants = len(ctx.needs_input_grad) - 1
        return (gradient * slope).to(slope.dtype), *[None] * constants
