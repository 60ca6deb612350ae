"""Owns the database file: its tables, and durable transactions."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from impasto.errors import ImpastoError

FILE = "studio.sqlite3"
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
        try:
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except sqlite3.OperationalError as error:
            raise DatabaseError(f"the studio's database, {path.name}, cannot be opened ({error})") from error
        self._connection.row_factory = sqlite3.Row
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._connection.close()
            if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
                raise DatabaseError("the disk is full; make room, then start again") from error
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _WHOLE:
                raise DatabaseError(f"the studio's database, {path.name}, cannot be written ({error})") from error
            raise DatabaseError(
                f"the studio's database is damaged ({error}); the pictures beside it are intact. Restore a copy of "
                f"{path.name}, or move it away to start with an empty history"
            ) from error

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

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
