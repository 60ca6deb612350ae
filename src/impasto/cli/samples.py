"""Owns `impasto samples`: lists the bundled pictures."""

from __future__ import annotations

from typing import Annotated

from impasto import assets
from impasto.cli import reporting
from impasto.cli.options import flag


def samples(
    *,
    json: Annotated[bool, flag("Print them as JSON, with paths and origins.")] = False,
) -> None:
    """List the bundled photographs and paintings.

    Use one as sample:NAME wherever a command takes a picture:
    impasto stylize sample:red_panda sample:starry_night
    """
    found = assets.samples()
    if json:
        reporting.result({"samples": [vars(sample) for sample in found]})
        return
    reporting.table(
        ("name", "kind", "title", "author", "size", "licence"),
        [(s.name, s.kind, s.title, s.author, f"{s.width} × {s.height} px", s.licence) for s in found],
    )
