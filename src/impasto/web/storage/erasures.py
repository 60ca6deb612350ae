"""Owns the erasures that are not complete: folders whose rows are gone, and which a killed studio may have left.

A folder is noted in the transaction that deletes its row, and the note is removed when the folder is. So the next
erasure knows what is left, and no folder is ever erased because a database does not know it: it may be an older copy.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from impasto.web.storage.database import Database, Execute

_ID = re.compile(r"[0-9a-f]{8,64}")


class Erasures:
    """The folders of one kind that are to be erased.

    Args:
        database: keeps the notes.
        kind: names the note.
        folder: of an id.
    """

    def __init__(self, database: Database, kind: str, folder: Callable[[str], Path]) -> None:
        self._database, self._fact, self._folder = database, f"erasing {kind}", folder

    def note(self, change: Execute, ids: Iterable[str]) -> None:
        """Note ids whose rows the same transaction deletes."""
        wanted = sorted({*self.pending(), *ids})
        if wanted:
            change("insert or replace into facts values (?, ?)", (self._fact, json.dumps(wanted)))

    def pending(self) -> list[str]:
        """The ids whose folders may still be there."""
        with contextlib.suppress(ValueError, TypeError):
            noted = json.loads(self._database.fact(self._fact) or "[]")
            # Whatever a damaged database holds, nothing outside the folders' place is erased.
            return [one for one in noted if isinstance(one, str) and _ID.fullmatch(one)]
        return []

    def complete(self, is_used: Callable[[str], bool]) -> None:
        """Erase the noted folders, but for those that are in use again.

        Args:
            is_used: whether there is a row with that id.
        """
        ids = self.pending()
        if not ids:
            return
        for one in ids:
            if not is_used(one):
                shutil.rmtree(self._folder(one), ignore_errors=True)
        with self._database.transaction() as change:
            change("delete from facts where name = ?", (self._fact,))
