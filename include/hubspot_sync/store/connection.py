"""A MySQL connection with our session settings, whole transactions, and typed errors."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import MySQLdb
import MySQLdb.cursors
import tenacity

from include.hubspot_sync.errors import ConfigError, StoreUnavailableError
from include.hubspot_sync.store.statements import statement

if TYPE_CHECKING:
    from MySQLdb.connections import Connection

log = logging.getLogger(__name__)

Params = Mapping[str, Any]
Row = dict[str, Any]
T = TypeVar("T")

ATTEMPTS = 6
"""How often a transaction that the server broke off is tried, within about 15 s."""

SQL_MODE = (
    "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
)
_SESSION = (
    f"SET SESSION sql_mode='{SQL_MODE}', innodb_lock_wait_timeout=10, lock_wait_timeout=30, time_zone='+00:00'",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
)
_WIDE_SORT = "SET SESSION tmp_table_size=268435456, max_heap_table_size=268435456, sort_buffer_size=67108864"

_LOCK_CODES = frozenset({1205, 1213, 3572})
_GONE_CODES = frozenset(
    {
        1040,
        1053,
        1158,
        1159,
        1160,
        1161,
        1203,
        1226,
        1290,
        1836,
        1927,
        2002,
        2003,
        2006,
        2013,
        2055,
        4031,
    }
)
_FULL_CODES = frozenset({1021, 1114})
_LOST_IN_STATEMENT = 2013
_LONG_S = 60.0
"""A transaction that is lost after so long was most likely given up at this end, by the connection's read timeout."""
_SETUP_HINTS = {
    1044: "the MySQL user lacks a right: tasks need SELECT, INSERT, UPDATE, DELETE on the schema, the migration "
    "CREATE, ALTER, DROP, INDEX as well",
    1045: "MySQL refuses user or password: check login and password of the connection",
    1049: "the MySQL schema does not exist: create it and run the migration",
    1142: "the MySQL user lacks a right: tasks need SELECT, INSERT, UPDATE, DELETE on the schema, the migration "
    "CREATE, ALTER, DROP, INDEX as well",
    1146: "a table is missing: run `python -m include.hubspot_sync.store.migrate`",
    1054: "a column is missing: run `python -m include.hubspot_sync.store.migrate`",
    2026: "TLS to MySQL failed: check ssl_mode and the certificate authority of the connection",
    3159: "MySQL demands TLS: set ssl_mode in the connection",
    3948: "MySQL has local_infile switched off: set local_infile=ON on server and connection",
    4166: "MySQL has local_infile switched off: set local_infile=ON on server and connection",
}


def error_code(error: Exception) -> int:
    """Return the server's or client's error number, 0 when there is none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def translate(error: Exception, where: str) -> Exception:
    """Turn a driver error into ours, or return it as it is when it is a defect of ours."""
    code = error_code(error)
    if code == _LOST_IN_STATEMENT:
        return StoreUnavailableError(
            f"mysql is not available ({code}): {where} was lost in the middle of a statement; check that the server is "
            "up and, if this comes again, what it needs minutes for (SHOW PROCESSLIST)"
        )
    if code in _GONE_CODES or code in _LOCK_CODES:
        return StoreUnavailableError(
            f"mysql is not available ({code}): check that the server of {where} is up and can be reached"
        )
    if code in _FULL_CODES:
        return StoreUnavailableError(f"mysql has no room left ({code}) at {where}: free space on the server's disk")
    if code in _SETUP_HINTS:
        return ConfigError(f"mysql error {code} at {where}: {_SETUP_HINTS[code]}")
    return error


class Transaction:
    """One open transaction: named statements in, plain rows out."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, name: str, params: Params | None = None, slots: Mapping[str, str] | None = None) -> int:
        """Run a statement and return how many rows it changed."""
        with self._connection.cursor() as cursor:
            return int(cursor.execute(statement(name, slots), params or None))

    def execute_many(self, name: str, rows: Sequence[Params]) -> None:
        """Run an INSERT for many rows, in few round trips."""
        with self._connection.cursor() as cursor:
            cursor.executemany(statement(name), rows)

    def rows(self, name: str, params: Params | None = None, slots: Mapping[str, str] | None = None) -> list[Row]:
        """Run a SELECT and return its rows by column name."""
        with self._connection.cursor(MySQLdb.cursors.DictCursor) as cursor:
            cursor.execute(statement(name, slots), params or None)
            return [{key.lower(): value for key, value in row.items()} for row in cursor.fetchall()]

    def row(self, name: str, params: Params | None = None) -> Row | None:
        """Run a SELECT and return its first row."""
        rows = self.rows(name, params)
        return rows[0] if rows else None

    def insert_id(self) -> int:
        """Return LAST_INSERT_ID() of the statement just run."""
        return int(self._connection.insert_id())

    def warning_count(self) -> int:
        """Return the warnings of the statement just run; after COMMIT it no longer tells."""
        return int(self._connection.warning_count())

    def widen_sorts(self) -> None:
        """Give this session room for a GROUP BY over the staging table (measured: 2 to 7 times faster)."""
        with self._connection.cursor() as cursor:
            cursor.execute(_WIDE_SORT)


