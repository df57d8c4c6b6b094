"""How the server finds what the exporter asks for: never by reading all changes, batches or records.

Measured with two million rows each in `outbox` and `ledger`; what a scrape reads must not grow with them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import MySQLdb
import MySQLdb.cursors
import pytest

from include.hubspot_sync.config import SQL_DIR
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.statements import statement

pytestmark = pytest.mark.sql

RUNS, BATCHES, BATCH_ROWS, CLAIMED = 100, 10_000, 10, 3
"""As `FILL` makes them: batches spread over the runs; of those of the newest run, the only open one, 3 are claimed."""
OPEN_BATCHES = BATCHES // RUNS
LARGE = {"outbox", "batch", "o", "b"}
"""Tables that grow with the records, and their aliases in the statements of the exporter."""
STATEMENTS = sorted(f"metrics/{path.name}" for path in (SQL_DIR / "metrics").glob("*.sql"))
DIGITS = """
    (SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5
    UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)
"""
NUMBERS = """
    (SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d AS n FROM :digits a, :digits b, :digits c, :digits e) numbers
"""
FILL = (
    """
    INSERT INTO sync_run (run_id, dag_run_key, sync_name, portal_id, mode, state, epoch, started_at, planned_at)
    SELECT n + 1, n, 'baby_names', 1, 'incremental', IF(n < 99, 'failed', 'delivering'), n + 1, NOW(6), NOW(6)
    FROM :numbers WHERE n < 100
    """,
    """
    INSERT INTO batch (run_id, batch_no, kind, shard, first_seq, last_seq, row_count, state, attempts, updated_at)
    SELECT 1 + n DIV 100, n, 'upsert', 0, 10 * n, 10 * n + 9, 10,
      CASE WHEN n < 9900 THEN 'superseded' WHEN n < 9903 THEN 'leased' ELSE 'ready' END, n < 9903, NOW(6)
    FROM :numbers
    """,
    """
    INSERT INTO outbox (run_id, seq, batch_no, operation, record_key, key_text, state, updated_at)
    SELECT 1 + n DIV 100, 10 * n + d.d, n, 'create', UNHEX(LPAD(HEX(10 * n + d.d), 32, '0')), n,
      CASE WHEN n < 9900 THEN 'superseded' WHEN d.d = 0 THEN 'delivered' ELSE 'pending' END, NOW(6)
    FROM :numbers, :digits d WHERE n >= 9000
    """,
    """
    INSERT INTO ledger (sync_name, record_key, key_text, state, run_id, run_epoch)
    SELECT 'baby_names', UNHEX(LPAD(HEX(n), 32, '0')), n, 'active', 1, 1 FROM :numbers
    """,
    "ANALYZE TABLE sync_run, batch, outbox, ledger",
)


@pytest.fixture
def cursor(connect: Callable[[], MySQLdb.connections.Connection]) -> Iterator[MySQLdb.cursors.DictCursor]:
    with closing(connect()) as connection, connection.cursor(MySQLdb.cursors.DictCursor) as cursor:
        for sql in FILL:
            cursor.execute(sql.replace(":numbers", NUMBERS).replace(":digits", DIGITS))
            cursor.fetchall()
        connection.commit()
        yield cursor


def rows_read(cursor: MySQLdb.cursors.DictCursor) -> int:
    """Return how many rows this session has read from tables, its own temporary ones included."""
    cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
    return sum(int(row["Value"]) for row in cursor.fetchall())


def test_no_statement_of_the_exporter_scans_a_table_that_grows_with_the_records(cursor: Any):
    scans = {}
    for name in STATEMENTS:
        cursor.execute("EXPLAIN FORMAT=TRADITIONAL " + statement(name))
        plan = [{key.lower(): value for key, value in row.items()} for row in cursor.fetchall()]
        scans[name] = [step for step in plan if step["table"] in LARGE and step["type"] in {"ALL", "index"}]

    assert len(STATEMENTS) > 10
    assert [name for name in STATEMENTS if re.search(r"\b(ledger|snapshot)\b", statement(name))] == []
    assert {name: steps for name, steps in scans.items() if steps} == {}


def test_queue_depth_reads_the_batches_of_the_newest_plan_and_the_changes_of_claimed_ones(cursor: Any):
    before = rows_read(cursor)
    (found,) = Transaction(cursor.connection).rows("metrics/count_open_changes.sql")
    read = rows_read(cursor) - before

    # one change of each claimed batch is delivered already
    assert found["open_changes"] == BATCH_ROWS * OPEN_BATCHES - CLAIMED
    # every run twice, the batches of one run, the changes of three batches, the numbers that find them
    assert read < 2_000 < BATCHES
