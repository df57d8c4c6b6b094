"""What Airflow is doing, read from its database file and the process table: its API server may be dead."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import tenacity

from tools.local_stack import processes
from tools.local_stack.services import DAG_ID

_TITLE = re.compile(r"^airflow worker -- (LocalExecutor: )?(?P<id>[0-9a-f-]{36}|<idle>)")
_IDLE = "<idle>"
_DELIVERS = """
    SELECT id, map_index, try_number, state FROM task_instance
    WHERE run_id = ? AND task_id = 'deliver' AND map_index >= 0
"""


@dataclass(frozen=True, slots=True)
class Shard:
    """A mapped `deliver` task instance."""

    instance_id: str
    map_index: int
    try_number: int
    state: str

    @property
    def owner(self) -> str:
        """Return the name under which its try claims batches."""
        return f"deliver[{self.map_index}] try {self.try_number}"


@dataclass(frozen=True, slots=True)
class RunningTask:
    """The two processes of one running try."""

    shard: Shard
    supervisor: psutil.Process
    task: psutil.Process


@dataclass(frozen=True, slots=True)
class AirflowView:
    """Reads one stack's Airflow."""

    database: Path
    processes: Callable[[], list[psutil.Process]]
    """Returns every process of the stack."""

    def run_state(self, dag_run_id: str) -> str:
        """Return the state of a DAG run, empty while there is none."""
        rows = self._rows("SELECT state FROM dag_run WHERE run_id = ?", dag_run_id)
        return str(rows[0][0]) if rows else ""

    def run_ids(self, kind: str, dag_id: str = DAG_ID) -> list[str]:
        """Return the runs of a DAG of a type: `scheduled`, `manual`, `backfill` or `asset_triggered`."""
        sql = "SELECT run_id FROM dag_run WHERE run_type = ? AND dag_id = ? ORDER BY id"
        return [str(row[0]) for row in self._rows(sql, kind, dag_id)]

    def is_quiet(self) -> bool:
        """Tell whether no run of any DAG is under way or waits."""
        return not self._rows("SELECT 1 FROM dag_run WHERE state NOT IN ('success', 'failed')")

    def shards(self, dag_run_id: str) -> list[Shard]:
        """Return the mapped tasks of a run."""
        return [
            Shard(_plain(instance_id), map_index, try_number, state or "")
            for instance_id, map_index, try_number, state in self._rows(_DELIVERS, dag_run_id)
        ]

    def tries(self, dag_run_id: str, task_id: str) -> int:
        """Return how often a task of a run has begun."""
        sql = "SELECT try_number FROM task_instance WHERE run_id = ? AND task_id = ?"
        return int(self._rows(sql, dag_run_id, task_id)[0][0])

    def running(self, dag_run_id: str) -> list[RunningTask]:
        """Return the shards whose processes run now."""
        by_id = {shard.instance_id: shard for shard in self.shards(dag_run_id) if shard.state == "running"}
        found: list[RunningTask] = []
        for process in self.processes():
            shard = by_id.get(_plain(_instance(process)))
            parent = _parent(process)
            # the supervisor carries the same id in its title; the task is the one whose parent is such a process
            if shard and parent and _plain(_instance(parent)) == shard.instance_id:
                found.append(RunningTask(shard, parent, process))
        return found

    def working(self) -> list[psutil.Process]:
        """Return every process of a task, supervisors included."""
        return [process for process in self.processes() if _instance(process) not in ("", _IDLE)]

    def orphan_workers(self, scheduler: psutil.Process | None) -> list[psutil.Process]:
        """Return the workers that a killed scheduler left behind and that have nothing to do."""
        own = {child.pid for child in scheduler.children(recursive=True)} if scheduler else set()
        return [process for process in self.processes() if _instance(process) == _IDLE and process.pid not in own]

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(sqlite3.OperationalError),
        stop=tenacity.stop_after_attempt(20),
        wait=tenacity.wait_fixed(0.1),
        reraise=True,
    )
    def _rows(self, sql: str, *values: str) -> list[Any]:
        uri = f"file:{self.database}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
            return connection.execute(sql, values).fetchall()


def _plain(instance_id: str) -> str:
    return instance_id.replace("-", "")


def _instance(process: psutil.Process) -> str:
    try:
        title = " ".join(process.cmdline())
    except psutil.Error:
        return ""
    match = _TITLE.match(title)
    return match["id"] if match else ""


def _parent(process: psutil.Process) -> psutil.Process | None:
    try:
        parent = process.parent()
    except psutil.Error:
        return None
    return parent if parent and processes.is_alive(parent) else None
