"""The whole database is lost, the portal and the bucket are not: the next run finds out what HubSpot holds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.store.migrate import migrate
from tests.support.airflow_runs import SyncStack, expected_contacts, mapped
from tests.support.mysql_server import TestServer
from tools.kaggle_simulator.dataset import read_csv, write_csv
from tools.kaggle_simulator.revision import next_version

pytestmark = pytest.mark.integration

LEDGER = "SELECT key_text, state, row_hash, properties, hubspot_id FROM ledger ORDER BY record_key"


@pytest.fixture
def lost(stack: SyncStack, mysql: TestServer, definition: SyncDefinition) -> Iterator[tuple[SyncStack, list[tuple]]]:
    """A portal that a run filled, beside an empty database; and the ledger that was lost."""
    assert stack.run().state == "success"
    ledger = stack.query(LEDGER)
    with mysql.fresh_database() as address:
        migrate(address.url, [definition])
        connection = json.loads(os.environ["AIRFLOW_CONN_MYSQL"]) | {"schema": address.database}
        stack.monkeypatch.setenv("AIRFLOW_CONN_MYSQL", json.dumps(connection))
        yield replace(stack, schema=address), ledger


def test_run_on_an_empty_database_writes_nothing_and_rebuilds_the_ledger(lost: tuple[SyncStack, list[tuple]]):
    stack, ledger = lost
    assert stack.query("SELECT COUNT(*) FROM ledger") == [(0,)]
    before, contacts = stack.stats(), stack.contacts()
    asked = len(stack.kaggle_requests())

    result = stack.run()

    assert result.state == "success"
    assert stack.stats()["write_calls"] == before["write_calls"]
    assert stack.contacts() == contacts
    # the file is in S3: Kaggle is asked for its version only
    assert len(stack.kaggle_requests()) == asked + 1
    assert {name: result.summary[name] for name in ("records", "unchanged", "created", "updated", "write_calls")} == {
        "records": 2_500,
        "unchanged": 2_500,
        "created": 0,
        "updated": 0,
        "write_calls": 0,
    }
    assert stack.query(LEDGER) == ledger


def test_run_on_an_empty_database_sends_exactly_what_changed_meanwhile(
    lost: tuple[SyncStack, list[tuple]], source_file: Path, tmp_path: Path
):
    stack, _ = lost
    version2 = tmp_path / "version2.csv"
    write_csv(next_version(read_csv(source_file), 5, new=0.01, changed=0.01, removed=0), version2)
    stack.new_version(path=version2)
    before = stack.stats()

    result = stack.run()

    assert result.state == "success"
    assert (result.summary["created"], result.summary["updated"]) == (25, 25)
    assert stack.stats()["rows_unchanged"] == before["rows_unchanged"]
    assert mapped(stack.contacts()) == expected_contacts(version2)
