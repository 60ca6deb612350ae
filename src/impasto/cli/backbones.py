"""Owns `impasto backbones`: lists the networks for --backbone, and the layers of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from impasto.cli import reporting
from impasto.cli.options import flag, text


def backbones(
    name: Annotated[
        str | None,
        Parameter(
            help="List the layers of this backbone: vgg19, or torchvision:NAME.", show_default=lambda _: "list them all"
        ),
    ] = None,
    /,
    *,
    json: Annotated[bool, flag("Print JSON.")] = False,
) -> None:
    """List the networks for --backbone, or the layers of one.

    impasto backbones torchvision:resnet50
    """
    # Imported only now, so that help need not wait for torch.
    from impasto import backbones as networks

    if name is None:
        names = networks.names()
        if json:
            reporting.result({"backbones": names})
        else:
            reporting.result("\n".join(names))
        return
    its = networks.architecture(name)
    # The deepest first: computing its receptive field gives those of all others.
    layers = [its.layers[layer] for layer in reversed(list(its.layers))][::-1]
    defaults = {"content": its.default_content_layers, "style": its.default_style_layers}
    if json:
        reporting.result({"name": its.name, "layers": [vars(layer) for layer in layers], **_plain(defaults)})
        return
    reporting.table(
        ("layer", "channels", "stride", "sees", "by default"),
        [
            (
                layer.name,
                str(layer.channels),
                f"{layer.stride} px",
                f"{layer.receptive_field} px",
                ", ".join(use for use, chosen in defaults.items() if layer.name in chosen),
            )
            for layer in layers
        ],
    )
    reporting.result("")
    for use, chosen in defaults.items():
        reporting.result(f"--{use}-layers {text(chosen)}")


def _plain(defaults: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    return {f"default_{use}_layers": dict(chosen) for use, chosen in defaults.items()}
