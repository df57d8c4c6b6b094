"""What came of a run, for the person at the terminal: its numbers, and last what stopped it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from tools.local_stack.airflow_api import AirflowApi, TaskInstance
from tools.local_stack.console import console
from tools.local_stack.errors import StackError
from tools.local_stack.layout import Stack
from tools.local_stack.result import COUNT_FIELDS, Result, is_counted
from tools.local_stack.services import DAG_ID

_MAX_SHOWN = 10
_MAX_NAMES = 5
_LAST_TASK = "finish"
_CLASS = re.compile(r"([A-Z]\w+Error): ")
_RUNBOOK = "docs/operations.md"


@dataclass(frozen=True, slots=True)
class Failure:
    """Tasks that failed with one and the same message."""

    tasks: tuple[str, ...]
    message: str

    @property
    def section(self) -> str:
        """Return the place in the runbook; empty when the message names no class."""
        named = _CLASS.match(self.message)
        return f"{_RUNBOOK}#{named[1].lower()}" if named else ""

    def describe(self) -> str:
        """Return message and tasks in one line."""
        left = len(self.tasks) - _MAX_NAMES
        names = ", ".join(self.tasks[:_MAX_NAMES]) + (f" and {left} more" if left > 0 else "")
        return f"{self.message} (task {names})"


_KILLED = "Process terminated by signal"


def last_error(events: list[dict[str, Any]]) -> str:
    """Return the message of a task's last error: ours if there is one, else Airflow's with its exception."""
    ours = [text for event in events if (text := str(event.get("event", ""))).startswith("error: ")]
    airflows = [_describe_event(event) for event in events if event.get("level") in ("error", "critical")]
    message = (ours or airflows or ["no error was logged, as when a task is lost before it begins"])[-1]
    if message.startswith(_KILLED):
        # Airflow takes it for a lack of memory and gives a link
        message = "the task's process was killed (by hand, or for lack of memory)"
    return " ".join(message.removeprefix("error: ").split())


def _describe_event(event: Mapping[str, Any]) -> str:
    for detail in event.get("error_detail") or ():
        return f"{detail.get('exc_type')}: {detail.get('exc_value')}"
    return str(event.get("event", ""))


def read_error(api: AirflowApi, dag_run_id: str, task: TaskInstance) -> str:
    """Return why a try of a task failed, from its log."""
    try:
        return last_error(api.log_events(DAG_ID, dag_run_id, task))
    except StackError as error:
        return f"its log cannot be read ({error})"


def read_failures(api: AirflowApi, dag_run_id: str) -> list[Failure]:
    """Return why tasks of a run failed, the first cause first."""
    failed = [task for task in api.task_instances(DAG_ID, dag_run_id) if task.state == "failed"]
    return group_failures(
        (f"{task.name} try {task.try_number}", read_error(api, dag_run_id, task)) for task in causes(failed)
    )


def causes(failed: list[TaskInstance]) -> list[TaskInstance]:
    """Leave out the task that only says that others failed, unless it is the only one."""
    return [task for task in failed if task.task_id != _LAST_TASK] or failed


def group_failures(messages: Iterable[tuple[str, str]]) -> list[Failure]:
    """Put the tasks with the same message together.

    Args:
        messages: task and message.
    """
    tasks: dict[str, list[str]] = {}
    for task, message in messages:
        tasks.setdefault(message, []).append(task)
    return [Failure(tuple(names), message) for message, names in tasks.items()]


def show_failures(failures: list[Failure]) -> None:
    """Print each error and where the runbook explains it."""
    for failure in failures[:_MAX_SHOWN]:
        console.print(Text("error: ", style="bold red") + Text(failure.describe()))
        if failure.section:
            console.print(Text(f"       what to do: {failure.section}"))
    if len(failures) > _MAX_SHOWN:
        console.print(f"error: {len(failures) - _MAX_SHOWN} more; the logs of the tasks have them")


def show_result(stack: Stack, result: Result) -> None:
    """Print the numbers of a run, if it has any, and where to see more."""
    console.print(_table(result) if is_counted(result) else f"Run {result['run_id'] or '-'}: {result['state']}")
    if result.get("note"):
        console.print(f"note: {result['note']}", markup=False)
    if result.get("plan_page"):
        console.print(f"Plan: {stack.airflow_url}{result['plan_page']}")
    console.print(f"Airflow: {stack.airflow_url}  user {stack.airflow_user}, password {stack.airflow_password}")


def _table(result: Result) -> Table:
    table = Table(title=f"Run {result['run_id'] or '-'}: {result['state']}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("mode", str(result["mode"]))
    for name in COUNT_FIELDS:
        table.add_row(name.replace("_", " "), f"{result[name]:,}")
    # of a run that sent its plan, the counts above say what became of it
    if result["mode"] == "plan_only" or (result["state"] == "failed" and result.get("planned_calls")):
        for name in ("planned_create", "planned_update", "planned_archive", "planned_calls"):
            table.add_row(name.replace("_", " "), f"{result.get(name, 0):,}")
        table.add_row("seconds at the limit", f"{result.get('planned_s', 0):.2f}")
    for name in ("deliver_s", "wall_s"):
        table.add_row(name.replace("_s", " seconds"), f"{result[name]:.2f}")
    return table
