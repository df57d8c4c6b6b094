"""The snapshot on a real server: grain, peak year, hashes, withheld records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.records import RejectedLine, record_key, row_hash
from include.hubspot_sync.store.connection import Database
from include.hubspot_sync.store.rejects import insert_rejected_lines
from include.hubspot_sync.store.snapshot import build_snapshot
from tests.support.rows import open_run, stage

pytestmark = pytest.mark.sql

ROWS = [
    (1880, "Mary", "F", 7000),
    (1881, "Mary", "F", 9000),
    (1882, "Mary", "F", 9000),
    (1880, "Mary", "M", 5),
    (1990, "True", "F", 12),
    (1991, "Nan", "M", 6),
]


def snapshot_rows(database: Database, run_id: int) -> dict[str, dict]:
    def work(transaction):
        with transaction._connection.cursor() as cursor:
            cursor.execute(
                "SELECT key_text, record_key, row_hash, properties, first_line, line_count FROM snapshot"
                " WHERE run_id = %s",
                (run_id,),
            )
            return cursor.fetchall()

    return {
        key: {"key": record, "hash": digest, "properties": json.loads(properties), "line": line, "lines": lines}
        for key, record, digest, properties, line, lines in database.run(work)
    }


def test_one_record_per_name_and_sex_with_the_earliest_peak_year(
    database: Database, definition: SyncDefinition, tmp_path: Path
):
    run = stage(database, definition, open_run(database, definition, "one"), tmp_path, ROWS)

    rows = snapshot_rows(database, run.run_id)

    assert run.records == 4
    assert set(rows) == {"mary-f", "mary-m", "true-f", "nan-m"}
    assert rows["mary-f"]["properties"] == {
        "baby_sex": "F",
        "first_year": "1880",
        "firstname": "Mary",
        "last_year": "1882",
        "peak_births": "9000",
        "peak_year": "1881",
        "total_births": "25000",
    }
    assert (rows["mary-f"]["line"], rows["mary-f"]["lines"]) == (2, 3)


def test_hashes_in_sql_are_those_of_python(database: Database, definition: SyncDefinition, tmp_path: Path):
    run = stage(database, definition, open_run(database, definition, "one"), tmp_path, ROWS)

    for key_text, row in snapshot_rows(database, run.run_id).items():
        assert row["key"] == record_key(key_text)
        assert row["hash"] == row_hash(row["properties"])


def test_record_with_a_quarantined_line_is_withheld(database: Database, definition: SyncDefinition, tmp_path: Path):
    run = stage(database, definition, open_run(database, definition, "one"), tmp_path, ROWS)
    line = RejectedLine(9, "Number", "not_an_integer", "x is no integer", "1883,Mary,F,x", "mary-f")

    database.run(lambda t: insert_rejected_lines(t, run.run_id, definition.name, "file.csv", [line]))
    count = database.run(lambda t: build_snapshot(t, definition, run.run_id, run.run_id))

    assert (count.records, count.withheld) == (3, 1)
    assert "mary-f" not in snapshot_rows(database, run.run_id)
