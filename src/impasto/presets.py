"""Owns presets: settings with a name, bundled or in a TOML file."""

from __future__ import annotations

import codecs
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto import assets
from impasto.errors import SettingsError
from impasto.settings import Settings

DEFAULT = "default"


@dataclass(frozen=True)
class Preset:
    """Settings with a name and a purpose.

    Attributes:
        name: name of a bundled preset, or path of a file.
        description: one sentence about its purpose.
        values: the settings it changes, by name; the others keep their defaults.
    """

    name: str
    description: str
    values: Mapping[str, Any]

    def settings(self, **overrides: Any) -> Settings:
        """The preset's settings, with `overrides` applied."""
        return Settings.from_mapping({**self.values, **overrides})


def preset(name: str) -> Preset:
    """The bundled preset called `name`, or the one in a file.

    Args:
        name: of a bundled preset; or the path of a file that ends in `.toml`, in UTF-8, or in UTF-8 or UTF-16 with a
            byte order mark, as editors on Windows write it. `~` at its beginning is the home folder.

    Raises:
        SettingsError: there is no such preset or file, it is not TOML, or it has an unknown setting or a value that is
            not allowed.
    """
    if name in (bundled := assets.presets()):
        return _parsed(name, assets.preset_text(name))
    if not name.lower().endswith(".toml"):
        near = difflib.get_close_matches(name, bundled, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(bundled)}, or the path of a .toml file"
        raise SettingsError("preset", f"there is none called {name!r}; {hint}")
    try:
        text = _decoded(Path(name).expanduser().read_bytes())
    except FileNotFoundError:
        raise SettingsError("preset", f"there is no file {name}; check the path") from None
    except UnicodeDecodeError as error:
        raise SettingsError(
            "preset", f"{name} cannot be read: it is not text in UTF-8 or UTF-16; save it as UTF-8"
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        # ValueError: a null character in the path. RuntimeError: there is no home folder.
        reason = getattr(error, "strerror", None) or error
        raise SettingsError("preset", f"{name!r} cannot be read: {reason}") from error
    return _parsed(name, text)


def presets() -> list[Preset]:
    """All bundled presets."""
    return [preset(name) for name in assets.presets()]


def _decoded(data: bytes) -> str:
    """The text of a file: in UTF-16 if it begins with the byte order mark of that, else in UTF-8.

    Raises:
        UnicodeDecodeError: it is in neither.
    """
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if utf16 else "utf-8-sig")


def _parsed(name: str, text: str) -> Preset:
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # TOMLDecodeError is a ValueError, as is a number with thousands of digits; RecursionError: deep nesting.
        raise SettingsError("preset", f"{name} is not valid TOML: {error}") from error
    description = values.pop("description", "")
    if not isinstance(description, str):
        raise SettingsError("preset", f"the description in {name} must be text, got {description!r}")
    try:
        Settings.from_mapping(values)
    except SettingsError as error:
        raise SettingsError(error.setting, f"{error.message} (in preset {name})") from error
    return Preset(name, description, values)
