"""Owns the designs of networks by name, and how a model's file tells them apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from impasto.fast.drafting import DraftingArchitecture, DraftingNetwork
from impasto.fast.network import Network, NetworkArchitecture

#: A network of any design, and its sizes.
AnyNetwork: TypeAlias = Network | DraftingNetwork
AnyArchitecture: TypeAlias = NetworkArchitecture | DraftingArchitecture

#: Names of the designs: one scale, or coarse to fine.
ONE_SCALE, DRAFTING = "one-scale", "drafting"
#: The version of a model's file by its design. Files of one scale are as older versions of Impasto wrote them.
VERSIONS: Mapping[str, str] = {ONE_SCALE: "3", DRAFTING: "4"}


def network_of(architecture: AnyArchitecture) -> AnyNetwork:
    """A network of these sizes, with random weights."""
    if isinstance(architecture, DraftingArchitecture):
        return DraftingNetwork(architecture)
    return Network(architecture)


def design_of(architecture: AnyArchitecture) -> str:
    """The name of the design."""
    return DRAFTING if isinstance(architecture, DraftingArchitecture) else ONE_SCALE


def architecture_of(version: str, mapping: Mapping[str, Any]) -> AnyArchitecture:
    """The sizes that a model's file of that version describes.

    Raises:
        KeyError, TypeError: it describes none.
    """
    if version == VERSIONS[DRAFTING]:
        return DraftingArchitecture.from_mapping(dict(mapping))
    return NetworkArchitecture(**mapping)
