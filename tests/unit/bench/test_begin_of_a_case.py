"""The state in which a case begins."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tools.bench.cases import CHANGED_SHARE
from tools.bench.runner import dataset_file
from tools.bench.stack import empty_tables
from tools.chaos.source import count_rows, expected_contacts
from tools.kaggle_simulator.generator import Size
from tools.kaggle_simulator.revision import contacts_for
from tools.local_stack.mysql import MysqlAddress

SIZE = Size(rows=900, contacts=300)
LOCK = "INSERT INTO run_lock VALUES (1, 'x', NULL, 1, 1, NULL, NULL, NOW(6))"
VERSION = "SELECT version_num FROM schema_version"


@pytest.mark.sql
def test_every_row_is_removed_and_the_schema_stays(schema: MysqlAddress):
    with closing(schema.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(LOCK)
        connection.commit()
        cursor.execute(VERSION)
        version = cursor.fetchall()
        connection.commit()

        empty_tables(schema)

        cursor.execute("SELECT COUNT(*) FROM run_lock")
        assert cursor.fetchone() == (0,)
        cursor.execute(VERSION)
        assert cursor.fetchall() == version
        assert len(version) == 1


def test_changed_version_differs_in_one_percent_of_the_contacts(tmp_path: Path):
    first = expected_contacts(dataset_file(tmp_path, SIZE))
    changed = expected_contacts(dataset_file(tmp_path, SIZE, is_changed=True))

    assert len(first) == len(changed) == SIZE.contacts
    assert count_rows(dataset_file(tmp_path, SIZE)) == SIZE.rows
    differing = [key for key in first if first[key] != changed[key]]
    assert len(differing) == contacts_for(CHANGED_SHARE, SIZE.contacts) == 3


def test_dataset_is_the_same_in_every_call(tmp_path: Path):
    folders = tmp_path / "one", tmp_path / "other"
    for folder in folders:
        folder.mkdir()

    one, other = (dataset_file(folder, SIZE, is_changed=True).read_bytes() for folder in folders)

    assert one == other
