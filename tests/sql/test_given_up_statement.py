"""A statement that takes longer than the connection waits must not hold its locks against the retry."""

from __future__ import annotations

from collections.abc import Callable

import MySQLdb
import pytest

from include.hubspot_sync.errors import StoreUnavailableError
from include.hubspot_sync.store import connection as store
from include.hubspot_sync.store.connection import Database
from tools.local_stack.mysql import MysqlAddress

pytestmark = pytest.mark.sql

LOCK_ROW = "UPDATE rate_limit SET daily_limit = 1 WHERE portal_id = 1"
ENDLESS = "SELECT BENCHMARK(1000000000000, SHA2('x', 512))"


def run(database: Database, *statements: str) -> None:
    def work(transaction: store.Transaction) -> None:
        with transaction._connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    database.run(work)


@pytest.fixture
def impatient(schema: MysqlAddress, connect: Callable[[], MySQLdb.connections.Connection]) -> Database:
    """Waits one second for an answer."""

    def connect_impatiently() -> MySQLdb.connections.Connection:
        return MySQLdb.connect(
            host=schema.host,
            port=schema.port,
            user=schema.user,
            password=schema.password,
            database=schema.database,
            read_timeout=1,
        )

    database = Database(connect)
    run(database, "INSERT INTO rate_limit VALUES (1, NOW(6), 1, 1, 1, NULL, NULL, NULL, 0, NOW(6))")
    database.close()
    return Database(connect_impatiently, where="connection mysql", attempts=1)


def test_statement_that_was_given_up_is_ended_in_the_server(
    impatient: Database, database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store, "_LONG_S", 0.5)

    with pytest.raises(StoreUnavailableError, match=r"2013.*connection mysql was lost in the middle of a statement"):
        run(impatient, LOCK_ROW, ENDLESS)

    run(database, LOCK_ROW)  # waits at most 10 s for the row


def test_connection_that_is_lost_at_once_ends_nobody(impatient: Database, monkeypatch: pytest.MonkeyPatch):
    ended: list[None] = []
    monkeypatch.setattr(Database, "_end_statement", lambda _self: ended.append(None))

    with pytest.raises(StoreUnavailableError):
        run(impatient, "SELECT SLEEP(3)")

    assert ended == []
