"""Owns a painting process: it takes orders on standard input, paints, and reports on standard output (see `talk`).

It dies with the studio: when standard input ends, so does it. It knows no database; what it reports counts only if the
studio still wants it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from impasto.errors import ImpastoError, SettingsError, out_of_memory
from impasto.messages import reason
from impasto.web.painting import Painting
from impasto.web.talk import Orders, say


def why(error: Exception) -> dict[str, Any]:
    """Why a job cannot be painted: the kind of problem (see `problems`), in words, and the setting that is to blame.

    Raises:
        Exception: the error itself, if it is a mistake of ours.
    """
    match error:
        case SettingsError():
            return {"kind": "bad-setting", "detail": str(error), "setting": error.setting}
        case ImpastoError():
            return {"kind": _kind(error.__cause__), "detail": str(error), "setting": None}
        case OSError():
            detail = f"a file could not be read or written ({error.strerror or reason(error)}); see to it, then retry"
            return {"kind": _kind(error), "detail": detail, "setting": None}
        case _ if out_of_memory(error):
            detail = "there is not enough memory to paint it; choose a smaller size, or close other programs and retry"
            return {"kind": _kind(error), "detail": detail, "setting": "size"}
        case _:
            raise error


def _kind(cause: BaseException | None) -> str:
    if out_of_memory(cause):
        return "too-much-memory"
    if isinstance(cause, OSError):
        return "disk-full" if cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "not-available"
    return "invalid"


def main() -> None:
    """Take orders until there are no more."""
    out = _own_output()
    # What people wait for, the page included, goes before the painting.
    with _no_matter():
        os.nice(5)
    orders = Orders(sys.stdin)
    while True:
        said = orders.next()
        if said["do"] == "leave":
            return
        if said["do"] != "paint":
            # Said to a job that had ended by then.
            continue
        painting = Painting(said, orders, out)
        try:
            painting.run()
        except (ImpastoError, OSError, MemoryError, RuntimeError) as error:
            say(out, "failed", ends=True, **why(error))
        if painting.leaving:
            return


def _own_output() -> TextIO:
    """Standard output for reports alone: what any library prints goes to standard error."""
    own = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    return own


@contextmanager
def _no_matter() -> Iterator[None]:
    try:
        yield
    except (OSError, AttributeError):
        return


if __name__ == "__main__":
    main()
