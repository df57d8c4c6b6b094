"""A MySQL server that is set up wrongly, or fails in mid-run; keys that a careless collation would mix up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import MySQLdb
from MySQLdb.connections import Connection

from include.hubspot_sync.config import load_definitions
from include.hubspot_sync.records import record_key
from include.hubspot_sync.store.connection import Database, Row, Transaction
from include.hubspot_sync.store.server import check_server
from include.hubspot_sync.store.snapshot import build_snapshot
from include.hubspot_sync.store.staging import load_staging
from tests.support.bad_systems import Act, Bench
from tests.support.outcomes import Outcome, Seen, seen_of
from tests.support.rows import open_run
from tools.local_stack.ports import any_free_port


@contextmanager
def database_of(bench: Bench, connect: Callable[[], Any] | None = None, attempts: int = 1) -> Iterator[Database]:
    """Yield the store's database on the bench's schema."""
    database = Database(connect or bench.stack.schema.connect, attempts=attempts)
    try:
        yield database
    finally:
        database.close()


class Pretending(Transaction):
    """A real transaction on a server whose settings look otherwise."""

    def __init__(self, real: Transaction, **settings: object) -> None:
        super().__init__(real._connection)
        self._settings = settings

    def rows(self, name: str, params: Any = None, slots: Any = None) -> list[Row]:
        """Return the rows, with the pretended settings in those of the server."""
        found = super().rows(name, params, slots)
        return [row | self._settings for row in found] if name == "server/select_settings.sql" else found


def _checked(database: Database, **settings: object) -> Seen:
    definition = load_definitions()["baby_names"]
    return seen_of(
        lambda: database.run(lambda transaction: check_server(Pretending(transaction, **settings), definition)),
        otherwise=lambda _: Seen(Outcome.ACCEPT, "preflight finds nothing wrong"),
    )


def server_with(**settings: object) -> Act:
    """Return the act of `preflight` on a server with these settings."""

    def act(bench: Bench) -> Seen:
        with database_of(bench) as database:
            return _checked(database, **settings)

    return act


def table_with(table: str, charset: str, collation: str) -> Act:
    """Return the act of `preflight` on a table that somebody converted."""

    def act(bench: Bench) -> Seen:
        convert = f"ALTER TABLE {table} CONVERT TO CHARACTER SET"
        bench.stack.query(f"{convert} {charset} COLLATE {collation}")
        try:
            with database_of(bench) as database:
                return _checked(database)
        finally:
            bench.stack.query(f"{convert} utf8mb4 COLLATE utf8mb4_bin")

    return act


def _scalar(transaction: Transaction, sql: str) -> Any:
    with transaction._connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0] if cursor.description else None


def lax_server(bench: Bench) -> Seen:
    """The server's own sql_mode accepts anything; every session of ours sets a strict one."""

    def connect() -> Connection:
        connection = bench.stack.schema.connect()
        connection.query("SET sql_mode=''")
        return connection

    with database_of(bench, connect) as database:
        mode = str(database.run(lambda transaction: _scalar(transaction, "SELECT @@sql_mode")))
    return Seen(Outcome.ACCEPT if "STRICT_TRANS_TABLES" in mode else Outcome.STOP, mode)


def no_time_zone_tables(bench: Bench) -> Seen:
    """A session in UTC by offset needs no names of time zones."""
    with database_of(bench) as database:
        zone = str(database.run(lambda transaction: _scalar(transaction, "SELECT @@time_zone")))
        known = database.run(lambda transaction: _scalar(transaction, "SELECT CONVERT_TZ(NOW(), 'UTC', 'Asia/Tokyo')"))
        seen = _checked(database)
    return Seen(seen.outcome, f"session time zone {zone}, names known: {known is not None}; {seen.text}")


def _signal(code: int) -> str:
    return f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'raised by a test'"


def server_error(code: int) -> Act:
    """Return the act of a transaction that the server refuses for good with this error number."""

    def act(bench: Bench) -> Seen:
        with database_of(bench) as database:
            return seen_of(
                lambda: database.run(lambda transaction: _scalar(transaction, _signal(code))),
                otherwise=lambda _: Seen(Outcome.ACCEPT, "no error"),
            )

    return act


