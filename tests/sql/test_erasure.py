"""One person goes out of every table; everybody else stays, and a later file does not bring the person back."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.engine.health import judge
from include.hubspot_sync.errors import LockHeldError
from include.hubspot_sync.records import RejectedLine, record_key
from include.hubspot_sync.store import erasure, lock, rejects, runs
from include.hubspot_sync.store.connection import Database, Transaction
from include.hubspot_sync.store.erasure import Person
from tests.support.rows import PORTAL, SourceRow, open_run, stage
from tests.support.table_texts import tables_with
from tests.support.whole_runs import plan, whole_run
from tools.local_stack.mysql import MysqlAddress

pytestmark = pytest.mark.sql

NAME, KEY = "Zerachiel", "zerachiel-f"
ROWS: list[SourceRow] = [(1880, NAME, "F", 7), (1881, NAME, "F", 9), (1880, "Anna", "F", 3)]


@pytest.fixture
def person(definition: SyncDefinition) -> Person:
    return Person(definition.name, KEY)


def query(database: Database, address: MysqlAddress, sql: str) -> list[tuple]:
    connection = address.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())
    finally:
        connection.close()


def add_traces(transaction: Transaction, run_id: int, definition: SyncDefinition) -> None:
    """A refused line of the person, and a sample in the plan."""
    line = RejectedLine(7, "Number", "not_an_integer", "no integer", f"1890,{NAME},F,x", KEY)
    rejects.insert_rejected_lines(transaction, run_id, definition.name, "v1", [line])


def test_person_is_in_no_table_afterwards_and_everybody_else_is(
    database: Database, schema: MysqlAddress, definition: SyncDefinition, person: Person, tmp_path: Path
):
    run = whole_run(database, definition, tmp_path, "d:1", 1, ROWS)
    database.run(lambda transaction: add_traces(transaction, run.run_id, definition))
    sample = [{"operation": "create", "key_text": key, "fields": []} for key in (KEY, "anna-f")]
    connection = schema.connect()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE run_plan SET samples = %s", (json.dumps(sample),))
    connection.commit()
    connection.close()
    held = {"ledger", "outbox", "snapshot", "staging_baby_names", "rejected_record", "run_plan"}
    assert tables_with(schema, NAME, KEY) == held
    contacts = database.run(lambda transaction: erasure.known_contacts(transaction, person))
    others = query(database, schema, "SELECT key_text, state, properties FROM ledger WHERE key_text = 'anna-f'")

    database.run(lambda transaction: erasure.suppress(transaction, person))
    found = database.run(lambda transaction: erasure.erase_rows(transaction, person, definition))

    assert len(contacts) == 1
    assert found == {
        "ledger": 1, "snapshot": 1, "outbox": 1, "staging_baby_names": 2, "rejected_record": 1, "run_plan": 1
    }  # fmt: skip
    assert tables_with(schema, NAME, KEY) == set()
    assert tables_with(schema, "anna-f") == held - {"rejected_record"}
    assert query(database, schema, "SELECT key_text, state, properties FROM ledger") == others
    assert query(database, schema, "SELECT record_key FROM suppressed_key") == [(record_key(KEY),)]
    again = database.run(lambda transaction: erasure.erase_rows(transaction, person, definition))
    assert set(again.values()) == {0}


def test_counts_of_the_accepted_run_still_add_up(
    database: Database, definition: SyncDefinition, person: Person, tmp_path: Path
):
    run = whole_run(database, definition, tmp_path, "d:1", 1, ROWS)

    database.run(lambda transaction: erasure.erase_rows(transaction, person, definition))

    summary = database.run(
        lambda transaction: judge(transaction, definition, runs.get_run(transaction, run.dag_run_key), [])
    )
    assert (summary.state, summary.records, summary.created, summary.open) == ("success", 1, 1, 0)


def test_open_change_is_never_sent(
    database: Database, schema: MysqlAddress, definition: SyncDefinition, person: Person, tmp_path: Path
):
    plan(database, stage(database, definition, open_run(database, definition, "d:1"), tmp_path, ROWS))

    database.run(lambda transaction: erasure.erase_rows(transaction, person, definition))

    assert tables_with(schema, NAME, KEY) == set()
    states = query(database, schema, "SELECT state, key_text, properties IS NULL FROM outbox ORDER BY key_text")
    assert states == [("superseded", "", 1), ("pending", "anna-f", 0)]


def test_lines_of_an_erased_person_are_dropped_and_counted(
    database: Database, schema: MysqlAddress, definition: SyncDefinition, person: Person, tmp_path: Path
):
    run = stage(database, definition, open_run(database, definition, "d:1"), tmp_path, ROWS)
    database.run(lambda transaction: erasure.suppress(transaction, person))
    database.run(lambda transaction: erasure.suppress(transaction, person))
    assert database.run(lambda transaction: erasure.suppressed_keys(transaction, definition.name)) == {person.key_hash}

    dropped = database.run(lambda transaction: erasure.drop_suppressed_lines(transaction, definition, run.run_id))

    assert dropped == 2
    assert query(database, schema, "SELECT key_text FROM staging_baby_names") == [("anna-f",)]


def test_nobody_is_erased_while_a_run_holds_the_lock(database: Database, definition: SyncDefinition, tmp_path: Path):
    run = open_run(database, definition, "d:1")
    hold = partial(erasure.hold_lock_row, sync_name=definition.name, portal_id=PORTAL, drain_s=1)

    with pytest.raises(LockHeldError, match=rf"run {run.run_id} of sync baby_names may still write"):
        database.run(hold)

    database.run(lambda transaction: lock.release_lock(transaction, run, drain_s=0))
    database.run(hold)


def test_audit_names_the_hash_and_never_the_key(
    database: Database, schema: MysqlAddress, definition: SyncDefinition, person: Person
):
    database.run(
        lambda transaction: erasure.audit(transaction, person, actor="ann", reason="ticket 17", found={"ledger": 1})
    )

    ((actor, action, target, detail),) = query(
        database, schema, "SELECT actor, action, target, detail FROM audit_event"
    )
    assert (actor, action, target) == ("ann", "erase", record_key(KEY).hex())
    assert json.loads(detail) == {"reason": "ticket 17", "found": {"ledger": 1}}
