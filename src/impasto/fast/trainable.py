"""Owns the modules that are trained together: the network, and what gives each style its condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from impasto.errors import ModelError
from impasto.fast.designs import AnyArchitecture, network_of
from impasto.fast.models import FastModel
from impasto.fast.network import NetworkArchitecture
from impasto.fast.predictor import Predictor


class Model(nn.Module):
    """The modules to train: the network, and a predictor or a table that gives each style its condition.

    Attributes:
        photo: the condition with which the network leaves a photograph as it is.
        predictor: conditions of any painting; None in a model of certain styles.
        table: conditions of certain styles, (styles, k); None in a model of any.
    """

    def __init__(self, architecture: AnyArchitecture | None = None, *, styles: int = 0) -> None:
        super().__init__()
        self.network = network_of(architecture or NetworkArchitecture())
        size = self.network.architecture.condition_size
        self.photo = nn.Parameter(torch.zeros(size))
        self.predictor = None if styles else Predictor(size)
        self.table = nn.Parameter(torch.zeros(styles, size)) if styles else None

    @classmethod
    def begun_with(cls, begun: FastModel, *, styles: int = 0) -> Model:
        """A model to train further, with the weights of a finished one.

        Args:
            begun: the finished one.
            styles: rows of the table, which are zeros; if 0, `begun` is a model of any painting.
        """
        model = cls(begun.network.architecture, styles=styles)
        model.network.load_state_dict(begun.network.state_dict())
        with torch.no_grad():
            model.photo.copy_(begun.photo)
        if model.predictor is not None:
            if begun.predictor is None:
                raise ModelError(f"{begun.name} is a model of certain styles; begin with a model of any painting")
            model.predictor.load_state_dict(begun.predictor.state_dict())
        return model

    def forward(
        self,
        photographs: Float[Tensor, "n 3 h w"],
        styles: Tensor,
        keep: Float[Tensor, " n"],
        noise: Tensor | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Float[Tensor, "n 3 h w"]:
        """Pastiches of `photographs`.

        Args:
            styles: the statistics of one painting each, (n, s), or indices into the table, (n,).
            keep: 1 for photographs that the network should leave as they are, else 0.
            noise: of the network, one plane for each photograph, see `Network.noise`.
            dtype: of the network's features.
        """
        conditions = self.predictor(styles) if self.predictor is not None else self.table[styles]  # type: ignore[index]
        # Interpolated instead of selected, so that every parameter has a gradient in every process.
        keep = keep[:, None]
        conditions = (1 - keep) * conditions + keep * self.photo
        return torch.as_tensor(self.network(photographs, conditions, noise=noise, dtype=dtype))

    def with_weights(self, weights: Mapping[str, Tensor]) -> Model:
        """A model like this one with other weights, on their device, that is not to be trained further."""
        other = Model(self.network.architecture, styles=0 if self.table is None else len(self.table))
        other.to(next(iter(weights.values())).device).load_state_dict(weights)
        return other.requires_grad_(False).eval()

    def finished(self, name: str, styles: Sequence[str], card: Mapping[str, Any]) -> FastModel:
        """The model for painting.

        Args:
            name: of the model.
            styles: names of the styles in the table; empty in a model of any painting.
            card: a description of the training.
        """
        table = {} if self.table is None else dict(zip(styles, self.table.detach(), strict=True))
        return FastModel(
            name=name,
            network=self.network,
            photo=self.photo.detach(),
            predictor=self.predictor,
            table=table,
            card=card,
        )