ENCRYPTED_MODES = frozenset({"REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"})
"""Values of `ssl_mode` that ask for TLS."""


def connect(arguments: Mapping[str, object]) -> Connection:
    """Open a connection; one that asks for TLS has it.

    Args:
        arguments: Those of `MySQLdb.connect`.

    Raises:
        ConfigError: the connection asks for TLS and is in plain text.
    """
    connection = MySQLdb.connect(**arguments)
    if arguments.get("ssl_mode") in ENCRYPTED_MODES:
        refuse_plain_text(connection, f"{arguments['host']}, schema {arguments['database']}")
    return connection


def refuse_plain_text(connection: Connection, where: str) -> None:
    """Close a connection that is not encrypted, before anything but the login has passed it.

    The setting proves nothing: with ssl_mode=REQUIRED MariaDB's client library goes on in plain text when the server
    has no TLS, and so may whoever stands in between (measured with 3.3.19; VERIFY_IDENTITY is refused).

    Raises:
        ConfigError: there is no cipher.
    """
    cipher = Transaction(connection).rows("server/show_tls.sql")[0]["value"]
    if not cipher:
        connection.close()
        raise ConfigError(
            f"the connection to {where} is not encrypted: switch TLS on in the server, and set "
            "ssl_mode=VERIFY_IDENTITY and ssl.ca in the connection"
        )
    log.debug("mysql connection encrypted cipher=%s", cipher)


def _before_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("mysql retry attempt=%d error=%s", state.attempt_number, error)


class Database:
    """Runs whole transactions, again when the server broke them off.

    A transaction function may therefore run more than once: it must be repeatable, or compare and set.
    """

    def __init__(
        self, connect: Callable[[], Connection], *, where: str = "connection mysql", attempts: int = ATTEMPTS
    ) -> None:
        """Use a function that opens a connection; nothing is opened yet.

        Args:
            connect: Opens one connection.
            where: Names connection and server in messages.
            attempts: How often a transaction is tried.
        """
        self._connect = connect
        self._where = where
        self._connection: Connection | None = None
        self._thread_id = 0
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(StoreUnavailableError),
            stop=tenacity.stop_after_attempt(attempts),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
            before_sleep=_before_retry,
            reraise=True,
        )

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction and commit.

        Raises:
            StoreUnavailableError: the server is away or a lock was not granted, after the retries.
            ConfigError: a right, table or setting is missing.
        """
        result: T = self._retrying(self._run_once, work)
        return result

    def _run_once(self, work: Callable[[Transaction], T]) -> T:
        try:
            with self._transaction() as transaction:
                return work(transaction)
        except MySQLdb.Error as error:
            translated = translate(error, self._where)
            if translated is error:
                raise
            raise translated from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        connection = self._open()
        began_at = time.monotonic()
        try:
            yield Transaction(connection)
            connection.commit()
        except BaseException as error:
            self._abandon(connection, error)
            is_lost = isinstance(error, MySQLdb.Error) and error_code(error) == _LOST_IN_STATEMENT
            if is_lost and time.monotonic() - began_at >= _LONG_S:
                self._end_statement()
            raise

    def _open(self) -> Connection:
        if self._connection is None:
            connection = self._connect()
            with connection.cursor() as cursor:
                for setting in _SESSION:
                    cursor.execute(setting)
            connection.commit()
            self._connection, self._thread_id = connection, connection.thread_id()
        return self._connection

    def _abandon(self, connection: Connection, error: BaseException) -> None:
        """Roll back, or drop the connection when it is not usable: a read-only node after a failover counts as well."""
        lost = isinstance(error, MySQLdb.Error) and error_code(error) in _GONE_CODES
        try:
            if not lost:
                connection.rollback()
        except MySQLdb.Error:
            lost = True
        if lost:
            self.close()

    def _end_statement(self) -> None:
        """End in the server what this end no longer waits for: it would go on, with its locks, and hold up every retry.

        Every user may end connections of its own. Only after a long wait, because a server that was restarted may have
        given the number to somebody else.
        """
        with contextlib.suppress(MySQLdb.Error), contextlib.closing(self._connect()) as connection:
            log.warning("mysql statement given up, ending it in the server thread_id=%d", self._thread_id)
            with connection.cursor() as cursor:
                cursor.execute("KILL %s", (self._thread_id,))

    def close(self) -> None:
        """Close the connection; the next transaction opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(MySQLdb.Error):
                connection.close()
