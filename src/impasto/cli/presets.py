"""Owns `impasto presets`: lists the presets, or writes one as a TOML file to start from."""

from __future__ import annotations

import json as jsonlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from impasto import presets as bundled
from impasto.cli import reporting
from impasto.cli.options import described, flag, text, words
from impasto.errors import SettingsError
from impasto.files import label, whole, why_not_written
from impasto.presets import DEFAULT, Preset
from impasto.settings import OPTIONS


def presets(
    name: Annotated[
        str | None,
        Parameter(
            help="Print all settings of this preset, as a TOML file for --preset: a bundled name or a TOML file.",
            show_default=lambda _: "list them all",
        ),
    ] = None,
    /,
    *,
    out: Annotated[
        str | None,
        words("Write the TOML file here; it must not exist yet.", "print it", name=("--out", "-o"), metavar="FILE"),
    ] = None,
    json: Annotated[bool, flag("Print JSON.")] = False,
) -> None:
    """List the bundled presets, or write one as a TOML file.

    impasto presets default -o mine.toml
    impasto stylize photo.jpg painting.jpg --preset mine.toml
    """
    if name is None and out is not None:
        raise SettingsError("out", f"there are several presets; name one: impasto presets {DEFAULT} -o {out}")
    if name is not None:
        chosen = bundled.preset(name)
        if out is not None:
            reporting.result(_write(chosen, out))
            return
        reporting.result(_record(chosen) | {"settings": chosen.settings().to_mapping()} if json else toml(chosen))
        return
    found = bundled.presets()
    if json:
        reporting.result({"presets": [_record(preset) for preset in found]})
        return
    reporting.table(
        ("name", "description", "values"), [(p.name, p.description, _values(p) or "the defaults") for p in found]
    )


def _write(preset: Preset, out: str) -> Path:
    """Write the preset to a new file in UTF-8.

    Raises:
        SettingsError: the file cannot be written, or its name would not be read as that of a preset.
    """
    path = Path(out).expanduser()
    if path.suffix.lower() != ".toml":
        raise SettingsError("out", f"got {out}; the name must end in .toml, as --preset needs it")
    try:
        with whole(path, overwrite=False) as part:
            part.write_text(toml(preset) + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise SettingsError("out", f"{label(path)}: {why_not_written(error, path)}") from error
    return path


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
    # JSON and TOML write text and numbers alike, except for one control character.
    return jsonlib.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml_value(key)


def _record(preset: Preset) -> dict[str, Any]:
    return {"name": preset.name, "description": preset.description, "values": dict(preset.values)}


def _values(preset: Preset) -> str:
    return " ".join(f"{name}={text(value)}" for name, value in preset.values.items())
