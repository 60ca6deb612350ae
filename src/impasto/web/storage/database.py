"""Owns the database file: its tables, and durable transactions."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from impasto.errors import ImpastoError
from impasto.files import whole
from impasto.messages import reason

FILE = "studio.sqlite3"
#: The regular backup, and the copy that is made before rows are set aside.
BACKUP, BEFORE_REPAIR = "studio-backup.sqlite3", "studio-before-repair.sqlite3"
_FORM = 1
_BUSY_SECONDS = 10.0
# SQLite's errors for a file that is intact but cannot be written.
_WHOLE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY)

_TABLES = """
create table pictures (
    id text primary key, name text not null, format text not null, width integer not null, height integer not null,
    bytes integer not null, notes text not null, recipe text, created real not null
) strict;
create table jobs (
    number integer primary key autoincrement, id text unique not null, state text not null,
    paused integer not null default 0, stopping integer not null default 0, place real,
    spec text not null, settings text not null, wanted text not null,
    warnings text not null default '[]',
    created real not null, started real, finished real, seconds real not null default 0,
    attempts integer not null default 0, reached integer not null default 0, lease text,
    progress text, result text, error text,
    starred integer not null default 0, deleted real, parent text, sweep text
) strict;
create index jobs_by_state on jobs (state, place);
create index jobs_by_sweep on jobs (sweep) where sweep is not null;
create table keys (key text primary key, fingerprint text not null, job text not null, created real not null) strict;
create table sweeps (id text primary key, axes text not null, created real not null) strict;
create table facts (name text primary key, value text not null) strict;
"""


_SET_ASIDE = (
    "create table if not exists set_aside "
    "(found real not null, origin text not null, key text not null, reason text not null, content text not null) strict"
)

#: Runs one statement.
Execute = Callable[..., sqlite3.Cursor]


class DatabaseError(ImpastoError):
    """The database cannot be used."""


class Database:
    """A connection that threads share, one at a time. A transaction is on the disk when it ends.

    Args:
        path: the file; created if missing.

    Raises:
        DatabaseError: it cannot be opened or written, is damaged, or was written by a later version.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._path = path
        try:
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except sqlite3.OperationalError as error:
            raise DatabaseError(f"the studio's database, {path.name}, cannot be opened ({error})") from error
        self._connection.row_factory = sqlite3.Row
        try:
            self._prepare()
        # In a damaged file even the text of an error may be no text.
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            self._connection.close()
            if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
                raise DatabaseError("the disk is full; make room, then start again") from error
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _WHOLE:
                raise DatabaseError(f"the studio's database, {path.name}, cannot be written ({error})") from error
            raise self._damaged(error) from error

    @property
    def backup(self) -> Path:
        """The path of the latest backup, which may not exist yet."""
        return self._path.with_name(BACKUP)

    def back_up(self, target: Path) -> None:
        """Write a copy of the database, whole or not at all."""
        with whole(target) as beside:
            beside.chmod(0o600)
            with self._lock, contextlib.closing(sqlite3.connect(beside, isolation_level=None)) as copy:
                self._connection.backup(copy)
                copy.execute("pragma journal_mode = delete")

    def set_aside(self, table: str, key: str, check: Callable[[sqlite3.Row], object]) -> list[str]:
        """Move the rows of a table that cannot be read into the table `set_aside`, so that the others can be used.

        Args:
            table: its name.
            key: the column that identifies a row.
            check: fails for a row that cannot be read.

        Returns:
            The keys of the rows.

        Raises:
            DatabaseError: more is damaged than single rows.
        """
        try:
            faults = {
                row[0]: fault
                for row in self.rows(f"select rowid from {table}")
                if (fault := self._fault(table, row[0], check))
            }
            if not faults:
                return []
            # SQLite cannot copy a database within a transaction that writes to it.
            self.back_up(self._path.with_name(BEFORE_REPAIR))
            with self.transaction() as change:
                return [self._move_aside(change, table, rowid, key, fault) for rowid, fault in faults.items()]
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise self._damaged(error) from error

    def _fault(self, table: str, rowid: int, check: Callable[[sqlite3.Row], object]) -> str:
        """Why a row cannot be read; empty if it can."""
        try:
            check(self._connection.execute(f"select * from {table} where rowid = ?", (rowid,)).fetchone())
        except sqlite3.OperationalError as error:
            if "decode" not in str(error):
                raise
            return "it is not valid UTF-8"
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            return f"{type(error).__name__}: {error}"[:200]
        return ""

    def _move_aside(self, change: Execute, table: str, rowid: int, key: str, reason: str) -> str:
        self._connection.text_factory = bytes
        try:
            row = change(f"select * from {table} where rowid = ?", (rowid,)).fetchone()
        finally:
            self._connection.text_factory = str
        content = {
            name: row[name].decode("utf-8", "backslashreplace") if isinstance(row[name], bytes) else row[name]
            for name in row.keys()  # noqa: SIM118 - a Row iterates over its values
        }
        change(
            "insert into set_aside values (?, ?, ?, ?, ?)",
            (time.time(), table, str(content[key]), reason, json.dumps(content)),
        )
        change(f"delete from {table} where rowid = ?", (rowid,))
        return str(content[key])

    def _damaged(self, error: Exception) -> DatabaseError:
        name = self._path.name
        if self.backup.exists():
            saved = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.backup.stat().st_mtime))
            advice = f"Put its backup of {saved}, {self.backup.name}, in place of {name}"
        else:
            advice = f"Restore a copy of {name}"
        return DatabaseError(
            f"the studio's database is damaged ({reason(error)}); the pictures beside it are intact. {advice}, or "
            "move it away to start with an empty history"
        )

    def _prepare(self) -> None:
        run = self._connection.execute
        run("pragma journal_mode = wal")
        run("pragma synchronous = full")
        run("pragma foreign_keys = on")
        if (found := run("pragma quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(str(found).splitlines()[-1])
        with self.transaction() as change:
            form = change("pragma user_version").fetchone()[0]
            if form == 0:
                for statement in _TABLES.strip().split(";\n"):
                    change(statement.rstrip(";"))
                change(f"pragma user_version = {_FORM}")
            elif form != _FORM:
                raise DatabaseError(f"the database has format {form}, and this version reads {_FORM}; update impasto")
            # Earlier versions with the same format ignore this table.
            change(_SET_ASIDE)

    @contextmanager
    def transaction(self) -> Iterator[Execute]:
        """An exclusive transaction, rolled back if an exception leaves it. A nested one is part of the outer one."""
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection.execute
                return
            self._connection.execute("begin immediate")
            try:
                yield self._connection.execute
                self._connection.execute("commit")
            except BaseException:
                # On a full disk SQLite has rolled it back already.
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                raise

    def rows(self, query: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """The rows that a query finds."""
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def fact(self, name: str) -> str | None:
        """A single value by its name."""
        rows = self.rows("select value from facts where name = ?", (name,))
        return str(rows[0]["value"]) if rows else None

    def set_fact(self, name: str, value: str) -> None:
        """Store a single value."""
        with self.transaction() as change:
            change("insert or replace into facts values (?, ?)", (name, value))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
