"""Owns what torch's and exported fast models alike refuse in a wish for styles, and in which words."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

from impasto.errors import SettingsError


def shares(styles: int, blend: Sequence[float], strength: float) -> list[float]:
    """The share of each style in a mixture, adding up to 1; equal ones if `blend` is empty.

    Raises:
        SettingsError: there is no style, there are not as many shares as styles, or a number is out of range.
    """
    if not styles:
        raise SettingsError("style", "got none; name at least one")
    if blend and len(blend) != styles:
        raise SettingsError("blend", f"got {len(blend)} shares for {styles} styles; give each its own")
    wanted = list(blend) or [1.0] * styles
    if not all(share >= 0 for share in wanted) or not sum(wanted) > 0:
        raise SettingsError("blend", f"got {', '.join(map(str, blend))}; shares are numbers of at least 0")
    if not 0 <= strength <= 1:
        raise SettingsError("strength", f"got {strength:g}; it must be 0 to 1")
    return [share / sum(wanted) for share in wanted]


def unlearned(model: str, style: object, known: Collection[str]) -> SettingsError:
    """The error that says that a model has not learned a style, and what comes near."""
    name = style if isinstance(style, str) else "a picture"
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none; give a painting'}"
    return SettingsError("style", f"the model {model} has not learned {name!r}; {hint}")
