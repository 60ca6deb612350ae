"""Owns what torch's and exported fast models share about styles: checks of shares and strength, and unknown names."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

from impasto.errors import SettingsError
from impasto.messages import counted


def shares(styles: int, blend: Sequence[float], strength: float) -> list[float]:
    """The share of each style in a blend, adding up to 1; equal shares if `blend` is empty.

    Args:
        styles: how many styles there are.
        blend: their shares, in any unit.
        strength: checked only: 0 to 1.

    Raises:
        SettingsError: there is no style, there are not as many shares as styles, or a number is out of range.
    """
    if not styles:
        raise SettingsError("style", "got none; name at least one")
    if blend and len(blend) != styles:
        raise SettingsError(
            "blend",
            f"got {counted(len(blend), 'share')} for {counted(styles, 'style')}; give one share for each style",
        )
    wanted = list(blend) or [1.0] * styles
    if not all(share >= 0 for share in wanted) or not sum(wanted) > 0:
        raise SettingsError(
            "blend", f"got {', '.join(map(str, blend))}; shares must be at least 0, and one of them above 0"
        )
    if not 0 <= strength <= 1:
        raise SettingsError("strength", f"got {strength:g}; it must be 0 to 1")
    return [share / sum(wanted) for share in wanted]


def unknown_style(model: str, style: object, known: Collection[str]) -> SettingsError:
    """The error that says that a model has not learned a style, with the closest name that it has."""
    name = style if isinstance(style, str) else "a picture"
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none; give a painting'}"
    return SettingsError("style", f"the model {model} has not learned {name!r}; {hint}")
