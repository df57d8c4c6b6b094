"""SQLite: tables, transactions, and the few values that are not rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

FIRST_CONTACT_ID = 100_000_000_001

_TABLES = """
CREATE TABLE IF NOT EXISTS portal (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS token (
    token TEXT PRIMARY KEY, app_id INTEGER NOT NULL, kind TEXT NOT NULL, scopes TEXT NOT NULL,
    expired INTEGER NOT NULL, rate_override INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS property (name TEXT PRIMARY KEY, definition TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS property_group (name TEXT PRIMARY KEY, label TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS contact (
    id INTEGER PRIMARY KEY, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
    archived_ms INTEGER, merged_into INTEGER, created_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL, props TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS uniq (
    prop TEXT NOT NULL, value_norm TEXT NOT NULL, contact_id INTEGER NOT NULL,
    PRIMARY KEY (prop, value_norm)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uniq_archived (
    prop TEXT NOT NULL, value_norm TEXT NOT NULL, contact_id INTEGER NOT NULL,
    PRIMARY KEY (prop, value_norm, contact_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (
    entry INTEGER PRIMARY KEY, contact_id INTEGER NOT NULL, seq INTEGER NOT NULL,
    ts INTEGER NOT NULL, changes TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS history_contact ON history (contact_id);
CREATE INDEX IF NOT EXISTS history_ts ON history (ts);
CREATE TABLE IF NOT EXISTS blocked_email (email TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS request_log (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL);
"""
_CONTACT_TABLES = ("contact", "uniq", "uniq_archived", "history", "blocked_email", "request_log")
_SETUP_TABLES = ("property", "property_group", "token")


class Store:
    """The one connection; every write is inside `transaction()`."""

    def __init__(self, path: str) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=NORMAL")
        self.connection.execute("PRAGMA cache_size=-65536")
        # fewer, larger checkpoints: each one costs an fsync in the event loop
        self.connection.execute("PRAGMA wal_autocheckpoint=8000")
        self.connection.executescript(_TABLES)
        self._snapshots: dict[str, sqlite3.Connection] = {}

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit everything or nothing."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def get(self, name: str, default: str) -> str:
        """Return a stored value of the portal."""
        row = self.connection.execute("SELECT value FROM portal WHERE name = ?", (name,)).fetchone()
        return default if row is None else str(row[0])

    def put(self, name: str, value: object) -> None:
        """Store a value of the portal; call it inside a transaction."""
        self.connection.execute(
            "INSERT INTO portal VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, str(value)),
        )

    def empty(self, *, keep_properties: bool) -> None:
        """Delete contacts and logs, and the portal's set-up unless it is kept."""
        tables = _CONTACT_TABLES if keep_properties else _CONTACT_TABLES + _SETUP_TABLES
        with self.transaction() as connection:
            for table in tables:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names from the code
            connection.execute("DELETE FROM portal")

    def snapshot(self, name: str) -> None:
        """Keep a copy of everything in memory."""
        copy = sqlite3.connect(":memory:")
        self.connection.backup(copy)
        old = self._snapshots.pop(name, None)
        if old is not None:
            old.close()
        self._snapshots[name] = copy

    def restore(self, name: str) -> bool:
        """Go back to a copy; False when there is none of this name."""
        copy = self._snapshots.get(name)
        if copy is None:
            return False
        copy.backup(self.connection)
        return True

    def close(self) -> None:
        """Close the file."""
        for copy in self._snapshots.values():
            copy.close()
        self.connection.close()


def placeholders(number: int) -> str:
    """Return `?,?,…` for an IN list."""
    return ",".join("?" * number)
