"""What `make run` says of rejected lines and records."""

from __future__ import annotations

from functools import partial

import pytest

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.records import RejectedLine
from include.hubspot_sync.store import rejects
from include.hubspot_sync.store.connection import Database
from tests.support.rows import open_run
from tools.local_stack.mysql import MysqlAddress
from tools.local_stack.run_rejects import describe_rejects, read_rejects

pytestmark = pytest.mark.sql

REFUSED = """
    INSERT INTO rejected_record (
      sync_name, fingerprint, run_id, stage, source_file, line_no, column_name, key_text, reason, reason_text, payload,
      first_seen_at, last_seen_at, resolved_at
    )
    VALUES (
      'baby_names', UNHEX(LEFT(SHA2(%s, 256), 32)),
      %s, 'deliver', 'v1', %s, 'baby_sex', %s, 'INVALID_OPTION', 'X is no option', '{}',
      NOW(6), NOW(6), %s
    )
"""
PAGE = "http://airflow/hubspot-sync/dags/baby_names_to_hubspot/rejects"


def bad_line(line_no: int, reason: str = "not_an_integer") -> RejectedLine:
    return RejectedLine(line_no, "Number", reason, f"line {line_no} is wrong", f"raw {line_no}", None)


def refuse(schema: MysqlAddress, *rows: tuple) -> None:
    connection = schema.connect()
    with connection.cursor() as cursor:
        cursor.executemany(REFUSED, rows)
    connection.commit()
    connection.close()


def test_reasons_have_count_and_example_the_most_frequent_first(
    database: Database, definition: SyncDefinition, schema: MysqlAddress
):
    run = open_run(database, definition, "dag:one")
    lines = [bad_line(7), bad_line(9), bad_line(11, "empty")]
    database.run(partial(_keep, run_id=run.run_id, file="v1", lines=lines))
    database.run(partial(_keep, run_id=run.run_id, file="another file", lines=[bad_line(3)]))
    refuse(schema, *((str(n), run.run_id, n, f"ada{n}-f", None) for n in (20, 30, 40)))
    refuse(schema, ("gone", run.run_id, 50, "gone-f", "2026-01-01"))

    found = read_rejects(schema, run.run_id)

    assert describe_rejects(found, PAGE, run.run_id) == [
        "Rejected:",
        "  3 records: INVALID_OPTION; e.g. line 20 of v1, column baby_sex: X is no option",
        "  2 lines: not_an_integer; e.g. line 7 of v1, column Number: line 7 is wrong",
        "  1 line: empty; e.g. line 11 of v1, column Number: line 11 is wrong",
        f"Rejected records: {PAGE}?run={run.run_id}  (codes: docs/operations.md#reason-codes)",
    ]


def test_records_that_an_earlier_run_sent_are_there_and_on_the_page_that_is_named(
    database: Database, definition: SyncDefinition, schema: MysqlAddress
):
    run = open_run(database, definition, "dag:one")
    refuse(schema, ("old", run.run_id - 1, 20, "ada-f", None))

    *_, last = describe_rejects(read_rejects(schema, run.run_id), PAGE, run.run_id)

    assert last.startswith(f"Rejected records: {PAGE}?state=open ")


def test_run_without_rejects_says_nothing(database: Database, definition: SyncDefinition, schema: MysqlAddress):
    run = open_run(database, definition, "dag:one")

    assert describe_rejects(read_rejects(schema, run.run_id), PAGE, run.run_id) == []


def _keep(transaction, *, run_id: int, file: str, lines: list[RejectedLine]) -> None:
    rejects.insert_rejected_lines(transaction, run_id, "baby_names", file, lines)