def _once(first: Callable[[Transaction], object]) -> Callable[[Transaction], str]:
    """Return work that does something else at its first attempt."""
    attempts: list[int] = []

    def work(transaction: Transaction) -> str:
        attempts.append(1)
        if len(attempts) == 1:
            first(transaction)
        _scalar(transaction, "SELECT 1")
        return f"done at attempt {len(attempts)}"

    return work


def _recovered(text: str) -> Seen:
    return Seen(Outcome.RETRY if text == "done at attempt 2" else Outcome.ACCEPT, text)


def deadlock(bench: Bench) -> Seen:
    with database_of(bench, attempts=3) as database:
        work = _once(lambda transaction: _scalar(transaction, _signal(1213)))
        return seen_of(lambda: database.run(work), otherwise=_recovered)


def gone_away(bench: Bench) -> Seen:
    """Another session kills the connection between two statements."""

    def kill(transaction: Transaction) -> None:
        own = _scalar(transaction, "SELECT CONNECTION_ID()")
        bench.stack.query(f"KILL {int(own)}")

    with database_of(bench, attempts=3) as database:
        return seen_of(lambda: database.run(_once(kill)), otherwise=_recovered)


def failover(bench: Bench) -> Seen:
    """The address points at a server that is gone, then at the new one."""
    schema = bench.stack.schema
    ports = [any_free_port(), schema.port]

    def connect() -> Connection:
        port = ports.pop(0) if len(ports) > 1 else ports[0]
        return replace(schema, port=port).connect()

    with database_of(bench, connect, attempts=3) as database:
        return seen_of(
            lambda: database.run(lambda transaction: _scalar(transaction, "SELECT 1")),
            otherwise=lambda value: Seen(Outcome.RETRY if not ports[1:] else Outcome.ACCEPT, f"answered {value}"),
        )


def keys_in_tables(*keys: str) -> Act:
    """Return the act of staging one row for each of these key texts, as they are, and counting records."""

    def act(bench: Bench) -> Seen:
        definition = load_definitions()["baby_names"]
        path = bench.folder / "clean.csv"
        lines = [f'{number},"{key}",1880,Name{"abc"[number]},F,5\n' for number, key in enumerate(keys)]
        path.write_text("".join(lines), encoding="utf-8")
        name = f"keys of {' and '.join(map(ascii, keys))}"[:60]
        with database_of(bench) as database:
            run = open_run(database, definition, name)
            sums = {"year_of_birth": 1880 * len(keys), "number": 5 * len(keys)}

            def load(transaction: Transaction) -> int:
                load_staging(transaction, definition, run.run_id, path, rows=len(keys), sums=sums)
                return build_snapshot(transaction, definition, run.run_id, run.run_id).records

            records = database.run(load)
        bench.stack.query("DELETE FROM snapshot WHERE run_id = %s", (run.run_id,))
        bench.stack.query("DELETE FROM run_lock")
        bench.stack.query("DELETE FROM sync_run WHERE run_id = %s", (run.run_id,))
        return Seen(Outcome.ACCEPT if records == len(keys) else Outcome.QUARANTINE, f"{records} records")

    return act


def hashed_keys(*keys: str) -> Act:
    """Return the act of storing a record for each of these key texts under its hash."""

    def act(bench: Bench) -> Seen:
        insert = (
            "INSERT INTO snapshot (run_id, record_key, key_text, row_hash, properties, first_line, line_count) "
            "VALUES (0, %s, %s, REPEAT('x', 32), '{}', 1, 1)"
        )
        try:
            for key in keys:
                bench.stack.query(insert, (record_key(key), key))
            ((records,),) = bench.stack.query("SELECT COUNT(*) FROM snapshot WHERE run_id = 0")
        except MySQLdb.IntegrityError as error:
            return Seen(Outcome.QUARANTINE, str(error))
        finally:
            bench.stack.query("DELETE FROM snapshot WHERE run_id = 0")
        return Seen(Outcome.ACCEPT, f"{records} records")

    return act
