"""Trigger one run of the DAG, show how it goes, and say what came of it."""

from __future__ import annotations

import collections
import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import MySQLdb
from rich.progress import Progress, TaskID

from tools.local_stack.airflow_api import AirflowApi, DagRun, TaskInstance
from tools.local_stack.console import console, live, run_progress
from tools.local_stack.errors import RefusedError, StackError
from tools.local_stack.layout import Stack
from tools.local_stack.mysql import MysqlAddress, parse_url
from tools.local_stack.offered_file import OfferedFile, offer_file
from tools.local_stack.result import SUCCESS, Result, build_result, wall_seconds
from tools.local_stack.run_rejects import describe_rejects, read_rejects
from tools.local_stack.run_report import read_error, read_failures, show_failures, show_result
from tools.local_stack.services import DAG_ID

_POLL_S = 0.5
_PLAIN_LINE_S = 5
_CONFIRMED = ("delivered", "verified", "mismatched", "rejected")
_FIND_RUN = "SELECT run_id, summary FROM sync_run WHERE dag_run_key = %s"
_COUNT_STATES = "SELECT state, COUNT(*) FROM outbox WHERE run_id = %s GROUP BY state"


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked `make run` for."""

    file: Path | None
    conf: Mapping[str, Any]

    @property
    def mode(self) -> str:
        """Return the mode that the run gets."""
        return str(self.conf.get("mode", "incremental"))


@dataclass(frozen=True, slots=True)
class Counts:
    """Changes of a run that were planned, and those that HubSpot has answered."""

    confirmed: int = 0
    planned: int = 0


def read_request(environ: Mapping[str, str]) -> Request:
    """Read FILE, MODE and CONF.

    Raises:
        StackError: the file does not exist or CONF is not a JSON object.
    """
    file = Path(environ["FILE"]).expanduser() if environ.get("FILE") else None
    if file is not None and not file.is_file():
        raise StackError(f"FILE={file} does not exist: name a CSV or CSV.gz file")
    try:
        conf = json.loads(environ.get("CONF") or "{}")
    except ValueError as error:
        raise StackError(f"CONF is not JSON: {error}") from error
    if not isinstance(conf, dict):
        raise StackError('CONF must be a JSON object, e.g. CONF=\'{"mode": "plan_only"}\'')
    if environ.get("MODE"):
        conf["mode"] = environ["MODE"]
    return Request(file, conf)


class StateReader:
    """Reads the progress and the summary of a run from MySQL."""

    def __init__(self, address: MysqlAddress, dag_run_id: str) -> None:
        self._address = address
        self._key = f"{DAG_ID}:{dag_run_id}"

    def counts(self) -> Counts:
        """Return how far the delivery is; nothing when MySQL cannot be asked now."""
        with contextlib.suppress(MySQLdb.Error), self._cursor() as cursor:
            cursor.execute(_FIND_RUN, (self._key,))
            found = cursor.fetchone()
            if found:
                cursor.execute(_COUNT_STATES, (found[0],))
                states = {_text(state): int(count) for state, count in cursor.fetchall()}
                states.pop("superseded", None)
                return Counts(sum(states.get(state, 0) for state in _CONFIRMED), sum(states.values()))
        return Counts()

    def summary(self) -> tuple[int | None, Mapping[str, Any] | None]:
        """Return the run's number and what it counted.

        Raises:
            StackError: MySQL does not answer.
        """
        try:
            with self._cursor() as cursor:
                cursor.execute(_FIND_RUN, (self._key,))
                found = cursor.fetchone()
        except MySQLdb.Error as error:
            raise StackError(f"mysql cannot be asked for the summary: {error.args[-1]}") from error
        if not found:
            return None, None
        return int(found[0]), json.loads(_text(found[1])) if found[1] else None

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Any]:
        connection = self._address.connect()
        with contextlib.closing(connection), connection.cursor() as cursor:
            yield cursor


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def run_dag(stack: Stack, request: Request) -> Result:
    """Trigger the DAG and wait for its end.

    Raises:
        StackError: the file or the run is refused, or a part of the stack does not answer.
    """
    with contextlib.closing(AirflowApi(stack.airflow_url, stack.airflow_user, stack.airflow_password)) as api:
        offered = offer_file(stack, request.file) if request.file is not None else None
        began = datetime.now(tz=UTC)
        triggered = _trigger(api, request, offered)
        console.print(f"Run {triggered.dag_run_id} of {DAG_ID}")
        address = parse_url(stack.mysql_url)
        reader = StateReader(address, triggered.dag_run_id)
        over = Watch(api, reader, triggered).until_over()
        run_id, summary = reader.summary()
        failures = read_failures(api, over.dag_run_id)
        result = build_result(
            run_id=run_id,
            mode=request.mode,
            dag_state=over.state,
            summary=summary,
            wall_s=wall_seconds(began, over.end or datetime.now(tz=UTC)),
            message=failures[0].message if failures else "",
        )
    show_result(stack, result)
    _show_rejects(stack, address, result)
    show_failures(failures)
    if offered is not None and result["state"] != SUCCESS:
        _end_offer(offered, is_used=run_id is not None)
    return result


def _end_offer(offered: OfferedFile, *, is_used: bool) -> None:
    """Take a file back that no run has looked at; one that was looked at may be what the next run is to approve."""
    if is_used:
        console.print("FILE stays the newest version of the dataset; another FILE= replaces it.")
        return
    offered.take_back()
    console.print("The run stopped before it looked at the dataset: FILE is no longer offered.")


def _trigger(api: AirflowApi, request: Request, offered: OfferedFile | None) -> DagRun:
    """Start the run; when that is refused, the file that was offered for it is taken back."""
    try:
        return api.trigger(DAG_ID, request.conf)
    except RefusedError:
        if offered is not None:
            offered.take_back()
        raise


def _show_rejects(stack: Stack, address: MysqlAddress, result: Result) -> None:
    is_clean = result["state"] == SUCCESS and not (result["rejected"] or result["quarantined_lines"])
    if result["run_id"] is None or is_clean:
        return
    run_id = int(result["run_id"])
    page_url = f"{stack.airflow_url}/hubspot-sync/dags/{DAG_ID}/rejects"
    try:
        lines = describe_rejects(read_rejects(address, run_id), page_url, run_id)
    except StackError as error:
        lines = [f"Rejected: not known ({error})"]  # what came of the run is known all the same
    for line in lines:
        console.print(line, markup=False)


@dataclass(slots=True)
class Watch:
    """Follows one DAG run."""

    api: AirflowApi
    reader: StateReader
    run: DagRun
    pause: threading.Event = field(default_factory=threading.Event)
    _polls: int = 0
    _printed: str = ""
    _told: set[tuple[str, int]] = field(default_factory=set)

    def until_over(self) -> DagRun:
        """Show the run until it has ended, and return it."""
        view = run_progress()
        bar = view.add_task("waiting", total=None, records="")
        with live(view):
            while not self.run.is_over:
                if self._polls % 2 == 0:
                    self._show(view, bar)
                self._polls += 1
                self.pause.wait(_POLL_S)
                self.run = self.api.dag_run(DAG_ID, self.run.dag_run_id)
        return self.run

    def _show(self, view: Progress, bar: TaskID) -> None:
        tasks = self.api.task_instances(DAG_ID, self.run.dag_run_id)
        self._tell_retries(tasks)
        is_queued = self.run.state == "queued"
        states = "queued, another run is active" if is_queued and self._polls else describe_tasks(tasks)
        counts = self.reader.counts()
        records = f"{counts.confirmed:,} of {counts.planned:,} records" if counts.planned else ""
        total = counts.planned or None
        view.update(bar, description=states, total=total, completed=counts.confirmed, records=records)
        self._print_plainly(f"  {states} {records}".rstrip())

    def _print_plainly(self, line: str) -> None:
        """Where no live view is possible, print a line now and then, and only when it says something new."""
        if console.is_terminal or line == self._printed or self._polls % int(_PLAIN_LINE_S / _POLL_S):
            return
        self._printed = line
        console.print(line, markup=False)

    def _tell_retries(self, tasks: list[TaskInstance]) -> None:
        """Say once for each failed try why there will be another one."""
        for task in tasks:
            attempt = (task.name, task.try_number)
            if task.state == "up_for_retry" and attempt not in self._told:
                self._told.add(attempt)
                message = read_error(self.api, self.run.dag_run_id, task)
                console.print(f"  {task.name} will be retried (try {task.try_number}): {message}", markup=False)


def describe_tasks(tasks: list[TaskInstance]) -> str:
    """Return what is under way in a few words, e.g. `deliver: 5 running, 2 success`."""
    by_task: dict[str, collections.Counter[str]] = {}
    for task in tasks:
        by_task.setdefault(task.task_id, collections.Counter())[task.state] += 1
    active = {
        name: states for name, states in by_task.items() if set(states) - {"waiting", "success", "skipped", "removed"}
    }
    parts = []
    for name, states in active.items():
        if sum(states.values()) == 1:
            parts.append(f"{name} {next(iter(states))}")
        else:
            parts.append(f"{name}: " + ", ".join(f"{count} {state}" for state, count in states.items()))
    return "; ".join(parts) or "scheduling"
