from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from tools.bench.airflow_times import TaskTime, task_times

TRIGGERED = datetime(2026, 11, 25, 4, 0, 0, tzinfo=UTC)
CREATE = "CREATE TABLE task_instance (run_id, task_id, state, start_date, end_date)"
ROWS = [
    ("run", "deliver", "success", "2026-11-25 04:00:10.000000", "2026-11-25 04:00:40.000000"),
    ("run", "deliver", "success", "2026-11-25 04:00:11.000000", "2026-11-25 04:00:45.500000"),
    ("run", "land", "success", "2026-11-25 04:00:02.500000", "2026-11-25 04:00:03.500000"),
    ("run", "stage", "skipped", "2026-11-25 04:00:04.000000", "2026-11-25 04:00:04.000000"),
    ("run", "finish", None, None, None),
    ("another", "land", "success", "2026-11-25 03:00:02.500000", "2026-11-25 03:00:03.500000"),
]


def test_shards_are_one_task_and_the_rest_is_in_order(tmp_path: Path):
    database = tmp_path / "airflow.db"
    connection = sqlite3.connect(database)
    with connection:
        connection.execute(CREATE)
        connection.executemany("INSERT INTO task_instance VALUES (?, ?, ?, ?, ?)", ROWS)
    connection.close()

    assert task_times(database, "run", TRIGGERED) == [
        TaskTime("land", 2.5, 1.0, 1, 0.0),
        TaskTime("deliver", 10.0, 35.5, 2, 4.5),
    ]
