"""Owns manifests: lists of pictures to paint, as CSV or as JSON lines, one picture a row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from impasto.batch.items import Item
from impasto.errors import ImpastoError, SettingsError
from impasto.files import label
from impasto.loading import SAMPLE_PREFIX
from impasto.messages import counted, reason
from impasto.settings import OPTIONS, Settings, number_in

#: Files that are manifests, by their suffix.
SUFFIXES = (".csv", ".jsonl", ".ndjson")
# Columns that are no settings.
_CONTENT, _STYLE, _OUTPUT = "content", "style", "output"
# So many rows that cannot be used are named.
_NAMED = 5


def read_manifest(path: Path, *, settings: Settings, styles: Sequence[str], folder: Path) -> list[Item]:
    """The items of a manifest.

    Each row has a `content`; a `style`, or several, separated by `;` in CSV and as a list in JSON; an `output`; and any
    setting. Files are named from the manifest's folder, outputs from `folder`.

    Args:
        path: of the manifest.
        settings: those that a row does not name.
        styles: the paintings of rows without a `style`.
        folder: for the outputs.

    Raises:
        SettingsError: the file cannot be read or has no row, or rows cannot be used; names their lines.
    """
    items: list[Item] = []
    faults: list[str] = []
    for line, row in _rows(path):
        source = f"{label(path)}, line {line}"
        try:
            items.append(_item(row, path.parent, settings, styles, folder, source))
        except ImpastoError as error:
            faults.append(f"line {line}: {error}")
    if faults:
        more = f"; and {counted(len(faults) - _NAMED, 'more line')}" if len(faults) > _NAMED else ""
        raise SettingsError("manifest", f"{label(path)} cannot be used; {'; '.join(faults[:_NAMED])}{more}")
    if not items:
        raise SettingsError("manifest", f"{label(path)} has no row; write one for each picture")
    return items


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line numbers and rows; a row that cannot be read has a column None."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("manifest", f"{label(path)} cannot be read as UTF-8 text ({reason(error)})") from error
    if path.suffix.lower() == ".csv":
        reader = csv.DictReader(io.StringIO(text, newline=""))
        try:
            for values in reader:
                yield reader.line_num, {name: value for name, value in values.items() if value not in ("", None)}
        except csv.Error as error:
            raise SettingsError("manifest", f"{label(path)}, line {reader.line_num}: {reason(error)}") from error
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row: Any = json.loads(line)
        except (ValueError, RecursionError):
            row = line
        if not isinstance(row, dict):
            example = '{"content": "a.jpg"}'
            raise SettingsError("manifest", f"{label(path)}, line {number}: it is no JSON object, such as {example}")
        yield number, row


def _item(
    row: Mapping[Any, Any],
    root: Path,
    settings: Settings,
    styles: Sequence[str],
    folder: Path,
    source: str,
) -> Item:
    if None in row:
        raise SettingsError("manifest", "it has more values than the first line has names")
    content = row.get(_CONTENT)
    if not isinstance(content, str):
        raise SettingsError(_CONTENT, "it is missing; name the photograph")
    named = row.get(_STYLE, styles)
    if isinstance(named, str):
        named = [name.strip() for name in named.split(";") if name.strip()]
    if not named or not all(isinstance(name, str) for name in named):
        raise SettingsError(_STYLE, "it is missing; name a painting, here or with --style")
    changes = {name: value for name, value in row.items() if name not in (_CONTENT, _STYLE, _OUTPUT)}
    for name, value in changes.items():
        if name in OPTIONS and isinstance(value, str):
            changes[name] = number_in(OPTIONS[name][0], value)
    chosen = Settings.from_mapping({**settings.to_mapping(), **changes})
    output = row.get(_OUTPUT)
    if output is not None and not isinstance(output, str):
        raise SettingsError(_OUTPUT, f"got {output!r}; it must be the name of a file")
    photograph = _found(content, root)
    # Names from the command line are not the manifest's.
    paintings = tuple(_found(name, root) if _STYLE in row else name for name in named)
    return Item(photograph, paintings, chosen, folder / (output or f"{_stem(content)}.png"), source)


def _found(name: str, root: Path) -> str:
    """The name of a file as it is seen from here.

    Raises:
        SettingsError: there is no such file.
    """
    if name.startswith(SAMPLE_PREFIX):
        return name
    path = root / name
    if not path.is_file():
        raise SettingsError("file", f"{label(path)} does not exist; files are named from the manifest's folder")
    return str(path)


def _stem(name: str) -> str:
    return Path(name.removeprefix(SAMPLE_PREFIX)).stem
