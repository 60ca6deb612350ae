"""Owns `impasto presets`: named settings, listed, or one of them as a TOML file to start from."""

from __future__ import annotations

import json as jsonlib
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from impasto import presets as bundled
from impasto.cli import reporting
from impasto.cli.options import described, flag, text
from impasto.presets import Preset
from impasto.settings import OPTIONS


def presets(
    name: Annotated[
        str | None,
        Parameter(
            help="Print all settings of this preset, as a TOML file for --preset.",
            show_default=lambda _: "list them all",
        ),
    ] = None,
    /,
    *,
    json: Annotated[bool, flag("Print JSON.")] = False,
) -> None:
    """List the bundled presets and what they set.

    impasto presets default > mine.toml
    """
    if name is not None:
        chosen = bundled.preset(name)
        reporting.result(_record(chosen) | {"settings": chosen.settings().to_mapping()} if json else toml(chosen))
        return
    found = bundled.presets()
    if json:
        reporting.result({"presets": [_record(preset) for preset in found]})
        return
    reporting.table(
        ("name", "description", "values"), [(p.name, p.description, _values(p) or "as by default") for p in found]
    )


def toml(preset: Preset) -> str:
    """All settings of a preset as TOML, each with its meaning and range."""
    return "\n".join(_toml_lines(preset))


def _toml_lines(preset: Preset) -> Iterator[str]:
    yield f"description = {_toml_value(preset.description)}"
    for name, value in preset.settings().to_mapping().items():
        yield ""
        yield f"# {described(*OPTIONS[name])}"
        yield f"{name} = {_toml_value(value)}"


def _toml_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_toml_key(key)} = {_toml_value(one)}" for key, one in value.items()) + " }"
    # JSON writes text and numbers as TOML does, but for one control character.
    return jsonlib.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml_value(key)


def _record(preset: Preset) -> dict[str, Any]:
    return {"name": preset.name, "description": preset.description, "values": dict(preset.values)}


def _values(preset: Preset) -> str:
    return " ".join(f"{name}={text(value)}" for name, value in preset.values.items())
