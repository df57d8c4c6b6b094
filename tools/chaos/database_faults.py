"""Faults of a MySQL server whose process goes on."""

from __future__ import annotations

import contextlib
import hashlib
import time
from dataclasses import dataclass

import MySQLdb

from tools.chaos.place import Place
from tools.chaos.waiting import POLL_S, pause
from tools.local_stack.mysql import parse_url, socket_path

_DEADLOCK_LIMIT_S = 4.0


@dataclass(frozen=True, slots=True)
class DatabaseFaults:
    """Does to the server of a place what only its root or a careless colleague can do."""

    place: Place

    def set_read_only(self, *, is_read_only: bool) -> None:
        """Refuse all writes, as a node does after a failover, or accept them again."""
        with contextlib.closing(self._root()) as connection:
            connection.query(f"SET GLOBAL read_only = {int(is_read_only)}")

    def deadlock(self) -> bool:
        """Take the ledger before the batches, against the product's order; return whether the server broke a circle."""
        address = parse_url(self.place.stack.mysql_url)
        before, deadline = self._deadlocks(), time.monotonic() + _DEADLOCK_LIMIT_S
        while time.monotonic() < deadline and self._deadlocks() == before:
            with contextlib.suppress(MySQLdb.Error), contextlib.closing(address.connect()) as connection:
                cursor = connection.cursor()
                cursor.execute("SET SESSION innodb_lock_wait_timeout = 2")
                cursor.execute("SELECT COUNT(*) FROM ledger FOR UPDATE")
                pause(POLL_S)
                cursor.execute("SELECT COUNT(*) FROM batch WHERE state = 'leased' FOR UPDATE")
                connection.rollback()
        return self._deadlocks() > before

    def _deadlocks(self) -> int:
        """Return how many deadlocks the server has broken so far."""
        with contextlib.closing(self._root()) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = 'lock_deadlocks'")
            return int(cursor.fetchone()[0])

    def _root(self) -> MySQLdb.connections.Connection:
        """Connect as the server's root, whose password the local stack derives from the user's."""
        password = hashlib.sha256(f"root {parse_url(self.place.stack.mysql_url).password}".encode()).hexdigest()
        socket = socket_path(self.place.layout.folder / "mysql")
        return MySQLdb.connect(unix_socket=str(socket), user="root", password=password)
