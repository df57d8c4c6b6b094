"""What the page shows: syncs, their runs, batches and rejected records, as typed values read from MySQL."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from include.hubspot_sync.records import BatchState, Phase, RunMode, RunState

WINDOW_S = 10
"""The time over which HubSpot's burst limit counts, which `page/select_speed.sql` looks back on."""
_TASKS = frozenset({Phase.PREFLIGHT, Phase.LAND, Phase.STAGE, Phase.DELTA, Phase.DELIVER})
"""Phases that are told by the clock; the others are sums over what ran at once."""
_OVER = frozenset({RunState.DONE, RunState.FAILED, RunState.SUPERSEDED})


class Reader(Protocol):
    """An open transaction that runs a SELECT of `include/sql` by name."""

    def rows(self, name: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the rows by column name."""


@dataclass(frozen=True, slots=True)
class RunStatus:
    """One run; times are UTC and the database's."""

    run_id: int
    dag_run_id: str
    """Airflow's id of the DAG run."""
    mode: RunMode
    state: RunState
    source_version: int | None
    source_file: str
    """S3 key; empty before the file is landed."""
    planned: Mapping[str, int]
    """Changes of the plan by operation; empty before there is a plan."""
    counts: Mapping[str, Any]
    """Fields of the RESULT line once the run is over; before that only what is known already."""
    reason: str
    started_at: datetime
    finished_at: datetime | None
    """None while the run is under way."""
    took_s: float | None
    """From the start to the end, or to now; None when nobody noted the end."""

    @property
    def is_over(self) -> bool:
        """Tell whether the run has ended."""
        return self.state in _OVER

    @property
    def may_go_on(self) -> bool:
        """Tell whether its page should keep looking: who cleared a failed run waits there for it to move."""
        return not self.is_over or self.state == RunState.FAILED


@dataclass(frozen=True, slots=True)
class LastSuccess:
    """The last run that delivered everything."""

    run_id: int
    records: int
    finished_at: datetime
    age_s: float


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """Where a sync stands."""

    last_run: RunStatus | None
    last_success: LastSuccess | None
    open_changes: int
    """Changes that are queued and not yet delivered."""
    good_runs: int = 0
    """Of the latest runs those that ended well."""
    ended_runs: int = 0
    """Of the latest runs those that ended well or badly; a superseded one is neither."""


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """How far one shard, or a whole run, is; superseded batches are no work and do not count."""

    batches: Mapping[BatchState, int]
    rows: Mapping[BatchState, int]

    @property
    def done_rows(self) -> int:
        """Return the changes in batches that are done."""
        return self.rows.get(BatchState.DONE, 0)

    @property
    def total_rows(self) -> int:
        """Return the changes in all batches that are to be delivered."""
        return sum(count for state, count in self.rows.items() if state is not BatchState.SUPERSEDED)


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a run is, and how much of the portal's limits all runs together use."""

    records_per_s: float
    """Changes that HubSpot answered, over the last `WINDOW_S` seconds."""
    requests: int
    """Requests within the last `WINDOW_S` seconds."""
    request_limit: int | None
    """Requests that the portal allows in that time; None before its first answer."""
    daily_requests: int | None
    daily_limit: int | None
    pause_s: float
    """For how long nobody may send; 0 when everybody may."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the delivery of a run is."""

    shards: Mapping[int, ShardProgress]
    total: ShardProgress
    speed: Speed | None = None
    """None once the run is over."""
    phases: Mapping[str, float] = field(default_factory=dict)
    """Seconds by phase so far; once the run is over its summary has them."""


@dataclass(frozen=True, slots=True)
class NotableBatch:
    """A batch that is under way, was tried again, or has a reason to tell."""

    batch_no: int
    shard: int
    kind: str
    row_count: int
    state: BatchState
    attempts: int
    http_status: int | None
    latency_ms: int | None
    correlation_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A source line that was not loaded, or a record that HubSpot refused."""

    id: int
    run_id: int
    """The run that saw it last."""
    stage: str
    """`validate` or `deliver`."""
    source_file: str
    line_no: int | None
    """Its first line; the header is line 1."""
    line_count: int | None
    column_name: str
    key_text: str
    reason: str
    reason_text: str
    correlation_id: str
    attempts: int
    first_seen_at: datetime
    last_seen_at: datetime
    payload: str
    """The raw line, or the properties that were sent, as JSON; cut to 1,000 characters."""
    is_released: bool
    is_resolved: bool

    @property
    def state(self) -> str:
        """Return `open`, `released` (to be tried again) or `resolved`."""
        return "resolved" if self.is_resolved else "released" if self.is_released else "open"


@dataclass(frozen=True, slots=True)
class RejectedRecords:
    """The first rejected records of a run, and how many there are."""

    count: int
    first: tuple[RejectedRecord, ...]


def _counts(row: Mapping[str, Any], *, is_over: bool) -> dict[str, Any]:
    # a cleared run keeps the summary of its last end until it ends again
    if is_over and row["summary"]:
        summary: dict[str, Any] = json.loads(row["summary"])
        return summary
    return {name: row[name] for name in ("source_rows", "records") if row[name] is not None}


def _run_status(row: Mapping[str, Any]) -> RunStatus:
    state = RunState(row["state"])
    is_over = state in _OVER
    finished_at: datetime | None = row["finished_at"] if is_over else None
    end = finished_at if is_over else row["read_at"]
    key = row["dag_run_key"]
    return RunStatus(
        run_id=row["run_id"],
        dag_run_id=(key.decode() if isinstance(key, bytes) else key).partition(":")[2],
        mode=RunMode(row["mode"]),
        state=state,
        source_version=row["source_version"],
        source_file=row["source_file"] or "",
        planned=json.loads(row["planned"]) if row["planned"] else {},
        counts=_counts(row, is_over=is_over),
        reason=row["reason_text"] or "",
        started_at=row["started_at"],
        finished_at=finished_at,
        took_s=(end - row["started_at"]).total_seconds() if end else None,
    )


def read_runs(reader: Reader, sync_name: str) -> tuple[RunStatus, ...]:
    """Return the latest runs of a sync, newest first."""
    return tuple(map(_run_status, reader.rows("page/select_runs.sql", {"sync_name": sync_name})))


def read_run(reader: Reader, sync_name: str, run_id: int) -> RunStatus | None:
    """Return one run of a sync, None when the sync has no such run."""
    rows = reader.rows("page/select_run.sql", {"sync_name": sync_name, "run_id": run_id})
    return _run_status(rows[0]) if rows else None


def read_sync(reader: Reader, sync_name: str) -> SyncStatus:
    """Return where a sync stands."""
    params = {"sync_name": sync_name}
    runs = read_runs(reader, sync_name)
    open_changes = reader.rows("page/count_open_changes.sql", params)[0]["open_changes"]
    states = Counter(run.state for run in runs)
    return SyncStatus(
        last_run=runs[0] if runs else None,
        last_success=_last_success(reader, sync_name),
        open_changes=int(open_changes),
        good_runs=states[RunState.DONE],
        ended_runs=states[RunState.DONE] + states[RunState.FAILED],
    )


def _last_success(reader: Reader, sync_name: str) -> LastSuccess | None:
    rows = reader.rows("page/select_last_success.sql", {"sync_name": sync_name})
    if not rows:
        return None
    row = rows[0]
    return LastSuccess(
        run_id=row["run_id"],
        records=json.loads(row["summary"]).get("records", 0),
        finished_at=row["finished_at"],
        age_s=(row["read_at"] - row["finished_at"]).total_seconds(),
    )


def read_progress(reader: Reader, run_id: int) -> Progress:
    """Return how far the delivery of a run is, by shard and in all."""
    batches: dict[int, Counter[BatchState]] = {}
    rows: dict[int, Counter[BatchState]] = {}
    for row in reader.rows("page/count_batches.sql", {"run_id": run_id}):
        state = BatchState(row["state"])
        batches.setdefault(row["shard"], Counter())[state] = int(row["batch_count"])
        rows.setdefault(row["shard"], Counter())[state] = int(row["row_count"])
    return Progress(
        shards={shard: ShardProgress(batches[shard], rows[shard]) for shard in batches},
        total=ShardProgress(sum(batches.values(), Counter()), sum(rows.values(), Counter())),
    )


def read_speed(reader: Reader, run_id: int) -> Speed:
    """Return how fast a run is at this moment."""
    row = reader.rows("page/select_speed.sql", {"run_id": run_id})[0]
    pause_s = float(row["pause_s"] or 0)
    has_day = row["daily_limit"] is not None and row["daily_remaining"] is not None
    return Speed(
        records_per_s=float(row["recent_rows"]) / WINDOW_S,
        requests=int(row["recent_requests"]),
        request_limit=row["window_limit"],
        daily_requests=row["daily_limit"] - row["daily_remaining"] if has_day else None,
        daily_limit=row["daily_limit"],
        pause_s=max(0.0, pause_s),
    )


def read_phases(reader: Reader, run_id: int) -> dict[str, float]:
    """Return the seconds that a run has spent so far by phase; a task is added when its try ends."""
    rows = reader.rows("phases/select_phases.sql", {"run_id": run_id})
    return {row["phase"]: float(row["span_s"] if row["phase"] in _TASKS else row["seconds"]) for row in rows}


def read_live_progress(reader: Reader, run: RunStatus) -> Progress:
    """Return how far the delivery of a run is and, while it is under way, how fast and where its time goes."""
    progress = read_progress(reader, run.run_id)
    if run.is_over:
        return progress
    return replace(progress, speed=read_speed(reader, run.run_id), phases=read_phases(reader, run.run_id))


def find_run(reader: Reader, sync_name: str, dag_run_key: str) -> int | None:
    """Return the run of a DAG run, None before `preflight` has opened it."""
    rows = reader.rows("page/select_run_of_dag.sql", {"sync_name": sync_name, "dag_run_key": dag_run_key})
    return int(rows[0]["run_id"]) if rows else None


def read_notable_batches(reader: Reader, run_id: int) -> tuple[NotableBatch, ...]:
    """Return the first batches of a run that somebody may want to look at."""
    return tuple(
        NotableBatch(
            batch_no=row["batch_no"],
            shard=row["shard"],
            kind=row["kind"],
            row_count=row["row_count"],
            state=BatchState(row["state"]),
            attempts=row["attempts"],
            http_status=row["http_status"],
            latency_ms=row["latency_ms"],
            correlation_id=row["correlation_id"] or "",
            reason=row["reason"] or "",
        )
        for row in reader.rows("page/select_notable_batches.sql", {"run_id": run_id})
    )


def read_rejected(reader: Reader, sync_name: str, run_id: int) -> RejectedRecords:
    """Return the records that were last refused in this run; those refused before stay with their own run."""
    params = {"sync_name": sync_name, "run_id": run_id}
    count = int(reader.rows("page/count_rejected_records.sql", params)[0]["rejected"])
    return RejectedRecords(count, tuple(map(rejected_record, reader.rows("page/select_rejected_records.sql", params))))


def rejected_record(row: Mapping[str, Any]) -> RejectedRecord:
    """Return a row of `rejected_record` as a value."""
    return RejectedRecord(
        id=row["id"],
        run_id=row["run_id"],
        stage=row["stage"],
        source_file=row["source_file"],
        line_no=row["line_no"],
        line_count=row["line_count"],
        column_name=row["column_name"],
        key_text=row["key_text"] or "",
        reason=row["reason"],
        reason_text=row["reason_text"],
        correlation_id=row["correlation_id"] or "",
        attempts=row["attempts"],
        first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"],
        payload=row["payload"],
        is_released=row["released_at"] is not None,
        is_resolved=row["resolved_at"] is not None,
    )
