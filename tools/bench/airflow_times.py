"""When the tasks of a run waited and worked, from Airflow's own database."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_TASKS = """
    SELECT task_id, start_date, end_date FROM task_instance
    WHERE run_id = ? AND start_date IS NOT NULL AND end_date IS NOT NULL AND state != 'skipped'
"""


@dataclass(frozen=True, slots=True)
class TaskTime:
    """One task of a run; the shards of a mapped task are one."""

    task: str
    began_s: float
    """Seconds from the trigger to the start of its process."""
    took_s: float
    """Seconds until its process had ended; from the first begin to the last end of all shards."""
    count: int
    """Shards."""
    shard_spread_s: float
    """Longest minus shortest shard."""


def task_times(database: Path, dag_run_id: str, triggered: datetime) -> list[TaskTime]:
    """Return the tasks of a finished run in the order in which they began."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        rows = connection.execute(_TASKS, (dag_run_id,)).fetchall()
    return summarise(((task, _moment(began), _moment(ended)) for task, began, ended in rows), triggered)


def summarise(instances: Iterable[tuple[str, datetime, datetime]], triggered: datetime) -> list[TaskTime]:
    """Put the instances of each task together."""
    by_task: dict[str, list[tuple[datetime, datetime]]] = {}
    for task, began, ended in instances:
        by_task.setdefault(task, []).append((began, ended))
    return sorted((_task(task, times, triggered) for task, times in by_task.items()), key=lambda one: one.began_s)


def _task(task: str, times: list[tuple[datetime, datetime]], triggered: datetime) -> TaskTime:
    began, ended = min(first for first, _ in times), max(last for _, last in times)
    durations = [(last - first).total_seconds() for first, last in times]
    return TaskTime(
        task=task,
        began_s=round((began - triggered).total_seconds(), 3),
        took_s=round((ended - began).total_seconds(), 3),
        count=len(times),
        shard_spread_s=round(max(durations) - min(durations), 3),
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
