"""A MySQL server for a test session, and fresh empty schemas in it."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import MySQLdb

from tools.local_stack import processes
from tools.local_stack.mysql import SCHEMA, URL_VARIABLE, USER, MysqlAddress, MysqlServer, parse_url, socket_path
from tools.local_stack.mysql_binary import find_server
from tools.local_stack.ports import LOOPBACK, any_free_port


@dataclass(frozen=True, slots=True)
class TestServer:
    """A running server and a login that may create schemas named `<database>_…`."""

    __test__ = False

    address: MysqlAddress
    private: MysqlServer | None = None
    """The server's own description; None for one that ran already, whose root nobody knows."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextlib.contextmanager
    def fresh_database(self) -> Iterator[MysqlAddress]:
        """Create an empty schema (utf8mb4, utf8mb4_bin) and drop it at the end."""
        name = f"{self.address.database}_test_{os.getpid()}_{next(self._numbers)}"
        create = f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        self._execute(f"DROP DATABASE IF EXISTS {name}", create)
        try:
            yield replace(self.address, database=name)
        finally:
            self._execute(f"DROP DATABASE IF EXISTS {name}")

    def execute_as_root(self, *statements: str) -> None:
        """Do what needs more rights than the login has, e.g. create users; only on a private server."""
        assert self.private is not None
        connection = MySQLdb.connect(
            unix_socket=str(socket_path(self.private.folder)), user="root", password=self.private.root_password
        )
        with contextlib.closing(connection), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def _execute(self, *statements: str) -> None:
        connection = self.address.connect()
        with contextlib.closing(connection), connection.cursor() as cursor:
            # a test's forgotten transaction must fail the test here, not block it for ever
            cursor.execute("SET SESSION lock_wait_timeout = 20, sql_notes = 0")
            for statement in statements:
                cursor.execute(statement)


@contextlib.contextmanager
def mysql_server(*, buffer_pool: str = "128M") -> Iterator[TestServer]:
    """Start a private server in a temporary folder, or use the one of `HUBSPOT_SYNC_MYSQL_URL`.

    `HUBSPOT_SYNC_MYSQLD` chooses the program. The server ends with the block, and with this process however it ends.
    """
    if url := os.environ.get(URL_VARIABLE):
        yield TestServer(parse_url(url))
        return
    with tempfile.TemporaryDirectory(prefix="hubspot-sync-", ignore_cleanup_errors=True) as name:
        server = private_server(Path(name), buffer_pool=buffer_pool)
        try:
            server.start()
            yield TestServer(server.address, server)
        finally:
            processes.stop(processes.all_of(server.owner))


def private_server(folder: Path, *, buffer_pool: str = "128M") -> MysqlServer:
    """Describe a server in this folder with a free port and a new password; nothing is started yet."""
    address = MysqlAddress(
        host=LOOPBACK, port=any_free_port(), user=USER, password=secrets.token_hex(16), database=SCHEMA
    )
    return MysqlServer(
        binary=find_server(os.environ),
        folder=folder,
        log=folder / "mysql.log",
        address=address,
        environ=dict(os.environ),
        owner=folder,
        buffer_pool=buffer_pool,
        die_with_parent=True,
    )
